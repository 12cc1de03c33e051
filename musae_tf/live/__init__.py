"""The model on a stage: messages of Open Sound Control in, notes of a MIDI port out, in time.

`schedule.py` makes a loop of MIDI messages of a song, `transport.py` says which of them are due, `player.py` sends them
from a thread of its own. `osc.py` reads and writes packets, `performance.py` does what they ask for.
"""
