"""Training, validation and test songs: by group of related songs, every genre in the same shares."""

from collections.abc import Sequence

import numpy as np

from musae_tf.errors import DatasetError

SPLITS = ("train", "validation", "test")
FRACTIONS = (0.8, 0.1, 0.1)


def check_fractions(fractions: Sequence[float]) -> tuple[float, float, float]:
    """The shares as floats. Raises DatasetError unless they are three numbers of 0 or more with sum 1."""
    shares = tuple(float(share) for share in fractions)
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6 or shares[0] == 0:
        raise DatasetError(f"split is {list(shares)}; allowed: train (above 0), validation and test with sum 1")
    return shares


def split_groups(
    group: np.ndarray, bars: np.ndarray, labels: np.ndarray, *, seed: int, fractions: Sequence[float] = FRACTIONS
) -> np.ndarray:
    """Assign every group of songs to a split.

    Groups are taken from large to small, in a random order among those of about the same size (within a factor of two).
    Each goes where it leaves the split least full: the bars of its genres in that split, with the group added, over
    the bars that the split should have of them, averaged over its genres. So a group that is too large for
    validation or test lands in train, the small ones even out the shares, and no split is made of short songs only.
    Then a genre with three groups or more that has none in test (or validation) gets the one from train that
    comes nearest to the share it should have, unless this takes away a genre's last training group.

    Args:
        group: int [N], the group of each song, 0 .. groups - 1.
        bars: int [N], bars of each song; 0 for one that is never used (a duplicate).
        labels: bool [N, G], genres of each song; at least one each.
        seed: Decides among groups of about the same size.
        fractions: Shares of train, validation and test.

    Returns:
        int8 [N]: 0 train, 1 validation, 2 test.
    """
    shares = np.array(check_fractions(fractions))
    groups = int(group.max()) + 1
    weights = np.zeros((groups, labels.shape[1]))
    np.add.at(weights, group, labels * bars[:, None])
    targets = np.outer(weights.sum(axis=0), shares)
    filled = np.zeros_like(targets)
    chosen = np.zeros(groups, np.int8)
    allowed = np.flatnonzero(shares > 0)

    sizes = weights.sum(axis=1)
    shuffled = np.argsort(np.random.Philox(key=np.array([seed, 0], np.uint64)).random_raw(groups), kind="stable")
    octaves = np.floor(np.log2(np.maximum(sizes[shuffled], 1)))
    for one in shuffled[np.argsort(-octaves, kind="stable")]:
        genres = np.flatnonzero(weights[one])
        weight = weights[one, genres]
        full = (filled[genres][:, allowed] + weight[:, None]) / np.maximum(targets[genres][:, allowed], 1e-9)
        chosen[one] = allowed[np.argmin((weight[:, None] * full).sum(axis=0))]
        filled[genres, chosen[one]] += weight
    _fill_gaps(chosen, weights, targets)
    return chosen[group]


def _fill_gaps(chosen: np.ndarray, weights: np.ndarray, targets: np.ndarray) -> None:
    members = weights > 0
    for genre in np.argsort(members.sum(axis=0), kind="stable"):
        if members[:, genre].sum() < 3:
            continue
        for split in (2, 1):
            if targets[genre, split] == 0 or (members[:, genre] & (chosen == split)).any():
                continue
            training = members & (chosen == 0)[:, None]
            last = training.sum(axis=0) == 1
            movable = np.flatnonzero(training[:, genre] & ~(training & last).any(axis=1))
            if len(movable):
                chosen[movable[np.argmin(np.abs(weights[movable, genre] - targets[genre, split]))]] = split
