"""Greedy rows take the most probable symbols, whether or not noise is made for others."""

import numpy as np
import tensorflow as tf

from musae_tf.models.tokens import decode_tokens

LOGITS = [tf.random.stateless_normal([4, 8, size], [size, 1]) for size in (130, 512)]
SEEDS = tf.reshape(tf.range(8), [4, 2])


def tokens_at(*temperatures: float) -> np.ndarray:
    return tf.function(decode_tokens, autograph=False)(LOGITS, tf.constant(temperatures), SEEDS)[0].numpy()


def test_a_greedy_row_is_the_same_alone_and_beside_drawn_ones():
    best = np.stack([np.argmax(track, axis=-1) for track in LOGITS], axis=-1)
    np.testing.assert_array_equal(tokens_at(0.0, 0.0, 0.0, 0.0), best)
    mixed, drawn = tokens_at(0.0, 1.0, 0.0, 1.0), tokens_at(1.0, 1.0, 1.0, 1.0)
    np.testing.assert_array_equal(mixed[::2], best[::2])
    np.testing.assert_array_equal(mixed[1::2], drawn[1::2])
    assert (drawn != best).mean() > 0.1


def test_the_log_probability_is_that_of_the_tokens():
    tokens, found = decode_tokens(LOGITS, tf.constant([0.0, 0.5, 1.0, 2.0]), SEEDS)
    tracks = [tf.gather(tf.nn.log_softmax(x), tokens[..., k], batch_dims=2) for k, x in enumerate(LOGITS)]
    np.testing.assert_allclose(found, sum(tf.reduce_sum(track, axis=-1) for track in tracks), rtol=1e-5)
