"""A model and its training step with random phrases, for benchmarks that need no dataset."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from musae_tf.config import Config
from musae_tf.models import MusAE
from musae_tf.models.train_step import Game
from musae_tf.training import Place
from musae_tf.training.distribute import choose_strategy

SEED = 1


def phrases(config: Config, vocabulary_sizes: tuple[int, ...], genres: int) -> tuple[tf.Tensor, tf.Tensor]:
    """A batch of random phrases: tokens int32 [B, T, K] and genres int32 [B]."""
    rng = np.random.default_rng(SEED)
    rows, steps = config.training.batch_size, 16 * config.music.bars
    tokens = np.stack([rng.integers(0, size, (rows, steps)) for size in vocabulary_sizes], axis=-1)
    return tf.constant(tokens, tf.int32), tf.constant(np.arange(rows) % genres, tf.int32)


class TrainingStep:
    """Call it to play one step of the game; it returns when the step is done.

    Attributes:
        model: what is trained.
        rows: phrases of a step.
        function: the graph of the step.
    """

    def __init__(self, config: Config, vocabulary_sizes: tuple[int, ...], genres: int):
        keras.utils.set_random_seed(SEED)
        strategy, _ = choose_strategy("one", Place())
        with strategy.scope():
            self.model = MusAE(config, vocabulary_sizes, [f"genre {number}" for number in range(genres)])
            game = Game(self.model, config)
        self._phrases = phrases(config, vocabulary_sizes, genres)
        self.rows, self._number = config.training.batch_size, 0

        def play(tokens: tf.Tensor, genre: tf.Tensor, step: tf.Tensor, weight: tf.Tensor):
            return strategy.run(game.step, args=(tokens, genre, step, weight))

        specs = [tf.TensorSpec(x.shape, x.dtype) for x in self._phrases]
        self.function: Callable = tf.function(play, autograph=False).get_concrete_function(
            *specs, tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.float32)
        )

    def __call__(self) -> float:
        """Play a step; returns the reconstruction loss."""
        numbers = self.function(*self._phrases, tf.constant(self._number, tf.int64), tf.constant(0.1))
        self._number += 1
        return float(numbers["reconstruction"])
