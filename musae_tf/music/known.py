"""What of a phrase is given when the rest is to be written: a level for each of its symbols."""

FREE, KNOWN, ONSET, PITCH = 0, 1, 2, 3
"""Levels: the symbol is to be written; it is kept as it is; a note begins, and which one is to be written; notes begin
at some of these places with the pitches that have such places now, in their order.

ONSET and PITCH are for melodic columns. A symbol that is to be written right after a known one of its column is never a
hold, which would lengthen a note that is known.
"""
