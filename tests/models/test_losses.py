import numpy as np
import pytest
import tensorflow as tf

from musae_tf.models.losses import critic_gap, gradient_penalty, reconstruction


def test_reconstruction_is_the_mean_over_steps_and_the_sum_over_tracks():
    sizes, rows, steps = (5, 3), 2, 4
    rng = np.random.default_rng(0)
    logits = [rng.normal(size=(rows, steps, size)).astype(np.float32) for size in sizes]
    tokens = np.stack([rng.integers(0, size, (rows, steps)) for size in sizes], -1)
    expected = np.zeros(rows)
    for track, scores in enumerate(logits):
        log_probability = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
        for row in range(rows):
            expected[row] -= log_probability[row, np.arange(steps), tokens[row, :, track]].mean()
    np.testing.assert_allclose(reconstruction(logits, tf.constant(tokens)).numpy(), expected, rtol=1e-5)


def test_reconstruction_of_sure_and_right_logits_is_zero():
    tokens = tf.constant([[[1], [0]]])
    assert reconstruction([100.0 * tf.one_hot(tokens[..., 0], 3)], tokens).numpy() == pytest.approx(0.0, abs=1e-6)


def test_gap_is_positive_where_the_critic_prefers_the_prior():
    np.testing.assert_array_equal(critic_gap(tf.constant([2.0, 0.0]), tf.constant([0.5, 1.0])).numpy(), [1.5, -1.0])


@pytest.mark.parametrize("slope", [0.0, 1.0, 3.0])
def test_penalty_of_a_linear_critic_is_known(slope):
    direction = tf.constant([0.6, 0.8]) * slope
    codes = tf.random.stateless_normal([5, 2], [1, 2])
    penalty = gradient_penalty(lambda z: tf.linalg.matvec(z, direction), codes, codes + 1.0, tf.fill([5, 1], 0.3))
    np.testing.assert_allclose(penalty.numpy(), (slope - 1.0) ** 2, atol=1e-5)


def test_penalty_has_a_finite_gradient_where_the_critic_is_flat():
    weight = tf.Variable([0.0, 0.0])
    with tf.GradientTape() as tape:
        penalty = gradient_penalty(
            lambda z: tf.linalg.matvec(z, weight), tf.zeros([3, 2]), tf.ones([3, 2]), tf.fill([3, 1], 0.5)
        )
    assert np.isfinite(tape.gradient(penalty, weight).numpy()).all()
