"""The prior p(z | y): one Gaussian a genre, on TensorFlow Probability.

TensorFlow Probability is imported here only, so that it can be replaced in one place.
"""

import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from musae_tf.config import PriorConfig
from musae_tf.errors import ConfigError

tfd = tfp.distributions


@keras.saving.register_keras_serializable(package="musae_tf")
class MixturePrior(keras.layers.Layer):
    """A mixture of G Gaussians in D dimensions with one component a genre.

    Geometries:
        flower: means on the unit circle of axes 0 and 1 at angle 2 pi l / G; variance `radial_variance` along the
            radius, `tangential_variance` on every other axis (Valenti et al. 2020, section 3; the authors' settings).
        simplex: unit covariance; each genre has `axes` axes of its own on which its mean is raised, so that any two
            means are `separation` standard deviations apart.
        learned: starts as simplex; the means are variables that the autoencoder's player moves.
    """

    def __init__(
        self,
        latent: int,
        genres: int,
        geometry: str = "simplex",
        separation: float = 6.0,
        axes: int = 8,
        radial_variance: float = 0.1,
        tangential_variance: float = 0.001,
        **kwargs,
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.latent, self.genres, self.geometry = latent, genres, geometry
        self.separation, self.axes = separation, axes
        self.radial_variance, self.tangential_variance = radial_variance, tangential_variance
        means, variance, directions = _flower(self) if geometry == "flower" else _simplex(self)
        self.means = self.add_weight(
            name="means",
            shape=(genres, latent),
            initializer=keras.initializers.Constant(means),
            trainable=geometry == "learned",
        )
        self._variance, self._directions = variance, directions
        self.built = True

    @classmethod
    def from_prior_config(cls, config: PriorConfig, latent: int, genres: int) -> "MixturePrior":
        """The prior of a configuration."""
        return cls(
            latent,
            genres,
            config.geometry,
            config.separation,
            config.axes,
            config.radial_variance,
            config.tangential_variance,
            name="prior",
        )

    def component(self, genre: tf.Tensor) -> tfd.Distribution:
        """The Gaussians of genres int32 [B]: a distribution with batch shape [B] and event shape [D]."""
        return _gaussian(tf.gather(self.means, genre), self._variance, tf.gather(self._directions, genre))

    def mixture(self) -> tfd.MixtureSameFamily:
        """The whole prior with equal weights: event shape [D]."""
        components = _gaussian(tf.convert_to_tensor(self.means), self._variance, tf.constant(self._directions))
        return tfd.MixtureSameFamily(tfd.Categorical(logits=tf.zeros(self.genres)), components)

    def sample(self, genre: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """One code for each genre of int32 [B], float32 [B, D]; `seed` int32 [2], stateless: same seed, same codes."""
        return self.component(genre).sample(seed=seed)

    def genre_scores(self, latent: tf.Tensor) -> tf.Tensor:
        """Posterior probability of each genre for codes [B, D] under equal weights: float32 [B, G]."""
        components = _gaussian(tf.convert_to_tensor(self.means), self._variance, tf.constant(self._directions))
        return tf.nn.softmax(components.log_prob(latent[:, tf.newaxis, :]), axis=-1)

    def get_config(self):
        keys = ("latent", "genres", "geometry", "separation", "axes", "radial_variance", "tangential_variance")
        return {**super().get_config(), **{key: getattr(self, key) for key in keys}}


def _gaussian(means: tf.Tensor, variance: float, directions: tf.Tensor) -> tfd.Distribution:
    # Diagonal plus rank one: a rotated covariance at the cost of a vector, never a D x D matrix a sample.
    return tfd.MultivariateNormalDiagPlusLowRankCovariance(
        loc=means,
        cov_diag_factor=tf.fill([means.shape[-1]], tf.constant(variance, tf.float32)),
        cov_perturb_factor=directions[..., tf.newaxis],
    )


def _flower(prior: MixturePrior) -> tuple[np.ndarray, float, np.ndarray]:
    if prior.latent < 2:
        raise ConfigError(f"prior.geometry flower needs model.latent of 2 or more; found {prior.latent}")
    if prior.radial_variance < prior.tangential_variance:
        raise ConfigError(
            f"prior.radial_variance is {prior.radial_variance}; allowed: prior.tangential_variance "
            f"({prior.tangential_variance}) or more"
        )
    angles = 2 * math.pi * np.arange(prior.genres) / prior.genres
    means = np.zeros((prior.genres, prior.latent), np.float32)
    means[:, 0], means[:, 1] = np.cos(angles), np.sin(angles)
    return means, prior.tangential_variance, means * math.sqrt(prior.radial_variance - prior.tangential_variance)


def _simplex(prior: MixturePrior) -> tuple[np.ndarray, float, np.ndarray]:
    if prior.genres * prior.axes > prior.latent:
        raise ConfigError(
            f"prior.axes is {prior.axes} for each of {prior.genres} genres; allowed: at most "
            f"{prior.latent // prior.genres} with model.latent {prior.latent}"
        )
    means = np.zeros((prior.genres, prior.latent), np.float32)
    for genre in range(prior.genres):
        # Two means differ on 2 * axes axes, by this height on each.
        means[genre, genre * prior.axes : (genre + 1) * prior.axes] = prior.separation / math.sqrt(2 * prior.axes)
    return means, 1.0, np.zeros_like(means)
