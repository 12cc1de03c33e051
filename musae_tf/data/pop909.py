"""The source `pop909`: 909 Chinese pop songs as melody, bridge and piano (Wang et al. 2020), put on their beats.

Songs lie as `001/001.mid`, with their beats beside them in `001/beat_midi.txt`: their own tempo tracks are not their
beat. Other versions of a song (`001/versions`) are left alone.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from musae_tf.data.source import Piece, Rejection, walk
from musae_tf.errors import DatasetError
from musae_tf.music.beats import read_beats, retimed
from musae_tf.music.reading import read_tune

BEATS = "beat_midi.txt"
"""The file of beats in the folder of a song, see `musae_tf.music.beats`."""

GENRE = "pop"
"""Of all songs: the collection has no genres."""

WITHOUT = "without beats"

_SONG = re.compile(r"(?:(.*)/)?(\d{3})/\2\.mid")


class Pop909Item(NamedTuple):
    """A song: its path below the root, and size and time of change of its file and of its beats."""

    path: str
    size: int
    changed: int
    beats: tuple[int, int]


class Pop909Source:
    """The songs below `root`, the folder that has the folders 001 to 909."""

    name = "pop909"
    licence = (
        "POP909 by Z. Wang, K. Chen, J. Jiang and others (2020), MIT licence; the songs have composers of their own."
    )
    layout = "pop909"

    def __init__(self, root: str | os.PathLike) -> None:
        self.root = Path(root)
        self._rejected: list[Rejection] = []

    def items(self) -> list[Pop909Item]:
        """All songs with beats, sorted.

        Raises:
            DatasetError: `root` cannot be read or has no such song.
        """
        files, self._rejected = walk(self.root, (".mid", BEATS))
        found = {path: (size, changed) for path, size, changed in files}
        songs = {path: match[1] for path in found if (match := _SONG.fullmatch(path))}
        if songs and all(songs.values()):
            below = self.root / min(filter(None, songs.values()))
            raise DatasetError(f"{self.root} has no song such as 001/001.mid; did you mean {below}?")
        if not songs:
            raise DatasetError(f"{self.root} has no song such as 001/001.mid, with its beats in 001/{BEATS}")
        items = []
        for path in sorted(path for path, above in songs.items() if not above):
            beats = found.get(_beats_of(path))
            if beats is None:
                self._rejected.append(Rejection(path, f"{path}: there is no {BEATS} beside it", WITHOUT))
            else:
                items.append(Pop909Item(path, *found[path], beats))
        return items

    def load(self, item: Pop909Item) -> Piece:
        """A song on its beats.

        Raises:
            MusicError: its file or its beats cannot be read.
        """
        song = retimed(read_tune(self.root / item.path), read_beats(self.root / _beats_of(item.path)))
        number = Path(item.path).stem
        return Piece(song, number, item.path, (GENRE,), title=f"POP909 {number}")

    def rejected(self) -> Sequence[Rejection]:
        """Songs without beats, and what could not be read, at the last `items`."""
        return sorted(self._rejected)


def _beats_of(path: str) -> str:
    return f"{path.rpartition('/')[0]}/{BEATS}"
