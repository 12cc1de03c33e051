"""The discriminator: a Wasserstein critic on codes and genres."""

import keras
import tensorflow as tf

from musae_tf.config import CriticConfig

# Rounds of the power iteration: enough for a tenth of the value even where random weights have many that are close.
_ROUNDS = 8


def build_critic(config: CriticConfig, latent: int, genres: int) -> keras.Model:
    """Build the critic D(z, y).

    An MLP with a linear output, float32 whatever the precision policy: its gradient penalty needs the resolution.

    Args:
        config: sizes; `label` "concatenate" puts the genre beside the code, "project" adds to the score the product of
            the last features with a vector a genre (Miyato and Koyama 2018).
        latent: D, axes of the codes that it judges.
        genres: G; 0 for a critic D(z) that sees no genre.

    Returns:
        A model from codes float32 [B, D] and one-hot genre float32 [B, G] (without it if `genres` is 0) to a score
        float32 [B].
    """
    code = keras.Input((latent,), dtype="float32", name="latent")
    genre = keras.Input((genres,), dtype="float32", name="genre") if genres else None
    beside = genre is not None and config.label == "concatenate"
    features = keras.layers.Concatenate(dtype="float32", name="latent_and_genre")([code, genre]) if beside else code
    dense = SpectralDense if config.spectral else keras.layers.Dense
    for layer, units in enumerate(config.units):
        features = dense(units, activation=config.activation, dtype="float32", name=f"dense_{layer}")(features)
    score = dense(1, dtype="float32", name="score")(features)
    if genre is not None and not beside:
        direction = dense(config.units[-1], use_bias=False, dtype="float32", name="genre_direction")(genre)
        score += keras.layers.Dot(axes=-1, dtype="float32", name="projection")([features, direction])
    inputs = code if genre is None else (code, genre)
    return keras.Model(inputs, keras.layers.Flatten(dtype="float32")(score)[:, 0], name="critic")


@keras.saving.register_keras_serializable(package="musae_tf")
class SpectralDense(keras.layers.Dense):
    """A dense layer whose weights are divided by their largest singular value (Miyato et al. 2018).

    The power iteration starts anew at each call instead of going on from the last one: there is no state that replicas
    would have to agree on or that a checkpoint could lose.
    """

    def call(self, inputs):
        outputs = tf.matmul(inputs, self.kernel / largest_singular_value(tf.convert_to_tensor(self.kernel)))
        return self.activation(outputs + self.bias if self.use_bias else outputs)


def largest_singular_value(matrix: tf.Tensor) -> tf.Tensor:
    """The largest singular value of float32 [N, M], by power iteration; its gradient is that of u' W v."""
    fixed = tf.stop_gradient(matrix)
    left = tf.linalg.l2_normalize(tf.random.stateless_normal([fixed.shape[0], 1], [0, 1]))
    for _ in range(_ROUNDS):
        right = tf.linalg.l2_normalize(tf.matmul(fixed, left, transpose_a=True))
        left = tf.linalg.l2_normalize(tf.matmul(fixed, right))
    return tf.matmul(left, tf.matmul(matrix, right), transpose_a=True)[0, 0]
