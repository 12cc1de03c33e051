import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from musae_tf.models.critic import critic_gap, gradient_penalty
from musae_tf.models.prior import normal_divergence
from musae_tf.models.train_step import binary_cross_entropy, reconstruction


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


def test_divergence_of_a_posterior_to_the_standard_normal_is_its_definition():
    mean, deviation = 1.3, 0.4
    line = np.linspace(-10, 10, 20001)
    density = scipy.stats.norm.pdf(line, mean, deviation)
    log_ratio = scipy.stats.norm.logpdf(line, mean, deviation) - scipy.stats.norm.logpdf(line)
    exact = np.sum(density * log_ratio) * (line[1] - line[0])
    one = normal_divergence(tf.fill([2, 3], mean), tf.fill([2, 3], deviation))
    np.testing.assert_allclose(one, [3 * exact, 3 * exact], rtol=1e-4)
    assert normal_divergence(tf.zeros([1, 3]), tf.ones([1, 3])).numpy() == pytest.approx(0.0, abs=1e-6)


def test_binary_cross_entropy_is_that_of_keras():
    rng = np.random.default_rng(0)
    label, style = np.eye(4, dtype=np.float32)[[0, 2, 1]], rng.uniform(size=(3, 4)).astype(np.float32)
    expected = keras.losses.binary_crossentropy(label, style)
    np.testing.assert_allclose(binary_cross_entropy(tf.constant(label), tf.constant(style)), expected, rtol=1e-5)
    assert np.isfinite(binary_cross_entropy(tf.constant([[0.0, 1.0]]), tf.constant([[1.0, 0.0]])).numpy()).all()
