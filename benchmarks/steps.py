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
from musae_tf.models.train_step import TrainStep
from musae_tf.training import Place
from musae_tf.training.distribute import choose_strategy, distribute
from musae_tf.training.trainer import DistributedSteps

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
            names = [f"genre {number}" for number in range(genres)]
            self.model = MusAE.for_training(config, vocabulary_sizes, names)
            train_step = TrainStep(self.model, config.training, config.regularisation, SEED)
        self._phrases = phrases(config, vocabulary_sizes, genres)
        self.rows, self._number = config.training.batch_size, 0

        def run(tokens: tf.Tensor, genre: tf.Tensor, step: tf.Tensor) -> dict[str, tf.Tensor]:
            return strategy.run(train_step, args=(tokens, genre, step))

        specs = [tf.TensorSpec(x.shape, x.dtype) for x in self._phrases]
        self.function: Callable = tf.function(run, autograph=False).get_concrete_function(
            *specs, tf.TensorSpec([], tf.int64)
        )

    def __call__(self) -> float:
        """Make a step; returns the reconstruction loss."""
        numbers = self.function(*self._phrases, tf.constant(self._number, tf.int64))
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
            model = MusAE.for_training(config, dataset.layout.vocabulary_sizes, dataset.genres)
            train_step = TrainStep(model, config.training, config.regularisation, config.seed)
        self._steps = DistributedSteps(self._strategy, train_step)
        data = config.data
        index = dataset.phrases("train", config.music.bars, sounding=data.sounding)
        self._batches = TrainingBatches(index, config.training.batch_size, config.seed, data.transpose, data.balance)

    def batches(self, steps: int) -> Iterator:
        """The batches of the first steps, as training reads them."""
        return iter(distribute(self._strategy, self._batches, 0, steps))

    def run(self, batches: Iterator, steps: int) -> None:
        """Make some steps, and wait for the last."""
        for _ in range(steps):
            flags = self._steps.run(*next(batches), (False, False))
        flags.numpy()
