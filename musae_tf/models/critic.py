"""The discriminator: Wasserstein critics on codes and genres, and what they are trained by."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf

from musae_tf.config import CriticConfig


class CodeCritic(NamedTuple):
    """A critic, the axes of the code that it judges, and whether it sees the genre. `name` begins its metrics."""

    name: str
    network: keras.Model
    axes: slice
    sees_genre: bool

    def __call__(self, codes: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
        """Scores float32 [B] of its own axes, float32 [B, d], with one-hot genres float32 [B, G]."""
        return self.network((codes, label) if self.sees_genre else codes)

    def of_genres(self, label: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
        """The critic of codes alone, float32 [B, d] to [B], with the genres bound."""
        return lambda codes: self(codes, label)


def build_critic(config: CriticConfig, latent: int, genres: int) -> keras.Model:
    """Build the critic D(z, y).

    An MLP with a linear output, float32 whatever the precision policy: its gradient penalty needs the resolution.

    Args:
        config: sizes.
        latent: D, axes of the codes that it judges.
        genres: G; 0 for a critic D(z) that sees no genre.

    Returns:
        A model from codes float32 [B, D] and one-hot genre float32 [B, G] (without it if `genres` is 0) to a score
        float32 [B].
    """
    code = keras.Input((latent,), dtype="float32", name="latent")
    inputs = (code, keras.Input((genres,), dtype="float32", name="genre")) if genres else code
    features = keras.layers.Concatenate(dtype="float32", name="latent_and_genre")(inputs) if genres else code
    for layer, units in enumerate(config.units):
        features = keras.layers.Dense(units, config.activation, dtype="float32", name=f"dense_{layer}")(features)
    score = keras.layers.Dense(1, dtype="float32", name="score")(features)
    return keras.Model(inputs, keras.layers.Flatten(dtype="float32")(score)[:, 0], name="critic")


def critic_gap(prior_scores: tf.Tensor, posterior_scores: tf.Tensor) -> tf.Tensor:
    """Estimate of the Wasserstein distance from paired critic scores, float32 [b] each (Arjovsky et al. 2017, eq. 2).

    The critic makes it large; the encoder, through its posterior scores, makes it small.
    """
    return prior_scores - posterior_scores


def gradient_penalty(
    critic: Callable[[tf.Tensor], tf.Tensor], prior_codes: tf.Tensor, posterior_codes: tf.Tensor, mix: tf.Tensor
) -> tf.Tensor:
    """(|grad D| - 1)^2 at random points between prior and posterior codes (Gulrajani et al. 2017, section 4).

    Args:
        critic: codes [b, D] to scores [b], the genre already bound.
        prior_codes: float32 [b, D].
        posterior_codes: float32 [b, D].
        mix: float32 [b, 1], uniform in 0..1.

    Returns:
        float32 [b].
    """
    between = posterior_codes + mix * (prior_codes - posterior_codes)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(between)
        scores = critic(between)
    gradient = tape.gradient(scores, between)
    # The small constant keeps the derivative of the root finite where the gradient vanishes.
    return tf.square(tf.sqrt(tf.reduce_sum(tf.square(gradient), axis=-1) + 1e-12) - 1.0)
