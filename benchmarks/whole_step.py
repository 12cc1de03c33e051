"""The step of `musae train` and its input, ready to be timed."""

import dataclasses
from collections.abc import Iterator

from musae_tf.config import Config, load_config
from musae_tf.data import Dataset, TrainingBatches


def configuration(path: str, batch: int | None) -> Config:
    """A preset, with another batch if one is named."""
    config = load_config(path)
    if batch is None:
        return config
    return dataclasses.replace(config, training=dataclasses.replace(config.training, batch_size=batch))


class Player:
    """Plays steps of a configuration on the devices that training would take.

    Attributes:
        devices: what they are.
    """

    def __init__(self, config: Config, dataset: Dataset):
        import keras

        from musae_tf.models import MusAE
        from musae_tf.models.train_step import Game
        from musae_tf.training import Place
        from musae_tf.training.distribute import choose_strategy
        from musae_tf.training.trainer import Steps

        self._strategy, self.devices = choose_strategy("auto", Place.from_environment())
        with self._strategy.scope():
            keras.utils.set_random_seed(config.seed)
            game = Game(MusAE(config, dataset.layout.vocabulary_sizes, dataset.genres), config)
        self._steps = Steps(self._strategy, game, config, None)
        data = config.data
        index = dataset.phrases("train", config.music.bars, sounding=data.sounding)
        self._batches = TrainingBatches(index, config.training.batch_size, config.seed, data.transpose, data.balance)

    def batches(self, steps: int) -> Iterator:
        """The batches of the first steps, as training reads them."""
        from musae_tf.training.distribute import distribute

        return iter(distribute(self._strategy, self._batches, 0, steps))

    def play(self, batches: Iterator, steps: int) -> None:
        """Play some steps, and wait for the last."""
        for _ in range(steps):
            told = self._steps.play(*next(batches), (False, False))
        told.numpy()
