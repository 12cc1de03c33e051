"""Atomic writes: a reader sees the old file or the new one, never half of one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from musae_tf.errors import MusaeError


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


def _umask() -> int:
    # There is no way to read the mask without setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
