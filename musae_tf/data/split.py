"""Which songs share material, what is the same song twice, and what goes to training, validation and test.

A song is described by hashes of its two-bar windows that are equal for equal music in any key. An inverted index on
the hashes finds the songs that have windows in common, in a time near linear in the number of songs. Groups of related
songs stay in one split, and every genre has the same shares.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import numpy as np

from musae_tf.errors import DatasetError
from musae_tf.music.grid import onsets
from musae_tf.music.layouts import Layout
from musae_tf.music.vocabulary import REST, VELOCITY

WINDOW_BARS = 2
RELATED = 0.25
DUPLICATE = 0.8

# A window says something about its song if its pitched tracks strike this often, on this many pitches.
MIN_ONSETS = 8
MIN_PITCHES = 4

# A window in more songs than this is common property (a scale, a stock accompaniment) and relates nobody.
COMMON_SONGS = 100
COMMON_SHARE = 0.02

# Of the songs that have a window, each is compared with this many that follow it. Relation is transitive, so a
# large family still comes together, at a cost that grows with its size and not with the square of it.
NEIGHBOURS = 64

_BLOCK = 512  # windows of a song hashed in one go
_SLICES = 16  # parts of the space of hashes that are searched for pairs one after the other


@dataclass(frozen=True)
class Relations:
    """Per song: its group (int32 [N], by first appearance) and the song it repeats (int32 [N], -1 for none)."""

    group: np.ndarray
    duplicate_of: np.ndarray


def fingerprints(tokens: np.ndarray, heads: np.ndarray, runs: np.ndarray, layout: Layout) -> np.ndarray:
    """Hashes of the two-bar windows of one song, equal for windows that differ by a transposition only.

    A hash covers which pitches are struck when on every track, as intervals above the lowest pitch of the window,
    and the drums; not how long notes last. Windows that are nearly empty are left out.

    Args:
        tokens: uint16 [bars, S, C].
        heads: uint16 [bars, C], the first token of every bar with holds resolved.
        runs: int64 [runs, 2] of first bar and bars: stretches of neighbouring bars.
        layout: Their layout.

    Returns:
        uint64 [n], sorted, without repetitions.
    """
    windows = (np.arange(first, first + bars - WINDOW_BARS + 1) for first, bars in runs)
    starts = np.concatenate([np.empty(0, np.int64), *windows]).astype(np.int64)
    blocks = [
        _fingerprints(tokens, heads, starts[first : first + _BLOCK], layout) for first in range(0, len(starts), _BLOCK)
    ]
    return np.unique(np.concatenate([np.empty(0, np.uint64), *blocks]))


def _fingerprints(tokens: np.ndarray, heads: np.ndarray, starts: np.ndarray, layout: Layout) -> np.ndarray:
    """Hashes of the windows that start at some bars, without those that say nothing."""
    _, steps, columns = tokens.shape
    # Symbols fit in 16 bits, and small numbers are several times faster to work on than large ones.
    windows = tokens[starts[:, None] + np.arange(WINDOW_BARS)].astype(np.int16)
    windows[:, 0, 0] = heads[starts]
    windows = windows.reshape(len(starts), WINDOW_BARS * steps, columns)

    pitched = np.array([not column.spec.is_drum and column.vocabulary != VELOCITY for column in layout.columns])
    struck = onsets(windows, layout)
    # Without a pitched track, the drums are all there is to go by.
    telling = struck & (pitched if pitched.any() else True)
    lowest = np.where(struck & pitched, windows, np.int16(REST)).min(axis=(1, 2), keepdims=True)
    symbols = np.where(struck, np.where(pitched, windows - lowest, windows) + np.int16(1), np.int16(0))

    present = np.zeros((len(starts), symbols.max(initial=0) + 1), bool)
    present[np.nonzero(telling)[0], symbols[telling]] = True
    counts = (telling.sum(axis=(1, 2)) >= MIN_ONSETS) & (present.sum(axis=1) >= MIN_PITCHES)

    places = np.arange(1, WINDOW_BARS * steps * columns + 1, dtype=np.uint64).reshape(-1, columns) << np.uint64(16)
    mixed = np.where(struck, _mix(symbols.astype(np.uint64) + places), np.uint64(0))
    return _mix(mixed.sum(axis=(1, 2), dtype=np.uint64))[counts]


def identity(tokens: np.ndarray, prints: np.ndarray) -> str:
    """A name that two songs share if all their windows are the same, or, without windows, all their tokens."""
    content, kind = (prints, b"windows") if len(prints) else (tokens, b"tokens")
    return blake2b(content.tobytes(), digest_size=16, person=kind).hexdigest()


def relate(
    prints: Sequence[np.ndarray],
    identities: Sequence[str],
    bars: Sequence[int] | np.ndarray,
    hints: Sequence[Sequence[str]],
) -> Relations:
    """Groups of related songs, and near-duplicates among them.

    Two songs are related if the one with fewer windows has RELATED of them in common with the other, or if they share
    a hint. They are the same song twice at DUPLICATE; then the longer one is kept, or the first of equals.

    Args:
        prints: Per song, `fingerprints`.
        identities: Per song, `identity`.
        bars: Per song, its length.
        hints: Per song, names of what it belongs to.
    """
    songs = len(prints)
    parents = list(range(songs))
    duplicate_of = np.full(songs, -1, np.int32)
    # Best first: the song to keep among equals, and the only one of its identity to be compared with others.
    order = sorted(range(songs), key=lambda song: (-bars[song], song))
    first: dict[str, int] = {}
    for song in order:
        kept = first.setdefault(identities[song], song)
        if kept != song:
            duplicate_of[song] = kept
            _union(parents, kept, song)

    nodes = np.array(list(first.values()), np.int64)  # in the order of preference
    pairs, shared = _pairs([prints[node] for node in nodes])
    if len(pairs):
        sizes = np.array([len(prints[node]) for node in nodes])
        share = shared / sizes[pairs].min(axis=1)
        for better, worse in nodes[pairs[share >= RELATED]].tolist():
            _union(parents, better, worse)
        # Sorted by the worse song, then the better: whether the better one is kept is known when it is needed.
        for better, worse in nodes[pairs[share >= DUPLICATE]].tolist():
            if duplicate_of[worse] < 0 and duplicate_of[better] < 0:
                duplicate_of[worse] = better
    for song in order:
        kept = duplicate_of[song]
        if kept >= 0 and duplicate_of[kept] >= 0:
            duplicate_of[song] = duplicate_of[kept]

    holders: dict[str, int] = {}
    for song, names in enumerate(hints):
        for name in names:
            _union(parents, holders.setdefault(name, song), song)
    numbers: dict[int, int] = {}
    group = [numbers.setdefault(_find(parents, song), len(numbers)) for song in range(songs)]
    return Relations(np.array(group, np.int32), duplicate_of)


def _pairs(prints: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (i < j) of songs with windows in common, int64 [n, 2] sorted by j, i, and how many they have."""
    songs = len(prints)
    hashes = np.concatenate([np.empty(0, np.uint64), *prints])
    owners = np.repeat(np.arange(songs, dtype=np.int32), [len(one) for one in prints])
    slices = (hashes >> np.uint64(60)).astype(np.uint8)
    keys, shared = np.empty(0, np.int64), np.empty(0, np.int64)
    for number in range(_SLICES):
        # Equal hashes lie in one slice: what one slice finds, added up, is what all of them at once would find.
        here = slices == number
        found = _pairs_of(hashes[here], owners[here], songs)
        keys, inverse = np.unique(np.concatenate([keys, *(pairs for pairs, _ in found)]), return_inverse=True)
        counts = np.concatenate([shared, *(counts for _, counts in found)])
        shared = np.bincount(inverse, counts, len(keys)).astype(np.int64)
    return np.stack([keys % max(songs, 1), keys // max(songs, 1)], axis=1), shared


def _pairs_of(hashes: np.ndarray, owners: np.ndarray, songs: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of songs as j * songs + i, sorted, and how many windows they share; a pair may come several times."""
    order = np.argsort(hashes, kind="stable")  # owners stay sorted among equal hashes
    hashes, owners = hashes[order], owners[order].astype(np.int64)
    _, index, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    usable = (counts > 1) & (counts <= max(COMMON_SONGS, COMMON_SHARE * songs))
    hashes, owners = hashes[usable[index]], owners[usable[index]]
    found = []
    for distance in range(1, min(NEIGHBOURS, len(hashes) - 1) + 1):
        same = hashes[distance:] == hashes[:-distance]
        if not same.any():
            break
        found.append(np.unique(owners[distance:][same] * songs + owners[:-distance][same], return_counts=True))
    return found


def _mix(values: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser (Steele, Lea and Flood, 2014): a bijection of 64-bit numbers that spreads every bit."""
    values = (values + np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _find(parents: list[int], song: int) -> int:
    while parents[song] != song:
        parents[song] = parents[parents[song]]
        song = parents[song]
    return song


def _union(parents: list[int], one: int, other: int) -> None:
    one, other = _find(parents, one), _find(parents, other)
    parents[max(one, other)] = min(one, other)


Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
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
