"""The terms of the two-player game: pure functions of tensors, one value a row, all float32."""

from collections.abc import Callable, Sequence

import tensorflow as tf


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
