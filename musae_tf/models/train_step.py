"""The losses of both players and one train step, top to bottom as in the paper."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from musae_tf.config import Config
from musae_tf.models.musae import MusAE
from musae_tf.models.noise import Noise
from musae_tf.models.optimizer import Player, SummedAdam
from musae_tf.models.tokens import order_of

# Of the sliced Wasserstein distance: how many directions, and how far genres are moved apart, in units of the code.
_DIRECTIONS, _SHIFT = 256, 3.0


def reconstruction(logits: Sequence[tf.Tensor], tokens: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of each phrase in nats: mean over the T steps, summed over the K tracks.

    Args:
        logits: K tensors float32 [B, T, V_k].
        tokens: int32 [B, T, K].

    Returns:
        float32 [B].
    """
    tracks = [
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tokens[..., track], logits=track_logits)
        for track, track_logits in enumerate(logits)
    ]
    return tf.add_n([tf.reduce_mean(track, axis=-1) for track in tracks])


def critic_gap(prior_scores: tf.Tensor, posterior_scores: tf.Tensor) -> tf.Tensor:
    """Estimate of the Wasserstein distance from paired critic scores, float32 [B] each (Arjovsky et al. 2017, eq. 2).

    The critic makes it large; the encoder, through its posterior scores, makes it small.
    """
    return prior_scores - posterior_scores


def gradient_penalty(
    critic: Callable[[tf.Tensor], tf.Tensor], prior_codes: tf.Tensor, posterior_codes: tf.Tensor, mix: tf.Tensor
) -> tf.Tensor:
    """(|grad D| - 1)^2 at random points between prior and posterior codes (Gulrajani et al. 2017, section 4).

    Args:
        critic: codes [B, D] to scores [B], the genre already bound.
        prior_codes: float32 [B, D].
        posterior_codes: float32 [B, D].
        mix: float32 [B, 1], uniform in 0..1.

    Returns:
        float32 [B].
    """
    between = posterior_codes + mix * (prior_codes - posterior_codes)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(between)
        scores = critic(between)
    gradient = tape.gradient(scores, between)
    # The small constant keeps the derivative of the root finite where the gradient vanishes.
    return tf.square(tf.sqrt(tf.reduce_sum(tf.square(gradient), axis=-1) + 1e-12) - 1.0)


def divergence(nats: tf.Tensor, steps: int, free_bits: float = 0.0) -> tf.Tensor:
    """The KL term of a variational autoencoder on the scale of `reconstruction`: with weight 1 their sum is the
    negative evidence lower bound (Kingma and Welling 2014, equation 10) divided by the steps.

    Args:
        nats: float32 [B], KL divergence of each posterior to the prior.
        steps: T.
        free_bits: what costs nothing, per phrase, as in MusicVAE (Roberts et al. 2018).

    Returns:
        float32 [B].
    """
    return tf.maximum(nats - free_bits * math.log(2.0), 0.0) / steps


def binary_cross_entropy(label: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of styles 0..1 to labels, mean over the genres: float32 [B, G] each to float32 [B]."""
    style = tf.clip_by_value(style, 1e-7, 1.0 - 1e-7)
    return -tf.reduce_mean(label * tf.math.log(style) + (1.0 - label) * tf.math.log(1.0 - style), axis=-1)


def sliced_wasserstein(codes: tf.Tensor, prior_codes: tf.Tensor, label: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Squared sliced Wasserstein distance between codes and draws of the prior, genre by genre.

    Mean over random directions of the squared distance in one dimension, which sorting gives (Kolouri et al. 2019).
    Along each direction every genre is shifted by a random amount, the same on both sides, so that the
    joint distributions of code and genre are compared and not only the codes of all genres together.

    Args:
        codes: float32 [B, D].
        prior_codes: float32 [B, D], of the same genres, row by row.
        label: one-hot float32 [B, G].
        seed: int [2].

    Returns:
        float32 scalar.
    """
    seeds = tf.random.split(seed, 2)
    directions = tf.random.stateless_normal([codes.shape[-1], _DIRECTIONS], seeds[0])
    shifts = _SHIFT * tf.random.stateless_normal([label.shape[-1], _DIRECTIONS], seeds[1])
    axes, by_genre = tf.math.l2_normalize(directions, axis=0), tf.matmul(label, shifts)
    one, other = (tf.sort(tf.matmul(points, axes) + by_genre, axis=0) for points in (codes, prior_codes))
    return tf.reduce_mean(tf.square(one - other))


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


class Game:
    """A model with its players. Build it inside the scope of the strategy it will run under.

    Attributes:
        model: what is trained.
        players: by name; "autoencoder", and "critic" if the system has critics.
        metrics: names of the numbers that a step returns: means over the global batch, the norm of the gradient and
            whether any move of the step was skipped, 0 or 1.
    """

    def __init__(self, model: MusAE, config: Config):
        self.model = model
        self.config = config
        training, critic = config.training, config.critic
        self.players = {
            "autoencoder": Player(
                SummedAdam(training.learning_rate, weight_decay=training.weight_decay or None, name="autoencoder_adam"),
                model.autoencoder_variables,
                training.learning_rate,
                training.clip_norm,
                training.clip_value,
                training.skip_norm,
            )
        }
        if model.critics:
            self.players["critic"] = Player(
                SummedAdam(
                    critic.learning_rate,
                    beta_1=critic.beta_1,
                    beta_2=0.9 if critic.beta_1 == 0 else 0.999,
                    name="critic_adam",
                ),
                model.critic_variables,
                critic.learning_rate,
                skip_norm=training.skip_norm,
            )
        self._terms = terms_of(config)
        self.metrics = (
            "reconstruction",
            *(term.name for term in self._terms),
            *(f"{critic.name}{metric}" for critic in model.critics for metric in ("wasserstein", "gradient_penalty")),
            "accuracy",
            "gradient_norm",
            "skipped",
        )

    def set_learning_rates(self, share: float) -> None:
        """Scale all players' rates together, so that the balance of the game stays as configured."""
        for player in self.players.values():
            player.set_learning_rate(share)

    def step(self, tokens: tf.Tensor, genre: tf.Tensor, step: tf.Tensor, weight: tf.Tensor) -> dict[str, tf.Tensor]:
        """Play one step on this replica's rows; call it through `strategy.run`.

        Args:
            tokens: int32 [b, T, K], this replica's rows of the global batch.
            genre: int32 [b].
            step: int64 scalar, the number of the step; with `seed` it fixes all noise.
            weight: float32 scalar, the weight of `regularisation.points` at this step.

        Returns:
            This replica's share of each of `metrics`, to be summed over replicas.
        """
        noise = Noise(self.config, step, genre)
        label = tf.one_hot(genre, len(self.model.genres), dtype=tf.float32)
        player, parts = self.players["autoencoder"], self.config.training.accumulate
        numbers, usable = {}, tf.constant(True)
        if parts == 1:
            with tf.GradientTape() as tape:
                mean, deviation = self._posterior(tokens, noise, step)
                with tape.stop_recording():
                    # The encoder stands still during the critics' moves, so one encoding serves them all.
                    numbers, usable = self._critic_moves(mean, deviation, label, noise)
                loss, own = self._autoencoder_loss(tokens, genre, label, mean, deviation, noise, weight)
            gradients = player.gradients(tape, loss)
        else:
            if self.model.critics:
                numbers, usable = self._critic_moves(*self._posterior(tokens, noise, step), label, noise)
            gradients, own = self._accumulated(tokens, genre, label, noise, step, weight, parts)
        norm, moved = player.move(gradients)
        numbers |= own
        replicas = tf.distribute.get_replica_context().num_replicas_in_sync
        numbers["gradient_norm"] = norm / replicas
        numbers["skipped"] = tf.cast(~(usable & moved), tf.float32) / replicas
        return {name: numbers[name] for name in self.metrics}

    def _posterior(self, tokens: tf.Tensor, noise: Noise, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self.model.encode(self._noisy(tokens, noise), training=True, floor=self._floor(step))

    def _autoencoder_loss(
        self, tokens, genre, label, mean, deviation, noise: Noise, weight: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """What some rows of this replica add to the loss and to the metrics."""
        model = self.model
        latent = mean + deviation * noise.normal("autoencoder", model.latent)
        logits = model.decoder(latent, training=True)
        rebuilt = reconstruction(logits, tokens)
        turn = Turn(model, noise, tokens, genre, label, mean, deviation, latent)
        values = {term.name: term.value(turn) for term in self._terms}
        weights = [weight if term.weight is None else term.weight for term in self._terms]
        penalties = [factor * value for factor, value in zip(weights, values.values(), strict=True)]
        hits = [tf.cast(tf.argmax(x, -1, tf.int32) == tokens[..., k], tf.float32) for k, x in enumerate(logits)]
        return self._share(sum(penalties, rebuilt)), {
            "reconstruction": self._share(rebuilt),
            **{name: self._share(value + tf.zeros_like(rebuilt)) for name, value in values.items()},
            "accuracy": self._share(tf.reduce_mean(tf.stack(hits), axis=[0, 2])),
        }

    def _accumulated(
        self, tokens, genre, label, noise: Noise, step: tf.Tensor, weight: tf.Tensor, parts: int
    ) -> tuple[list[tf.Tensor], dict[str, tf.Tensor]]:
        """Gradient and metrics of this replica's rows, worked through in parts: only one needs memory at a time."""
        player, count = self.players["autoencoder"], genre.shape[0] // parts
        names: list[str] = []

        def body(part, gradients, numbers):
            rows = slice(part * count, (part + 1) * count)
            own, own_tokens = noise.part(part * count, count), tf.ensure_shape(tokens[rows], [count, *tokens.shape[1:]])
            with tf.GradientTape() as tape:
                mean, deviation = self._posterior(own_tokens, own, step)
                loss, found = self._autoencoder_loss(own_tokens, genre[rows], label[rows], mean, deviation, own, weight)
            names[:] = found
            gradients = [old + new for old, new in zip(gradients, player.gradients(tape, loss), strict=True)]
            return part + 1, gradients, numbers + tf.stack(list(found.values()))

        zeros = [tf.zeros(variable.shape) for variable in player.variables]
        _, gradients, numbers = tf.while_loop(
            lambda part, *sums: part < parts,
            body,
            (tf.constant(0), zeros, tf.zeros(2 + len(self._terms))),
            parallel_iterations=1,
            maximum_iterations=parts,
        )
        return gradients, dict(zip(names, tf.unstack(numbers), strict=True))

    def _share(self, rows: tf.Tensor) -> tf.Tensor:
        """What float32 [b], the rows of this replica, add to the mean over the global batch: a scalar."""
        return tf.reduce_sum(rows) / self.config.training.batch_size

    def _noisy(self, tokens: tf.Tensor, noise: Noise) -> tf.Tensor:
        """The tokens with some replaced by any of their track's symbols."""
        rate, shape = self.config.training.token_noise, tokens.shape[1:]
        if not rate:
            return tokens
        others = noise.draws("tokens", tf.constant(self.model.vocabulary_sizes), *shape)
        return tf.where(noise.uniform("replaced", *shape) < rate, others, tokens)

    def _floor(self, step: tf.Tensor) -> tf.Tensor | None:
        steps = self.config.regularisation.noise_warmup_steps
        if not steps:
            return None
        return self.config.model.noise_floor * tf.minimum(tf.cast(step + 1, tf.float32) / steps, 1.0)

    def _critic_moves(self, mean, deviation, label, noise: Noise) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """All moves of the critics, if there are any: metrics of the last, and whether every one was made."""
        numbers, usable = {}, tf.constant(True)
        for move in range(self.config.critic.steps if self.model.critics else 0):
            numbers, made = self._critic_move(mean, deviation, label, noise, move)
            usable &= made
        return numbers, usable

    def _critic_move(self, mean, deviation, label, noise: Noise, move: int) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        model, numbers, player = self.model, {}, self.players["critic"]
        posterior_codes = mean + deviation * noise.normal(f"posterior {move}", model.latent)
        prior_codes = noise.rows(model.target.sample(noise.all_genres, noise.seed(f"prior {move}")))
        mix = noise.uniform(f"mix {move}", 1)
        with tf.GradientTape() as tape:
            loss = 0.0
            for critic in model.critics:
                fake, real = posterior_codes[:, critic.axes], prior_codes[:, critic.axes]
                gap = critic_gap(critic(real, label), critic(fake, label))
                penalty = gradient_penalty(lambda codes, critic=critic: critic(codes, label), real, fake, mix)
                loss += self._share(self.config.critic.gradient_penalty * penalty - gap)
                numbers[f"{critic.name}wasserstein"] = self._share(gap)
                numbers[f"{critic.name}gradient_penalty"] = self._share(penalty)
        _, made = player.move(player.gradients(tape, loss))
        return numbers, made
