"""The sources `lmd` and `lpd`: the Lakh MIDI and Pianoroll Datasets, and labels of the Million Song Dataset (MSD).

Labels come in the formats that people publish them in:

- A table: a track id, a tab and one genre or more on every line. So are the tagtraum genre annotations
  (`msd_tagtraum_cd2.cls`: majority genre and, where voters disagree, a minority genre) and those of the MSD Allmusic
  genre and style datasets (`msd-MAGD-genreAssignment.cls`, `msd-MASD-styleAssignment.cls`).
- Id lists, as the Lakh Pianoroll Dataset has them: one file a genre, `id_list_Rock.txt`, one id a line.
- MSD song files (`A/B/C/TRABC....h5`) with the terms, id and name of the artist and the title of the song.
"""

import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from musae_tf.data.source import LARGEST, TOO_LARGE, Piece, Rejection, UnfitError, walk
from musae_tf.errors import DatasetError, MusicError, require
from musae_tf.music.multitrack import from_multitrack
from musae_tf.music.reading import MIDI
from musae_tf.music.song import Song

TRACK = re.compile(r"TR[A-Z]{5}[0-9A-F]{11}")
"""A track id of the Million Song Dataset."""

_ID = re.compile(r"[0-9A-Za-z]{10,64}")
_LABEL = re.compile(r"[^\x00-\x1f\x7f]{1,100}")
_MOST_TERMS = 10_000
BAD_LABELS = "with unreadable labels"


class Facts(NamedTuple):
    """What label files say of one track: labels, and what keeps it in a split with others."""

    labels: tuple[str, ...] = ()
    artist: str = ""
    title: str = ""


class Labels:
    """Labels by track id, out of any number of files and folders of the formats above; a track may have several.

    Tables and id lists are read at once. Of a folder of MSD song files only the path is kept, and the file of a track
    is read when `facts` asks for it.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        """Raises DatasetError if a path is none of the formats or cannot be read."""
        self._table: dict[str, tuple[str, ...]] = {}
        self._trees: list[Path] = []
        self._last: tuple[str, Facts] | None = None
        for path in paths:
            if path.is_dir():
                if next(path.rglob("*.h5"), None) is not None:
                    require("h5py", "reading files of the Million Song Dataset")
                    self._trees.append(path)
                    continue
                lists = sorted(file for suffix in ("*.txt", "*.cls", "*.tsv") for file in path.rglob(suffix))
                if not lists:
                    raise DatasetError(f"{path} holds no labels: no .cls, .tsv or .txt file and no .h5 file of the MSD")
                for file in lists:
                    self._add(file)
            elif path.suffix.lower() in (".h5", ".hdf5"):
                raise DatasetError(f"{path}: give the folder that holds A/B/C/TR....h5, not one file of it")
            else:
                self._add(path)

    def known(self, *names: str) -> tuple[str, ...]:
        """Labels of the tables and lists for a track that goes by several ids, sorted."""
        return tuple(sorted({label for name in names for label in self._table.get(name, ())}))

    def file(self, track: str) -> Path | None:
        """The MSD song file of a track, if there is one."""
        if not self._trees or not TRACK.fullmatch(track):
            return None
        paths = (tree / track[2] / track[3] / track[4] / f"{track}.h5" for tree in self._trees)
        return next((path for path in paths if path.is_file()), None)

    def facts(self, path: Path) -> Facts:
        """What an MSD song file says. Raises UnfitError if it cannot be read."""
        if self._last is None or self._last[0] != str(path):
            self._last = str(path), _read_song_file(path)  # many versions of one track follow each other
        return self._last[1]

    def warm_up(self) -> None:
        """Import what `facts` needs."""
        if self._trees:
            require("h5py", "reading files of the Million Song Dataset")

    def __getstate__(self) -> dict:
        """Workers get the paths of song files only: the labels of the tables are part of the items."""
        return {"_table": {}, "_trees": self._trees, "_last": None}

    def _add(self, path: Path) -> None:
        lines = _read_columns(path, "\t")
        if not lines:
            raise DatasetError(f"{path} holds no labels: it has no line with an id")
        is_list = all(len(columns) == 1 for _, columns in lines)
        genre = path.stem.removeprefix("id_list_")
        for number, (track, *labels) in lines:
            labels = [genre] if is_list else [label for label in labels if label]
            fits = _ID.fullmatch(track) and labels and all(map(_LABEL.fullmatch, labels))
            if not fits:
                found = "\t".join((track, *labels))[:60]
                raise DatasetError(f"{path}, line {number}: needs a track id, a tab and genres, has {found!r}")
            self._table[track] = tuple(sorted({*self._table.get(track, ()), *labels}))


def _read_song_file(path: Path) -> Facts:
    h5py = require("h5py", "reading files of the Million Song Dataset")
    try:
        with h5py.File(path, "r") as file:
            terms = file["metadata/artist_terms"]
            songs = file["metadata/songs"]
            if terms.ndim != 1 or len(terms) > _MOST_TERMS or terms.dtype.kind != "S" or len(songs) != 1:
                raise ValueError("it is not a file of one song with a list of artist terms")
            song = songs[0]
            return Facts(
                labels=tuple(sorted({_text(term) for term in terms[:]} - {""})),
                artist=_text(song["artist_id"]) or _text(song["artist_name"]),
                title=": ".join(filter(None, (_text(song["artist_name"]), _text(song["title"])))),
            )
    except MemoryError:
        raise
    except Exception as cause:  # whatever a damaged file makes h5py raise, it is the file that is damaged
        raise UnfitError(f"{path} is not a song file of the MSD: {cause}", BAD_LABELS) from cause


def _text(value: bytes) -> str:
    return " ".join(bytes(value).decode("utf-8", "replace").split())


def _read_columns(path: Path, separator: str, largest: int = 2**28) -> Sequence[tuple[int, list[str]]]:
    """Lines of a text file as (line number, columns), without empty lines and those that begin with `#`.

    Raises:
        DatasetError: It cannot be read, is not UTF-8 text, or has more than `largest` bytes.
    """
    try:
        if path.stat().st_size > largest:
            raise DatasetError(f"{path} has {path.stat().st_size:,} bytes, a table has at most {largest:,}")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as cause:
        raise DatasetError(f"cannot read {path}: {cause.strerror}") from cause
    except UnicodeDecodeError as cause:
        raise DatasetError(f"{path} is not UTF-8 text (byte {cause.start})") from cause
    lines = ((number, line.strip("\r")) for number, line in enumerate(text.split("\n"), 1))
    return [
        (number, [column.strip() for column in line.split(separator)])
        for number, line in lines
        if line.strip() and not line.startswith("#")
    ]


NO_TRACK = "without a track id"


class TrackItem(NamedTuple):
    """One file of a track: its path below the root, the track id, labels, the file of more labels, states on disk."""

    path: str
    track: str
    labels: tuple[str, ...]
    facts: str | None
    state: tuple[int, ...]


class _TrackSource:
    """Files in folders named by MSD track ids, `A/B/C/TRABC.../<md5>.*`, and what label files say of the tracks.

    A track may have several files, which are versions of it by different people. They, and all tracks of one artist
    where a label file names the artist, are kept in the same split. `labels` are files and folders in the formats of
    this module; id lists may hold names of files too; a track that none of them knows has no label.
    """

    suffixes: tuple[str, ...]

    def __init__(self, root: str | os.PathLike, labels: Sequence[str | os.PathLike] = ()) -> None:
        self._root = Path(root)
        self._labels = Labels(list(map(Path, labels)))
        self._rejected: list[Rejection] = []

    def warm_up(self) -> None:
        """Import what reads labels."""
        self._labels.warm_up()

    def items(self) -> list[TrackItem]:
        """All files, sorted by path. Raises DatasetError if the folder cannot be read."""
        files, self._rejected = walk(self._root, self.suffixes)
        items = []
        track = facts = None
        state: tuple[int, ...] = ()
        for path, size, changed in files:
            *folders, name = PurePosixPath(path).parts
            stem = name.partition(".")[0]
            found = next((part for part in (*reversed(folders), stem) if TRACK.fullmatch(part)), None)
            known = self._labels.known(*filter(None, (found, stem)))
            if found is None and not known:
                reason = f"{path}: neither its folder nor its name is a track id of the MSD, such as TRAAAGR128F425B14B"
                self._rejected.append(Rejection(path, reason, NO_TRACK))
                continue
            if found != track:
                track, facts = found, self._labels.file(found) if found else None
                state = () if facts is None else (facts.stat().st_size, facts.stat().st_mtime_ns)
            items.append(TrackItem(path, track or stem, known, str(facts) if facts else None, (size, changed, *state)))
        return items

    def load(self, item: TrackItem) -> Piece:
        """Read one file and the labels of its track. Raises MusicError if one of them cannot be read."""
        song = self._read(self._root / item.path)
        facts = self._labels.facts(Path(item.facts)) if item.facts else Facts()
        return Piece(
            song=song,
            id=item.path,
            source=item.path,
            labels=tuple(sorted({*item.labels, *facts.labels})),
            title=facts.title or item.track,
            hints=(f"track {item.track}", *([f"artist {facts.artist}"] if facts.artist else [])),
        )

    def rejected(self) -> list[Rejection]:
        """Files and folders that the last `items` could not use, sorted by path."""
        return sorted(self._rejected)

    def _read(self, path: Path) -> Song:
        return Song.read(path)


class LmdSource(_TrackSource):
    """The Lakh MIDI Dataset, as lmd_matched has it, or any MIDI files in folders named by track ids."""

    name = "lmd"
    licence = (
        "Lakh MIDI Dataset (Colin Raffel, 2016): CC BY 4.0 for the collection; the songs are those of their composers "
        "and of the people who sequenced them. Labels: those of their publishers"
    )
    layout = "band"
    suffixes = MIDI


class LpdSource(_TrackSource):
    """The Lakh Pianoroll Dataset (LPD-5, LPD-17), or any `.npz` files of `pypianoroll`.

    The layout is `lpd5`, or another one: `band` takes the piano where there is no guitar.
    """

    name = "lpd"
    licence = (
        "Lakh Pianoroll Dataset (Hao-Wen Dong and others, 2018): CC BY 4.0, made from the Lakh MIDI Dataset (Colin "
        "Raffel, 2016); the songs are those of their composers. Labels: those of their publishers"
    )
    layout = "lpd5"
    suffixes = (".npz",)

    def warm_up(self) -> None:
        """Import what reads the files and labels."""
        require("pypianoroll", "reading pianorolls")
        super().warm_up()

    def items(self) -> list[TrackItem]:
        """All files, sorted by path. Raises DatasetError if the folder cannot be read."""
        require("pypianoroll", "reading pianorolls")
        return super().items()

    def _read(self, path: Path) -> Song:
        return read_pianoroll(path)


MOST_TRACKS = 256
MOST_STEPS = 2**18
"""Time steps of a pianoroll: at 24 a quarter some 2,700 bars of 4/4."""


def read_pianoroll(path: Path) -> Song:
    """Read an .npz file that pypianoroll wrote.

    Raises:
        MusicError: It cannot be read or is no such file; an UnfitError if it unpacks to too much.
    """
    pypianoroll = require("pypianoroll", "reading pianorolls")
    try:
        _check_sizes(path)
        multitrack = pypianoroll.load(str(path))
        if not isinstance(multitrack, pypianoroll.Multitrack):
            raise MusicError(f"{path} is not a multitrack pianoroll")
    except OSError as cause:
        raise MusicError(f"cannot read {path}: {cause.strerror or cause}") from cause
    except (MusicError, MemoryError):
        raise
    except Exception as cause:  # whatever a damaged file makes zipfile, numpy, scipy and pypianoroll raise
        raise MusicError(f"{path} is not a readable pianoroll file: {type(cause).__name__}: {cause}") from cause
    try:
        return from_multitrack(multitrack)
    except MusicError as cause:
        raise MusicError(f"{path}: {cause}") from cause


def _check_sizes(path: Path) -> None:
    """Look at the sizes that the file announces before anything is unpacked: zipfile reads no more than those."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    size = sum(member.file_size for member in members)
    if size > 8 * LARGEST:
        raise UnfitError(f"{path}: unpacks to {size:,} bytes, at most {8 * LARGEST:,} are read", TOO_LARGE)
    if len(members) > 4 * MOST_TRACKS:
        raise UnfitError(f"{path}: {len(members):,} arrays, at most {4 * MOST_TRACKS:,} are read", TOO_LARGE)
    with np.load(path) as arrays:
        for name in arrays.files:
            if name.endswith("_shape"):
                shape = [int(length) for length in np.ravel(arrays[name])[:4]]
                if len(shape) != 2 or shape[1] != 128 or not 0 <= shape[0] <= MOST_STEPS:
                    raise UnfitError(
                        f"{path}: pianoroll of shape {shape}, at most [{MOST_STEPS:,}, 128] is read", TOO_LARGE
                    )
