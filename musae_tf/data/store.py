"""The files of a dataset folder: their names, how they are written, and how their content is hashed."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from musae_tf.data.parts import Part, songs_of
from musae_tf.data.source import Rejection
from musae_tf.data.table import Table

FORMAT = 1
MANIFEST = "manifest.json"
SONGS = "songs.jsonl"
REJECTED = "rejected.jsonl"
ARRAYS = {"tokens.npy": np.dtype("<u2"), "heads.npy": np.dtype("<u2"), "runs.npy": np.dtype("<i8")}
"""The arrays of a dataset and their types."""


def array_shapes(bars: int, runs: int, tracks: int) -> dict[str, tuple[int, ...]]:
    """The shape that each array must have."""
    return {"tokens.npy": (bars, 16, tracks), "heads.npy": (bars, tracks), "runs.npy": (runs, 3)}


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
        The manifest as written, with counts, losses, rejections by kind and hashes added.

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
    shapes = array_shapes(table.bars, table.runs, len(manifest["layout"]["tracks"]))
    hashes, losses = _write_songs(folder, shapes, table, parts)
    with _LineFile(folder / REJECTED) as lines:
        for rejection in sorted(rejected):
            lines.append(rejection._asdict())
    manifest = {
        **manifest,
        "counts": counts,
        "losses": losses,
        "shared": table.shared,
        "rejected": dict(sorted(Counter(rejection.kind for rejection in rejected).items())),
        "hashes": hashes,
    }
    manifest["hash"] = content_hash(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="ascii")
    return manifest


def content_hash(manifest: dict[str, Any]) -> str:
    """The hash of the dataset: SHA-256 over layout, genres and the hashes of songs and arrays."""
    content = {key: manifest[key] for key in ("format", "layout", "genres", "hashes")}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()


def array_hash(array: np.ndarray) -> str:
    """SHA-256 over type, shape and values of an array, which may be mapped from a file."""
    digest = _started(array.dtype, array.shape)
    for first in range(0, len(array), 4096):
        digest.update(np.ascontiguousarray(array[first : first + 4096]).data)
    return digest.hexdigest()


def text_hash(path: Path) -> str:
    """SHA-256 of a file that fits in memory."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _started(dtype: np.dtype, shape: tuple[int, ...]):
    # Types and shapes rather than the header of the file, whose padding varies with the version of numpy.
    return hashlib.sha256(f"{dtype.str} {list(shape)}\n".encode("ascii"))


class _ArrayFile:
    """A .npy file of known shape that is written piece by piece."""

    def __init__(self, path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> None:
        self._dtype = dtype
        self._digest = _started(dtype, shape)
        self._file = open(path, "wb")  # noqa: SIM115 - closed by __exit__
        header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)

    def __enter__(self) -> "_ArrayFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, array: np.ndarray) -> None:
        values = np.ascontiguousarray(array, self._dtype)
        self._digest.update(values.data)
        self._file.write(values.data)

    def hash(self) -> str:
        return self._digest.hexdigest()


class _LineFile:
    """A file of JSON objects, one a line, that is written line by line."""

    def __init__(self, path: Path) -> None:
        self._digest = hashlib.sha256()
        self._file = open(path, "wb")  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> "_LineFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, record: dict[str, Any]) -> None:
        # ASCII with escapes: names of files need not be valid Unicode.
        line = (json.dumps(record) + "\n").encode("ascii")
        self._digest.update(line)
        self._file.write(line)

    def hash(self) -> str:
        return self._digest.hexdigest()


def _write_songs(
    folder: Path, shapes: dict[str, tuple[int, ...]], table: Table, parts: Iterable[Part]
) -> tuple[dict[str, str], dict[str, int]]:
    """Write arrays and song lines in one walk over the parts: the hashes of the files, and the losses of all songs."""
    used = iter(table.used)
    losses: Counter[str] = Counter()
    number = first_bar = 0
    with ExitStack() as stack:
        files = {name: stack.enter_context(_ArrayFile(folder / name, ARRAYS[name], shapes[name])) for name in ARRAYS}
        files[SONGS] = stack.enter_context(_LineFile(folder / SONGS))
        for part in parts:
            for song, bars, runs, _ in songs_of(part):
                if not next(used):
                    continue
                files["tokens.npy"].append(part.tokens[bars])
                files["heads.npy"].append(part.heads[bars])
                runs = np.column_stack([np.full(len(runs), number), runs[:, 0] + first_bar, runs[:, 1]])
                files["runs.npy"].append(runs)
                files[SONGS].append(table.row(number, song))
                losses.update(song["losses"])
                number += 1
                first_bar += song["bars"]
    return {name: file.hash() for name, file in files.items()}, dict(losses)
