"""The terms that the players make small or large: pure functions of tensors, one value a row, all float32."""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

# Of the sliced Wasserstein distance: how many directions, and how far genres are moved apart, in units of the code.
_DIRECTIONS, _SHIFT = 256, 3.0


def reconstruction(logits: Sequence[tf.Tensor], tokens: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of each phrase in nats: mean over the T steps, summed over the K tracks.

    Args:
        logits: K tensors float32 [B, T, V_k].
        tokens: int32 [B, T, K].

    Returns:
        float32 [B].
    """
    tracks = [
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tokens[..., track], logits=track_logits)
        for track, track_logits in enumerate(logits)
    ]
    return tf.add_n([tf.reduce_mean(track, axis=-1) for track in tracks])


def critic_gap(prior_scores: tf.Tensor, posterior_scores: tf.Tensor) -> tf.Tensor:
    """Estimate of the Wasserstein distance from paired critic scores, float32 [B] each (Arjovsky et al. 2017, eq. 2).

    The critic makes it large; the encoder, through its posterior scores, makes it small.
    """
    return prior_scores - posterior_scores


def gradient_penalty(
    critic: Callable[[tf.Tensor], tf.Tensor], prior_codes: tf.Tensor, posterior_codes: tf.Tensor, mix: tf.Tensor
) -> tf.Tensor:
    """(|grad D| - 1)^2 at random points between prior and posterior codes (Gulrajani et al. 2017, section 4).

    Args:
        critic: codes [B, D] to scores [B], the genre already bound.
        prior_codes: float32 [B, D].
        posterior_codes: float32 [B, D].
        mix: float32 [B, 1], uniform in 0..1.

    Returns:
        float32 [B].
    """
    between = posterior_codes + mix * (prior_codes - posterior_codes)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(between)
        scores = critic(between)
    gradient = tape.gradient(scores, between)
    # The small constant keeps the derivative of the root finite where the gradient vanishes.
    return tf.square(tf.sqrt(tf.reduce_sum(tf.square(gradient), axis=-1) + 1e-12) - 1.0)


def divergence(nats: tf.Tensor, steps: int, free_bits: float = 0.0) -> tf.Tensor:
    """The KL term of a variational autoencoder on the scale of `reconstruction`: with weight 1 their sum is the
    negative evidence lower bound (Kingma and Welling 2014, equation 10) divided by the steps.

    Args:
        nats: float32 [B], KL divergence of each posterior to the prior.
        steps: T.
        free_bits: what costs nothing, per phrase, as in MusicVAE (Roberts et al. 2018).

    Returns:
        float32 [B].
    """
    return tf.maximum(nats - free_bits * math.log(2.0), 0.0) / steps


def normal_divergence(mean: tf.Tensor, deviation: tf.Tensor) -> tf.Tensor:
    """KL divergence in nats of N(mean, deviation^2) to N(0, I) (Kingma and Welling 2014, appendix B).

    Args:
        mean: float32 [B, D].
        deviation: float32 [B, D].

    Returns:
        float32 [B].
    """
    return 0.5 * tf.reduce_sum(tf.square(mean) + tf.square(deviation) - 1.0 - 2.0 * tf.math.log(deviation), axis=-1)


def binary_cross_entropy(label: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of styles 0..1 to labels, mean over the genres: float32 [B, G] each to float32 [B]."""
    style = tf.clip_by_value(style, 1e-7, 1.0 - 1e-7)
    return -tf.reduce_mean(label * tf.math.log(style) + (1.0 - label) * tf.math.log(1.0 - style), axis=-1)


def sliced_wasserstein(codes: tf.Tensor, prior_codes: tf.Tensor, label: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Squared sliced Wasserstein distance between codes and draws of the prior, genre by genre.

    Mean over random directions of the squared distance in one dimension, which sorting gives (Kolouri et al. 2019).
    Along each direction every genre is shifted by a random amount, the same on both sides, so that the
    joint distributions of code and genre are compared and not only the codes of all genres together.

    Args:
        codes: float32 [B, D].
        prior_codes: float32 [B, D], of the same genres, row by row.
        label: one-hot float32 [B, G].
        seed: int [2].

    Returns:
        float32 scalar.
    """
    seeds = tf.random.split(seed, 2)
    directions = tf.random.stateless_normal([codes.shape[-1], _DIRECTIONS], seeds[0])
    shifts = _SHIFT * tf.random.stateless_normal([label.shape[-1], _DIRECTIONS], seeds[1])
    axes, by_genre = tf.math.l2_normalize(directions, axis=0), tf.matmul(label, shifts)
    one, other = (tf.sort(tf.matmul(points, axes) + by_genre, axis=0) for points in (codes, prior_codes))
    return tf.reduce_mean(tf.square(one - other))
