"""What a source of songs is: a list of cheap keys, and a loader that turns one key into a song with labels."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from musae_tf.errors import MusicError
from musae_tf.music.song import Song

UNREADABLE = "unreadable"
TOO_LARGE = "too large"

LARGEST = 32 * 2**20
"""Bytes of a file that is read; larger ones are rejected unread. The largest MIDI files people make are far smaller."""


class UnfitError(MusicError):
    """A song that is not wanted: why, and the kind of rejection to count it under."""

    def __init__(self, reason: str, kind: str) -> None:
        super().__init__(reason)
        self.kind = kind


@dataclass(frozen=True)
class Piece:
    """One song of a source and what the source knows about it.

    `id` is unique within the source and the same on every machine. `labels` are genre names, possibly none.
    Songs that share one of their `hints` (same mass, same artist, same groove file ...) are kept in the same split.
    """

    song: Song
    id: str
    source: str
    labels: tuple[str, ...] = ()
    key: str | None = None
    title: str = ""
    hints: tuple[str, ...] = ()


class Rejection(NamedTuple):
    """A file (or folder) that gives no song: where, why in words, and which kind of reason it is.

    `kind` is a short phrase that many rejections share; manifests count by it.
    """

    source: str
    reason: str
    kind: str = UNREADABLE


class Source(Protocol):
    """Where songs come from.

    A source is pickled once per worker process, so it holds paths and options, not songs. One that needs large
    libraries to load its songs may have a method `warm_up` that imports them: worker processes call it before the
    first song, so that the time limit of a song covers the song alone.
    """

    name: str
    licence: str
    layout: str

    def items(self) -> Sequence[Hashable]:
        """Keys of all songs, sorted, each cheap and picklable.

        An interrupted build goes on from where it stopped only while these keys stay the same, so a key should
        change when the file behind it does. A key with an attribute `path` is named by it when it is rejected. Raises
        DatasetError if the source cannot be listed at all.
        """
        ...

    def load(self, item: Hashable) -> Piece:
        """The song behind one key.

        Raises MusicError with the reason if there is none to be had; its subclass `UnfitError` names the kind as well.
        """
        ...

    def rejected(self) -> Sequence[Rejection]:
        """What `items` had to leave out (a folder that cannot be entered, say)."""
        ...


def place(item: Hashable) -> str:
    """How rejections name a key of a source: its `path` if it has one, or the key itself."""
    return str(getattr(item, "path", item))
