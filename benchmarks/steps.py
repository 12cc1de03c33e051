"""Training steps ready to be timed: on random phrases, which need no dataset, and as in `musae train`, with its input.

Importing this loads TensorFlow.
"""

from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from musae_tf.config import Config
from musae_tf.data import Dataset, TrainingBatches
from musae_tf.models import MusAE
from musae_tf.models.train_step import Game
from musae_tf.training import Place
from musae_tf.training.distribute import choose_strategy, distribute
from musae_tf.training.trainer import Steps

SEED = 1


def phrases(config: Config, vocabulary_sizes: tuple[int, ...], genres: int) -> tuple[tf.Tensor, tf.Tensor]:
    """A batch of random phrases: tokens int32 [B, T, K] and genres int32 [B]."""
    rng = np.random.default_rng(SEED)
    rows, steps = config.training.batch_size, 16 * config.music.bars
    tokens = np.stack([rng.integers(0, size, (rows, steps)) for size in vocabulary_sizes], axis=-1)
    return tf.constant(tokens, tf.int32), tf.constant(np.arange(rows) % genres, tf.int32)


class TrainingStep:
    """Call it to make one training step on random phrases; it returns when the step is done.

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
            train_step = Game(self.model, config)
        self._phrases = phrases(config, vocabulary_sizes, genres)
        self.rows, self._number = config.training.batch_size, 0

        def run(tokens: tf.Tensor, genre: tf.Tensor, step: tf.Tensor, weight: tf.Tensor) -> dict[str, tf.Tensor]:
            return strategy.run(train_step.step, args=(tokens, genre, step, weight))

        specs = [tf.TensorSpec(x.shape, x.dtype) for x in self._phrases]
        self.function: Callable = tf.function(run, autograph=False).get_concrete_function(
            *specs, tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.float32)
        )

    def __call__(self) -> float:
        """Make a step; returns the reconstruction loss."""
        numbers = self.function(*self._phrases, tf.constant(self._number, tf.int64), tf.constant(0.1))
        self._number += 1
        return float(numbers["reconstruction"])


class FedSteps:
    """Steps of `musae train` on a dataset, on the devices that training would take.

    Attributes:
        devices: what they are.
    """

    def __init__(self, config: Config, dataset: Dataset):
        self._strategy, self.devices = choose_strategy("auto", Place.from_environment())
        with self._strategy.scope():
            keras.utils.set_random_seed(config.seed)
            train_step = Game(MusAE(config, dataset.layout.vocabulary_sizes, dataset.genres), config)
        self._steps = Steps(self._strategy, train_step, config, None)
        data = config.data
        index = dataset.phrases("train", config.music.bars, sounding=data.sounding)
        self._batches = TrainingBatches(index, config.training.batch_size, config.seed, data.transpose, data.balance)

    def batches(self, steps: int) -> Iterator:
        """The batches of the first steps, as training reads them."""
        return iter(distribute(self._strategy, self._batches, 0, steps))

    def run(self, batches: Iterator, steps: int) -> None:
        """Make some steps, and wait for the last."""
        for _ in range(steps):
            told = self._steps.play(*next(batches), (False, False))
        told.numpy()
