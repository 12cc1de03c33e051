"""What sounds at each step: tokens with their holds resolved."""

import numpy as np

from musae_tf.music.layouts import Layout
from musae_tf.music.vocabulary import HOLD, KIT, REST

SILENT = -1
"""Stands for no pitch."""


def sounding_pitch(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """The pitch that sounds at each step, int16 of the shape of `tokens` [..., T, K]; SILENT where none does.

    A hold after a rest, or with nothing before it, is silent, as everywhere in `musae_tf.music`. A kit has no pitch:
    its track is silent throughout.
    """
    tokens = np.asarray(tokens)
    steps = np.arange(tokens.shape[-2])[:, np.newaxis]
    last = np.maximum.accumulate(np.where(tokens != HOLD, steps, -1), axis=-2)
    symbols = np.take_along_axis(tokens, np.maximum(last, 0), axis=-2)
    sounding = (last >= 0) & (symbols < REST) & np.array([spec.vocabulary != KIT for spec in layout.tracks])
    return np.where(sounding, symbols.astype(np.int16), np.int16(SILENT))


def onsets(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """Where notes begin, or something of a kit is struck: bool of the shape of `tokens` [..., T, K]."""
    tokens = np.asarray(tokens)
    kits = np.array([spec.vocabulary == KIT for spec in layout.tracks])
    return np.where(kits, tokens != KIT.rest, tokens < REST)
