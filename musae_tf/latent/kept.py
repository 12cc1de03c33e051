"""Arrays that are fitted to a trained model and kept with its run: one .npz file each."""

import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from musae_tf.errors import RunError
from musae_tf.files import atomic_path

FORMAT = 1


def write_arrays(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Write one .npz file in one atomic step.

    Raises:
        RunError: it cannot be written.
    """
    with atomic_path(path, RunError) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, format=FORMAT, **arrays)


def read_arrays(path: str | os.PathLike, names: Sequence[str]) -> list[np.ndarray]:
    """Read what `write_arrays` wrote, in the order of some names.

    Raises:
        RunError: missing, damaged, or of another format.
    """
    try:
        with np.load(Path(path), allow_pickle=False) as file:
            if int(file["format"]) != FORMAT:
                raise RunError(f"{path} has format {file['format']}, this version reads {FORMAT}; remove it")
            return [file[key] for key in names]
    except FileNotFoundError:
        raise RunError(f"there is no {path}: musae evaluate makes it") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as cause:
        raise RunError(f"{path} is damaged ({cause}); remove it, and musae evaluate makes it anew") from cause
