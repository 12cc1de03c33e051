"""Pitches that sound, and numbers about them: what lets a decoder speak of intervals and not only of keys.

A symbol of a melodic track says what happens; the pitch that sounds there may have begun bars before. Shapes: B rows, T
steps, K tracks, N any number of places.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from musae_tf.models.tokens import is_melodic
from musae_tf.music import HOLD, REST

PITCHES = 128
SILENT, HIDDEN = 128, 129
"""Beside the 128 pitches: nothing sounds; what sounds is not known."""

REACH = 24
"""Semitones up and down that `around_pitch` tells apart."""

MOTIONS = 13 * 5
"""What `motion` tells apart."""

# Share of a sounding pitch that the recent profile keeps from step to step.
_RECENT = 0.8
# Sounding pitches that a profile is mixed with, of no class: the first notes say little of a key.
_PRIOR_NOTES = np.array([[8.0], [1.0]], np.float32)


def sounding(tokens: tf.Tensor, vocabulary_sizes: tuple[int, ...]) -> tf.Tensor:
    """What sounds at each step: tokens int32 [B, T, K] to pitches 0..127, SILENT or HIDDEN, of the same shape.

    A token that is as large as its track's vocabulary is hidden, and so is what a hold after it carries on. Kits and
    velocities are silent, and so is what is held from before the first step.
    """
    found, steps, distance = tokens, tokens.shape[1], 1
    while distance < steps:  # each round looks twice as far back for the start of what is held
        before = tf.pad(found[:, :-distance], [[0, 0], [distance, 0], [0, 0]], constant_values=HOLD)
        found = tf.where(found == HOLD, before, found)
        distance *= 2
    melodic = tf.constant([is_melodic(size) for size in vocabulary_sizes])
    return tf.where(melodic, _pitch(found), SILENT)


def sounding_next(tokens: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """The same for one step of a melodic track: tokens int32 [B] after a step at which `before` int32 [B] sounded."""
    return tf.where(tokens == HOLD, before, _pitch(tokens))


def _pitch(tokens: tf.Tensor) -> tf.Tensor:
    return tf.where(tokens < REST, tokens, tf.where(tokens > HOLD, HIDDEN, SILENT))


def around_pitch(numbers: tf.Tensor, centre: tf.Tensor) -> tf.Tensor:
    """Numbers by distance from a pitch, float32 [N, 2 REACH + 1] and int32 [N], to numbers by pitch, float32 [N, 128].

    Pitches farther away get 0, and so do all where `centre` is no pitch.
    """
    width = 2 * REACH + 1
    start = tf.where(centre < PITCHES, centre - REACH, 2 * PITCHES)[:, tf.newaxis]
    return _moved(numbers, tf.range(PITCHES) - start, tf.range(width) + start)


def over_pitch(numbers: tf.Tensor, bass: tf.Tensor) -> tf.Tensor:
    """Numbers by pitch class above each of some pitches, float32 [N, M, 12] and int32 [N, M], to float32 [N, 128].

    Those of all M are summed; where one is no pitch it adds nothing.
    """
    count = bass.shape[-1]
    classes, root = tf.range(12), tf.where(bass < PITCHES, bass % 12, 0)[..., tf.newaxis]
    there = tf.reshape(tf.cast(bass < PITCHES, numbers.dtype), [-1, 1])
    rows = tf.reshape(numbers, [-1, 12]) * there
    turned = _moved(rows, tf.reshape((classes - root) % 12, [-1, 12]), tf.reshape((classes + root) % 12, [-1, 12]))
    turned = tf.reduce_sum(tf.reshape(turned, [-1, count, 12]), axis=1)
    return over_octaves(turned)


def class_counts(pitches: tf.Tensor) -> tf.Tensor:
    """How many of some pitches int32 [..., K] are of each pitch class, float32 [..., 12]."""
    return tf.reduce_sum(tf.one_hot(tf.where(pitches < PITCHES, pitches % 12, -1), 12), axis=-2)


def heard_classes(pitches: tf.Tensor) -> tf.Tensor:
    """Pitch classes that were heard before each step: int32 [B, T, K] to float32 [B, T, 2, 12].

    Sums of `class_counts` of all steps before, and with those that are longer ago counting less and less.
    """
    steps = pitches.shape[1]
    ago = np.arange(steps)[:, np.newaxis] - np.arange(steps) - 1
    weights = np.stack([ago >= 0, np.where(ago >= 0, _RECENT ** np.maximum(ago, 0), 0.0)], axis=1)
    return tf.einsum("tps,bsc->btpc", tf.constant(weights, tf.float32), class_counts(pitches))


def heard_classes_next(before: tf.Tensor, pitches: tf.Tensor) -> tf.Tensor:
    """The same a step later: float32 [B, 2, 12] and what sounds in the step, int32 [B, K]."""
    return before * tf.constant([[1.0], [_RECENT]]) + class_counts(pitches)[:, tf.newaxis]


def from_each_class(counts: tf.Tensor) -> tf.Tensor:
    """Pitch classes as each of them sees the others: float32 [N, P, 12] to [N, 12, 12 P], by intervals upwards."""
    classes = np.arange(12)
    turned = tf.gather(counts, (classes[:, np.newaxis] + classes) % 12, axis=2)
    return tf.reshape(tf.transpose(turned, [0, 2, 1, 3]), [-1, 12, 12 * counts.shape[1]])


def profiles(heard: tf.Tensor) -> tf.Tensor:
    """`heard_classes` float32 [N, 2, 12] as shares; they sum to less than 1 while little was heard."""
    return heard / (tf.reduce_sum(heard, axis=-1, keepdims=True) + _PRIOR_NOTES)


def over_octaves(numbers: tf.Tensor) -> tf.Tensor:
    """Numbers by pitch class, float32 [N, 12], to numbers by pitch, float32 [N, 128]."""
    return tf.tile(numbers, [1, PITCHES // 12 + 1])[:, :PITCHES]


def motion(track: int, others: list[int], last: tf.Tensor, now: tf.Tensor) -> tf.Tensor:
    """How a melodic track stood to others, and where those have gone since: int32 [N, others], below `MOTIONS` each.

    The interval modulo the octave from each of `others` to `track` in the step before (one of 13 if there is none), and
    whether the other has moved up or down by a step or a leap, or not. Parallel fifths are known by these.

    Args:
        track: its number.
        others: theirs.
        last: int32 [N, K], what sounded in the step before.
        now: int32 [N, K], what sounds in this one; where nothing is known yet, what sounded before.
    """
    own, before, after = last[:, track, tf.newaxis], tf.gather(last, others, axis=1), tf.gather(now, others, axis=1)
    interval = tf.where((own < PITCHES) & (before < PITCHES), (own - before) % 12, 12)
    moved = tf.where((before < PITCHES) & (after < PITCHES), after - before, 0)
    kind = tf.where(moved > 0, tf.where(moved > 2, 2, 1), tf.where(moved < 0, tf.where(moved < -2, 4, 3), 0))
    return interval * 5 + kind


@tf.custom_gradient
def _moved(rows: tf.Tensor, from_place: tf.Tensor, to_place: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Entries of rows [N, M] at new places: entry `from_place` int32 [N, L] of a row, 0 where it has none.

    `to_place` int32 [N, M] is the place of each entry. It saves the gradient from adding up entry by entry.
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None, None]:
        return _picked(upstream, to_place), None, None

    return _picked(rows, from_place), gradient


def _picked(rows: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    inside = (places >= 0) & (places < rows.shape[-1])
    found = tf.gather(rows, tf.clip_by_value(places, 0, rows.shape[-1] - 1), batch_dims=1)
    return tf.where(inside, found, tf.zeros((), rows.dtype))
