"""Symbols of one step of one column of a token array.

Melodic columns have 130 symbols: 0..127 the onset of that pitch, 128 rest, 129 hold (the note goes on). Drum kits have
512: one bit for each of nine pieces struck together, 0 for none; strokes have no length. This is how MusicVAE reads
drums (Roberts et al., 2018). Columns of velocities have 9: how loud the notes of a track are that begin at a step, on
eight levels, or that none begins.
"""

from dataclasses import dataclass

import numpy as np

REST = 128
HOLD = 129


@dataclass(frozen=True)
class Vocabulary:
    """The symbols of a column: `size` of them; `rest` is silence; `hold` carries a note on, None if nothing lasts."""

    name: str
    size: int
    rest: int
    hold: int | None


@dataclass(frozen=True)
class KitPiece:
    """One piece of a drum kit: the General MIDI pitches that count as it, and the one that is written."""

    name: str
    pitch: int
    pitches: tuple[int, ...]


MELODIC = Vocabulary("melodic", 130, REST, HOLD)

# Pitches 27..34 and 82..87 are General MIDI 2; 22 and 26 are the hi-hat edges of electronic kits.
# Hand percussion goes to the piece of like height and length.
KIT_PIECES = (
    KitPiece("kick", 36, (35, 36)),
    KitPiece("snare", 38, (27, 28, 31, 32, 33, 34, 37, 38, 39, 40, 56, 65, 66, 75, 85)),
    KitPiece("closed hi-hat", 42, (22, 42, 44, 54, 68, 69, 70, 71, 73, 78, 80)),
    KitPiece("open hi-hat", 46, (26, 46, 67, 72, 74, 79, 81)),
    KitPiece("low tom", 45, (29, 41, 43, 45, 61, 64, 84)),
    KitPiece("mid tom", 48, (47, 48, 60, 63, 77, 86, 87)),
    KitPiece("high tom", 50, (30, 50, 62, 76, 83)),
    KitPiece("crash", 49, (49, 52, 55, 57, 58)),
    KitPiece("ride", 51, (51, 53, 59, 82)),
)
"""Bit i of a kit symbol is piece i."""

KIT = Vocabulary("kit", 2 ** len(KIT_PIECES), 0, None)

VELOCITY_LEVELS = 8
"""Level l stands for velocities 16 l to 16 l + 15."""

SAME_VELOCITY = VELOCITY_LEVELS
"""No note begins; where one does all the same, it is as loud as the one before."""

VELOCITY = Vocabulary("velocity", VELOCITY_LEVELS + 1, SAME_VELOCITY, None)

VOCABULARIES = {vocabulary.name: vocabulary for vocabulary in (MELODIC, KIT)}
"""Those that a track may have."""

KIT_BITS = np.zeros(128, np.uint16)
"""uint16 [128]: the kit symbol of a single drum pitch, 0 where no piece has it."""
for _bit, _piece in enumerate(KIT_PIECES):
    KIT_BITS[list(_piece.pitches)] = 1 << _bit
KIT_BITS.flags.writeable = False

STRUCK = (np.arange(KIT.size)[:, np.newaxis] >> np.arange(len(KIT_PIECES)) & 1).astype(np.uint8)
"""uint8 [512, 9]: 1 for each piece that a kit symbol strikes."""
STRUCK.flags.writeable = False

STROKES = STRUCK.sum(axis=1, dtype=np.int64)
"""int64 [512]: number of pieces that a kit symbol strikes."""
STROKES.flags.writeable = False
