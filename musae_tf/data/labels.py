"""Labels of the tracks of the Million Song Dataset (MSD), in the formats that people publish them in.

- A table: a track id, a tab and one genre or more on every line. So are the tagtraum genre annotations
  (`msd_tagtraum_cd2.cls`: majority genre and, where voters disagree, a minority genre) and those of the MSD Allmusic
  genre and style datasets (`msd-MAGD-genreAssignment.cls`, `msd-MASD-styleAssignment.cls`).
- Id lists, as the Lakh Pianoroll Dataset has them: one file a genre, `id_list_Rock.txt`, one id a line.
- MSD song files (`A/B/C/TRABC....h5`) with the terms, id and name of the artist and the title of the song.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from musae_tf.data.source import UnfitError
from musae_tf.data.walk import read_columns
from musae_tf.errors import DatasetError
from musae_tf.music.optional import require

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
        lines = read_columns(path, "\t")
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
