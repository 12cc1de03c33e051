"""A collection fetched: shown and confirmed, downloaded, checked, unpacked, and not fetched twice."""

import fcntl
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from musae_tf.data.fetch.archives import Archive, Collection
from musae_tf.data.fetch.download import checksum, download
from musae_tf.data.fetch.unpack import Limits, check_kind, unpack
from musae_tf.errors import DatasetError
from musae_tf.files import write_text

RECORD = "fetched.json"
"""In the folder: what was fetched, from where, and its checksum."""


def describe_collection(collection: Collection, archives: Sequence[Archive], to: Path) -> str:
    """What would be fetched: names, sizes, terms, and how each file can be checked."""
    lines = [f"{collection.title}", f"{collection.homepage}", f"to {to}", ""]
    for archive in archives:
        size = f"{archive.size / 1e6:,.0f} MB" if archive.size else "size not published"
        check = "SHA-256 known" if archive.sha256 else "no checksum published: that of the first download is kept"
        lines += [
            f"{archive.name}: {archive.about}",
            f"  {size}; {check}",
            f"  licence: {archive.licence}",
            f"  {archive.url}",
        ]
    return "\n".join(lines) + "\n"


def choose(collection: Collection, only: Sequence[str] = (), url: str | None = None) -> tuple[Archive, ...]:
    """Archives of a collection: those whose folders are in `only` (all if empty), from `url`/<name> if that is given.

    Raises DatasetError if `only` names another.
    """
    folders = {archive.folder: archive for archive in collection.archives}
    unknown = [name for name in only if name not in folders]
    if unknown:
        raise DatasetError(f"{collection.name} has no part {unknown[0]!r}; its parts: {', '.join(folders)}")
    chosen = [archive for folder, archive in folders.items() if not only or folder in only]
    if url is None:
        return tuple(chosen)
    base = url.rstrip("/")
    return tuple(Archive(**{**vars(archive), "url": f"{base}/{archive.name}"}) for archive in chosen)


def fetch(
    archives: Sequence[Archive],
    to: Path,
    *,
    keep: bool = False,
    limits: Limits | None = None,
    get: Callable[..., str] = download,
) -> list[Path]:
    """Download and unpack archives to folders below `to`, one after the other.

    Interrupted at any moment, the same call goes on. An archive whose folder is there already is left alone; one that
    was put into `to` by hand is checked and unpacked.

    Args:
        archives: What to fetch.
        to: Folder; made if needed.
        keep: Keep the archives after they are unpacked.
        limits: How much they may become.
        get: What downloads.

    Returns:
        The folders.

    Raises:
        DatasetError: No room, no connection, a file that is not the expected one, or a hostile archive.
    """
    with _locked(to):
        record = _read_record(to / RECORD)
        _check_room(archives, to, record)
        return [_fetch_one(archive, to, record, keep, limits, get) for archive in archives]


def confirm(text: str) -> None:
    """Show what is about to happen and ask. Raises DatasetError if nobody is there to answer, or the answer is no."""
    print(text)
    if not sys.stdin.isatty():
        raise DatasetError("nothing was fetched: say --yes to agree to the sizes and licences above")
    try:
        answer = input("fetch this? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise DatasetError("nothing was fetched")


def _fetch_one(
    archive: Archive, to: Path, record: dict[str, Any], keep: bool, limits: Limits | None, get: Callable[..., str]
) -> Path:
    path, folder = to / archive.name, to / archive.folder
    known = record.get(archive.name, {})
    expected = archive.sha256 or known.get("sha256")
    if folder.is_dir() and known.get("unpacked"):
        print(f"{folder} is there already")
        return folder
    if folder.exists():
        raise DatasetError(
            f"{folder} exists already, and it was not made here; move it away or fetch to another folder"
        )
    if path.exists():
        found = checksum(path)
        if expected is not None and found != expected:
            raise DatasetError(f"{path} has the SHA-256 {found}, expected was {expected}; remove it to fetch it again")
    else:
        found = get(archive.url, path, size=archive.size, sha256=expected)
    try:
        check_kind(path, archive.kind)
    except DatasetError as cause:
        path.unlink()
        raise DatasetError(f"{archive.url}: {cause}; fetch it by hand, put it into {to}, and try again") from cause
    checked = "checksum published" if archive.sha256 else "checksum of the first download"
    record[archive.name] = {
        "url": archive.url,
        "size": path.stat().st_size,
        "sha256": found,
        "checked": checked,
        "unpacked": False,
    }
    _write_record(to / RECORD, record)
    for left in to.glob(f".{archive.folder}-*"):  # of a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    unpack(path, folder, archive.kind, limits)
    record[archive.name]["unpacked"] = True
    _write_record(to / RECORD, record)
    if not keep:
        path.unlink()
    return folder


def _check_room(archives: Sequence[Archive], to: Path, record: dict[str, Any]) -> None:
    """At least the archives, and what is in them, which is no smaller, must fit."""
    missing = [archive for archive in archives if not record.get(archive.name, {}).get("unpacked")]
    here = sum((to / name).stat().st_size for one in missing for name in _files(one) if (to / name).is_file())
    needed = 2 * sum(archive.size or 0 for archive in missing) - here
    free = shutil.disk_usage(to).free
    if needed > free:
        raise DatasetError(f"{to} has {free / 1e9:,.1f} GB free; at least {needed / 1e9:,.1f} GB are needed")


def _files(archive: Archive) -> tuple[str, str]:
    return archive.name, f"{archive.name}.part"


@contextmanager
def _locked(to: Path) -> Iterator[None]:
    try:
        to.mkdir(parents=True, exist_ok=True)
        with open(to / ".lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as cause:
                raise DatasetError(f"another process is fetching to {to}") from cause
            yield
    except OSError as cause:
        raise DatasetError(f"cannot fetch to {to}: {cause.strerror or cause}") from cause


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as cause:
        raise DatasetError(f"cannot read {path}: {cause}") from cause
    if not isinstance(record, dict) or not all(isinstance(entry, dict) for entry in record.values()):
        raise DatasetError(f"{path} is damaged; remove it to fetch everything again")
    return record


def _write_record(path: Path, record: dict[str, Any]) -> None:
    write_text(path, json.dumps(record, indent=2) + "\n", DatasetError)
