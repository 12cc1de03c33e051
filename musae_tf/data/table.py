"""The song table of a dataset: labels, groups of related songs, duplicates and the split."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from musae_tf.data.groups import relate
from musae_tf.data.parts import Part, songs_of
from musae_tf.data.source import Rejection
from musae_tf.data.split import SPLITS, split_groups
from musae_tf.errors import DatasetError

NONE = "none"
"""The genre of songs without a label."""

UNLABELLED = "without a label"


@dataclass(frozen=True)
class Table:
    """What becomes of the songs of the parts, in their order, kept small: their other values stay in the parts.

    Attributes:
        used: Of every song of the parts, whether it has a row; the lists and arrays below are of those that have.
        genres: Names of the genres.
        labels: bool [rows, G].
        group: int32 [rows].
        split: int8 [rows], place in `SPLITS`.
        duplicate_of: The id of the song that a row repeats, or None.
        bars: Of all rows.
        runs: Stretches of neighbouring bars of all rows.
        shared: The share of the two-bar windows of the validation and test songs that occur, in any key, in a training
            song too: what grouping left.
        rejected: What was left out.
    """

    used: list[bool]
    genres: list[str]
    labels: np.ndarray
    group: np.ndarray
    split: np.ndarray
    duplicate_of: list[str | None]
    bars: int
    runs: int
    shared: dict[str, float]
    rejected: list[Rejection]

    def __len__(self) -> int:
        return len(self.duplicate_of)

    def row(self, number: int, song: dict[str, Any]) -> dict[str, Any]:
        """The line of songs.jsonl of one song, from its number among the rows and its values in its part."""
        return {
            **{key: song[key] for key in ("id", "source", "title")},
            "labels": [self.genres[genre] for genre in np.flatnonzero(self.labels[number])],
            **{key: song[key] for key in ("tempo", "key")},
            "group": int(self.group[number]),
            "split": SPLITS[self.split[number]],
            "duplicate_of": self.duplicate_of[number],
            **{key: song[key] for key in ("bars", "losses")},
        }


class _Found(NamedTuple):
    """What the table needs to know of a song."""

    id: str
    source: str
    labels: tuple[str, ...]
    bars: int
    runs: int
    hints: tuple[str, ...]
    identity: str
    prints: np.ndarray


def make_table(
    parts: Iterable[Part], *, seed: int, split: Sequence[float], genres: Sequence[str] | int | None, unlabelled: bool
) -> Table:
    """Put together what the parts say of their songs; see `build` for the arguments.

    A near-duplicate keeps a row that names the song it repeats, and both have the labels of both.

    Raises:
        DatasetError: A genre that no song has, or two songs with one id.
    """
    found, rejected = [], []
    for part in parts:
        rejected += part.rejected
        found += [_found(song, prints) for song, _, _, prints in songs_of(part)]
    repeated = [name for name, count in Counter(song.id for song in found).items() if count > 1]
    if repeated:
        raise DatasetError(f"{len(repeated)} songs have the id of another, {repeated[0]!r} for one")

    names = _choose(found, genres) if found else []
    numbers = {name: number for number, name in enumerate(names)}
    labels = np.zeros((len(found), len(names)), bool)
    for number, song in enumerate(found):
        labels[number, [numbers[label] for label in song.labels if label in numbers]] = True
    used = labels.any(axis=1) | unlabelled
    for song in (song for song, keep in zip(found, used, strict=True) if not keep):
        rejected.append(Rejection(song.source, f"{song.source}: has no label that is used", UNLABELLED))
    rows = [song for song, keep in zip(found, used, strict=True) if keep]
    if not rows:
        return Table(used.tolist(), [], labels[:0], *np.empty((2, 0), np.int8), [], 0, 0, {}, rejected)
    labels = labels[used]
    bars = np.array([song.bars for song in rows])
    prints = [song.prints for song in rows]
    relations = relate(prints, [song.identity for song in rows], bars, [song.hints for song in rows])
    original = np.where(relations.duplicate_of < 0, np.arange(len(rows)), relations.duplicate_of)
    merged = np.zeros_like(labels)
    np.logical_or.at(merged, original, labels)
    labels = merged[original]
    if not labels.any(axis=1).all():
        names = [*names, NONE]
        labels = np.column_stack([labels, ~labels.any(axis=1)])
    lengths = np.where(relations.duplicate_of < 0, bars, 0)
    splits = split_groups(relations.group, lengths, labels, seed=seed, fractions=split)
    return Table(
        used=used.tolist(),
        genres=names,
        labels=labels,
        group=relations.group,
        split=splits,
        duplicate_of=[None if kept < 0 else rows[kept].id for kept in relations.duplicate_of.tolist()],
        bars=int(bars.sum()),
        runs=sum(song.runs for song in rows),
        shared=_shared(prints, splits, relations.duplicate_of < 0),
        rejected=rejected,
    )


def _found(song: dict[str, Any], prints: np.ndarray) -> _Found:
    # Names that many songs share are one object each, and so is a song's id where it is its source too.
    name = song["id"]
    source = name if song["source"] == name else song["source"]
    labels, hints = (tuple(map(sys.intern, song[key])) for key in ("labels", "hints"))
    return _Found(name, source, labels, song["bars"], song["runs"], hints, song["identity"], prints.copy())


def _shared(prints: list[np.ndarray], splits: np.ndarray, used: np.ndarray) -> dict[str, float]:
    windows = [
        np.concatenate([np.empty(0, np.uint64), *(prints[song] for song in np.flatnonzero(used & (splits == split)))])
        for split in range(len(SPLITS))
    ]
    return {
        name: round(float(np.isin(held_out, windows[0]).mean()), 6) if len(held_out) else 0.0
        for name, held_out in zip(SPLITS[1:], windows[1:], strict=True)
    }


def _choose(songs: list[_Found], genres: Sequence[str] | int | None) -> list[str]:
    counts = Counter(label for song in songs for label in song.labels if label != NONE)
    if genres is None:
        return sorted(counts)
    if isinstance(genres, int):
        return sorted(sorted(counts, key=lambda label: (-counts[label], label))[:genres])
    wanted = list(dict.fromkeys(genres))
    missing = [name for name in wanted if name not in counts]
    if missing:
        known = ", ".join(sorted(counts)) or "none"
        raise DatasetError(f"no usable song has the genre {', '.join(map(repr, missing))}; genres found: {known}")
    return wanted
