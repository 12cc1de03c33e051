"""The discriminator: a Wasserstein critic on codes and genres."""

import keras

from musae_tf.config import CriticConfig


def build_critic(config: CriticConfig, latent: int, genres: int) -> keras.Model:
    """Build the critic D(z, y): float32 [B, D] and one-hot genre float32 [B, G] to a score float32 [B].

    An MLP with a linear output, float32 whatever the precision policy: its gradient penalty needs the resolution.
    """
    code = keras.Input((latent,), dtype="float32", name="latent")
    genre = keras.Input((genres,), dtype="float32", name="genre")
    features = keras.layers.Concatenate(dtype="float32", name="latent_and_genre")([code, genre])
    for layer, units in enumerate(config.units):
        features = keras.layers.Dense(units, activation=config.activation, dtype="float32", name=f"dense_{layer}")(
            features
        )
    score = keras.layers.Dense(1, dtype="float32", name="score")(features)
    return keras.Model((code, genre), keras.layers.Flatten(dtype="float32")(score)[:, 0], name="critic")
