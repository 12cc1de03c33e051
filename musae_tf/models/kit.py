"""Symbols of a drum kit in networks: as the pieces that they strike.

Taken as 512 symbols that have nothing in common, the many rare ones are learnt by heart and unseen music is read badly.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from musae_tf.music.vocabulary import KIT, KIT_PIECES, STRUCK


def is_kit(size: int) -> bool:
    """Whether a track with so many symbols is a drum kit: no other vocabulary has as many."""
    return size == KIT.size


def widths(vocabulary_sizes: Sequence[int]) -> tuple[int, ...]:
    """Numbers that say a step of each track: one a symbol, of kits one a piece."""
    return tuple(len(KIT_PIECES) if is_kit(size) else size for size in vocabulary_sizes)


def struck(tokens: tf.Tensor, dtype: str) -> tf.Tensor:
    """Kit symbols int32 [...] to 1 for each piece that is struck and 0 for the others, [..., 9]."""
    return tf.gather(tf.constant(STRUCK, dtype), tokens)


def expected_strokes(probabilities: tf.Tensor) -> tf.Tensor:
    """Probabilities of kit symbols [B, T, 512] to the probability that each piece is struck, [B, T, 9]."""
    return tf.einsum("bts,sp->btp", probabilities, tf.constant(STRUCK, probabilities.dtype))


def kit_logits(log_odds: tf.Tensor) -> tf.Tensor:
    """Log-odds of the nine pieces float32 [B, T, 9] to logits of the kit symbols float32 [B, T, 512].

    The logit of a symbol is the sum over the pieces that it strikes. Its softmax is then the product of nine
    independent strokes, and the cross-entropy is the sum of theirs.
    """
    return tf.einsum("btp,sp->bts", log_odds, tf.constant(STRUCK, tf.float32))


@keras.saving.register_keras_serializable(package="musae_tf")
class KitLogits(keras.layers.Layer):
    """`kit_logits` as a layer, float32."""

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, log_odds):
        return kit_logits(log_odds)
