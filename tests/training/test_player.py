"""A move: clipped by the norm over all replicas, and not made where the gradient is unusable."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from musae_tf.models.optimizer import Player, SummedAdam


class Weights:
    """Two variables and a loss whose gradient is given."""

    def __init__(self, optimizer=None, **limits):
        self.variables = [keras.Variable(np.ones((2, 2), np.float32)), keras.Variable(np.ones(3, np.float32))]
        self.player = Player(optimizer or SummedAdam(0.1), self.variables, 0.1, **limits)

    def move(self, *gradients) -> tuple[float, bool]:
        with tf.GradientTape() as tape:
            values = [tf.convert_to_tensor(variable.value) for variable in self.variables]
            loss = tf.add_n([tf.reduce_sum(v * g) for v, g in zip(values, gradients, strict=True)])
        norm, made = tf.function(self.player.move)(self.player.gradients(tape, loss))
        return float(norm), bool(made)

    def numbers(self) -> np.ndarray:
        return np.concatenate([variable.numpy().ravel() for variable in self.variables])

    def moments(self) -> np.ndarray:
        slots = [v for v in self.player.optimizer.variables if len(v.shape)]
        return np.concatenate([np.ravel(variable.numpy()) for variable in slots])


ONES = np.ones((2, 2), np.float32), np.ones(3, np.float32)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30, 200.0])
def test_a_move_with_an_unusable_gradient_is_not_made(bad):
    weights = Weights(clip_norm=1.0, clip_value=0.5, skip_norm=100.0)
    assert weights.move(*ONES) == (pytest.approx(np.sqrt(7)), True)
    before, moments = weights.numbers(), weights.moments()
    spoilt = ONES[0], np.array([1, bad, 1], np.float32)
    norm, made = weights.move(*spoilt)
    assert not made
    assert not norm <= 100.0
    np.testing.assert_array_equal(weights.numbers(), before)
    np.testing.assert_array_equal(weights.moments(), moments)
    assert weights.move(*ONES)[1]
    assert (weights.numbers() < before).all()


def test_a_large_gradient_is_usable_without_a_limit():
    weights = Weights()
    assert weights.move(ONES[0], np.full(3, 1e6, np.float32))[1]
    assert (weights.numbers() < 1).all()
    assert not weights.move(ONES[0], np.full(3, np.nan, np.float32))[1]


def test_it_moves_as_adam_of_keras_does_with_the_clipped_gradient():
    ours, theirs = Weights(clip_norm=1.0), Weights(keras.optimizers.Adam(0.1))
    for scale in (1.0, 3.0, 0.1):
        gradients = [scale * gradient for gradient in ONES]
        clipped, _ = tf.clip_by_global_norm(gradients, 1.0)
        ours.move(*gradients)
        theirs.move(*clipped)
    np.testing.assert_allclose(ours.numbers(), theirs.numbers(), rtol=1e-5)


def test_workers_send_each_other_the_gradient_once(monkeypatch):
    """Keras would sum what has been summed already. Adam hides a factor, so count what crosses replicas."""
    weights, sums = Weights(), []
    context = type(tf.distribute.get_replica_context())
    monkeypatch.setattr(context, "all_reduce", lambda self, operation, value, options=None: sums.append(1) or value)
    gradients = [tf.constant(gradient) for gradient in ONES]
    weights.player.optimizer.apply(gradients, weights.variables)
    assert not sums
    theirs = keras.optimizers.Adam(0.1)
    theirs.build(weights.variables)
    theirs.apply(gradients, weights.variables)
    assert sums == [1]
