"""A code for a phrase of which a part is known: what the encoder reads there, and the rest from a genre's prior."""

import tensorflow as tf

from musae_tf.models.prior import GenrePrior

# How many times wider, in its variance, what was read is taken to be with a genre that was asked for, and how much
# further from the mean of all genres that one is.
_WIDER, _FURTHER = 5.0, 1.5
# Least precision of what was read: an axis may say nothing.
_NOTHING = 1e-4

TRUST = 0.0
"""How far the decoder should trust such codes: what it hears around it says more."""


def code_of_part(
    prior: GenrePrior,
    mean: tf.Tensor,
    deviation: tf.Tensor,
    genre: tf.Tensor,
    asked: tf.Tensor,
    draw: tf.Tensor,
    noise: tf.Tensor,
) -> tf.Tensor:
    """Draw codes from the prior of a genre as far as what was read of a part leaves them open, float32 [B, D].

    A posterior holds what all codes are like besides what was read: N(mean, deviation^2) is divided by the Gaussian of
    all genres, axis by axis. What is left is an observation of the code, and a draw of the genre is moved to agree with
    it: z + C (C + R)^-1 (o - z), C the genre's covariance, o a draw of the observation and R its variances (Matheron's
    rule; Wilson et al. 2020, section 3). So axes that were not read follow those that were as they do in the genre.

    Args:
        prior: whose genres they are.
        mean: float32 [B, D], the posterior of the part.
        deviation: float32 [B, D], its standard deviation.
        genre: int32 [B].
        asked: bool [B], whether the genre is wanted rather than read from the part. What was read counts less then, and
            the genre lies further out.
        draw: float32 [B, D], draws of the genre.
        noise: float32 [B, D], standard normal.
    """
    every = tf.range(prior.genres)
    of_all, of_genres = prior.component(every), prior.drawn(every)
    centre = tf.reduce_mean(of_all.mean(), axis=0)
    spread = tf.reduce_mean(of_all.variance() + tf.square(of_all.mean() - centre), axis=0)
    precision = tf.maximum(1.0 / tf.square(deviation) - 1.0 / spread, _NOTHING)
    seen = (mean / tf.square(deviation) - centre / spread) / precision
    wide = tf.where(asked, _WIDER, 1.0)[:, tf.newaxis] / precision
    outward = tf.gather(of_genres.mean(), genre) - centre
    draw += tf.where(asked, _FURTHER - 1.0, 0.0)[:, tf.newaxis] * outward
    covariance = tf.gather(of_genres.covariance(), genre)
    missed = seen + tf.sqrt(wide) * noise - draw
    solved = tf.linalg.cholesky_solve(
        tf.linalg.cholesky(tf.linalg.set_diag(covariance, tf.linalg.diag_part(covariance) + wide)),
        missed[..., tf.newaxis],
    )
    return draw + tf.matmul(covariance, solved)[..., 0]
