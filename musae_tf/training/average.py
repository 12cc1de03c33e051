"""A moving average of weights: a model that is steadier than any of those it is the mean of."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import tensorflow as tf


class WeightAverage:
    """Exponential moving average of variables.

    Args:
        variables: Keras variables, whose values the average starts from.
        decay: share of the old average that a step keeps, at most; in the first steps it is less.

    Attributes:
        averages: tf.Variables, the state for a checkpoint.
    """

    def __init__(self, variables: Sequence, decay: float):
        self._followed = tuple(variables)
        self._decay = decay
        self.averages = [tf.Variable(_value(variable), trainable=False) for variable in variables]

    def update(self, step: tf.Tensor) -> None:
        """Follow the variables, after step number `step`, an int64 scalar. Call it outside of the replicas."""
        count = tf.cast(step, tf.float32)
        decay = tf.minimum(self._decay, (1.0 + count) / (10.0 + count))
        for average, variable in zip(self.averages, self._followed, strict=True):
            average.assign(decay * average + (1.0 - decay) * _value(variable))

    def put(self) -> None:
        """Give the variables their averages as values."""
        for average, variable in zip(self.averages, self._followed, strict=True):
            variable.assign(average)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside the block the variables have their averages as values."""
        own = [_value(variable) for variable in self._followed]
        self.put()
        try:
            yield
        finally:
            for variable, value in zip(self._followed, own, strict=True):
                variable.assign(value)


def _value(variable) -> tf.Tensor:
    # A copy, and of a variable that replicas mirror the first one's.
    return tf.identity(tf.convert_to_tensor(variable.value))
