"""Atomic writes: a reader sees the old file or the new one, never half of one. And whether one can write at all, for
commands that take long before they do.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from musae_tf.errors import ExportError, MusaeError, RunError


@contextmanager
def atomic_path(path: str | os.PathLike, error: type[MusaeError] = MusaeError) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; rename it over `path` when the block ends without an error.

    On an error the temporary file is removed. `OSError` (disk full, no permission)
    becomes `error` with the path and the reason in one sentence.
    """
    target = Path(path)
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except OSError as cause:
        raise error(f"cannot write {target}: {cause.strerror or cause}") from cause
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str, error: type[MusaeError] = MusaeError) -> None:
    """Write `text` as UTF-8 in one atomic step."""
    with atomic_path(path, error) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: str | os.PathLike, data: bytes, error: type[MusaeError] = MusaeError) -> None:
    """Write `data` in one atomic step."""
    with atomic_path(path, error) as temporary:
        temporary.write_bytes(data)


def check_place(path: str | os.PathLike, folder: bool, error: type[MusaeError] = MusaeError) -> None:
    """Whether a folder, or else a file, can be written at `path`; folders above it are made when it is written.

    Raises:
        error: there is something else, or one may not write there.
    """
    target = Path(path).absolute()
    there = next(parent for parent in (target, *target.parents) if os.path.lexists(parent))
    if there == target and not folder and there.is_dir():
        raise error(f"cannot write {path}: it is a folder; name a file")
    if not there.is_dir() and (folder or there != target):
        raise error(f"cannot write {path}: {there} is a file; name a folder")
    if not os.access(there, os.W_OK):
        raise error(f"cannot write {path}: {there} is not yours to write to, or its disk is read-only")


def check_new_run(path: str | os.PathLike) -> None:
    """Whether a new run folder can be made.

    Raises:
        RunError: the folder is already there or cannot be written.
    """
    check_place(path, True, RunError)
    # run.json comes last: one who was killed before that has left the configuration at most.
    if os.path.exists(path) and any(name != "config.yaml" for name in os.listdir(path)):
        raise RunError(f"{path} is already there; use --resume {path} to go on with it, or another --run")


def check_model_folder(path: str | os.PathLike) -> None:
    """Whether a folder can take versions of a model.

    Raises:
        ExportError: it is a file, a run or a version, or cannot be written.
    """
    base = Path(path)
    check_place(base, True, ExportError)
    if (base / "saved_model.pb").exists():
        raise ExportError(f"{base} is a version of a model; name the folder that holds the versions, {base.parent}")
    if (base / "run.json").exists():
        raise ExportError(f"{base} is a run; name a folder for the versions of the model")


def _umask() -> int:
    # There is no way to read the mask without setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
