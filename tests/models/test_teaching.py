"""What a decoder that listens to itself is shown of a phrase."""

import numpy as np
import tensorflow as tf

from musae_tf.models.noise import Noise
from musae_tf.models.teaching import PARTIAL, known_parts, lesson_of
from musae_tf.music.known import FREE, KNOWN

ROWS, STEPS, TRACKS, BEATS = 2000, 8, 4, 4
SIZES = (130,) * TRACKS


def noise() -> Noise:
    return Noise(1, tf.constant(0, tf.int64), tf.zeros([ROWS], tf.int32))


def phrases() -> tf.Tensor:
    return tf.constant(np.random.default_rng(0).integers(0, 130, (ROWS, STEPS, TRACKS)), tf.int32)


def test_parts_are_tracks_and_beats_that_follow_each_other():
    known = known_parts(phrases(), noise(), BEATS, True).levels.numpy()
    assert set(np.unique(known)) == {FREE, KNOWN}
    hidden = known[::PARTIAL] == FREE
    of_tracks, of_steps = hidden.any(axis=1), hidden.any(axis=2)
    # Whatever is hidden is hidden in the same tracks at each of its steps.
    np.testing.assert_array_equal(hidden, of_tracks[:, np.newaxis] & of_steps[:, :, np.newaxis])
    of_beats = of_steps.reshape(-1, BEATS, STEPS // BEATS)
    assert (of_beats.all(axis=2) == of_beats.any(axis=2)).all()
    beats = of_beats.any(axis=2).astype(int)
    assert (np.abs(np.diff(np.pad(beats, [(0, 0), (1, 1)]), axis=1)).sum(axis=1) <= 2).all()
    whole_tracks, whole_beats = of_steps.all(axis=1), of_tracks.all(axis=1)
    assert (whole_tracks & ~whole_beats).mean() > 0.2
    assert (whole_beats & ~whole_tracks).mean() > 0.2
    assert (~whole_beats & ~whole_tracks).mean() > 0.1
    for place in range(BEATS):
        assert 0.2 < beats[:, place].mean() < 0.9


def test_of_most_phrases_nothing_is_known():
    for partial in (True, False):
        some = (known_parts(phrases(), noise(), BEATS, partial).levels.numpy() == KNOWN).any(axis=(1, 2))
        assert 0.05 < np.delete(some, np.s_[::PARTIAL]).mean() < 0.2
        assert (some[::PARTIAL].mean() > 0.8) == partial


def test_codes_of_parts_stand_in_their_rows_and_get_no_gradient():
    known = known_parts(phrases(), noise(), BEATS, True)
    latent, of_parts = tf.zeros([ROWS, 3]), 7.0 + tf.reshape(tf.range(ROWS // PARTIAL, dtype=tf.float32), [-1, 1])
    of_parts = tf.Variable(tf.tile(of_parts, [1, 3]))
    with tf.GradientTape() as tape:
        lesson = lesson_of(latent, known, SIZES, noise(), of_parts)
        total = tf.reduce_sum(lesson.latent)
    np.testing.assert_array_equal(lesson.latent[::PARTIAL], of_parts)
    assert np.abs(np.delete(lesson.latent.numpy(), np.s_[::PARTIAL], axis=0)).max() < 100
    noisy = lesson.noisy.numpy()
    assert (noisy[::PARTIAL] == -1).all()
    assert set(np.delete(noisy, np.s_[::PARTIAL])) == {0.0, 1.0}
    assert tape.gradient(total, of_parts) is None
    given = known.levels.numpy() == KNOWN
    np.testing.assert_array_equal(lesson.history.numpy()[given], known.tokens.numpy()[given])
    np.testing.assert_array_equal(lesson.free.numpy() == 0, given)
