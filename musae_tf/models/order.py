"""Low-level properties of phrases as tensors: what a latent space can be taught to be ordered by.

The six by which Valenti, Carta and Bacciu (2020) look at their latent space, as numbers of about the same size. Shapes:
B rows, T steps, K tracks.
"""

import numpy as np
import tensorflow as tf

from musae_tf.music import HOLD, REST

PROPERTIES = 6
"""Held steps, silent steps, onsets, and the highest, lowest and mean pitch of the onsets."""

# Counts are in eighths of a phrase, pitches in thirds of an octave from middle C.
_SHARE, _SEMITONES, _CENTRE = 1 / 8, 4.0, 60.0


def order_of(tokens: tf.Tensor, kits: tuple[bool, ...]) -> tuple[tf.Tensor, tf.Tensor]:
    """The properties of every track, and which of them there are.

    Args:
        tokens: int32 [B, T, K].
        kits: for each track whether it is a drum kit, of which only silence and steps with strokes are known.

    Returns:
        Values float32 [B, K, 6], 0 where there is none; and 1 where there is one, else 0, of the same shape.
    """
    kit = tf.constant(kits)
    onset = tf.where(kit, tokens > 0, tokens < REST)
    rest = tf.where(kit, tokens == 0, tokens == REST)
    hold = tf.logical_and(tokens == HOLD, tf.logical_not(kit))
    counts = [tf.reduce_mean(tf.cast(event, tf.float32), axis=1) / _SHARE for event in (hold, rest, onset)]
    pitch = (tf.cast(tokens, tf.float32) - _CENTRE) / _SEMITONES
    number = tf.reduce_sum(tf.cast(onset, tf.float32), axis=1)
    highest = tf.reduce_max(tf.where(onset, pitch, -np.inf), axis=1)
    lowest = tf.reduce_min(tf.where(onset, pitch, np.inf), axis=1)
    mean = tf.reduce_sum(tf.where(onset, pitch, 0.0), axis=1) / tf.maximum(number, 1.0)
    always = tf.ones_like(number, tf.bool)
    melodic = tf.logical_and(always, tf.logical_not(kit))
    pitched = tf.logical_and(melodic, number > 0)
    values = tf.stack([*counts, highest, lowest, mean], axis=-1)
    known = tf.stack([melodic, always, always, pitched, pitched, pitched], axis=-1)
    return tf.where(known, values, 0.0), tf.cast(known, tf.float32)
