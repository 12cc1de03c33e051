"""Statistics of phrases, and whether generated music has those of real music.

MuseGAN's (Dong et al. 2018, section 5.3): empty bars, used pitch classes, qualified notes, drum pattern, tonal
distance. Of the published code three things are not followed: there the function for empty bars returns the share of
bars that are not empty; strokes off the drum pattern count a tenth; and a bar without a note has no pitch classes to
count but is counted. MGEval's (Yang and Lerch 2020): overlapped area.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.integrate import trapezoid
from scipy.stats import gaussian_kde

from musae_tf.evaluation.held_out import SAMPLES
from musae_tf.music import REST, Layout
from musae_tf.music.grid import SILENT, lines_of, onsets, sounding_pitch
from musae_tf.music.pieces import walk
from musae_tf.music.vocabulary import KIT, KIT_PIECES, STROKES
from musae_tf.time_grid import steps_of_eighth

if TYPE_CHECKING:
    from musae_tf.evaluation.context import EvaluationContext


# Names of the statistics, in the order of the last axis.
STATISTICS = ("note_density", "silence", "pitch_range")

# A note is qualified from so many steps on. MuseGAN asks for a 32nd note, which every note of a sixteenth grid is.

# Strokes belong on the eighths of a bar.
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
FEATURES = ("onsets", "pitch_range", "pitch_classes", "mean_interval", "mean_length")
# Streams of random numbers.
_WALK, _WALK_OTHER = 1000, 2000
_WALK_PHRASES = 4


def measure_samples(context: "EvaluationContext") -> dict[str, Any]:
    """Where samples of each genre lie among real phrases, by density, silence and range."""
    within = {}
    for number, genre in enumerate(context.genres):
        real = context.held_out.tokens[context.held_out.of_genre(number)]
        if len(real):  # a genre without test songs has nothing to be compared with
            made, music = (phrase_statistics(tokens, context.layout) for tokens in (context.samples(number), real))
            within[genre] = share_within(made, music)
    return {"count": SAMPLES, "statistics": STATISTICS, "within_5_95": within}


def measure_generation(context: "EvaluationContext") -> dict[str, Any]:
    """Samples against real held-out phrases: MuseGAN's statistics, overlapped area."""
    held_out, layout = context.held_out, context.layout
    result: dict[str, Any] = {"statistics": {}, "overlapped_area": {}, "overlap_features": FEATURES}
    for number, genre in enumerate(context.genres):
        samples = context.samples(number)
        real = held_out.tokens[held_out.of_genre(number)]
        if len(real) > 1:
            one, other = (overlap_features(tokens, layout) for tokens in (samples, real))
            result["overlapped_area"][genre] = overlapped_area(one, other)
            kinds = {"samples": samples, "real": real, "shuffled": shuffled_tracks(real)}
            result["statistics"][genre] = {
                kind: generation_statistics(tokens, layout) for kind, tokens in kinds.items()
            }
        draws, others = (context.draw(np.full(_WALK_PHRASES, number), base + number) for base in (_WALK, _WALK_OTHER))
        longer = context.decode(walk(draws, others)).reshape(-1, len(layout.columns))
        phrases = [context.clip("one phrase", phrase, genre) for phrase in samples[:2]]
        context.show("samples", context.clip(f"{genre}, {_WALK_PHRASES} phrases", longer, genre), *phrases)
    return result


def shuffled_tracks(phrases: np.ndarray) -> np.ndarray:
    """Tracks of different phrases put together: what tonal distance is without harmony."""
    shuffled = phrases.copy()
    for track in range(1, phrases.shape[2]):
        shuffled[..., track] = np.roll(phrases[..., track], track, axis=0)
    return shuffled


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
    tokens, layout = lines_of(tokens, layout)
    tokens = tokens.astype(np.int32)  # tokens of a dataset are unsigned, and -1 is needed below
    bars = tokens.shape[1] / layout.bar_steps
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
    tokens, layout = lines_of(np.asarray(tokens, np.int32), layout)
    eighth = steps_of_eighth(layout.time)
    melodic = [track for track, spec in enumerate(layout.tracks) if spec.vocabulary != KIT]
    classes = chroma(tokens, layout)
    empty = (classes.sum(axis=-1) == 0).reshape(-1, len(layout.columns))
    result: dict[str, dict[str, float]] = {"empty_bars": {}, "pitch_classes": {}, "qualified_notes": {}}
    lengths = note_lengths(tokens, layout)
    used = (classes > 0).sum(axis=-1).reshape(empty.shape)
    for track, spec in enumerate(layout.tracks):
        if spec.vocabulary == KIT:
            silent = (tokens[..., track].reshape(-1, layout.bar_steps) == KIT.rest).all(axis=1)
            result["empty_bars"][spec.name] = float(silent.mean())
            result.setdefault("drum_pattern", {})[spec.name] = drum_pattern(
                tokens[..., track], layout.bar_steps, eighth
            )
            continue
        result["empty_bars"][spec.name] = float(empty[:, track].mean())
        result["pitch_classes"][spec.name] = _mean(used[~empty[:, track], track])
        result["qualified_notes"][spec.name] = _mean(lengths[track] >= eighth)
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


def drum_pattern(symbols: np.ndarray, bar: int, eighth: int) -> float:
    """Share of strokes that fall on eighths, of a kit's symbols int [N, T]; NaN without strokes."""
    strokes = STROKES[symbols].reshape(-1, bar)
    total = strokes.sum()
    return float(strokes[:, ::eighth].sum() / total) if total else float("nan")


def tonal_distance(tokens: np.ndarray, layout: Layout, one: int, other: int) -> np.ndarray:
    """Distance of two tracks in tonal space in each beat in which both sound: float64 [beats]."""
    classes = chroma(tokens, layout, layout.time.steps_per_beat)[..., [one, other], :].reshape(-1, 2, 12)
    sums = classes.sum(axis=-1)
    both = (sums > 0).all(axis=1)
    centroids = (classes[both] / sums[both][..., np.newaxis]) @ _TONAL.T
    return np.linalg.norm(centroids[:, 0] - centroids[:, 1], axis=-1)


def chroma(tokens: np.ndarray, layout: Layout, steps: int | None = None) -> np.ndarray:
    """Pitch-class histograms of tokens int [N, T, C]: float64 [N, T / steps, C, 12], in sounding steps; of bars."""
    steps = steps or layout.bar_steps
    pitch = sounding_pitch(tokens, layout)
    count, length, tracks = pitch.shape
    classes = (pitch[..., np.newaxis] % 12 == np.arange(12)) & (pitch != SILENT)[..., np.newaxis]
    return classes.reshape(count, length // steps, steps, tracks, 12).sum(axis=2, dtype=np.float64)


def overlap_features(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """Five numbers a phrase to compare sets of phrases by, float64 [N, 5] of tokens [N, T, K]: see `FEATURES`.

    Onsets of all tracks; semitones from the lowest to the highest; different pitch classes; mean size of a melodic
    interval (semitones); mean time from a note to the next of its track (steps). 0 where there is none.
    """
    tokens, layout = lines_of(np.asarray(tokens, np.int32), layout)
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
