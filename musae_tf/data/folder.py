"""Songs from a folder tree of music files: `genre/song.mid`, or any tree with a CSV table of labels."""

import csv
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from musae_tf.data.kern import read_kern
from musae_tf.data.musicxml import read_musicxml
from musae_tf.data.score import TICKS, WHOLE, lay_out, metre_changes, note_array
from musae_tf.data.source import Piece, Rejection, walk
from musae_tf.errors import DatasetError, MusicError
from musae_tf.music.midi import from_abc
from musae_tf.music.song import Song, Tempo, Track

MIDI = (".mid", ".midi", ".kar", ".rmi")
UNLISTED = "not in the table"


class FolderItem(NamedTuple):
    """One file: its path below the root with `/`, what the tree or the table says of it, and its state on disk.

    Size and time of change are part of the key, so that a build does not go on with parts of an older file. Of a file
    with several tunes each is an item, `tune` its number from 1, with `#` and the number after the path.
    """

    path: str
    labels: tuple[str, ...]
    hints: tuple[str, ...]
    size: int
    changed: int
    tune: int = 0


class _Row(NamedTuple):
    labels: tuple[str, ...]
    hints: tuple[str, ...]


class FolderSource:
    """Music files anywhere below `root`, in upper or lower case: MIDI (`.mid`, `.midi`, `.kar`, `.rmi`), MusicXML
    (`.musicxml`, `.mxl`, `.xml`), ABC (`.abc`, every tune of a book) and Humdrum (`.krn`).

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
        files, self._rejected = walk(self.root, MIDI + SCORES)
        if table is not None:
            table = _as_on_disk(table, [path for path, _, _ in files])
        found: list[FolderItem] = []
        for path, size, changed in files:
            row = _folder_row(path) if table is None else table.get(path)
            if row is None:
                self._rejected.append(Rejection(path, f"{path}: not listed in {self.labels}", UNLISTED))
                continue
            tunes = _count_tunes(self.root / path) if path.lower().endswith(".abc") else 1
            for tune in range(1, tunes + 1) if tunes > 1 else (0,):
                found.append(FolderItem(f"{path}#{tune}" if tune else path, *row, size, changed, tune))
        if table is not None:
            seen = {path for path, _, _ in files} | {rejection.source for rejection in self._rejected}
            for path in sorted(set(table) - seen):
                reason = f"{path}: listed in {self.labels} but there is no such music file in {self.root}"
                self._rejected.append(Rejection(path, reason))
        return sorted(found)

    def load(self, item: FolderItem) -> Piece:
        """Read one file. Raises MusicError with the reason if it is no readable music file."""
        path = item.path.removesuffix(f"#{item.tune}") if item.tune else item.path
        song = read_music(self.root / path, item.tune or 1)
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


SCORES = (".musicxml", ".mxl", ".xml", ".krn", ".abc")
"""Suffixes of the files that `read_score` reads."""


def _count_tunes(path: Path) -> int:
    """Tunes of an ABC file; 1 if it cannot be read: reading it for good says why."""
    try:
        return max(len(re.findall(rb"^X:", path.read_bytes(), re.MULTILINE)), 1)
    except OSError:
        return 1


def read_music(path: Path, tune: int = 1) -> Song:
    """Read a music file by its suffix: one of `SCORES`, or else MIDI. Raises MusicError if it cannot be read."""
    return read_score(path, tune) if path.suffix.lower() in SCORES else Song.read(path)


def read_score(path: Path, tune: int = 1) -> Song:
    """Read a score by its suffix, one of `SCORES`; of an ABC file with several tunes the one with this number.

    Raises:
        MusicError: It cannot be read, is damaged, or no part of it sounds.
    """
    try:
        data = path.read_bytes()
    except OSError as cause:
        raise MusicError(f"cannot read {path}: {cause.strerror or cause}") from cause
    if path.suffix.lower() == ".abc":
        # ABC is older than UTF-8, and only titles have other letters.
        header, *tunes = re.split(r"^(?=X:)", data.decode("utf-8", "replace"), flags=re.MULTILINE)
        song = from_abc(header + tunes[tune - 1] if tunes else header, str(path))
        song.name = path.stem
        return song
    score = (read_kern if path.suffix.lower() == ".krn" else read_musicxml)(data, str(path))
    bars, starts = lay_out(score)
    if starts[-1] >= 2**31:
        raise MusicError(f"{path}: {starts[-1] / WHOLE:,.0f} whole notes long, a song has at most {2**31 // WHOLE:,}")
    tracks = [Track(part.name, part.program, False, note_array(part, starts)) for part in score.parts if part.sounds]
    if not tracks:
        raise MusicError(f"{path}: no part of the score has a note with a pitch")
    tempos = [Tempo(starts[bar] + onset, bpm) for bar, onset, bpm in score.tempos]
    return Song(TICKS, tracks, tempos, metre_changes(bars, 1), starts[-1], score.title or path.stem)
