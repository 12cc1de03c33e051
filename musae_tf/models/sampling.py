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
    # Without a row that is drawn there is no noise to make.
    tracks = tf.cond(
        tf.reduce_any(temperature > 0.0),
        lambda: [
            _most_probable(track + temperature[:, tf.newaxis, tf.newaxis] * _gumbel(tf.shape(track)[1:], seed, number))
            for number, track in enumerate(logits)
        ],
        lambda: [_most_probable(track) for track in logits],
    )
    log_probability = 0.0
    for tokens, track in zip(tracks, logits, strict=True):
        chosen = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tokens, logits=track)
        log_probability -= tf.reduce_sum(chosen, axis=-1)
    return tf.stack(tracks, axis=-1), log_probability


def _most_probable(numbers: tf.Tensor) -> tf.Tensor:
    return tf.argmax(numbers, axis=-1, output_type=tf.int32)


def _gumbel(shape: tf.Tensor, seed: tf.Tensor, track: int) -> tf.Tensor:
    """Gumbel noise, float32 [B, T, V]: temperature scales it instead of dividing the logits, so 0 is plain argmax."""
    uniform = tf.map_fn(
        lambda row: tf.random.stateless_uniform(
            shape, seed=tf.random.fold_in(row, track), minval=1e-20, dtype=tf.float32
        ),
        seed,
        fn_output_signature=tf.float32,
    )
    return -tf.math.log(-tf.math.log(uniform))
