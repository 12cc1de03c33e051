"""The distribution p(z | y) of each genre's codes, on TensorFlow Probability.

TensorFlow Probability is imported here only, so that it can be replaced in one place. Shapes: B rows, D latent axes, G
genres.
"""

import abc
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from musae_tf.config import Architecture, PriorConfig
from musae_tf.errors import ConfigError


class GenrePrior(keras.layers.Layer, abc.ABC):
    """One Gaussian a genre: `means` float32 [G, D] and a covariance."""

    means: keras.Variable
    genres: int

    @abc.abstractmethod
    def component(self, genre: tf.Tensor) -> tfd.Distribution:
        """The Gaussians of genres int32 [B]: a distribution with batch shape [B] and event shape [D]."""

    def sample(self, genre: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """One code for each genre of int32 [B], float32 [B, D]; `seed` int32 [2], stateless: same seed, same codes."""
        return self.component(genre).sample(seed=seed)

    def draw(self, genre: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Codes to make music of, as `sample`, of `drawn`."""
        return self.drawn(genre).sample(seed=seed)

    def drawn(self, genre: tf.Tensor) -> tfd.Distribution:
        """What music is drawn from, as `component`; a fitted prior may be nearer to the posterior means there."""
        return self.component(genre)

    def genre_logits(self, latent: tf.Tensor) -> tf.Tensor:
        """Log-probability of codes [B, D] in each genre's Gaussian: float32 [B, G]."""
        return self.component(tf.range(self.genres)).log_prob(latent[:, tf.newaxis, :])

    def genre_scores(self, latent: tf.Tensor) -> tf.Tensor:
        """Posterior probability of each genre for codes [B, D] under equal weights: float32 [B, G]."""
        return tf.nn.softmax(self.genre_logits(latent), axis=-1)

    def transfer(self, latent: tf.Tensor, source: tf.Tensor, target: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
        """Move codes [B, D] along the difference of the means of genres int32 [B], by strength float32 [B]."""
        means = tf.convert_to_tensor(self.means)
        return latent + strength[:, tf.newaxis] * (tf.gather(means, target) - tf.gather(means, source))


def build_prior(config: Architecture, genres: int) -> GenrePrior:
    """The prior of a system: where the codes of each genre are drawn from."""
    kind, latent = config.model.kind, config.model.latent
    if kind == "musae":
        return StylePrior(latent, genres, config.style.deviation, name="prior")
    if kind in ("musae_gm", "cvae") and not config.prior.fitted:
        return MixturePrior.from_prior_config(config.prior, latent, genres, "prior")
    return FittedPrior(latent, genres, config.prior.sample_noise_scale, config.prior.sample_mean_scale, name="prior")


def build_target(config: Architecture, genres: int) -> "MixturePrior | None":
    """What training pulls the codes to where the prior is fitted to them afterwards; None for no Gaussian a genre."""
    if config.prior.fitted and config.model.kind in ("musae_gm", "cvae"):
        return MixturePrior.from_prior_config(config.prior, config.model.latent, genres, "target")
    return None


@keras.saving.register_keras_serializable(package="musae_tf")
class MixturePrior(GenrePrior):
    """A mixture of G Gaussians in D dimensions with one component a genre.

    Geometries:
        flower: means on the unit circle of axes 0 and 1 at angle 2 pi l / G; variance `radial_variance` along the
            radius, `tangential_variance` on every other axis (Valenti et al. 2020, section 3; the authors' settings).
        simplex: unit covariance; each genre has `axes` axes of its own on which its mean is raised, so that any two
            means are `separation` standard deviations apart.
        learned: starts as simplex; the means are variables that the autoencoder's loss trains.
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
        **kwargs: Any,
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
    def from_prior_config(cls, config: PriorConfig, latent: int, genres: int, name: str) -> "MixturePrior":
        """The Gaussians of a configuration."""
        return cls(
            latent,
            genres,
            config.geometry,
            config.separation,
            config.axes,
            config.radial_variance,
            config.tangential_variance,
            name=name,
        )

    def component(self, genre: tf.Tensor) -> tfd.Distribution:
        means, directions = tf.gather(self.means, genre), tf.gather(self._directions, genre)
        # Diagonal plus rank one: a rotated covariance at the cost of a vector, never a D x D matrix a sample.
        return tfd.MultivariateNormalDiagPlusLowRankCovariance(
            loc=means,
            cov_diag_factor=tf.fill([self.latent], tf.constant(self._variance, tf.float32)),
            cov_perturb_factor=directions[..., tf.newaxis],
        )

    def genre_logits(self, latent: tf.Tensor) -> tf.Tensor:
        # By products of matrices, where the distribution makes B x G x D numbers; see `divergence` for the inverse.
        means, directions = tf.convert_to_tensor(self.means), tf.constant(self._directions, tf.float32)
        v, length = self._variance, tf.reduce_sum(tf.square(directions), axis=-1)
        squares = tf.reduce_sum(tf.square(latent), axis=-1, keepdims=True) + tf.reduce_sum(tf.square(means), axis=-1)
        squares -= 2.0 * tf.matmul(latent, means, transpose_b=True)
        along = tf.matmul(latent, directions, transpose_b=True) - tf.reduce_sum(means * directions, axis=-1)
        log_determinant = self.latent * math.log(2 * math.pi * v) + tf.math.log1p(length / v)
        return -0.5 * ((squares - tf.square(along) / (v + length)) / v + log_determinant)

    def divergence(self, mean: tf.Tensor, deviation: tf.Tensor, genre: tf.Tensor) -> tf.Tensor:
        """KL divergence in nats of N(mean, deviation^2), float32 [B, D] each, to the genres' Gaussians: float32 [B].

        The covariance is v I + d d', so its inverse is (I - d d' / (v + |d|^2)) / v (Sherman and Morrison) and its
        determinant v^D (1 + |d|^2 / v).
        """
        variance = tf.square(deviation)
        offset = mean - tf.gather(self.means, genre)
        direction = tf.gather(self._directions, genre)
        v, length = self._variance, tf.reduce_sum(tf.square(direction), axis=-1)
        along = tf.reduce_sum(tf.square(direction) * variance, axis=-1)
        along += tf.square(tf.reduce_sum(direction * offset, axis=-1))
        everywhere = tf.reduce_sum(variance + tf.square(offset), axis=-1)
        log_determinant = self.latent * math.log(v) + tf.math.log1p(length / v)
        log_ratio = log_determinant - 2.0 * tf.reduce_sum(tf.math.log(deviation), axis=-1)
        return 0.5 * ((everywhere - along / (v + length)) / v - self.latent + log_ratio)

    def get_config(self) -> dict[str, Any]:
        keys = ("latent", "genres", "geometry", "separation", "axes", "radial_variance", "tangential_variance")
        return {**super().get_config(), **{key: getattr(self, key) for key in keys}}


@keras.saving.register_keras_serializable(package="musae_tf")
class StylePrior(GenrePrior):
    """The prior of MusAE with a style: codes are [s, z] with G + D axes.

    s is drawn from a Bernoulli a genre, which for one genre a phrase is its one-hot vector, z from N(0, I) whatever the
    genre (Valenti et al. 2020). s gets a little noise, `deviation`: a point has no density to score genres by.
    """

    def __init__(self, latent: int, genres: int, deviation: float, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.latent, self.genres, self.deviation = latent, genres, deviation
        means = np.eye(genres, genres + latent, dtype=np.float32)
        self.means = self.add_weight(
            name="means", shape=means.shape, initializer=keras.initializers.Constant(means), trainable=False
        )
        self.built = True

    def component(self, genre: tf.Tensor) -> tfd.Distribution:
        deviations = tf.constant([self.deviation] * self.genres + [1.0] * self.latent)
        return tfd.MultivariateNormalDiag(tf.gather(self.means, genre), deviations)

    def transfer(self, latent: tf.Tensor, source: tf.Tensor, target: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
        """Move the style of codes [B, G + D] towards the target's, whatever it was; z stays."""
        style, rest = latent[:, : self.genres], latent[:, self.genres :]
        return tf.concat([style + strength[:, tf.newaxis] * (tf.one_hot(target, self.genres) - style), rest], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "latent": self.latent, "genres": self.genres, "deviation": self.deviation}


@keras.saving.register_keras_serializable(package="musae_tf")
class FittedPrior(GenrePrior):
    """One Gaussian a genre with a full covariance, estimated from codes after the fact.

    For systems whose training knows no genres it is a way to draw a piece of a genre and to move a piece to another
    (ex-post density estimation, Ghosh et al. 2020). Others it takes the last step: what a critic leaves of the
    difference between codes and prior is in the covariances for the greater part. Standard normal until `fit`.

    Music is made of draws with `sample_noise_scale` times the variance that the posteriors themselves have. With 1 they
    are distributed as the codes of training; with less they are nearer to the posterior means, which is where music is
    decoded from when it is encoded first. More is for the autoregressive decoder, which knows noisy codes. Their means
    lie `sample_mean_scale` times as far from the mean of all genres as those of the codes.
    """

    def __init__(
        self,
        latent: int,
        genres: int,
        sample_noise_scale: float = 1.0,
        sample_mean_scale: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.latent, self.genres = latent, genres
        self.sample_noise_scale, self.sample_mean_scale = sample_noise_scale, sample_mean_scale
        self.means = self.add_weight(name="means", shape=(genres, latent), initializer="zeros", trainable=False)
        self.scales = self._add_scales("scales")
        self.drawn_scales = self._add_scales("drawn_scales") if sample_noise_scale != 1 else self.scales
        self.built = True

    def _add_scales(self, name: str) -> keras.Variable:
        shape = (self.genres, self.latent, self.latent)
        identity = keras.initializers.Constant(np.broadcast_to(np.eye(self.latent), shape))
        return self.add_weight(name=name, shape=shape, initializer=identity, trainable=False)

    def fit(self, mean: np.ndarray, deviation: np.ndarray, genre: np.ndarray) -> None:
        """Take mean and covariance of each genre's aggregated posterior, (1/n) sum of N(mean_i, deviation_i^2).

        The covariance of the posterior means is shrunk towards a sphere as far as their number asks for (Ledoit and
        Wolf 2004). A genre with fewer than two phrases takes those of all. Codes that are not finite are left to the
        alarms of the training.

        Args:
            mean: float32 [n, D], posterior means of training phrases.
            deviation: float32 [n, D], their standard deviations.
            genre: int [n].
        """
        from sklearn.covariance import ledoit_wolf

        if not (np.isfinite(mean).all() and np.isfinite(deviation).all()):
            return
        means, scales, drawn = [], [], []
        for number in range(self.genres):
            rows = np.flatnonzero(genre == number)
            rows = rows if len(rows) > 1 else np.arange(len(genre))
            covariance, _ = ledoit_wolf(mean[rows].astype(np.float64))
            noise = np.diag(np.mean(deviation[rows].astype(np.float64) ** 2, axis=0))
            means.append(mean[rows].mean(axis=0))
            scales.append(np.linalg.cholesky(covariance + noise))
            drawn.append(np.linalg.cholesky(covariance + self.sample_noise_scale * noise))
        self.means.assign(np.stack(means))
        self.scales.assign(np.stack(scales))
        self.drawn_scales.assign(np.stack(drawn))

    def component(self, genre: tf.Tensor) -> tfd.Distribution:
        return self._gaussians(self.means, self.scales, genre)

    def drawn(self, genre: tf.Tensor) -> tfd.Distribution:
        centre = tf.reduce_mean(self.means, axis=0)
        means = centre + self.sample_mean_scale * (self.means - centre)
        return self._gaussians(means, self.drawn_scales, genre)

    def _gaussians(self, means: tf.Tensor, scales: keras.Variable, genre: tf.Tensor) -> tfd.Distribution:
        return tfd.MultivariateNormalTriL(tf.gather(means, genre), tf.gather(scales, genre))

    def get_config(self) -> dict[str, Any]:
        scales = {"sample_noise_scale": self.sample_noise_scale, "sample_mean_scale": self.sample_mean_scale}
        return {**super().get_config(), "latent": self.latent, "genres": self.genres, **scales}


def normal_divergence(mean: tf.Tensor, deviation: tf.Tensor) -> tf.Tensor:
    """KL divergence in nats of N(mean, deviation^2) to N(0, I) (Kingma and Welling 2014, appendix B).

    Args:
        mean: float32 [B, D].
        deviation: float32 [B, D].

    Returns:
        float32 [B].
    """
    return gaussian_divergence(mean, deviation, tf.zeros([]), tf.ones([]))


def gaussian_divergence(mean: tf.Tensor, deviation: tf.Tensor, of: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """KL divergence in nats of N(mean, deviation^2) to N(of, width^2), float32 [B, D] each: float32 [B]."""
    ratio = tf.square(deviation / width) + tf.square((mean - of) / width)
    return 0.5 * tf.reduce_sum(ratio - 1.0 - 2.0 * tf.math.log(deviation / width), axis=-1)


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
