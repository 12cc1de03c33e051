"""Archives to folders, as if a stranger had made them: nothing outside the folder, no links, no bombs."""

import gzip
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from musae_tf.errors import DatasetError
from musae_tf.progress import progress

CHUNK = 1 << 18
MEGABYTE = 1_000_000
HEADER = 1 << 20
"""Largest header of a tar member, names included. The library reads headers into memory whole."""

MAGIC = {"tar.gz": b"\x1f\x8b", "zip": b"PK"}
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile)


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may become: bytes in all, files and folders, and bytes for each byte of the archive.

    The ratio counts from `free` bytes on: a small file of zeros is no bomb.
    """

    bytes: int = 40 * 10**9
    entries: int = 2_000_000
    ratio: float = 50.0
    free: int = 50 * 10**6


def unpack(archive: Path, target: Path, kind: str, limits: ArchiveLimits | None = None) -> int:
    """Unpack an archive to a folder that appears by one rename when everything is there.

    One folder that holds all of the archive becomes the target itself. Only plain files and folders are taken, with
    plain permissions.

    Args:
        archive: The file.
        target: The folder; must not exist.
        kind: "tar.gz" or "zip".
        limits: What is too much.

    Returns:
        Number of files.

    Raises:
        DatasetError: The archive is damaged, holds a link, a device or a path that leads out of the folder, or becomes
            too much; or the disk is full. Nothing of it is left.
    """
    if os.path.lexists(target):
        raise DatasetError(f"{target} exists already; move it away, or unpack to another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    private = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        made = private / "content"  # with plain permissions
        made.mkdir()
        writer = _Writer(archive, made, limits or ArchiveLimits())
        (_unpack_tar if kind == "tar.gz" else _unpack_zip)(writer)
        inside = list(made.iterdir())
        (inside[0] if len(inside) == 1 and inside[0].is_dir() else made).rename(target)
        return writer.files
    except DAMAGE as cause:
        raise DatasetError(f"{archive.name} is damaged: {str(cause) or 'it ends too early'}") from cause
    except OSError as cause:
        raise DatasetError(f"cannot unpack {archive} to {target}: {cause.strerror or cause}") from cause
    except (RuntimeError, NotImplementedError, ValueError, OverflowError) as cause:
        # zipfile says so of encrypted members and of methods it does not know.
        raise DatasetError(f"{archive.name} cannot be unpacked: {cause}") from cause
    finally:
        shutil.rmtree(private, ignore_errors=True)


def check_kind(archive: Path, kind: str) -> None:
    """Raise DatasetError unless a file begins as an archive of its kind does."""
    with open(archive, "rb") as file:
        head = file.read(512)
    if not head.startswith(MAGIC[kind]):
        page = b"<html" in head.lower() or b"<!doctype" in head.lower()
        raise DatasetError(f"{archive.name} is no {kind} archive{' but a web page' if page else ''}")


class _Writer:
    """Writes members below a folder and keeps count."""

    def __init__(self, archive: Path, folder: Path, limits: ArchiveLimits) -> None:
        self.archive, self.folder, self.limits = archive, folder, limits
        self.size = archive.stat().st_size
        self.bytes = self.entries = self.files = 0

    def path(self, name: str) -> Path:
        """Where a member goes. Raises DatasetError if that is outside the folder or no proper name."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\\" in name or ":" in name.split("/")[0] or not name.isprintable():
            raise DatasetError(f"{self.archive.name}: {name[:200]!r} leads out of the folder or is no proper name")
        return self.folder.joinpath(*parts)

    def take(self, name: str, open_file: Callable[[], IO[bytes]] | None) -> None:
        """Write a file, or make a folder if there is nothing to open.

        Raises:
            DatasetError: There is such a file already, or the archive becomes too much.
        """
        self.entries += 1
        if self.entries > self.limits.entries:
            raise DatasetError(f"{self.archive.name} holds more than {self.limits.entries:,} files, the most allowed")
        path = self.path(name)
        if open_file is None:
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = open(path, "xb")  # noqa: SIM115 - closed below
        except FileExistsError as cause:
            raise DatasetError(f"{self.archive.name} holds {name[:200]!r} twice") from cause
        with file, open_file() as source:
            while chunk := source.read(CHUNK):
                self.bytes += len(chunk)
                if self.bytes > self.limits.bytes:
                    self._refuse(f"{self.limits.bytes:,} bytes, the most allowed")
                if self.bytes > max(self.limits.free, self.limits.ratio * self.size):
                    self._refuse(f"{self.limits.ratio:g} times its own size")
                file.write(chunk)
        self.files += 1

    def _refuse(self, most: str) -> NoReturn:
        raise DatasetError(f"{self.archive.name} becomes more than {most}")

    def strange(self, name: str) -> DatasetError:
        """What to raise for a member that is neither file nor folder."""
        return DatasetError(f"{self.archive.name}: {name[:200]!r} is a link, a device or the like")


class _Budget:
    """A stream that refuses to give more than a budget, for the library's reading of headers."""

    def __init__(self, stream: IO[bytes], archive: Path) -> None:
        self.stream, self.archive = stream, archive
        self.left = HEADER

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise DatasetError(f"{self.archive.name} is damaged: a header of more than {HEADER:,} bytes")
        return data


def _unpack_tar(writer: _Writer) -> None:
    with (
        open(writer.archive, "rb") as packed,
        gzip.GzipFile(fileobj=packed) as plain,
        progress(total=max(writer.size // MEGABYTE, 1), title=f"unpacking {writer.archive.name}", unit="MB") as bar,
    ):
        stream = _Budget(cast(IO[bytes], plain), writer.archive)
        with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as tar:
            while True:
                stream.left = HEADER
                member = tar.next()
                if member is None:
                    break
                cast(Any, tar).members.clear()  # the library keeps all members it has seen
                if not member.isdir() and (not member.isreg() or member.issparse()):
                    raise writer.strange(member.name)
                stream.left = member.size + HEADER
                content = partial(cast(Callable[..., IO[bytes]], tar.extractfile), member)
                writer.take(member.name, None if member.isdir() else content)
                bar.update(packed.tell() // MEGABYTE - bar.n)
        stream.left = HEADER
        while stream.read(CHUNK):  # padding; the checksum of the whole stands behind it
            pass


def _unpack_zip(writer: _Writer) -> None:
    with zipfile.ZipFile(writer.archive) as archive:
        members = archive.infolist()
        for member in progress(members, title=f"unpacking {writer.archive.name}", unit="files"):
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise writer.strange(member.filename)
            writer.take(member.filename, None if member.is_dir() else partial(archive.open, member))
