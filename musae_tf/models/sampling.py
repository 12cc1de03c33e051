"""From logits to tokens: greedy or at a temperature, each row with a seed of its own."""

from collections.abc import Sequence

import tensorflow as tf


def decode_tokens(logits: Sequence[tf.Tensor], temperature: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw the tokens of each row; the same row gives the same tokens whatever it is batched with.

    Args:
        logits: K tensors float32 [B, T, V_k].
        temperature: float32 [B]; 0 takes the most probable symbol.
        seed: int32 [B, 2], stateless.

    Returns:
        tokens int32 [B, T, K] and their log-probability float32 [B] under the logits at temperature 1.
    """
    tracks, log_probability = [], 0.0
    for track, track_logits in enumerate(logits):
        shape = tf.shape(track_logits)[1:]
        uniform = tf.map_fn(
            lambda row, shape=shape, track=track: tf.random.stateless_uniform(
                shape, seed=tf.random.fold_in(row, track), minval=1e-20, dtype=tf.float32
            ),
            seed,
            fn_output_signature=tf.float32,
        )
        # Gumbel-max: temperature scales the noise instead of dividing the logits, so 0 is plain argmax.
        gumbel = -tf.math.log(-tf.math.log(uniform))
        tokens = tf.argmax(
            track_logits + temperature[:, tf.newaxis, tf.newaxis] * gumbel, axis=-1, output_type=tf.int32
        )
        chosen = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tokens, logits=track_logits)
        log_probability -= tf.reduce_sum(chosen, axis=-1)
        tracks.append(tokens)
    return tf.stack(tracks, axis=-1), log_probability
