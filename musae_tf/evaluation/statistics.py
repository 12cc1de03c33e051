"""Statistics of phrases: how dense, how silent, how wide; and whether generated music stays where real music is."""

from collections.abc import Sequence

import numpy as np

from musae_tf.music import REST, STEPS_PER_BAR, Layout
from musae_tf.music.sounding import SILENT, sounding_pitch
from musae_tf.music.vocabulary import KIT, KIT_PIECES, STROKES

# Names of the statistics, in the order of the last axis.
STATISTICS = ("note_density", "silence", "pitch_range")


def known_mean(values: Sequence[float] | np.ndarray) -> float:
    """The mean of the values that are numbers; NaN if none is."""
    values = np.asarray(values, float)
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def phrase_statistics(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """Three numbers a track of each phrase.

    Args:
        tokens: int [N, T, K].
        layout: what the tracks are.

    Returns:
        float64 [N, K, 3]: note density (onsets a bar), silence (share of steps without sound) and pitch range
        (semitones from the lowest to the highest onset, 0 without onsets). For a kit: strokes a bar, share of steps
        without a stroke, and number of different pieces struck.
    """
    tokens = np.asarray(tokens, np.int32)  # tokens of a dataset are unsigned, and -1 is needed below
    bars = tokens.shape[1] / STEPS_PER_BAR
    pitch = sounding_pitch(tokens, layout)
    result = np.empty((len(tokens), len(layout.tracks), 3))
    for track, spec in enumerate(layout.tracks):
        symbols = tokens[..., track]
        if spec.vocabulary == KIT:
            pieces = (symbols[..., np.newaxis] >> np.arange(len(KIT_PIECES))) & 1
            columns = (
                STROKES[symbols].sum(axis=1) / bars,
                (symbols == KIT.rest).mean(axis=1),
                pieces.any(axis=1).sum(-1),
            )
        else:
            onset = symbols < REST
            highest = np.where(onset, symbols, -1).max(axis=1)
            lowest = np.where(onset, symbols, REST).min(axis=1)
            silence = (pitch[..., track] == SILENT).mean(axis=1)
            columns = onset.sum(axis=1) / bars, silence, np.where(onset.any(axis=1), highest - lowest, 0)
        result[:, track] = np.stack(columns, axis=-1)
    return result


def share_within(generated: np.ndarray, real: np.ndarray, low: float = 5.0, high: float = 95.0) -> dict[str, object]:
    """How much of the generated music lies where the real music does.

    Args:
        generated: float [N, K, S] of `phrase_statistics`.
        real: float [M, K, S].
        low: percentile of the real music at the lower end, included.
        high: percentile at the upper end, included.

    Returns:
        "each" float [K, S], share of generated phrases inside for each track and statistic; "all", share inside in all
        of them at once; "real_all", the same share of the real phrases themselves, which is what to compare "all" with.
    """
    lowest, highest = np.percentile(real, [low, high], axis=0)

    def inside(values: np.ndarray) -> np.ndarray:
        return (values >= lowest) & (values <= highest)

    return {
        "each": inside(generated).mean(axis=0),
        "all": float(inside(generated).all(axis=(1, 2)).mean()),
        "real_all": float(inside(real).all(axis=(1, 2)).mean()),
    }
