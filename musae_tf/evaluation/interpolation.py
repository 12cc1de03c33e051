"""Are the pieces between two pieces on the way from one to the other, in even steps, and music themselves?

The distance of two phrases is the share of their cells (step, track) whose symbols differ: the normalised Hamming
distance of MusicVAE (Roberts et al. 2018, section 4.2).
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

SLACK = 0.02
"""A distance that goes back by no more than this share of the cells nearly goes on."""

_ROUNDING = 1e-9


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
