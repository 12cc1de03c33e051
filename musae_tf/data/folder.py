"""Songs from a folder tree of music files: `genre/song.mid`, or any tree with a CSV table of labels."""

import csv
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from musae_tf.data.source import Piece, Rejection, walk
from musae_tf.errors import DatasetError
from musae_tf.music.beats import SUFFIX as BEATS
from musae_tf.music.reading import MIDI, SUFFIXES, beats_of, count_tunes, read_tune

WITH_TUNES = (*MIDI, ".abc")
"""Suffixes of files that may have several tunes."""

UNLISTED = "not in the table"
ALONE = "beats without a song"


class FolderItem(NamedTuple):
    """One file: its path below the root with `/`, what the tree or the table says of it, and its state on disk.

    Size and time of change are part of the key, so that a build does not go on with parts of an older file. Of a file
    with several tunes each is an item, `tune` its number from 1, with `#` and the number after the path. `beats` are
    size and time of change of the file of beats beside it.
    """

    path: str
    labels: tuple[str, ...]
    hints: tuple[str, ...]
    size: int
    changed: int
    tune: int = 0
    beats: tuple[int, int] | None = None


class _Row(NamedTuple):
    labels: tuple[str, ...]
    hints: tuple[str, ...]


class FolderSource:
    """Music files anywhere below `root`, in upper or lower case: MIDI (`.mid`, `.midi`, `.kar`, `.rmi`), MusicXML
    (`.musicxml`, `.mxl`, `.xml`), ABC (`.abc`) and Humdrum (`.krn`). Every tune of a book of ABC, or of a MIDI file of
    type 2, is a song. A MIDI file is put on the beats of the file beside it, `song.beats.txt` for `song.mid`, see
    `musae_tf.music.beats`.

    labels="folder": the first folder below `root` is the genre; files right below `root` have none.
    labels=path of a CSV file with the columns `path` (relative to `root`), `labels` (several separated by `;` or `|`)
    and optionally `group`: songs with the same group are kept in the same split. Rows with the same path are joined.
    Files that the table does not name, and rows without a file, are reported as rejected.

    Links to folders elsewhere are followed, once each; links back into the tree are reported, so loops end.
    """

    name = "folder"
    licence = "the files' own; musae-tf does not know it"
    layout = "band"

    def __init__(self, root: str | os.PathLike, labels: str | os.PathLike = "folder") -> None:
        self.root, self.labels = Path(root), labels
        self._rejected: list[Rejection] = []

    def items(self) -> list[FolderItem]:
        """All files, sorted by path. Raises DatasetError if `root` or the table cannot be read."""
        table = None if self.labels == "folder" else _read_table(Path(self.labels))
        every, self._rejected = walk(self.root, (*SUFFIXES, BEATS))
        files = [file for file in every if not file.path.lower().endswith(BEATS)]
        beats = {path: (size, changed) for path, size, changed in every if path.lower().endswith(BEATS)}
        if table is not None:
            table = _as_on_disk(table, [path for path, _, _ in files])
        found: list[FolderItem] = []
        for path, size, changed in files:
            row = _folder_row(path) if table is None else table.get(path)
            if row is None:
                self._rejected.append(Rejection(path, f"{path}: not listed in {self.labels}", UNLISTED))
                continue
            tunes = _count_tunes(self.root / path) if path.lower().endswith(WITH_TUNES) else 1
            for tune in range(1, tunes + 1) if tunes > 1 else (0,):
                name = f"{path}#{tune}" if tune else path
                found.append(FolderItem(name, *row, size, changed, tune, beats.get(beats_of(path))))
        for path in sorted(beats.keys() - {beats_of(file.path) for file in files}):
            self._rejected.append(Rejection(path, f"{path}: there is no MIDI file of that name beside it", ALONE))
        if table is not None:
            seen = {path for path, _, _ in files} | {rejection.source for rejection in self._rejected}
            for path in sorted(set(table) - seen):
                reason = f"{path}: listed in {self.labels} but there is no such music file in {self.root}"
                self._rejected.append(Rejection(path, reason))
        return sorted(found)

    def load(self, item: FolderItem) -> Piece:
        """Read one file. Raises MusicError with the reason if it is no readable music file."""
        path = item.path.removesuffix(f"#{item.tune}") if item.tune else item.path
        song = read_tune(self.root / path, item.tune or None)
        title, _ = os.path.splitext(os.path.basename(path))
        title = f"{title} {item.tune}" if item.tune else title
        return Piece(song, item.path, item.path, item.labels, title=title, hints=item.hints)

    def rejected(self) -> list[Rejection]:
        """Files and folders that the last `items` could not use, sorted by path."""
        return sorted(self._rejected)


def _folder_row(path: str) -> _Row:
    first, _, rest = path.partition("/")
    return _Row((unicodedata.normalize("NFC", first),) if rest else (), ())


def _as_on_disk(table: dict[str, _Row], files: Iterable[str]) -> dict[str, _Row]:
    """The rows by the paths of the files that they mean.

    A path that no file has exactly is taken for the one file that differs from it in Unicode form, case or separators
    alone, if there is one such file and one such row.
    """
    unlisted = [path for path in files if path not in table]
    missing = set(table).difference(files)
    rows, paths = (Counter(map(_plain, names)) for names in (missing, unlisted))
    meant = {_plain(path): path for path in unlisted}
    return {
        meant[_plain(path)] if path in missing and rows[_plain(path)] == paths[_plain(path)] == 1 else path: row
        for path, row in table.items()
    }


def _plain(path: str) -> str:
    """What paths have in common that people take for the same."""
    return unicodedata.normalize("NFC", path.replace("\\", "/").strip("/")).casefold()


def _read_table(table: Path) -> dict[str, _Row]:
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            columns = reader.fieldnames or []
            if not {"path", "labels"} <= set(columns):
                raise DatasetError(
                    f"{table}: columns are {', '.join(columns) or 'missing'}; needed: path, labels, and group if wanted"
                )
            rows: dict[str, _Row] = {}
            for record in reader:
                path = (record["path"] or "").strip()
                if not path or record["labels"] is None:
                    found = list(record.values())
                    raise DatasetError(f"{table}, line {reader.line_num}: needs a path and labels, has {found}")
                path = PurePosixPath(path.replace("\\", "/")).as_posix()
                labels = [unicodedata.normalize("NFC", label.strip()) for label in re.split(r"[;|]", record["labels"])]
                group = (record.get("group") or "").strip()
                old = rows.get(path, _Row((), ()))
                rows[path] = _Row(
                    tuple(sorted({*old.labels, *filter(None, labels)})),
                    tuple(sorted({*old.hints, *([f"group {group}"] if group else [])})),
                )
            return rows
    except OSError as cause:
        raise DatasetError(f"cannot read the table {table}: {cause.strerror}") from cause
    except UnicodeDecodeError as cause:
        raise DatasetError(f"{table} is not UTF-8 text (byte {cause.start})") from cause
    except csv.Error as cause:
        raise DatasetError(f"{table} is not a CSV table: {cause}") from cause


def _count_tunes(path: Path) -> int:
    """Tunes of a file; 1 if it cannot be read: reading it for good says why. Most MIDI files tell by their head."""
    try:
        with open(path, "rb") as file:
            head = file.read(10)
            if path.suffix.lower() in MIDI and head[:4] == b"MThd" and head[8:] != b"\0\2":
                return 1
            return count_tunes(head + file.read(), path.name)
    except OSError:
        return 1
