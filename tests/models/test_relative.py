"""What a decoder is told of scales and of motion: the same in every key, step by step as for a whole phrase."""

import numpy as np
import pytest
import tensorflow as tf

from musae_tf.models.relative import (
    HIDDEN,
    MOTIONS,
    SILENT,
    from_each_class,
    heard_classes,
    heard_classes_next,
    motion,
    over_octaves,
    profiles,
)


@pytest.fixture(scope="module")
def pitches() -> np.ndarray:
    """What sounds, int32 [B, T, K], here and there nothing or what is not known."""
    rng = np.random.default_rng(3)
    pitches = rng.integers(40, 80, (5, 12, 3))
    pitches[rng.random(pitches.shape) < 0.2] = SILENT
    pitches[rng.random(pitches.shape) < 0.1] = HIDDEN
    return pitches.astype(np.int32)


def test_what_was_heard_grows_step_by_step(pitches):
    heard = heard_classes(tf.constant(pitches))
    np.testing.assert_array_equal(heard[:, 0], 0)
    now = heard[:, 0]
    for step in range(pitches.shape[1] - 1):
        now = heard_classes_next(now, tf.constant(pitches[:, step]))
        np.testing.assert_allclose(now, heard[:, step + 1], atol=1e-5)
    first = pitches[0, :-1]
    counted = np.bincount(first[first < SILENT] % 12, minlength=12)
    np.testing.assert_allclose(heard[0, -1, 0], counted, atol=1e-5)
    assert (profiles(now).numpy().sum(axis=-1) < 1).all()


def test_pitch_classes_see_each_other_alike_in_every_key(pitches):
    moved = np.where(pitches < SILENT, pitches + 5, pitches)
    seen, moved_seen = (from_each_class(heard_classes(tf.constant(some))[:, -1]).numpy() for some in (pitches, moved))
    assert seen.shape == (5, 12, 24)
    np.testing.assert_allclose(np.roll(seen, 5, axis=1), moved_seen, atol=1e-5)
    # Of the class itself first, then of those above it.
    np.testing.assert_allclose(seen[:, 2, 3], heard_classes(tf.constant(pitches))[:, -1, 0, 5], atol=1e-6)


def test_numbers_of_a_class_are_those_of_all_its_octaves():
    numbers = over_octaves(tf.range(24, dtype=tf.float32)[tf.newaxis, 12:])
    np.testing.assert_array_equal(numbers[0], 12 + np.arange(128) % 12)


def test_motion_is_how_voices_stood_and_where_the_others_went():
    last = tf.constant([[60, 67, 48], [60, 67, 48], [60, SILENT, 48], [64, 60, HIDDEN]], tf.int32)
    now = tf.constant([[60, 69, 43], [60, 67, 49], [60, 70, 36], [64, 59, 50]], tf.int32)
    # A fifth below a voice that went up by a step, an octave above one that fell by a leap.
    expected = [[5 * 5 + 1, 0 * 5 + 4], [5 * 5, 0 * 5 + 1], [12 * 5, 0 * 5 + 4], [4 * 5 + 3, 12 * 5]]
    found = motion(0, [1, 2], last, now)
    np.testing.assert_array_equal(found, expected)
    in_another_key = motion(0, [1, 2], *(tf.where(some < SILENT, some + 7, some) for some in (last, now)))
    np.testing.assert_array_equal(found, in_another_key)
    assert found.numpy().max() < MOTIONS
