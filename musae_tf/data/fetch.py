"""Public archives of music: shown and confirmed, downloaded, checked, unpacked, and not fetched twice.

Sizes and checksums are those that others have recorded of the same files; the projects publish none. What nobody has
recorded is None, and then the checksum of the first download is what later ones are compared with.
"""

import fcntl
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from musae_tf.data.download import checksum, download
from musae_tf.data.unpack import ArchiveLimits, check_kind, unpack
from musae_tf.errors import DatasetError
from musae_tf.files import write_text


@dataclass(frozen=True)
class Archive:
    """One file to download and the folder that it becomes.

    `size` is in bytes. `sha256` is in hexadecimal digits.
    """

    name: str
    url: str
    kind: Literal["tar.gz", "zip"]
    folder: str
    about: str
    licence: str
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Collection:
    """Archives that belong together, the page that says more, and the command that makes a dataset of them."""

    name: str
    title: str
    homepage: str
    archives: tuple[Archive, ...]
    build: str


_LMD_URL = "http://hog.ee.columbia.edu/craffel/lmd/"
_TAGTRAUM_URL = "https://www.tagtraum.com/genres/"
_DRIVE_URL = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
_LMD_LICENCE = "CC BY 4.0 (Colin Raffel); the songs themselves have authors of their own"
_LPD_LICENCE = "CC BY 4.0 (Hao-Wen Dong, Wen-Yi Hsiao; after Colin Raffel); the songs have authors of their own"
_IDS_LICENCE = "that of the labels they are made from, which the project's page asks you to look up"


def _archive(name: str, url: str, about: str, licence: str, *, folder: str = "", **known: Any) -> Archive:
    kind: Literal["tar.gz", "zip"] = "zip" if name.endswith(".zip") else "tar.gz"
    return Archive(name, url, kind, folder or name.removesuffix(f".{kind}"), about, licence, **known)


COLLECTIONS = {
    "lmd": Collection(
        name="lmd",
        title="Lakh MIDI Dataset: the files matched to the Million Song Dataset, their metadata, and genres",
        homepage="https://colinraffel.com/projects/lmd/",
        archives=(
            _archive(
                "lmd_matched.tar.gz", f"{_LMD_URL}lmd_matched.tar.gz",
                "116,189 MIDI files by track of the Million Song Dataset", _LMD_LICENCE,
                size=1_407_072_670, sha256="621ff830aed771f469e5bfa13dc12a33c6ed69090adeda63d0b5c47783af0191",
            ),
            _archive(
                "lmd_matched_h5.tar.gz", f"{_LMD_URL}lmd_matched_h5.tar.gz",
                "metadata of the same tracks, with the terms of their artists", _LMD_LICENCE,
                sha256="049c62c0d90c7fd2a29352a1c745d12fb53019dcf2e74a3b29953f046aef3d1b",
            ),
            _archive(
                "msd_tagtraum_cd2.cls.zip", f"{_TAGTRAUM_URL}msd_tagtraum_cd2.cls.zip", "genres of 280,831 tracks",
                "not stated on its page (tagtraum.com/msd_genre_datasets.html)", folder="tagtraum",
            ),
        ),
        build="musae data build lmd --midi {to}/lmd_matched --labels {to}/tagtraum/msd_tagtraum_cd2.cls",
    ),
    "lpd": Collection(
        name="lpd",
        title="Lakh Pianoroll Dataset: LPD-5, cleansed, and genres",
        homepage="https://hermandong.com/lakh-pianoroll-dataset/dataset",
        archives=(
            _archive(
                "lpd_5_cleansed.tar.gz", f"{_DRIVE_URL}1yz0Ma-6cWTl6mhkrLnAVJ7RNzlQRypQ5",
                "21,425 piano rolls of five tracks", _LPD_LICENCE,
            ),
            _archive(
                "id_lists_tagtraum.tar.gz", f"{_DRIVE_URL}19RC9YTjJ3hGIH87zDWdNIYIL_trs30Q4",
                "genres, one list of ids each, from the tagtraum annotations", _IDS_LICENCE,
            ),
            _archive(
                "id_lists_lastfm.tar.gz", f"{_DRIVE_URL}1mpsoxU2fU1AjKopkcQ8Q8V6wYmVPbnPO",
                "genres, one list of ids each, from the Last.fm tags", _IDS_LICENCE,
            ),
        ),
        build="musae data build lpd --npz {to}/lpd_5_cleansed --labels {to}/id_lists_tagtraum",
    ),
}  # fmt: skip

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
    return tuple(replace(archive, url=f"{url.rstrip('/')}/{archive.name}") for archive in chosen)


def fetch(
    archives: Sequence[Archive],
    to: Path,
    *,
    keep: bool = False,
    limits: ArchiveLimits | None = None,
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
    archive: Archive,
    to: Path,
    record: dict[str, Any],
    keep: bool,
    limits: ArchiveLimits | None,
    get: Callable[..., str],
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
    write_text(to / RECORD, json.dumps(record, indent=2) + "\n", DatasetError)
    for left in to.glob(f".{archive.folder}-*"):  # of a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    unpack(path, folder, archive.kind, limits)
    record[archive.name]["unpacked"] = True
    write_text(to / RECORD, json.dumps(record, indent=2) + "\n", DatasetError)
    if not keep:
        path.unlink()
    return folder


def _check_room(archives: Sequence[Archive], to: Path, record: dict[str, Any]) -> None:
    """At least the archives, and what is in them, which is no smaller, must fit."""
    missing = [archive for archive in archives if not record.get(archive.name, {}).get("unpacked")]
    files = [to / f"{archive.name}{end}" for archive in missing for end in ("", ".part")]
    here = sum(file.stat().st_size for file in files if file.is_file())
    needed = 2 * sum(archive.size or 0 for archive in missing) - here
    free = shutil.disk_usage(to).free
    if needed > free:
        raise DatasetError(f"{to} has {free / 1e9:,.1f} GB free; at least {needed / 1e9:,.1f} GB are needed")


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
