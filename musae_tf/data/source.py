"""What a source of songs is: a list of cheap keys, and a loader that turns one key into a song with labels."""

import os
import stat
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from musae_tf.data.split import Split
from musae_tf.errors import DatasetError, MusicError
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
    `settled` says that the source has laid out bars and tempo itself, see `musae_tf.music.placing.Placement`.
    `split` is where the song has to go, for a source whose songs are split already: such a source says it of all of
    them, and none is left out for repeating another.
    """

    song: Song
    id: str
    source: str
    labels: tuple[str, ...] = ()
    key: str | None = None
    title: str = ""
    hints: tuple[str, ...] = ()
    settled: bool = False
    split: Split | None = None


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

    def load(self, item: Any) -> Piece:  # one of its items: each source has a type of its own
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


class Found(NamedTuple):
    """A file: its path below the root with `/`, its size in bytes and the time of its last change in nanoseconds."""

    path: str
    size: int
    changed: int


def walk(root: Path, suffixes: tuple[str, ...], largest: int = LARGEST) -> tuple[list[Found], list[Rejection]]:
    """All regular files below `root` whose lower-case names end in one of `suffixes`, and what could not be used.

    Links to folders elsewhere are followed, once each; links back into the tree are reported, so loops end. Files of
    more than `largest` bytes are reported, unread.

    Raises:
        DatasetError: `root` is no folder or cannot be read.
    """
    try:
        status = root.stat()
        if not stat.S_ISDIR(status.st_mode):
            raise DatasetError(f"{root} is not a folder")
        os.scandir(root).close()
    except OSError as cause:
        raise DatasetError(f"cannot read the folder {root}: {cause.strerror}") from cause
    # A link is followed only to a folder that is neither read already nor above one that is.
    visited = {_identity(status)}
    above = {_identity(parent.stat()) for parent in root.resolve().parents}
    files: list[Found] = []
    rejected: list[Rejection] = []
    links: list[str] = []
    waiting = [""]
    while waiting or links:
        if not waiting:
            link = links.pop()
            identity = _identity((root / link).stat())
            if identity in visited or identity in above:
                reason = f"{link}: a link to a folder that is read already, or that contains {root}"
                rejected.append(Rejection(link, reason))
                continue
            visited.add(identity)
            above |= {_identity(parent.stat()) for parent in (root / link).resolve().parents}
            waiting.append(link)
        folder = waiting.pop()
        try:
            with os.scandir(root / folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name, reverse=True)
        except OSError as cause:
            rejected.append(Rejection(folder, f"{folder}: {cause.strerror}"))
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            wanted = entry.name.lower().endswith(suffixes)
            try:
                status = entry.stat()
                linked = entry.is_symlink()
            except OSError as cause:
                if wanted:
                    rejected.append(Rejection(path, f"{path}: {cause.strerror}"))
                continue
            if stat.S_ISDIR(status.st_mode):
                if linked:
                    links.append(path)
                else:
                    visited.add(_identity(status))
                    waiting.append(path)
            elif wanted:
                if not stat.S_ISREG(status.st_mode):
                    rejected.append(Rejection(path, f"{path}: not a regular file"))
                elif status.st_size > largest:
                    reason = f"{path}: {status.st_size:,} bytes, at most {largest:,} are read"
                    rejected.append(Rejection(path, reason, TOO_LARGE))
                else:
                    files.append(Found(path, status.st_size, status.st_mtime_ns))
    return sorted(files), rejected


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
