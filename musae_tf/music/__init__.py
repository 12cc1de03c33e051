"""Music as notes and as tokens: MIDI files, track layouts, the grid, phrases, metrics, pictures and sound.

Nothing here needs TensorFlow. Reading, writing and tokens need numpy and symusic only; what draws, renders sound or
exchanges pianorolls loads its library when called.
"""

from musae_tf.music.grid import (
    Grid,
    canonical,
    cut,
    detokenize,
    heads,
    join,
    pitch_range,
    tokenize,
    transpose,
)
from musae_tf.music.layouts import Layout, TrackSpec
from musae_tf.music.named_layouts import LAYOUTS, get_layout
from musae_tf.music.song import NOTE, Metre, Song, Tempo, Track
from musae_tf.music.vocabulary import HOLD, KIT, KIT_PIECES, MELODIC, REST, VELOCITY, Vocabulary
from musae_tf.time_grid import SIXTEENTHS, TimeGrid

__all__ = [
    "HOLD",
    "KIT",
    "KIT_PIECES",
    "LAYOUTS",
    "MELODIC",
    "NOTE",
    "REST",
    "SIXTEENTHS",
    "VELOCITY",
    "Grid",
    "Layout",
    "Metre",
    "Song",
    "Tempo",
    "TimeGrid",
    "Track",
    "TrackSpec",
    "Vocabulary",
    "canonical",
    "cut",
    "detokenize",
    "get_layout",
    "heads",
    "join",
    "pitch_range",
    "tokenize",
    "transpose",
]
