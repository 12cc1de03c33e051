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
from musae_tf.music.known import FREE, KNOWN

# Rows whose codes carry more noise than their posteriors have, and how much: standard deviations, least and most.
_NOISY_ROWS, _NOISE = 0.5, (0.25, 2.5)
# Symbols of the history that are wrong; rows of which some are hidden, and how many at most.
_WRONG, _HIDDEN_ROWS, _HIDDEN = 0.03, 0.3, 0.5
# Rows of which a part is known beforehand, and of the others the share of tracks that are hidden, where it is by track.
_KNOWN_ROWS, _HIDDEN_TRACKS = 0.15, (0.2, 0.9)

PARTIAL = 8
"""Every so many rows of the global batch the encoder sees what is known alone, and the decoder gets its code."""


class Lesson(NamedTuple):
    """What the decoder is to rebuild phrases from."""

    latent: tf.Tensor
    """Codes, some of them noisy, float32 [b, D]."""
    history: tf.Tensor
    """Phrases with faults, int32 [b, T, K]."""
    known: Known
    noisy: tf.Tensor
    """1 where a code has extra noise, 0 where it has none; -1 where that is not to be learnt: float32 [b]."""
    free: tf.Tensor
    """1 where a symbol is not known beforehand, else 0: float32 [b, T, K]."""


def known_parts(tokens: tf.Tensor, noise: Noise, beats: int, partial: bool) -> Known:
    """Parts of phrases int32 [b, T, K] that are known beforehand: of some rows a part, of the others nothing.

    What is hidden are some tracks, some beats that follow each other, or some tracks in such beats. With `partial`
    something is in every row whose number is a multiple of `PARTIAL`.
    """
    steps, tracks = tokens.shape[1:]
    rows = noise.uniform("known", 6)
    least, most = _HIDDEN_TRACKS
    some = noise.uniform("known tracks", tracks) < least + (most - least) * rows[:, 1, tf.newaxis]
    # Columns side by side too: they may belong to one instrument.
    of_tracks = tf.where(rows[:, 2, tf.newaxis] < 0.5, some, _range_of(tracks, rows[:, 3], rows[:, 4]))
    places = noise.uniform("known beats", 2)
    of_beats = tf.repeat(_range_of(beats, places[:, 0], places[:, 1]), steps // beats, axis=1)
    whole_tracks, whole_beats = rows[:, 5, tf.newaxis] < 1 / 3, rows[:, 5, tf.newaxis] > 2 / 3
    hidden = (of_tracks | whole_beats)[:, tf.newaxis, :] & (of_beats | whole_tracks)[:, :, tf.newaxis]
    partly = rows[:, 0] < _KNOWN_ROWS
    if partial:
        partly |= _is_partial(noise)
    return Known(tokens, tf.where(partly[:, tf.newaxis, tf.newaxis] & ~hidden, KNOWN, FREE))


def _range_of(count: int, length: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """Places that follow each other, bool [b, count], by numbers 0..1 float32 [b] each: 1 to all, anywhere."""
    size = 1.0 + tf.floor(length * count)
    first = tf.floor(start * (count - size + 1.0))
    place = tf.range(count, dtype=tf.float32)
    return (place >= first[:, tf.newaxis]) & (place < (first + size)[:, tf.newaxis])


def partial_rows(noise: Noise) -> tf.Tensor:
    """The rows of this replica whose numbers in the global batch are multiples of `PARTIAL`, int64 [p]."""
    return tf.where(_is_partial(noise))[:, 0]


def _is_partial(noise: Noise) -> tf.Tensor:
    return noise.numbers % PARTIAL == 0


def lesson_of(
    latent: tf.Tensor,
    known: Known,
    vocabulary_sizes: tuple[int, ...],
    noise: Noise,
    of_parts: tf.Tensor | None = None,
) -> Lesson:
    """Make the lesson of codes and phrases, by the randomness of the step.

    Args:
        latent: float32 [b, D].
        known: the phrases, and what is known of them.
        vocabulary_sizes: symbols of each track.
        noise: that of the step.
        of_parts: float32 [p, D], codes of what is known, for `partial_rows`. They get no gradient, and are no example
            of noise: some are sure, others not.
    """
    tokens = known.tokens
    steps, tracks = tokens.shape[1:]
    rows = noise.uniform("lesson", 4)
    least, most = (math.log(deviation) for deviation in _NOISE)
    deviation = tf.where(rows[:, 0] < _NOISY_ROWS, tf.exp(least + (most - least) * rows[:, 1]), 0.0)
    latent += deviation[:, tf.newaxis] * noise.normal("extra", latent.shape[-1])
    noisy = tf.cast(deviation > 0.0, tf.float32)
    if of_parts is not None:
        places = partial_rows(noise)[:, tf.newaxis]
        latent = tf.tensor_scatter_nd_update(latent, places, tf.stop_gradient(of_parts))
        noisy = tf.tensor_scatter_nd_update(noisy, places, tf.fill(tf.shape(places)[:1], -1.0))

    # A wrong symbol is one of the same track at another step.
    history = tf.where(noise.uniform("wrong", steps, tracks) < _WRONG, tf.reverse(tokens, [1]), tokens)
    rows = rows[:, :, tf.newaxis, tf.newaxis]
    hidden = tf.where(rows[:, 2] < _HIDDEN_ROWS, _HIDDEN * rows[:, 3], 0.0)
    history = tf.where(noise.uniform("hidden", steps, tracks) < hidden, tf.constant(vocabulary_sizes), history)
    given = known.levels == KNOWN
    return Lesson(latent, tf.where(given, tokens, history), known, noisy, 1.0 - tf.cast(given, tf.float32))
