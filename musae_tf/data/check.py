"""Whether a dataset is what its manifest says, and sound in itself."""

import os
from collections.abc import Iterator

import numpy as np

from musae_tf.data.dataset import Dataset
from musae_tf.data.split import SPLITS
from musae_tf.data.table import NONE
from musae_tf.errors import DatasetError
from musae_tf.music.grid import heads

_SCAN = 65536  # bars looked at in one go


def check(path: str | os.PathLike) -> Iterator[str]:
    """Check a dataset folder from the outside in; every yielded sentence is something that was found to be in order.

    Raises:
        DatasetError: The first thing that is not.
    """
    dataset = Dataset.open(path, verify=True)
    counts = dataset.manifest["counts"]
    yield f"manifest, {counts['songs']:,} songs and arrays of {counts['bars']:,} bars have the hashes of the manifest"
    _check_songs(dataset)
    yield "every song has genres of the dataset and a split; duplicates name a song that is there"
    _check_splits(dataset)
    yield f"no group of related songs is in two splits ({counts['groups']:,} groups)"
    _check_tokens(dataset)
    yield "all symbols belong to their track's vocabulary, and first symbols of bars say what is held there"


def _check_songs(dataset: Dataset) -> None:
    names = {song["id"] for song in dataset.songs}
    originals = {song["id"] for song in dataset.songs if song["duplicate_of"] is None}
    if len(names) < len(dataset.songs):
        raise DatasetError(f"{dataset.path}: two songs have one id")
    for song in dataset.songs:
        if not song["labels"] or not set(song["labels"]) <= set(dataset.genres):
            raise DatasetError(f"{dataset.path}: song {song['id']!r} has the genres {song['labels']}")
        if NONE in song["labels"] and len(song["labels"]) > 1:
            raise DatasetError(f"{dataset.path}: song {song['id']!r} has a genre and has none: {song['labels']}")
        if song["split"] not in SPLITS:
            raise DatasetError(f"{dataset.path}: song {song['id']!r} is in the split {song['split']!r}")
        if song["duplicate_of"] is not None and song["duplicate_of"] not in originals:
            raise DatasetError(
                f"{dataset.path}: song {song['id']!r} repeats {song['duplicate_of']!r}, which is no song that is used"
            )


def _check_splits(dataset: Dataset) -> None:
    where: dict[int, str] = {}
    for song in dataset.songs:
        if where.setdefault(song["group"], song["split"]) != song["split"]:
            raise DatasetError(f"{dataset.path}: group {song['group']} is in two splits, see song {song['id']!r}")


def _check_tokens(dataset: Dataset) -> None:
    sizes = np.array(dataset.layout.vocabulary_sizes)
    for first in range(0, len(dataset.tokens), _SCAN):
        for array in (dataset.tokens[first : first + _SCAN], dataset.heads[first : first + _SCAN]):
            wrong = np.argwhere(array >= sizes)
            if len(wrong):
                raise DatasetError(
                    f"{dataset.path}: bar {first + wrong[0][0]} has the symbol {array[tuple(wrong[0])]} on track "
                    f"{dataset.layout.names[wrong[0][-1]]}"
                )
    for _, bar, bars in dataset.runs.tolist():
        resolved = heads(dataset.tokens[bar : bar + bars], [(0, bars)], dataset.layout)
        wrong = np.flatnonzero((resolved != dataset.heads[bar : bar + bars]).any(axis=1))
        if len(wrong):
            raise DatasetError(f"{dataset.path}: the first symbols of bar {bar + wrong[0]} do not fit its tokens")
