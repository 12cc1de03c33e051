"""Files below a folder, as users have them: with links, folders that cannot be entered, and files of absurd size."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from musae_tf.data.source import LARGEST, TOO_LARGE, Rejection
from musae_tf.errors import DatasetError


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


def read_columns(path: Path, separator: str, largest: int = 2**28) -> Sequence[tuple[int, list[str]]]:
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


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
