"""The importance-weighted bound on the log-likelihood of music (Burda, Grosse and Salakhutdinov 2016, equation 8).

log p(x) >= E log (1/S) sum_s w_s with w_s = p(x | z_s) p(z_s) / q(z_s | x) and z_s from q(z | x): for S = 1 it is the
evidence lower bound, the closer to log p(x) the more draws there are. Here p(z) is the Gaussian of the genre as fitted
to the codes of the training part, q the encoder, and p(x | z) the decoder at temperature 1 after the music's own
symbols, none of them damaged, with the draft counted as in training. What stands before a window is given: its symbols
are in the decoder's history and add nothing, and the bound is one on the probability of what follows.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from musae_tf.models import MusAE
from musae_tf.models.symbols import Known
from musae_tf.music.known import FREE, KNOWN
from studies.jsb.windows import Windows

_TOGETHER = 512


class Bound(NamedTuple):
    """The bound on a part, in nats; lower is better.

    Attributes:
        nats: sum over the chorales of minus the bound, float64 [chorales].
        steps: int64 [chorales].
        variance: of each of `nats` over draws of the codes.
        samples: S.
        effective: effective draws of each window, (sum w)^2 / sum w^2, float64 [windows].
        evidence: sum over all windows of the negative evidence lower bound, from the same draws.
        divergence: of that, the part that the codes cost: log q - log p, from the same draws.
    """

    nats: np.ndarray
    steps: np.ndarray
    variance: np.ndarray
    samples: int
    effective: np.ndarray
    evidence: float
    divergence: float

    def facts(self) -> dict[str, float | int]:
        """As plain numbers, most of them a step."""
        total, mean = self.steps.sum(), self.nats.sum() / self.steps.sum()
        count = len(self.steps)
        # Of a ratio of sums, by its linear terms (Cochran 1977, equation 6.13).
        spread = np.sqrt(np.sum((self.nats - mean * self.steps) ** 2) * count / max(count - 1, 1)) / total
        return {
            "nats_per_step": float(mean),
            "standard_error_of_draws": float(np.sqrt(self.variance.sum()) / total),
            "standard_error_over_chorales": float(spread),
            "nats_per_voice_and_step": float(mean / 4),
            "evidence_lower_bound_nats_per_step": float(self.evidence / total),
            "divergence_nats_per_step": float(self.divergence / total),
            "samples": self.samples,
            "effective_samples_median": float(np.median(self.effective)),
            "effective_samples_least": float(self.effective.min()),
            "chorales": count,
            "windows": len(self.effective),
            "steps": int(total),
        }


def bound(model: MusAE, music: Windows, samples: int, seed: int, known: bool = False) -> Bound:
    """The bound for windows of music of the model's first genre.

    Args:
        model: with an autoregressive decoder and a fitted prior.
        music: what to look at.
        samples: S.
        seed: of the codes.
        known: whether the decoder is told the context beforehand as well, as symbols that are given.
    """
    log_weights, costs = [], []
    for weights, cost in _each(model, music, samples, seed, known):
        log_weights.append(weights)
        costs.append(cost)
    table = np.stack(log_weights)
    values, variances, effective = combined(table)
    chorales = int(music.chorale.max()) + 1
    return Bound(
        nats=-np.bincount(music.chorale, values, chorales),
        steps=music.steps,
        variance=np.bincount(music.chorale, variances, chorales),
        samples=samples,
        effective=effective,
        evidence=-float(table.mean(axis=1).sum()),
        divergence=float(np.stack(costs).mean(axis=1).sum()),
    )


def combined(log_weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logarithms of weights, float [N, S], to the bounds, their variances over draws and effective draws, [N] each.

    The variance is that of the logarithm of a mean to first order, var(w) / (S mean(w)^2).
    """
    samples = log_weights.shape[1]
    highest = log_weights.max(axis=1, keepdims=True)
    weights = np.exp(log_weights - highest)
    mean = weights.mean(axis=1)
    variance = weights.var(axis=1, ddof=1) / (samples * mean**2) if samples > 1 else np.zeros(len(mean))
    effective = weights.sum(axis=1) ** 2 / np.square(weights).sum(axis=1)
    return highest[:, 0] + np.log(mean), variance, effective


def _each(
    model: MusAE, music: Windows, samples: int, seed: int, known: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The log w and the log q - log p of every draw, for each window: float64 [S] each."""
    width = min(samples, _TOGETHER)
    some = _graph(model, width, known)
    for number, (tokens, _, context, counted) in enumerate(zip(*music, strict=True)):
        noise = np.random.default_rng([seed, number]).standard_normal((samples, model.latent), np.float32)
        found = []
        for first in range(0, samples, width):
            # The last ones are filled up, so that there is one graph.
            part = np.resize(noise[first : first + width], (width, model.latent))
            pair = some(tokens[np.newaxis], context[np.newaxis], counted[np.newaxis], part)
            found.append(np.stack([numbers.numpy() for numbers in pair])[:, : samples - first])
        weights, cost = np.concatenate(found, axis=1).astype(np.float64)
        yield weights, cost


@lru_cache(maxsize=2)
def _graph(model: MusAE, width: int, known: bool) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """The same for some draws of one window, float32 [width] each."""

    @tf.function
    def some(
        tokens: tf.Tensor, context: tf.Tensor, counted: tf.Tensor, noise: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        mean, deviation = model.encode(tokens)
        codes = mean + deviation * noise
        cost = tfd.MultivariateNormalDiag(mean, deviation).log_prob(codes)
        cost -= model.prior.component(tf.zeros([width], tf.int32)).log_prob(codes)
        rows = tf.repeat(tokens, width, axis=0)
        levels = tf.where(tf.repeat(context[..., tf.newaxis], tokens.shape[-1], -1), KNOWN, FREE)
        given = Known(rows, tf.repeat(levels, width, axis=0))
        logits, _ = model.decoder.taught(codes, rows, given if known else None)
        nats = tf.add_n(
            [
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=rows[..., track], logits=of_track)
                for track, of_track in enumerate(logits)
            ]
        )
        return -tf.reduce_sum(tf.where(counted, nats, 0.0), axis=1) - cost, cost

    return some
