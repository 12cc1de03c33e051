"""Are the pieces between two pieces on the way from one to the other, in even steps, and music themselves?

The distance of two phrases is the share of their cells (step, track) whose symbols differ: the normalised Hamming
distance of MusicVAE (Roberts et al. 2018, section 4.2).
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.stats import rankdata

from musae_tf.evaluation.held_out import SEED
from musae_tf.evaluation.statistics import phrase_statistics, share_within
from musae_tf.music import Layout
from musae_tf.music.grid import lines_of, sounding_pitch
from musae_tf.music.vocabulary import KIT

if TYPE_CHECKING:
    from musae_tf.evaluation.context import EvaluationContext


MODEL = "model"
SLACK = 0.02
"""A distance that goes back by no more than this share of the cells nearly goes on."""

_ROUNDING = 1e-9

# Weights of what was counted, of the same without the pitch before, and of every symbol alike.
_COUNTED, _PLACE, _ANY = 0.9, 0.099, 0.001
# Stream of random numbers.
_PAIRS = 41
_PATHS, _POINTS = 240, 9
_SHOWN_POINTS = 7


def measure_interpolation(context: "EvaluationContext") -> dict[str, Any] | None:
    """Ways between pairs of held-out phrases of different songs, beside cross-fading the phrases themselves.

    None if there is only one song.
    """
    held_out = context.held_out
    start, end = _pairs(context)
    if not len(start):
        return None
    played = context.interpolated(context.codes[start], context.codes[end], np.linspace(0.0, 1.0, _POINTS))
    ways = {MODEL: played, "cross-fade": cross_fade(held_out.tokens[start], held_out.tokens[end], _POINTS)}
    nll = NegativeLogLikelihood(context.train.tokens, context.layout)
    real = phrase_statistics(held_out.tokens, context.layout)
    result: dict[str, Any] = {"pairs": len(start), "points": _POINTS}
    result["real_nll"] = float(nll(held_out.tokens).mean())
    for name, paths in ways.items():
        measures = measure_paths(paths)
        flat = paths.reshape(-1, *paths.shape[2:])
        costs = nll(flat).reshape(paths.shape[:2])
        inside = [share_within(phrase_statistics(paths[:, p], context.layout), real)["all"] for p in range(_POINTS)]
        result[name] = {
            "to_start": measures.to_start.mean(axis=0),
            "to_end": measures.to_end.mean(axis=0),
            "nll": costs.mean(axis=0),
            "within_5_95": inside,
        }
        _record_paths(context, name, start, measures, costs)
    _show_paths(context, start, end)
    return result


class PathMeasures(NamedTuple):
    """Of N paths of P phrases. NaN where both ends are the same phrase.

    Attributes:
        to_start: float64 [N, P], distance to the first phrase.
        to_end: float64 [N, P], distance to the last one.
        monotone: float64 [N], 1 where nowhere on the path the distance to the start falls or that to the end rises.
        nearly_monotone: the same where they do by no more than `SLACK`.
        rank_correlation: float64 [N], Spearman's rho of the position with (to_start - to_end).
        evenness: float64 [N], mean step over largest step, 1 where all steps are equally long.
        smoothness: float64 [N], distance of the ends over the length of the path, 1 where it makes no detour.
    """

    to_start: np.ndarray
    to_end: np.ndarray
    monotone: np.ndarray
    nearly_monotone: np.ndarray
    rank_correlation: np.ndarray
    evenness: np.ndarray
    smoothness: np.ndarray


def measure_paths(paths: np.ndarray) -> PathMeasures:
    """Measure paths of phrases, int [N, P, T, K] with P of 3 or more."""
    to_start, to_end = distance(paths, paths[:, :1]), distance(paths, paths[:, -1:])
    steps = distance(paths[:, 1:], paths[:, :-1])
    whole = to_start[:, -1]
    moved = whole > 0
    # How far the curve goes back: below what it had reached already.
    back = np.maximum(
        (np.maximum.accumulate(to_start, axis=1) - to_start).max(axis=1),
        (to_end - np.minimum.accumulate(to_end, axis=1)).max(axis=1),
    )

    def known(values: np.ndarray) -> np.ndarray:
        return np.where(moved, values, np.nan)

    largest, length = (np.where(moved, values, 1.0) for values in (steps.max(axis=1), steps.sum(axis=1)))
    return PathMeasures(
        to_start,
        to_end,
        known(back <= _ROUNDING),
        known(back <= SLACK + _ROUNDING),
        known(_rank_correlation(to_start - to_end)),
        known(steps.mean(axis=1) / largest),
        known(whole / length),
    )


def distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Share of cells that differ, float64 [...], of phrases int [..., T, K]."""
    return (np.asarray(one) != np.asarray(other)).mean(axis=(-2, -1))


def cross_fade(start: np.ndarray, end: np.ndarray, points: int, seed: int = 0) -> np.ndarray:
    """The way that needs no model: cell by cell, in random order, symbols of the one give way to those of the other.

    Args:
        start: int [N, T, K].
        end: int [N, T, K].
        points: both ends included.
        seed: of the order.

    Returns:
        [N, points, T, K]. By construction its distances are monotone and its steps even: it is what they are worth
        without music.
    """
    order = np.random.default_rng(seed).random(start.shape)[:, np.newaxis]
    position = np.linspace(0.0, 1.0, points)[:, np.newaxis, np.newaxis]
    return np.where(order < position, end[:, np.newaxis], start[:, np.newaxis])


def _rank_correlation(curves: np.ndarray) -> np.ndarray:
    """Spearman's rho of each row of [N, P] with 0 .. P - 1; 0 for a flat one."""
    ranks = rankdata(curves, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    position = np.arange(curves.shape[1]) - (curves.shape[1] - 1) / 2
    scale = np.linalg.norm(ranks, axis=1) * np.linalg.norm(position)
    return (ranks @ position) / np.where(scale > 0, scale, 1.0)


def _pairs(context: "EvaluationContext") -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of pairs of phrases of different songs; both ends go round the genres."""
    each = -(-_PATHS // len(context.genres))
    start, end = (context.some(each, _PAIRS + number) for number in (0, 1))
    rng = np.random.default_rng([SEED, _PAIRS])
    end = rng.permutation(end)
    count = min(len(start), len(end))
    start, end = start[:count], end[:count]
    apart = context.held_out.songs[start] != context.held_out.songs[end]
    return start[apart], end[apart]


def _record_paths(
    context: "EvaluationContext", part: str, rows: np.ndarray, measures: PathMeasures, costs: np.ndarray
) -> None:
    for name in ("monotone", "nearly_monotone", "rank_correlation", "evenness", "smoothness"):
        context.record(f"interpolation_{name}", part, rows, getattr(measures, name))
    ends = (costs[:, 0] + costs[:, -1]) / 2
    context.record("interpolation_nll", part, rows, costs[:, 1:-1].mean(axis=1) - ends)


def _show_paths(context: "EvaluationContext", start: np.ndarray, end: np.ndarray) -> None:
    genre = context.held_out.genre
    across = np.flatnonzero(genre[start] != genre[end])
    for pair in across[:: max(1, len(across) // 2)][:2]:
        positions = np.linspace(0.0, 1.0, _SHOWN_POINTS)
        music = context.interpolated(context.codes[start[[pair]]], context.codes[end[[pair]]], positions)[0]
        names = [context.genre_names[rows[pair]] for rows in (start, end)]
        titles = [f"{position:.0%}" for position in positions]
        titles[0], titles[-1] = f"{names[0]}, reconstructed", f"{names[1]}, reconstructed"
        context.show(
            "interpolation", *(context.clip(title, one, names[0]) for title, one in zip(titles, music, strict=True))
        )


class NegativeLogLikelihood:
    """Nats a step under P(symbol | track, pitch sounding before, place in the beat), learnt from real phrases.

    A kit's strokes depend on the place in the bar instead.
    """

    def __init__(self, tokens: np.ndarray, given: Layout):
        """Count in phrases int [N, T, C] of training songs."""
        tokens, layout = lines_of(tokens, given)
        self._layout, self._whole = layout, given
        self._costs = []
        for track, (context, place, contexts, places) in enumerate(self._contexts(tokens)):
            symbols = layout.vocabulary_sizes[track]
            seen = np.asarray(tokens)[..., track].astype(np.int64)
            full = _frequencies(context * symbols + seen, contexts, symbols)
            by_place = _frequencies(place * symbols + seen, places, symbols)
            place_of_context = np.arange(contexts) % places
            mixed = _COUNTED * full + _PLACE * by_place[place_of_context] + _ANY / symbols
            # A context that was never seen has no counts of its own.
            mixed /= mixed.sum(axis=1, keepdims=True)
            self._costs.append(-np.log(mixed))

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        """Mean over the steps and tracks of each phrase int [N, T, C], float64 [N]."""
        tokens, _ = lines_of(tokens, self._whole)
        costs = [
            table[context, np.asarray(tokens)[..., track]].mean(axis=1)
            for track, (table, (context, *_)) in enumerate(zip(self._costs, self._contexts(tokens), strict=True))
        ]
        return np.mean(costs, axis=0)

    def _contexts(self, tokens: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, int, int]]:
        """Of each track: numbers of context and of place, int [N, T] each, and how many of both there are."""
        pitch = sounding_pitch(tokens, self._layout).astype(np.int64)
        before = np.concatenate([np.full_like(pitch[:, :1], -1), pitch[:, :-1]], axis=1)
        steps = np.broadcast_to(np.arange(pitch.shape[1]), pitch.shape[:2])
        bar, beat = self._layout.bar_steps, self._layout.time.steps_per_beat
        contexts = []
        for track, spec in enumerate(self._layout.tracks):
            if spec.vocabulary == KIT:
                place = steps % bar
                contexts.append((place, place, bar, bar))
            else:
                place = steps % beat
                contexts.append(((before[..., track] + 1) * beat + place, place, 129 * beat, beat))
        return contexts


def _frequencies(cells: np.ndarray, contexts: int, symbols: int) -> np.ndarray:
    counts = np.bincount(cells.ravel(), minlength=contexts * symbols).reshape(contexts, symbols)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
