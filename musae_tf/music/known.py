"""What of a phrase is given when the rest is to be written: a level for each of its symbols."""

FREE, KNOWN, ONSET = 0, 1, 2
"""Levels: the symbol is to be written; it is kept as it is; a note begins, and which one is to be written.

ONSET is for melodic columns. A free symbol right after a known one of its column is never a hold, which would lengthen
a note that is known.
"""
