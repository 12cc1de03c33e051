"""What training is told of the genres, where that is not the truth: what the genre in the prior is worth.

The phrases and their order stay what they are; only which Gaussian a code is pulled to changes. The Gaussians that
music is made from are fitted after training, to the true genres, as in every other system.
"""

from typing import Any

import numpy as np

from musae_tf.data import TrainingBatches


class ShuffledLabels(TrainingBatches):
    """Every song has the labels of another one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        first = self.index.song_labels.argmax(axis=1).astype(np.int32)
        self._told = first.copy()
        songs = np.unique(self.index.songs)
        self._told[songs] = np.random.default_rng(self.seed).permutation(first[songs])

    def told(self, phrases: np.ndarray, genre: np.ndarray) -> np.ndarray:
        """The label of another song."""
        return self._told[self.index.songs[phrases]]


class OneLabel(TrainingBatches):
    """All phrases are of the first genre, so there is one Gaussian."""

    def told(self, phrases: np.ndarray, genre: np.ndarray) -> np.ndarray:
        """The first genre."""
        return np.zeros_like(genre)


LABELS = {"musae_gm_shuffled": ShuffledLabels, "musae_gm_one": OneLabel}
"""By the name of a system; the others are told the truth."""
