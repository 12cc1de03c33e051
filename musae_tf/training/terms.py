"""What the autoencoder's player pays for besides wrong notes: the terms that make one system differ from another."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from musae_tf.config import Config
from musae_tf.models import MusAE
from musae_tf.models.losses import binary_cross_entropy, divergence, sliced_wasserstein
from musae_tf.models.order import order_of
from musae_tf.training.noise import Noise

# Every so many rows of a batch the genre is read back from a draw: it costs a decoding and an encoding.
_READ_BACK = 4


class Turn(NamedTuple):
    """What the autoencoder's player sees of its turn; b rows of this replica."""

    model: MusAE
    noise: Noise
    tokens: tf.Tensor
    """int32 [b, T, K]."""
    genre: tf.Tensor
    """int32 [b]."""
    label: tf.Tensor
    """One-hot float32 [b, G]."""
    mean: tf.Tensor
    """Posterior means, float32 [b, D]."""
    deviation: tf.Tensor
    """Their standard deviations, float32 [b, D]."""
    latent: tf.Tensor
    """Draws from the posteriors, float32 [b, D]."""

    def prior_codes(self) -> tf.Tensor:
        """Draws from the prior of the phrases' genres, float32 [b, D]: the same for all terms."""
        return self.noise.rows(self.model.target.sample(self.noise.all_genres, self.noise.seed("prior")))


class Term(NamedTuple):
    """A term of the loss."""

    name: str
    """Of its metric."""
    weight: float | None
    """None for the weight of the step, `regularisation.points`."""
    value: Callable[[Turn], tf.Tensor]
    """float32 [b], or a scalar that every row shares."""


def terms_of(config: Config) -> list[Term]:
    """The terms of a system."""
    regularisation, kind = config.regularisation, config.model.kind
    scheduled = {
        "musae_gm": ("adversarial", _adversarial),
        "musae": ("adversarial", _adversarial),
        "vae": ("divergence", _divergence_above(regularisation.free_bits)),
        "cvae": ("divergence", _divergence_above(regularisation.free_bits)),
    }
    terms = [Term(scheduled[kind][0], None, scheduled[kind][1])] if kind in scheduled else []
    if kind == "musae":
        terms.append(Term("style", config.style.supervision, _style))
    terms += [
        Term("infomax", regularisation.infomax, _style_infomax if kind == "musae" else _genre_infomax),
        Term("order", regularisation.order, _order),
        Term("divergence", regularisation.divergence, _divergence_above(0.0)),
        Term("sliced_wasserstein", regularisation.sliced_wasserstein, _sliced_wasserstein),
    ]
    return [term for term in terms if term.weight is None or term.weight > 0]


def _adversarial(turn: Turn) -> tf.Tensor:
    """The critics' estimate of the distance between posterior and prior, up to what the player cannot change."""
    model, label = turn.model, turn.label
    value = -tf.add_n([critic(turn.latent[:, critic.axes], label) for critic in model.critics])
    if model.target.trainable_variables:
        codes = turn.prior_codes()
        value += tf.add_n([critic(codes[:, critic.axes], label) for critic in model.critics])
    return value


def _divergence_above(free_bits: float) -> Callable[[Turn], tf.Tensor]:
    def value(turn: Turn) -> tf.Tensor:
        nats = turn.model.divergence(turn.mean, turn.deviation, turn.genre)
        return divergence(nats, turn.model.steps, free_bits)

    return value


def _style(turn: Turn) -> tf.Tensor:
    return binary_cross_entropy(turn.label, turn.mean[:, : turn.model.style])


def _style_infomax(turn: Turn) -> tf.Tensor:
    """The encoder must read the style back from what the decoder makes of it (Valenti et al. 2020)."""
    read = turn.model.encode_expected(turn.model.decoder(turn.prior_codes(), training=True))
    return binary_cross_entropy(turn.label, read[:, : turn.model.style])


def _genre_infomax(turn: Turn) -> tf.Tensor:
    """The same for a prior without a style: the genre is read from where the code comes to lie."""
    codes, genre = turn.prior_codes()[::_READ_BACK], turn.genre[::_READ_BACK]
    read = turn.model.encode_expected(turn.model.decoder(codes, training=True))
    logits = turn.model.target.genre_logits(read)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=genre, logits=logits))


def _order(turn: Turn) -> tf.Tensor:
    """Properties of each track must be linear in the code (in Pati and Lerch 2020 they must rise along one axis)."""
    values, known = order_of(turn.tokens, turn.model.kits)
    read = tf.reshape(turn.model.order(turn.latent), tf.shape(values))
    return tf.reduce_sum(known * tf.square(read - values), axis=[1, 2]) / tf.reduce_sum(known, axis=[1, 2])


def _sliced_wasserstein(turn: Turn) -> tf.Tensor:
    """Sorting needs the rows of all replicas."""
    noise, genres = turn.noise, turn.label.shape[-1]
    prior_codes = turn.model.target.sample(noise.all_genres, noise.seed("prior"))
    label = tf.one_hot(noise.all_genres, genres, dtype=tf.float32)
    return sliced_wasserstein(noise.all_rows(turn.latent), prior_codes, label, noise.seed("directions"))
