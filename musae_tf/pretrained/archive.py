"""A run folder in one small file, and the folder that it is unpacked into when it is first used.

The file is a tar.xz of a run folder without what only training needs: run.json, config.yaml, attributes.npz, form.npz,
log.jsonl, the evaluation and one export, whose weights are also those of `Run.load_model` and whose map shows draws of
the model: nothing in it is music of the training songs. The weights are numbers that half precision holds exactly, in
files of single precision, as TensorFlow reads them: the zeros at their ends cost nothing in the archive. What is
unpacked is byte for byte what was verified when the archive was made.
"""

import fcntl
import hashlib
import io
import json
import lzma
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from musae_tf.errors import RunError

ARCHIVE = Path(__file__).with_name("voices.tar.xz")
"""The model of the package, which `make pretrained` writes."""

FILES = "files.json"
"""In a run folder of an archive: the size of every other file."""

# The context of a byte is its place among the 4 of a number.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9, "lc": 0, "lp": 2, "pb": 2}]
_DRAFT = ".unpacking-"


def has_pretrained() -> bool:
    """Whether the package came with a model."""
    return ARCHIVE.is_file()


def pretrained_run() -> Path:
    """The run folder of the pretrained model, unpacked into the cache if it is not there yet.

    Any number of processes may call this at once: one unpacks, the others wait for it.

    Raises:
        RunError: the package came without a model, its file is damaged, or the cache cannot be written.
    """
    archive = ARCHIVE
    try:
        data = archive.read_bytes()
    except OSError:
        raise RunError(
            f"this copy of musae-tf comes without a pretrained model: there is no {archive} "
            "(make pretrained RUN=runs/NAME makes it of a run)"
        ) from None
    base = cache_folder()
    # Under the name of its content: another version of the package finds its own.
    folder = base / f"{archive.name.partition('.')[0]}-{hashlib.sha256(data).hexdigest()[:16]}"
    try:
        return keep(folder, lambda new: unpack(data, new))
    except OSError as cause:
        raise RunError(
            f"cannot unpack the pretrained model into {base}: {cause.strerror or cause}; "
            "the environment variable MUSAE_CACHE names another folder"
        ) from cause
    except (lzma.LZMAError, tarfile.TarError, EOFError) as cause:
        raise RunError(f"{archive} is damaged ({cause}): install musae-tf again") from cause


def keep(folder: Path, fill: Callable[[Path], None]) -> Path:
    """A folder of a cache, made if it is not whole: by one process, for which others wait.

    Args:
        folder: where it is to be; the folder above it is the cache's own, with its lock.
        fill: makes the folder that it is given, with a list of its files (`FILES`); what it raises leaves nothing.

    Returns:
        The folder.

    Raises:
        OSError: the cache cannot be written.
    """
    if not is_whole(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.parent / ".lock"):
            if not is_whole(folder):
                _replace(folder, fill)
    return folder


def cache_folder() -> Path:
    """Where archives are unpacked: $MUSAE_CACHE, or else musae-tf in $XDG_CACHE_HOME or in ~/.cache."""
    if own := os.environ.get("MUSAE_CACHE"):
        return Path(own).expanduser().absolute()
    shared = os.environ.get("XDG_CACHE_HOME", "")
    # One that is not absolute is to be ignored, says the XDG Base Directory Specification.
    return (Path(shared) if os.path.isabs(shared) else Path.home() / ".cache") / "musae-tf"


def pack(folder: Path) -> bytes:
    """A folder as an archive: the same bytes for the same files, whenever and by whomever they were written."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    sizes = {name: (folder / name).stat().st_size for name in names if name != FILES}
    contents = {FILES: json.dumps(sizes, indent=1).encode(), **{name: (folder / name).read_bytes() for name in sizes}}
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as target:
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            target.addfile(member, io.BytesIO(data))
    return lzma.compress(tar.getvalue(), format=lzma.FORMAT_XZ, filters=_FILTERS)


def unpack(data: bytes, folder: Path) -> None:
    """Write the files of an archive of `pack` into a new folder."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:xz") as source:
        for member in source:
            path = folder / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            content = source.extractfile(member)
            if content is None:
                raise tarfile.ReadError(f"{member.name} is no file")
            path.write_bytes(content.read())


def is_whole(folder: Path) -> bool:
    """Whether all files of an archive are in a folder; programs that clean caches take single ones."""
    try:
        sizes = json.loads((folder / FILES).read_text(encoding="utf-8"))
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def _replace(folder: Path, fill: Callable[[Path], None]) -> None:
    for leftover in folder.parent.glob(f"{_DRAFT}*"):  # of a process that was killed: who holds the lock is alone
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(prefix=_DRAFT, dir=folder.parent) as draft:
        fill(Path(draft, "new"))
        if folder.exists():
            folder.rename(Path(draft, "old"))
        Path(draft, "new").rename(folder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock, which the system drops when the process ends in whatever way."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
