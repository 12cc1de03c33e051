import keras
import numpy as np
import pytest
import tensorflow as tf

from musae_tf.config import CriticConfig
from musae_tf.models.critic import SpectralDense, build_critic, largest_singular_value


@pytest.mark.parametrize("shape", [(3, 5), (64, 64), (132, 512), (7, 1)])
def test_largest_singular_value_agrees_with_numpy(shape):
    matrix = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    exact = np.linalg.svd(matrix, compute_uv=False)[0]
    assert largest_singular_value(tf.constant(matrix)).numpy() == pytest.approx(exact, rel=0.1)


def test_its_gradient_is_that_of_the_singular_value():
    matrix = np.diag([3.0, 1.0]).astype(np.float32)
    value = tf.constant(matrix)
    with tf.GradientTape() as tape:
        tape.watch(value)
        largest = largest_singular_value(value)
    np.testing.assert_allclose(tape.gradient(largest, value), [[1, 0], [0, 0]], atol=1e-3)


@pytest.mark.parametrize("label", ["concatenate", "project"])
def test_a_spectral_critic_is_nowhere_steep(label):
    critic = build_critic(CriticConfig(units=(32, 32), label=label, spectral=True), 6, 3)
    for weight in critic.trainable_variables:
        weight.assign(10.0 * tf.random.stateless_normal(weight.shape, [1, 2]))
    near, far = tf.random.stateless_normal([2, 200, 6], [3, 4])
    genre = tf.one_hot(np.arange(200) % 3, 3)
    steepness = tf.abs(critic((near, genre)) - critic((far, genre))) / tf.norm(near - far, axis=-1)
    # With a projection two paths lead to the score, each of slope 1.
    assert steepness.numpy().max() < (2.1 if label == "project" else 1.05)


def test_a_projecting_critic_adds_a_direction_of_the_genre():
    critic = build_critic(CriticConfig(units=(8,), activation="tanh", label="project"), 4, 3)
    codes = tf.random.stateless_normal([5, 4], [1, 2])
    features = critic.get_layer("dense_0")(codes)
    plain = critic.get_layer("score")(features)[:, 0]
    for genre in range(3):
        direction = critic.get_layer("genre_direction").kernel[genre]
        expected = plain + tf.linalg.matvec(features, direction)
        np.testing.assert_allclose(critic((codes, tf.one_hot([genre] * 5, 3))), expected, atol=1e-6)


def test_a_critic_without_genres_takes_codes_only():
    critic = build_critic(CriticConfig(units=(8,)), 4, 0)
    assert critic(tf.zeros([5, 4])).shape == (5,)
    assert len(critic.inputs) == 1


def test_spectral_layers_survive_keras_serialisation():
    layer = SpectralDense(3, activation="relu")
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert isinstance(again, SpectralDense)
    assert again.activation is keras.activations.relu
