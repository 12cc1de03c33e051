"""An update: one kernel, clipped by the norm over replicas, not made where the gradient is unusable; two schedules."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from musae_tf.config import RegularisationConfig, TrainingConfig
from musae_tf.models.optimizer import OptimizerGroup, SummedAdam, learning_rate_schedule, regularisation_weight


class Weights:
    """Two variables and a loss whose gradient is given."""

    def __init__(self, **limits):
        self.variables = [keras.Variable(np.ones((2, 2), np.float32)), keras.Variable(np.ones(3, np.float32))]
        self.group = OptimizerGroup(SummedAdam(0.1), self.variables, **limits)

    def update(self, *gradients, rate: float = 1.0) -> tuple[float, bool]:
        with tf.GradientTape() as tape:
            values = [tf.convert_to_tensor(variable.value) for variable in self.variables]
            loss = tf.add_n([tf.reduce_sum(v * g) for v, g in zip(values, gradients, strict=True)])
        norm, made = tf.function(self.group.update)(self.group.gradients(tape, loss), rate)
        return float(norm), bool(made)

    def numbers(self) -> np.ndarray:
        return np.concatenate([variable.numpy().ravel() for variable in self.variables])

    def moments(self) -> np.ndarray:
        slots = [v for v in self.group.optimizer.variables if len(v.shape)]
        return np.concatenate([np.ravel(variable.numpy()) for variable in slots])


ONES = np.ones((2, 2), np.float32), np.ones(3, np.float32)


@pytest.mark.parametrize("beta_1", [0.9, 0.0])
def test_it_is_the_adam_of_keras(beta_1):
    gradients = [tf.random.stateless_normal([5, 3], [number, 0]) for number in range(6)]
    found = []
    for kind in (keras.optimizers.Adam, SummedAdam):
        variable = keras.Variable(tf.random.stateless_normal([5, 3], [7, 7]))
        optimizer = kind(0.1, beta_1=beta_1, beta_2=0.95)
        optimizer.build([variable])
        for number, gradient in enumerate(gradients):
            optimizer.learning_rate = 0.1 / (1 + number)
            if kind is SummedAdam:
                optimizer.update([gradient], tf.constant(True), tf.convert_to_tensor(optimizer.learning_rate))
            else:
                optimizer.apply([gradient], [variable])
        found.append([variable.numpy(), *[slot.numpy() for slot in optimizer.variables]])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30, 200.0])
def test_an_update_with_an_unusable_gradient_is_not_made(bad):
    weights = Weights(clip_norm=1.0, clip_value=0.5, skip_norm=100.0)
    assert weights.update(*ONES) == (pytest.approx(np.sqrt(7)), True)
    before, moments = weights.numbers(), weights.moments()
    spoilt = ONES[0], np.array([1, bad, 1], np.float32)
    norm, made = weights.update(*spoilt)
    assert not made
    assert not norm <= 100.0
    np.testing.assert_array_equal(weights.numbers(), before)
    np.testing.assert_array_equal(weights.moments(), moments)
    assert weights.update(*ONES)[1]
    assert (weights.numbers() < before).all()


def test_a_large_gradient_is_usable_without_a_limit():
    weights = Weights()
    assert weights.update(ONES[0], np.full(3, 1e6, np.float32))[1]
    assert (weights.numbers() < 1).all()
    assert not weights.update(ONES[0], np.full(3, np.nan, np.float32))[1]


def test_it_updates_as_adam_of_keras_does_with_the_clipped_gradient():
    ours, theirs = Weights(clip_norm=1.0), Weights()
    optimizer = keras.optimizers.Adam(0.05)
    optimizer.build(theirs.variables)
    for scale in (1.0, 3.0, 0.1):
        gradients = [scale * gradient for gradient in ONES]
        ours.update(*gradients, rate=0.5)
        optimizer.apply(tf.clip_by_global_norm(gradients, 1.0)[0], theirs.variables)
    np.testing.assert_allclose(ours.numbers(), theirs.numbers(), rtol=1e-5)


def test_workers_send_each_other_the_gradient_once(monkeypatch):
    """Keras would sum what has been summed already. Adam hides a factor, so count what crosses replicas."""
    weights, sums = Weights(), []
    context = type(tf.distribute.get_replica_context())
    monkeypatch.setattr(context, "all_reduce", lambda self, operation, value, options=None: sums.append(1) or value)
    gradients = [tf.constant(gradient) for gradient in ONES]
    weights.group.optimizer.update(gradients, tf.constant(True), tf.constant(0.1))
    assert not sums
    theirs = keras.optimizers.Adam(0.1)
    theirs.build(weights.variables)
    theirs.apply(gradients, weights.variables)
    assert sums == [1]


def test_learning_rate_warms_up_and_comes_down():
    schedule = learning_rate_schedule(TrainingConfig(steps=1000, warmup_steps=100, final_learning_rate=0.1))
    shares = [float(schedule(step)) for step in range(1, 1001)]
    assert shares[0] == pytest.approx(0.01)
    assert max(shares) == shares[99] == pytest.approx(1.0)
    assert shares[99:] == sorted(shares[99:], reverse=True)
    assert shares[-1] == pytest.approx(0.1)
    assert float(schedule(5000)) == pytest.approx(0.1)


def test_without_a_warm_up_the_rate_is_whole_from_the_start():
    schedule = learning_rate_schedule(TrainingConfig(steps=1000, warmup_steps=0, final_learning_rate=1.0))
    assert [float(schedule(step)) for step in (1, 500, 1000)] == [1.0] * 3


def weights_at(config: RegularisationConfig, steps) -> dict[int, float]:
    return {step: float(regularisation_weight(config, tf.constant(step, tf.int64))) for step in steps}


def test_the_authors_weight_is_a_step_function():
    config = RegularisationConfig(((0, 0.0), (5000, 0.1), (10000, 0.2)), "step")
    expected = {0: 0.0, 4999: 0.0, 5000: 0.1, 9999: 0.1, 10000: 0.2, 99999: 0.2}
    assert weights_at(config, expected) == pytest.approx(expected)


def test_points_can_be_joined_by_lines():
    config = RegularisationConfig(((0, 0.0), (100, 1.0), (200, 0.5)), "linear")
    expected = {0: 0.0, 25: 0.25, 100: 1.0, 150: 0.75, 200: 0.5, 999: 0.5}
    assert weights_at(config, expected) == pytest.approx(expected)
