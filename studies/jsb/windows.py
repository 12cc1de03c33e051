"""Chorales as overlapping phrases of which every step counts once."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from musae_tf.data import Dataset
from musae_tf.data.split import Split
from musae_tf.errors import DatasetError
from musae_tf.music import SIXTEENTHS

STEPS_PER_BAR = SIXTEENTHS.steps


class Windows(NamedTuple):
    """Phrases of T steps, those of a chorale one after the other, in order.

    Attributes:
        tokens: int32 [N, T, K].
        chorale: int32 [N], number of the chorale.
        context: bool [N, T], steps that an earlier phrase of the chorale has counted: they are given.
        counted: bool [N, T], steps whose probability is asked for. The others are silence after a chorale's end, which
            is needed to fill its last bar.
    """

    tokens: np.ndarray
    chorale: np.ndarray
    context: np.ndarray
    counted: np.ndarray

    @property
    def steps(self) -> np.ndarray:
        """Counted steps of each chorale, int64."""
        return np.bincount(self.chorale, self.counted.sum(axis=1)).astype(np.int64)


def windows(dataset: Dataset, split: Split, bars: int, lengths: Mapping[str, int]) -> Windows:
    """Phrases of `bars` bars at every bar of a part: the first of a chorale counts whole, others their last bar.

    A chorale that is shorter than a phrase is filled up with silence.

    Args:
        dataset: of the source `jsb`.
        split: which part.
        bars: length of a phrase.
        lengths: steps of the chorales, by their names.

    Raises:
        DatasetError: the lengths are those of other chorales.
    """
    tokens, chorale, context, counted = [], [], [], []
    count = 0
    rest = np.array([track.vocabulary.rest for track in dataset.layout.tracks], np.int32)
    for song, first, length in dataset.runs.tolist():
        row = dataset.songs[song]
        if row["split"] != split:
            continue
        steps = lengths.get(row["id"], 0)
        if -(-steps // STEPS_PER_BAR) != length:
            raise DatasetError(
                f"{dataset.path}: chorale {row['id']} has {length} bars, the file has {steps} steps of it"
            )
        whole = np.tile(rest, (max(length, bars), STEPS_PER_BAR, 1))
        whole[:length] = dataset.tokens[first : first + length]
        for begin in range(max(length - bars, 0) + 1):
            phrase = whole[begin : begin + bars].copy()
            if 0 < begin < length:
                phrase[0, 0] = dataset.heads[first + begin]
            place = begin * STEPS_PER_BAR + np.arange(bars * STEPS_PER_BAR)
            given = (place < (begin + bars - 1) * STEPS_PER_BAR) & (begin > 0)
            tokens.append(phrase.reshape(-1, whole.shape[-1]))
            chorale.append(count)
            context.append(given)
            counted.append(~given & (place < steps))
        count += 1
    return Windows(np.stack(tokens), np.array(chorale, np.int32), np.stack(context), np.stack(counted))
