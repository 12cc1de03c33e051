"""How much of a phrase another one keeps: its harmony and its rhythm, apart from exact notes.

Cosine similarities bar by bar, as FIGARO measures fidelity (von Ruette et al. 2022: chroma and grooving similarity).
"""

import numpy as np

from musae_tf.music import STEPS_PER_BAR, Layout
from musae_tf.music.sounding import SILENT, onsets, sounding_pitch


def chroma(tokens: np.ndarray, layout: Layout, steps: int = STEPS_PER_BAR) -> np.ndarray:
    """Pitch-class histograms of tokens int [N, T, K]: float64 [N, T / steps, K, 12], in sounding steps."""
    pitch = sounding_pitch(tokens, layout)
    count, length, tracks = pitch.shape
    classes = (pitch[..., np.newaxis] % 12 == np.arange(12)) & (pitch != SILENT)[..., np.newaxis]
    return classes.reshape(count, length // steps, steps, tracks, 12).sum(axis=2, dtype=np.float64)


def chroma_similarity(one: np.ndarray, other: np.ndarray, layout: Layout) -> np.ndarray:
    """Cosine of the pitch-class histograms of all tracks together, mean over bars: float64 [N] of tokens [N, T, K]."""
    return _bars_alike(*(chroma(tokens, layout).sum(axis=2) for tokens in (one, other)))


def rhythm_similarity(one: np.ndarray, other: np.ndarray, layout: Layout) -> np.ndarray:
    """Cosine of how many tracks begin a note at each step, mean over bars: float64 [N] of tokens [N, T, K]."""

    def begun(tokens: np.ndarray) -> np.ndarray:
        return onsets(tokens, layout).sum(axis=2).reshape(len(tokens), -1, STEPS_PER_BAR).astype(np.float64)

    return _bars_alike(begun(one), begun(other))


def _bars_alike(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean cosine of vectors [N, bars, V]; two empty bars are alike, an empty one and a full one are not."""
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    cosine = (one * other).sum(axis=-1) / np.where(lengths > 0, lengths, 1.0)
    empty = (one == 0).all(axis=-1) & (other == 0).all(axis=-1)
    return np.where(empty, 1.0, cosine).mean(axis=-1)
