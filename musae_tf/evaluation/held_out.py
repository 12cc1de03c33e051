"""Held-out phrases with what an evaluation needs to know of them, and how many of them and of samples it takes."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from musae_tf.config import Config
from musae_tf.data import Dataset
from musae_tf.data.pipeline import held_out_phrases
from musae_tf.music import Layout

SEED = 1
"""Of all random choices. Not the run's: runs of several seeds are measured on the same phrases, pairs and draws."""

# At most so many phrases, evenly over the genres.
TEST_PHRASES = 2000
TRAIN_PHRASES = 8000
ENCODED_PHRASES = 4000
"""Of training phrases, those that are encoded."""

SAMPLES = 200
"""Phrases drawn from the prior of each genre."""


@dataclass(frozen=True)
class HeldOut:
    """N phrases of songs that training never saw.

    Attributes:
        tokens: int32 [N, T, K].
        genre: int32 [N].
        songs: int32 [N], the song each phrase comes from.
        layout: what the tracks are.
        genres: names of the genres.
    """

    tokens: np.ndarray
    genre: np.ndarray
    songs: np.ndarray
    layout: Layout
    genres: tuple[str, ...]

    @classmethod
    def read(
        cls,
        dataset: Dataset,
        config: Config,
        split: Literal["train", "validation", "test"],
        limit: int | None = None,
        seed: int | None = None,
    ) -> "HeldOut":
        """Phrases of a split that do not overlap, evenly over the genres if limited; `seed` (the run's) draws them.

        Raises:
            DatasetError: the split has no phrase.
        """
        index = dataset.phrases(split, config.music.bars, sounding=config.data.sounding)
        index, genre = held_out_phrases(index, limit, config.seed if seed is None else seed)
        return cls(index.tokens().astype(np.int32), genre, index.songs, index.layout, index.genres)

    def of(self, rows: np.ndarray) -> "HeldOut":
        """Some of the phrases, by row number."""
        return replace(self, tokens=self.tokens[rows], genre=self.genre[rows], songs=self.songs[rows])

    def of_genre(self, genre: int) -> np.ndarray:
        """Row numbers of the phrases of a genre."""
        return np.flatnonzero(self.genre == genre)
