"""The song table of a dataset: labels, groups of related songs, duplicates and the split."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

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
    """Rows of songs.jsonl in the order of the parts, which songs of the parts they are, genres, and what was left out.

    `runs` counts the stretches of neighbouring bars of the rows. `shared` is the share of the two-bar windows of the
    validation and test songs that occur, in any key, in a training song too: what grouping left.
    """

    songs: list[dict[str, Any]]
    used: list[bool]
    genres: list[str]
    runs: int
    shared: dict[str, float]
    rejected: list[Rejection]


def make_table(
    parts: Iterable[Part], *, seed: int, split: Sequence[float], genres: Sequence[str] | int | None, unlabelled: bool
) -> Table:
    """Put together what the parts say of their songs; see `build` for the arguments.

    A near-duplicate keeps a row that names the song it repeats, and both have the labels of both.

    Raises:
        DatasetError: A genre that no song has, or two songs with one id.
    """
    found, prints, rejected = [], [], []
    for part in parts:
        rejected += part.rejected
        for song, _, _, windows in songs_of(part):
            found.append(song)
            prints.append(windows)
    repeated = [name for name, count in Counter(song["id"] for song in found).items() if count > 1]
    if repeated:
        raise DatasetError(f"{len(repeated)} songs have the id of another, {repeated[0]!r} for one")

    names = _choose(found, genres) if found else []
    labels = np.array([[name in song["labels"] for name in names] for song in found], bool)
    labels = labels.reshape(len(found), len(names))
    used = labels.any(axis=1) | unlabelled
    for song, keep in zip(found, used, strict=True):
        if not keep:
            rejected.append(Rejection(song["source"], f"{song['source']}: has no label that is used", UNLABELLED))
    rows = [song for song, keep in zip(found, used, strict=True) if keep]
    if not rows:
        return Table([], used.tolist(), [], 0, {}, rejected)
    labels = labels[used]
    bars = np.array([song["bars"] for song in rows])
    prints = [windows for windows, keep in zip(prints, used, strict=True) if keep]
    relations = relate(prints, [song["identity"] for song in rows], bars, [song["hints"] for song in rows])
    original = np.where(relations.duplicate_of < 0, np.arange(len(rows)), relations.duplicate_of)
    merged = np.zeros_like(labels)
    np.logical_or.at(merged, original, labels)
    labels = merged[original]
    if not labels.any(axis=1).all():
        names = [*names, NONE]
        labels = np.column_stack([labels, ~labels.any(axis=1)])
    lengths = np.where(relations.duplicate_of < 0, bars, 0)
    splits = split_groups(relations.group, lengths, labels, seed=seed, fractions=split)
    songs = [
        {
            "id": song["id"],
            "source": song["source"],
            "title": song["title"],
            "labels": [names[genre] for genre in np.flatnonzero(labels[row])],
            "tempo": song["tempo"],
            "key": song["key"],
            "group": int(relations.group[row]),
            "split": SPLITS[splits[row]],
            "duplicate_of": None if original[row] == row else rows[original[row]]["id"],
            "bars": song["bars"],
            "losses": song["losses"],
        }
        for row, song in enumerate(rows)
    ]
    shared = _shared(prints, splits, relations.duplicate_of < 0)
    return Table(songs, used.tolist(), names, sum(song["runs"] for song in rows), shared, rejected)


def _shared(prints: list[np.ndarray], splits: np.ndarray, used: np.ndarray) -> dict[str, float]:
    windows = [
        np.concatenate([np.empty(0, np.uint64), *(prints[song] for song in np.flatnonzero(used & (splits == split)))])
        for split in range(len(SPLITS))
    ]
    return {
        name: round(float(np.isin(held_out, windows[0]).mean()), 6) if len(held_out) else 0.0
        for name, held_out in zip(SPLITS[1:], windows[1:], strict=True)
    }


def _choose(songs: list[dict[str, Any]], genres: Sequence[str] | int | None) -> list[str]:
    counts = Counter(label for song in songs for label in song["labels"] if label != NONE)
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
