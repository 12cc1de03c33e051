"""Codes for the windows of a new piece, drawn in the graph by `musae_tf.latent.form`."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from musae_tf.latent.form import LAGS, Form
from musae_tf.models.prior import GenrePrior
from musae_tf.music.repeats import SECTION


class FormDraws:
    """Draws of a fitted form for what a prior gives to make music of.

    Every row draws its piece from the beginning to its own window, so that a row depends on nothing but its inputs. No
    row takes more than SECTION steps.

    Args:
        form: the form.
        prior: where single codes are drawn from.
    """

    def __init__(self, form: Form, prior: GenrePrior):
        drawn = prior.drawn(tf.range(prior.genres))
        axes = form.song.shape[0]
        song, following, own = form.song.astype(np.float64), form.following.astype(np.float64), np.eye(axes)
        self._mean = tf.constant(drawn.mean())
        self._scale = _root(drawn.covariance().numpy())
        self._song, self._own = _constant(song.T), _root(own - song @ song.T)
        self._following, self._new = _constant(following.T), _root(own - following @ following.T)
        self._place, self._goes_on = tf.constant(form.place), tf.constant(form.goes_on)
        # Chances of the lags added up: a number below the first is lag 1.
        self._starts = _constant(np.cumsum(form.starts, axis=1))
        self._axes = axes

    def __call__(
        self, genre: tf.Tensor, window: tf.Tensor, windows: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The code of one window of a piece, and the window that it repeats.

        Args:
            genre: int32 [B].
            window: int32 [B], its number, from 0 to SECTION - 1.
            windows: int32 [B], how many the piece has: the last one ends it.
            seed: int32 [B, 2], of the piece: the same for all its windows.

        Returns:
            float32 [B, D], and int32 [B]: an earlier window, or `window` itself if it repeats none.
        """
        noise, chances = self._noise(seed), self._chances(seed)
        rows = tf.shape(genre)[0]
        starts, goes_on = tf.gather(self._starts, genre), tf.gather(self._goes_on, genre)

        def step(now: tf.Tensor, past: tf.Tensor, lag: tf.Tensor, own: tf.Tensor, found: tf.Tensor) -> tuple:
            chance, kept = chances[:, now, 0], (lag > 0) & (chances[:, now, 1] < goes_on)
            begun = 1 + tf.reduce_sum(tf.cast(starts <= chance[:, tf.newaxis], tf.int32), axis=-1)
            begun = tf.where(begun <= tf.minimum(now, LAGS), begun, 0)
            lag = tf.where(kept, lag, begun)
            new = tf.matmul(past[:, 0], self._following) + tf.matmul(noise[:, now], self._new)
            new = tf.where(now == 0, noise[:, 0], new)
            again = tf.gather(past, tf.maximum(lag - 1, 0), batch_dims=1)
            code = tf.where(lag[:, tf.newaxis] > 0, again, new)
            here = window == now
            own, found = tf.where(here[:, tf.newaxis], code, own), tf.where(here, lag, found)
            return now + 1, tf.concat([code[:, tf.newaxis], past[:, :-1]], axis=1), lag, own, found

        none, nothing = tf.zeros([rows], tf.int32), tf.zeros([rows, self._axes])
        *_, own, lag = tf.while_loop(
            lambda now, *_: now <= tf.reduce_max(window),
            step,
            (tf.constant(0), tf.zeros([rows, LAGS, self._axes]), none, nothing, none),
            maximum_iterations=SECTION,
        )
        # What the numbers of the song are made of is the step that no window has.
        common = tf.matmul(noise[:, SECTION, : self._song.shape[0]], self._song)
        code = common + tf.matmul(own, self._own) + self._shift(genre, window, windows)
        scale, mean = tf.gather(self._scale, genre), tf.gather(self._mean, genre)
        return mean + tf.linalg.matvec(scale, code), window - lag

    def _shift(self, genre: tf.Tensor, window: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
        first, last = (tf.gather(place, genre) for place in tf.unstack(self._place))
        at_end = (window > 0) & (window == windows - 1)
        return tf.where(window[:, tf.newaxis] == 0, first, 0.0) + tf.where(at_end[:, tf.newaxis], last, 0.0)

    def _noise(self, seed: tf.Tensor) -> tf.Tensor:
        shape = [SECTION + 1, self._axes]
        return _by_row(lambda row: tf.random.stateless_normal(shape, tf.random.fold_in(row, 0)), seed)

    def _chances(self, seed: tf.Tensor) -> tf.Tensor:
        return _by_row(lambda row: tf.random.stateless_uniform([SECTION, 2], tf.random.fold_in(row, 1)), seed)


def _by_row(draw: Callable[[tf.Tensor], tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
    return tf.map_fn(draw, seed, fn_output_signature=tf.float32)


def _constant(array: np.ndarray) -> tf.Tensor:
    return tf.constant(array.astype(np.float32))


def _root(covariance: np.ndarray) -> tf.Tensor:
    """Symmetric square roots of float [..., D, D]."""
    values, vectors = np.linalg.eigh(covariance.astype(np.float64))
    return _constant((vectors * np.sqrt(np.maximum(values, 0.0))[..., np.newaxis, :]) @ vectors.swapaxes(-1, -2))
