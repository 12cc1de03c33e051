"""Statistics of generated music that others report, to be held against those of real music. Nearer is better.

MuseGAN's (Dong et al. 2018, section 5.3): empty bars, used pitch classes, qualified notes, drum pattern, tonal
distance. Of the published code three things are not followed: there the function for empty bars returns the share of
bars that are not empty; strokes off the drum pattern count a tenth; and a bar without a note has no pitch classes to
count but is counted. MGEval's (Yang and Lerch 2020): overlapped area.
"""

from itertools import combinations

import numpy as np
from scipy.integrate import trapezoid
from scipy.stats import gaussian_kde

from musae_tf.evaluation.similarity import chroma
from musae_tf.music import REST, STEPS_PER_BAR, Layout
from musae_tf.music.sounding import SILENT, onsets, sounding_pitch
from musae_tf.music.vocabulary import KIT, STROKES

_STEPS_PER_BEAT = 4
# A note is qualified from so many steps on. MuseGAN asks for a 32nd note, which every note of a sixteenth grid is.
_QUALIFIED_STEPS = 2
# Strokes belong on the eighths of a bar.
_PATTERN_STEPS = 2
_PAIRS = 2000
_GRID = 200

# Harte, Sandler and Gasser (2006): circles of fifths, minor thirds and major thirds, with radii 1, 1 and 0.5.
_CIRCLES = ((7 / 6, 1.0), (3 / 2, 1.0), (2 / 3, 0.5))
_TONAL = np.concatenate(
    [
        [radius * np.sin(np.arange(12) * turn * np.pi), radius * np.cos(np.arange(12) * turn * np.pi)]
        for turn, radius in _CIRCLES
    ]
)


def generation_statistics(tokens: np.ndarray, layout: Layout) -> dict[str, dict[str, float]]:
    """MuseGAN's statistics of phrases int [N, T, K].

    Returns:
        {statistic: {track or pair of tracks: value}}; NaN where there is nothing to count:
        empty_bars: share of bars in which a track never sounds.
        pitch_classes: different pitch classes that sound in a bar, mean over the bars with any.
        qualified_notes: share of notes of an eighth or longer.
        drum_pattern: share of a kit's strokes on eighths.
        tonal_distance: distance of two tracks in Harte's tonal space, mean over the beats in which both sound.
    """
    tokens = np.asarray(tokens, np.int32)
    melodic = [track for track, spec in enumerate(layout.tracks) if spec.vocabulary != KIT]
    classes = chroma(tokens, layout)
    empty = (classes.sum(axis=-1) == 0).reshape(-1, len(layout.tracks))
    result: dict[str, dict[str, float]] = {"empty_bars": {}, "pitch_classes": {}, "qualified_notes": {}}
    lengths = note_lengths(tokens, layout)
    used = (classes > 0).sum(axis=-1).reshape(empty.shape)
    for track, spec in enumerate(layout.tracks):
        if spec.vocabulary == KIT:
            silent = (tokens[..., track].reshape(-1, STEPS_PER_BAR) == KIT.rest).all(axis=1)
            result["empty_bars"][spec.name] = float(silent.mean())
            result.setdefault("drum_pattern", {})[spec.name] = drum_pattern(tokens[..., track])
            continue
        result["empty_bars"][spec.name] = float(empty[:, track].mean())
        result["pitch_classes"][spec.name] = _mean(used[~empty[:, track], track])
        result["qualified_notes"][spec.name] = _mean(lengths[track] >= _QUALIFIED_STEPS)
    result["tonal_distance"] = {
        f"{layout.names[one]}-{layout.names[other]}": _mean(tonal_distance(tokens, layout, one, other))
        for one, other in combinations(melodic, 2)
    }
    return result


def note_lengths(tokens: np.ndarray, layout: Layout) -> list[np.ndarray]:
    """Length in steps of every note of each track of tokens [N, T, K]; strokes of a kit have none (empty)."""
    begins, sounds = onsets(tokens, layout), sounding_pitch(tokens, layout) != SILENT
    lengths = []
    for track, spec in enumerate(layout.tracks):
        if spec.vocabulary == KIT:
            lengths.append(np.zeros(0, np.int64))
            continue
        note = np.cumsum(begins[..., track].ravel()) - 1
        count = int(begins[..., track].sum())
        # A phrase that begins with a hold is silent there: no sounding step lies before its first onset.
        lengths.append(np.bincount(note[sounds[..., track].ravel()], minlength=count))
    return lengths


def drum_pattern(symbols: np.ndarray) -> float:
    """Share of strokes that fall on eighths, of a kit's symbols int [N, T]; NaN without strokes."""
    strokes = STROKES[symbols].reshape(-1, STEPS_PER_BAR)
    total = strokes.sum()
    return float(strokes[:, ::_PATTERN_STEPS].sum() / total) if total else float("nan")


def tonal_distance(tokens: np.ndarray, layout: Layout, one: int, other: int) -> np.ndarray:
    """Distance of two tracks in tonal space in each beat in which both sound: float64 [beats]."""
    classes = chroma(tokens, layout, _STEPS_PER_BEAT)[..., [one, other], :].reshape(-1, 2, 12)
    sums = classes.sum(axis=-1)
    both = (sums > 0).all(axis=1)
    centroids = (classes[both] / sums[both][..., np.newaxis]) @ _TONAL.T
    return np.linalg.norm(centroids[:, 0] - centroids[:, 1], axis=-1)


FEATURES = ("onsets", "pitch_range", "pitch_classes", "mean_interval", "mean_length")


def overlap_features(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """Five numbers a phrase to compare sets of phrases by, float64 [N, 5] of tokens [N, T, K]: see `FEATURES`.

    Onsets of all tracks; semitones from the lowest to the highest; different pitch classes; mean size of a melodic
    interval (semitones); mean time from a note to the next of its track (steps). 0 where there is none.
    """
    tokens = np.asarray(tokens, np.int32)
    begins = onsets(tokens, layout)
    pitched = begins & np.array([spec.vocabulary != KIT for spec in layout.tracks])
    highest = np.where(pitched, tokens, -1).max(axis=(1, 2))
    lowest = np.where(pitched, tokens, REST).min(axis=(1, 2))
    # Track by track, so that neighbours in the list are neighbours in a track.
    rows, tracks, steps = np.nonzero(pitched.transpose(0, 2, 1))
    same = (np.diff(rows) == 0) & (np.diff(tracks) == 0)
    followed = rows[1:][same]
    count = np.maximum(np.bincount(followed, minlength=len(tokens)), 1)
    leaps, waits = np.abs(np.diff(tokens[rows, steps, tracks]))[same], np.diff(steps)[same]
    return np.stack(
        [
            begins.sum(axis=(1, 2)),
            np.where(pitched.any(axis=(1, 2)), highest - lowest, 0),
            (chroma(tokens, layout).sum(axis=(1, 2)) > 0).sum(axis=1),
            np.bincount(followed, leaps, minlength=len(tokens)) / count,
            np.bincount(followed, waits, minlength=len(tokens)) / count,
        ],
        axis=1,
    ).astype(np.float64)


def overlapped_area(generated: np.ndarray, real: np.ndarray, seed: int = 0) -> np.ndarray:
    """How far generated phrases differ from real ones as real ones do among themselves (MGEval).

    For each feature the distances of real phrases to each other and those of generated to real ones are drawn as
    smooth densities (Gaussian kernels, Scott's rule); their common area is 1 if the two are distributed alike.

    Args:
        generated: float [N, F] of `overlap_features`.
        real: float [M, F].
        seed: of the pairs that are drawn.

    Returns:
        float64 [F]; NaN for a feature in which real phrases never differ.
    """
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, len(real), (2, _PAIRS))
    keep = one != other
    within = np.abs(real[one] - real[other])[keep]
    between = np.abs(generated[rng.integers(0, len(generated), _PAIRS)] - real[rng.integers(0, len(real), _PAIRS)])
    return np.array([_common_area(*columns) for columns in zip(within.T, between.T, strict=True)])


def _common_area(one: np.ndarray, other: np.ndarray) -> float:
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    grid = np.linspace(min(one.min(), other.min()), max(one.max(), other.max()), _GRID)
    lower = np.minimum(gaussian_kde(one)(grid), gaussian_kde(other)(grid))
    return float(trapezoid(lower, grid))


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if np.size(values) else float("nan")
