"""From parts to the files of a dataset folder: the song table, and how files are named, written and hashed."""

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from musae_tf.data.reader import Part, songs_of
from musae_tf.data.source import Rejection
from musae_tf.data.split import SPLITS, Relations, relate, split_groups
from musae_tf.errors import DatasetError
from musae_tf.music.layouts import Layout

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
        given: Whether the source itself says which split a song is in.
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
    given: bool = False

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
            "bars": song["bars"],
            "losses": _line_losses(song["losses"]),
        }


def _line_losses(losses: dict[str, int]) -> dict[str, int]:
    """The losses of a song in its line, which keeps the keys of the format, and so its hash: the manifest says more."""
    lost = {name: count for name, count in losses.items() if name != "same_step"}
    return {**lost, "overlapped": lost["overlapped"] + losses.get("same_step", 0)}


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
    split: str | None


def make_table(
    parts: Iterable[Part], *, seed: int, split: Sequence[float], genres: Sequence[str] | int | None, unlabelled: bool
) -> Table:
    """Put together what the parts say of their songs; see `build` for the arguments.

    A near-duplicate keeps a row that names the song it repeats, and both have the labels of both. Songs whose source
    says which split they are in stay there, each a group of its own, whatever they repeat.

    Raises:
        DatasetError: A genre that no song has, two songs with one id, or only some that say their split.
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
    used = np.logical_or.reduce(labels, axis=1) | unlabelled
    for song in (song for song, keep in zip(found, used, strict=True) if not keep):
        rejected.append(Rejection(song.source, f"{song.source}: has no label that is used", UNLABELLED))
    rows = [song for song, keep in zip(found, used, strict=True) if keep]
    if not rows:
        none = np.empty(0, np.int8)
        return Table(used.tolist(), [], labels[:0], none, none, [], 0, 0, {}, rejected)
    labels = labels[used]
    bars = np.array([song.bars for song in rows])
    prints = [song.prints for song in rows]
    given = [song.split is not None for song in rows]
    if any(given) and not all(given):
        raise DatasetError(
            f"{given.count(False)} of {len(rows)} songs do not say which split they are in, the others do"
        )
    if all(given):
        relations = Relations(np.arange(len(rows), dtype=np.int32), np.full(len(rows), -1, np.int32))
    else:
        relations = relate(prints, [song.identity for song in rows], bars, [song.hints for song in rows])
    original = np.where(relations.duplicate_of < 0, np.arange(len(rows)), relations.duplicate_of)
    merged = np.zeros_like(labels)
    np.logical_or.at(merged, original, labels)
    labels = merged[original]
    if not labels.any(axis=1).all():
        names = [*names, NONE]
        labels = np.column_stack([labels, ~labels.any(axis=1)])
    lengths = np.where(relations.duplicate_of < 0, bars, 0)
    if all(given):
        splits = np.array([SPLITS.index(song.split) for song in rows if song.split], np.int8)
    else:
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
        given=all(given),
    )


def _found(song: dict[str, Any], prints: np.ndarray) -> _Found:
    # Names that many songs share are one object each, and so is a song's id where it is its source too.
    name = song["id"]
    source = name if song["source"] == name else song["source"]
    labels, hints = (tuple(map(sys.intern, song[key])) for key in ("labels", "hints"))
    return _Found(
        name, source, labels, song["bars"], song["runs"], hints, song["identity"], prints.copy(), song["split"]
    )


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


FORMAT = 1
MANIFEST = "manifest.json"
SONGS = "songs.jsonl"
REJECTED = "rejected.jsonl"
ARRAYS: dict[str, np.dtype] = {
    name: np.dtype(kind) for name, kind in (("tokens.npy", "<u2"), ("heads.npy", "<u2"), ("runs.npy", "<i8"))
}
"""The arrays of a dataset and their types."""


def array_shapes(bars: int, runs: int, layout: Layout) -> dict[str, tuple[int, ...]]:
    """The shape that each array must have."""
    columns = len(layout.columns)
    return {"tokens.npy": (bars, layout.bar_steps, columns), "heads.npy": (bars, columns), "runs.npy": (runs, 3)}


def write_dataset(
    folder: Path, manifest: dict[str, Any], table: Table, parts: Iterable[Part], rejected: list[Rejection]
) -> dict[str, Any]:
    """Write a dataset into the new `folder`, holding one part at a time in memory. The manifest comes last.

    Args:
        folder: Made here.
        manifest: What the dataset is: format, name, layout, genres and so on.
        table: Its songs.
        parts: All parts, in the order that `table` was made from.
        rejected: All that gave no song.

    Returns:
        The manifest as written, with counts, losses, warnings, rejections by kind and hashes added.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    folder.mkdir()
    counts = {
        "songs": len(table),
        "duplicates": len(table) - table.duplicate_of.count(None),
        "groups": len(np.unique(table.group)),
        "bars": table.bars,
        "runs": table.runs,
    }
    shapes = array_shapes(table.bars, table.runs, Layout.from_dict(manifest["layout"]))
    hashes, losses, warnings = _write_songs(folder, shapes, table, parts)
    write_rejected(folder / REJECTED, rejected)
    manifest = {
        **manifest,
        "counts": counts,
        "losses": losses,
        "warnings": warnings,
        "shared": table.shared,
        "rejected": dict(sorted(Counter(rejection.kind for rejection in rejected).items())),
        "hashes": hashes,
    }
    manifest["hash"] = content_hash(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="ascii")
    return manifest


def write_rejected(path: Path, rejected: list[Rejection]) -> None:
    """Write all that gave no song: one a line, sorted."""
    with closing(_LineFile(path)) as lines:
        for rejection in sorted(rejected):
            lines.append(rejection._asdict())


def printable(text: str) -> str:
    """Text that can be printed: names of files need not be valid Unicode."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def content_hash(manifest: dict[str, Any]) -> str:
    """The hash of the dataset: SHA-256 over layout, genres and the hashes of songs and arrays."""
    content = {key: manifest[key] for key in ("format", "layout", "genres", "hashes")}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()


def array_hash(array: np.ndarray) -> str:
    """SHA-256 over type, shape and values of an array, which may be mapped from a file."""
    digest = hashlib.sha256(_beginning(array.dtype, array.shape))
    for first in range(0, len(array), 4096):
        digest.update(np.ascontiguousarray(array[first : first + 4096]).data)
    return digest.hexdigest()


def text_hash(path: Path) -> str:
    """SHA-256 of a file that fits in memory."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _beginning(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    # Types and shapes rather than the header of the file, whose padding varies with the version of numpy.
    return f"{dtype.str} {list(shape)}\n".encode("ascii")


class _HashedFile:
    """A file that is written piece by piece, and the SHA-256 of the pieces."""

    def __init__(self, path: Path, begin: bytes = b"") -> None:
        self._digest = hashlib.sha256(begin)
        self.file = open(path, "wb")  # noqa: SIM115 - closed by `close`

    def close(self) -> None:
        self.file.close()

    def write(self, data: bytes | memoryview) -> None:
        self._digest.update(data)
        self.file.write(data)

    def hash(self) -> str:
        return self._digest.hexdigest()


class _ArrayFile(_HashedFile):
    """A .npy file of known shape."""

    def __init__(self, path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> None:
        super().__init__(path, _beginning(dtype, shape))
        self._dtype = dtype
        header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.file, header)

    def append(self, array: np.ndarray) -> None:
        self.write(np.ascontiguousarray(array, self._dtype).data)


class _LineFile(_HashedFile):
    """A file of JSON objects, one a line."""

    def append(self, record: dict[str, Any]) -> None:
        # ASCII with escapes: names of files need not be valid Unicode.
        self.write((json.dumps(record) + "\n").encode("ascii"))


def _write_songs(
    folder: Path, shapes: dict[str, tuple[int, ...]], table: Table, parts: Iterable[Part]
) -> tuple[dict[str, str], dict[str, int], dict[str, int]]:
    """Write arrays and song lines in one walk over the parts: hashes of the files, losses and warnings of all songs."""
    used = iter(table.used)
    losses, warnings = Counter[str](), Counter[str]()
    number = first_bar = 0
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(closing(_ArrayFile(folder / name, ARRAYS[name], shapes[name]))) for name in ARRAYS
        }
        lines = stack.enter_context(closing(_LineFile(folder / SONGS)))
        for part in parts:
            for song, bars, runs, _ in songs_of(part):
                if not next(used):
                    continue
                files["tokens.npy"].append(part.tokens[bars])
                files["heads.npy"].append(part.heads[bars])
                runs = np.column_stack([np.full(len(runs), number), runs[:, 0] + first_bar, runs[:, 1]])
                files["runs.npy"].append(runs)
                lines.append(table.row(number, song))
                losses.update(song["losses"])
                warnings.update(song["warnings"])
                number += 1
                first_bar += song["bars"]
    hashes = {name: file.hash() for name, file in files.items()} | {SONGS: lines.hash()}
    return hashes, dict(losses), dict(warnings)
