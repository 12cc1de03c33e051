"""How a decoder that listens to itself is taught: what it sees of a phrase in place of what it will have written.

A history without a fault would say more than a code does, and the code would be left unused (Bowman et al. 2016); and
where nothing ever goes wrong, nothing is learnt about going on. Shapes: b rows of this replica, T steps, K tracks, D
axes of the code.
"""

import math
from typing import NamedTuple

import tensorflow as tf

from musae_tf.models.noise import Noise
from musae_tf.models.symbols import Known

# Rows whose codes carry more noise than their posteriors have, and how much: standard deviations, least and most.
_NOISY_ROWS, _NOISE = 0.5, (0.25, 2.5)
# Symbols of the history that are wrong; rows of which some are hidden, and how many at most.
_WRONG, _HIDDEN_ROWS, _HIDDEN = 0.03, 0.3, 0.5
# Rows of which some tracks or beats are known beforehand, half of them each, and how many.
_KNOWN_ROWS, _KNOWN = 0.15, (0.2, 0.8)


class Lesson(NamedTuple):
    """What the decoder is to rebuild phrases from."""

    latent: tf.Tensor
    """Codes, some of them noisy, float32 [b, D]."""
    history: tf.Tensor
    """Phrases with faults, int32 [b, T, K]."""
    known: Known
    noisy: tf.Tensor
    """1 where a code has extra noise, else 0: float32 [b]."""
    free: tf.Tensor
    """1 where a symbol is not known beforehand, else 0: float32 [b, T, K]."""


def lesson_of(
    latent: tf.Tensor, tokens: tf.Tensor, vocabulary_sizes: tuple[int, ...], noise: Noise, beats: int
) -> Lesson:
    """Make the lesson of codes float32 [b, D] and phrases int32 [b, T, K], with the randomness of the step."""
    steps, tracks = tokens.shape[1:]
    rows = noise.uniform("lesson", 6)
    least, most = (math.log(deviation) for deviation in _NOISE)
    deviation = tf.where(rows[:, 0] < _NOISY_ROWS, tf.exp(least + (most - least) * rows[:, 1]), 0.0)
    latent += deviation[:, tf.newaxis] * noise.normal("extra", latent.shape[-1])
    noisy = tf.cast(deviation > 0.0, tf.float32)

    rows = rows[:, :, tf.newaxis, tf.newaxis]
    share = _KNOWN[0] + (_KNOWN[1] - _KNOWN[0]) * rows[:, 3]
    of_beats = tf.repeat(noise.uniform("known beats", beats, 1) < share, steps // beats, axis=1)
    of_tracks = noise.uniform("known tracks", 1, tracks) < share
    mask = tf.where(rows[:, 2] < _KNOWN_ROWS / 2, of_tracks, of_beats) & (rows[:, 2] < _KNOWN_ROWS)

    # A wrong symbol is one of the same track at another step.
    history = tf.where(noise.uniform("wrong", steps, tracks) < _WRONG, tf.reverse(tokens, [1]), tokens)
    hidden = tf.where(rows[:, 4] < _HIDDEN_ROWS, _HIDDEN * rows[:, 5], 0.0)
    history = tf.where(noise.uniform("hidden", steps, tracks) < hidden, tf.constant(vocabulary_sizes), history)
    return Lesson(latent, tf.where(mask, tokens, history), Known(tokens, mask), noisy, 1.0 - tf.cast(mask, tf.float32))
