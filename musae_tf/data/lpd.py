"""The source `lpd`: the Lakh Pianoroll Dataset, multitrack pianorolls in .npz files, labels from anywhere."""

import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from musae_tf.data.labels import Labels
from musae_tf.data.lmd import TrackItem, track_items, track_piece
from musae_tf.data.source import LARGEST, TOO_LARGE, Piece, Rejection, UnfitError
from musae_tf.data.walk import walk
from musae_tf.errors import MusicError
from musae_tf.music.multitrack import from_multitrack
from musae_tf.music.optional import require
from musae_tf.music.song import Song

MOST_TRACKS = 256
MOST_STEPS = 2**18
"""Time steps of a pianoroll: at 24 a quarter some 2,700 bars of 4/4."""


@dataclass
class LpdSource:
    """Files of `pypianoroll` below a folder: `A/B/C/TRABC.../<md5>.npz` (LPD-5, LPD-17), or any name with labels.

    The layout is `lpd5`, or another one: `band` takes the piano where there is no guitar. `labels` are files and
    folders, see `musae_tf.data.labels`; id lists may hold track ids or names of files. Tracks, and artists where a
    label file names them, are kept in one split each.
    """

    npz: str | os.PathLike
    labels: Sequence[str | os.PathLike] = ()
    name: str = "lpd"
    licence: str = (
        "Lakh Pianoroll Dataset (Hao-Wen Dong and others, 2018): CC BY 4.0, made from the Lakh MIDI Dataset (Colin "
        "Raffel, 2016); the songs are those of their composers. Labels: those of their publishers"
    )
    layout: str = "lpd5"

    def __post_init__(self) -> None:
        self._root = Path(self.npz)
        self._labels = Labels(list(map(Path, self.labels)))
        self._rejected: list[Rejection] = []

    def warm_up(self) -> None:
        """Import what reads the files and labels."""
        require("pypianoroll", "reading pianorolls")
        self._labels.warm_up()

    def items(self) -> list[TrackItem]:
        """All files, sorted by path. Raises DatasetError if the folder cannot be read."""
        require("pypianoroll", "reading pianorolls")
        files, self._rejected = walk(self._root, (".npz",))
        return track_items(files, self._labels, self._rejected)

    def load(self, item: TrackItem) -> Piece:
        """Read one file and the labels of its track. Raises MusicError if one of them cannot be read."""
        return track_piece(read_pianoroll(self._root / item.path), item, self._labels)

    def rejected(self) -> list[Rejection]:
        """Files and folders that the last `items` could not use, sorted by path."""
        return sorted(self._rejected)


def read_pianoroll(path: Path) -> Song:
    """Read an .npz file that pypianoroll wrote.

    Raises:
        MusicError: It cannot be read or is no such file; an UnfitError if it unpacks to too much.
    """
    pypianoroll = require("pypianoroll", "reading pianorolls")
    try:
        _check_sizes(path)
        multitrack = pypianoroll.load(str(path))
        if not isinstance(multitrack, pypianoroll.Multitrack):
            raise MusicError(f"{path} is not a multitrack pianoroll")
    except OSError as cause:
        raise MusicError(f"cannot read {path}: {cause.strerror or cause}") from cause
    except (MusicError, MemoryError):
        raise
    except Exception as cause:  # whatever a damaged file makes zipfile, numpy, scipy and pypianoroll raise
        raise MusicError(f"{path} is not a readable pianoroll file: {type(cause).__name__}: {cause}") from cause
    try:
        return from_multitrack(multitrack)
    except MusicError as cause:
        raise MusicError(f"{path}: {cause}") from cause


def _check_sizes(path: Path) -> None:
    """Look at the sizes that the file announces before anything is unpacked: zipfile reads no more than those."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    size = sum(member.file_size for member in members)
    if size > 8 * LARGEST:
        raise UnfitError(f"{path}: unpacks to {size:,} bytes, at most {8 * LARGEST:,} are read", TOO_LARGE)
    if len(members) > 4 * MOST_TRACKS:
        raise UnfitError(f"{path}: {len(members):,} arrays, at most {4 * MOST_TRACKS:,} are read", TOO_LARGE)
    with np.load(path) as arrays:
        for name in arrays.files:
            if name.endswith("_shape"):
                shape = [int(length) for length in np.ravel(arrays[name])[:4]]
                if len(shape) != 2 or shape[1] != 128 or not 0 <= shape[0] <= MOST_STEPS:
                    raise UnfitError(
                        f"{path}: pianoroll of shape {shape}, at most [{MOST_STEPS:,}, 128] is read", TOO_LARGE
                    )
