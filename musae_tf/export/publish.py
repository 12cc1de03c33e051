"""Versions of a model: folders named 1, 2, 3... in one folder, where a server looks for new ones.

A version is made under a name that no server takes for one, `.publishing-<n>-<pid>`, brought to the disk, and renamed
to its number in one step: a server sees all of it or nothing. Whoever makes a version holds a lock in its folder, which
the system drops when the process ends in whatever way; a folder whose lock is free is a leftover, and the next
publisher removes it. Numbers are chosen, leftovers and old versions removed, and versions renamed under a lock of the
model folder, so that several publishers do not meet.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from musae_tf.errors import ExportError

# Locks are files, since not every network file system can lock a folder.
_LOCK = ".lock"
_VERSION = re.compile(r"[0-9]+")
_DRAFT = re.compile(r"\.(?:publishing|removing)-([0-9]+)-[0-9]+")


class Version(NamedTuple):
    """A version of a model: its number, and its folder."""

    number: int
    folder: Path


def versions(base: Path) -> list[Version]:
    """The published versions of a model folder, the newest last; none if there is no such folder."""
    if not base.is_dir():
        return []
    found = (Version(int(path.name), path) for path in base.iterdir() if _VERSION.fullmatch(path.name))
    return sorted(found)


@contextmanager
def new_version(base: Path) -> Iterator[Version]:
    """Yield the next version of a model folder, with a folder to fill; publish it when the block ends without an error.

    After the block the version is `base/<number>`, or there is nothing left of it.

    Raises:
        ExportError: the folder cannot be written, or something else has made a version of this number meanwhile.
    """
    draft, lock = None, None
    try:
        base.mkdir(parents=True, exist_ok=True)
        with _locked(base):
            _remove_leftovers(base)
            taken = [version.number for version in versions(base)]
            taken += [int(match[1]) for path in base.iterdir() if (match := _DRAFT.fullmatch(path.name))]
            number = max(taken, default=0) + 1
            draft = base / f".publishing-{number}-{os.getpid()}"
            draft.mkdir()
            lock = _lock(draft)
        yield Version(number, draft)
        _to_disk(draft)
        with _locked(base):
            target = base / str(number)
            if target.exists():
                raise ExportError(f"{target} was made by something else meanwhile; export again")
            (draft / _LOCK).unlink()
            draft.rename(target)
        _sync(base)
    except OSError as cause:
        raise ExportError(f"cannot write {cause.filename or base}: {cause.strerror or cause}") from cause
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def prune(base: Path, keep: int) -> list[Version]:
    """Remove all but the newest `keep` versions (1 or more), and return the removed.

    Raises:
        ExportError: one cannot be removed.
    """
    if keep < 1:
        raise ValueError(f"keep is {keep}, must be 1 or more")
    try:
        with _locked(base):
            old = versions(base)[:-keep]
            for version in old:
                # First out of a server's sight: it must never see a version that is half there.
                doomed = base / f".removing-{version.number}-{os.getpid()}"
                version.folder.rename(doomed)
                shutil.rmtree(doomed)
    except OSError as cause:
        raise ExportError(f"cannot remove old versions: {cause.filename or base}: {cause.strerror or cause}") from cause
    return old


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = _lock(folder)
    try:
        yield
    finally:
        os.close(lock)


def _lock(folder: Path, wait: bool = True) -> int:
    """Lock a folder; closing the descriptor, or the end of the process, frees it."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove_leftovers(base: Path) -> None:
    for path in base.iterdir():
        if not _DRAFT.fullmatch(path.name):
            continue
        try:
            os.close(_lock(path, wait=False))
        except BlockingIOError:
            continue  # its publisher is at work
        shutil.rmtree(path)


def _to_disk(folder: Path) -> None:
    """Make sure that all of a folder survives a power cut; its name in the folder above comes after the rename."""
    for path, _, files in os.walk(folder):
        for name in files:
            _sync(Path(path) / name)
        _sync(Path(path))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
