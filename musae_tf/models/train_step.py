"""One train step, top to bottom as in the paper (Valenti, Carta and Bacciu 2020).

The critic's loss with its gradient penalty; the autoencoder's loss, reconstruction and the terms that make one system
differ from another; and the step, which first updates the critic and then the autoencoder. Two losses, two optimizers
and two explicit lists of variables: in one summed loss the adversarial terms of the two would cancel.

`musae train` runs it on all replicas of a job, `MusAE.fit` inside Keras. Shapes: b rows of this replica, T steps, K
tracks, D latent axes, G genres.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import tensorflow as tf

from musae_tf.config import RegularisationConfig, TrainingConfig
from musae_tf.config.schema import check_regularisation
from musae_tf.errors import ConfigError
from musae_tf.models.autoregressive import AutoregressiveDecoder
from musae_tf.models.critic import critic_gap, gradient_penalty
from musae_tf.models.noise import Noise
from musae_tf.models.optimizer import OptimizerGroup, SummedAdam, learning_rate_schedule, regularisation_weight
from musae_tf.models.prior import gaussian_divergence
from musae_tf.models.teaching import PARTIAL, known_parts, lesson_of, partial_rows
from musae_tf.models.tokens import order_of, reconstruction

if TYPE_CHECKING:
    from musae_tf.models.musae import MusAE

# Weight of the divergence of what the encoder makes of a part to what it makes of the whole.
_HIDDEN_PARTS = 0.05
# Every so many rows of a batch the genre is read back from a draw: it costs a decoding and an encoding.
_READ_BACK = 4


def critic_loss(
    model: MusAE, posterior_codes: tf.Tensor, prior_codes: tf.Tensor, label: tf.Tensor, mix: tf.Tensor, penalty: float
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """What the critics make small: the negative gap between prior and posterior scores, and the gradient penalty.

    Args:
        model: whose critics they are.
        posterior_codes: float32 [b, D], draws from the posteriors.
        prior_codes: float32 [b, D], draws from the prior of the same genres.
        label: one-hot float32 [b, G].
        mix: float32 [b, 1], uniform in 0..1.
        penalty: weight of the gradient penalty.

    Returns:
        The loss and its parts by the names of their metrics, float32 [b] each.
    """
    loss = tf.zeros_like(mix[:, 0])
    parts: dict[str, tf.Tensor] = {}
    for critic in model.critics:
        fake, real = posterior_codes[:, critic.axes], prior_codes[:, critic.axes]
        gap = critic_gap(critic(real, label), critic(fake, label))
        slope = gradient_penalty(critic.of_genres(label), real, fake, mix)
        loss += penalty * slope - gap
        parts |= {f"{critic.name}wasserstein": gap, f"{critic.name}gradient_penalty": slope}
    return loss, parts


class EncodedBatch(NamedTuple):
    """What the autoencoder's loss sees; b rows of this replica."""

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
        return self.noise.rows(self.model.draw_target(self.noise.all_genres, self.noise.seed("prior")))


class LossTerm(NamedTuple):
    """A term of the autoencoder's loss besides the reconstruction."""

    name: str
    """Of its metric."""
    weight: float | None
    """None for the weight of the step, `regularisation.weight_schedule`."""
    value: Callable[[EncodedBatch], tf.Tensor]
    """float32 [b], or a scalar that every row shares."""


def autoencoder_loss(
    batch: EncodedBatch, terms: Sequence[LossTerm], weight: tf.Tensor
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """What the autoencoder makes small: the reconstruction and the weighted terms of its system.

    Args:
        batch: phrases and their codes.
        terms: those of `terms_of`.
        weight: float32 scalar, that of the scheduled term.

    Returns:
        The loss and its parts by the names of their metrics, with the accuracy: float32 [b] each.
    """
    logits, parts = reconstructions(batch)
    rebuilt, loss = parts["reconstruction"], sum(parts.values())
    hits = [tf.cast(tf.argmax(x, -1, tf.int32) == batch.tokens[..., k], tf.float32) for k, x in enumerate(logits)]
    for term in terms:
        value = term.value(batch) + tf.zeros_like(rebuilt)
        loss += (weight if term.weight is None else term.weight) * value
        parts[term.name] = value
    return loss, {**parts, "accuracy": tf.reduce_mean(tf.stack(hits), axis=[0, 2]), "loss": loss}


def reconstructions(batch: EncodedBatch) -> tuple[Sequence[tf.Tensor], dict[str, tf.Tensor]]:
    """The logits of the phrases, and what they cost, by the names of metrics.

    An autoregressive decoder pays for its draft as well, and for telling noisy codes from others; and the encoder, if
    it reads music with hidden parts, for what it makes of such.
    """
    model, decoder, latent, noise = batch.model, batch.model.decoder, batch.latent, batch.noise
    if not isinstance(decoder, AutoregressiveDecoder):
        logits = model.logits(latent, training=True)
        return logits, {"reconstruction": reconstruction(logits, batch.tokens)}
    partial = model.config.model.hidden_parts
    known, of_parts, parts = known_parts(batch.tokens, noise, decoder.beats, partial), None, {}
    if partial:
        some = partial_rows(noise)
        mean, deviation = model.encode(tf.gather(known.seen(decoder.vocabulary_sizes), some), training=True)
        of_whole, its_deviation = (tf.stop_gradient(tf.gather(part, some)) for part in (batch.mean, batch.deviation))
        missed = gaussian_divergence(of_whole, its_deviation, mean, deviation)
        missed *= PARTIAL * _HIDDEN_PARTS / model.steps
        parts["hidden_parts"] = tf.tensor_scatter_nd_add(tf.zeros_like(latent[:, 0]), some[:, tf.newaxis], missed)
        of_parts = mean + deviation * tf.gather(noise.normal("parts", model.latent), some)
    lesson = lesson_of(latent, known, decoder.vocabulary_sizes, noise, of_parts)
    logits, drafted = decoder.taught(lesson.latent, lesson.history, lesson.known, training=True)
    rebuilt, draft = (reconstruction(found, batch.tokens, lesson.free) for found in (logits, drafted))
    told = tf.nn.sigmoid_cross_entropy_with_logits(tf.nn.relu(lesson.noisy), decoder.noisy(lesson.latent))
    draft += tf.where(lesson.noisy < 0.0, 0.0, told)
    return logits, {"reconstruction": rebuilt, "draft": draft, **parts}


def terms_of(model: MusAE, regularisation: RegularisationConfig) -> list[LossTerm]:
    """The terms of a model's loss."""
    kind = model.config.model.kind
    terms = []
    if model.critics:
        terms.append(LossTerm("adversarial", None, adversarial))
    if kind in ("vae", "cvae"):
        terms.append(LossTerm("divergence", None, divergence))
    if kind == "musae":
        terms.append(LossTerm("style", model.config.style.supervision, style))
    terms += [
        LossTerm("infomax", regularisation.infomax, style_infomax if kind == "musae" else genre_infomax),
        LossTerm("order", regularisation.order, order),
        # Beside the critic, which leaves the size of single codes alone.
        LossTerm("divergence", regularisation.divergence, divergence),
    ]
    return [term for term in terms if term.weight is None or term.weight > 0]


def adversarial(batch: EncodedBatch) -> tf.Tensor:
    """The critics' estimate of the distance between posterior and prior, up to what the autoencoder cannot change."""
    model, label = batch.model, batch.label
    value = -tf.add_n([critic(batch.latent[:, critic.axes], label) for critic in model.critics])
    if model.target is not None and model.target.trainable_variables:
        codes = batch.prior_codes()
        value += tf.add_n([critic(codes[:, critic.axes], label) for critic in model.critics])
    return value


def divergence(batch: EncodedBatch) -> tf.Tensor:
    """The KL term on the scale of `reconstruction`: with weight 1 their sum is the negative evidence lower bound
    (Kingma and Welling 2014, equation 10) divided by the steps.
    """
    return batch.model.divergence(batch.mean, batch.deviation, batch.genre) / batch.model.steps


def style(batch: EncodedBatch) -> tf.Tensor:
    """Cross-entropy of the styles that are read from the phrases to their genres."""
    return binary_cross_entropy(batch.label, batch.mean[:, : batch.model.style])


def style_infomax(batch: EncodedBatch) -> tf.Tensor:
    """The encoder must read the style back from what the decoder makes of it (Valenti et al. 2020)."""
    read = batch.model.encode_expected(batch.model.logits(batch.prior_codes(), training=True))
    return binary_cross_entropy(batch.label, read[:, : batch.model.style])


def genre_infomax(batch: EncodedBatch) -> tf.Tensor:
    """The same for a prior without a style: the genre is read from where the code comes to lie."""
    codes, genre = batch.prior_codes()[::_READ_BACK], batch.genre[::_READ_BACK]
    read = batch.model.encode_expected(batch.model.logits(codes, training=True))
    assert batch.model.target is not None  # a system with a critic that sees the genre has one
    logits = batch.model.target.genre_logits(read)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=genre, logits=logits))


def order(batch: EncodedBatch) -> tf.Tensor:
    """Properties of each track must be linear in the code (in Pati and Lerch 2020 they must rise along one axis)."""
    values, known = order_of(batch.tokens, batch.model.vocabulary_sizes)
    assert batch.model.order is not None  # TrainStep has seen to it
    read = tf.reshape(batch.model.order(batch.latent), tf.shape(values))
    return tf.reduce_sum(known * tf.square(read - values), axis=[1, 2]) / tf.reduce_sum(known, axis=[1, 2])


def binary_cross_entropy(label: tf.Tensor, style: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of styles 0..1 to labels, mean over the genres: float32 [b, G] each to float32 [b]."""
    style = tf.clip_by_value(style, 1e-7, 1.0 - 1e-7)
    return -tf.reduce_mean(label * tf.math.log(style) + (1.0 - label) * tf.math.log(1.0 - style), axis=-1)


class TrainStep:
    """Updates a model: some updates of the critics, if the system has critics, then one of the autoencoder.

    Build it inside the scope of the strategy it will run under.

    Args:
        model: what is trained.
        training: rates, limits and parts of a batch.
        regularisation: terms of the autoencoder's loss.
        seed: of all noise, together with the number of the step.

    Attributes:
        model, training, regularisation, seed: as given.
        groups: the optimizers with their variables; "autoencoder", and "critic" if the system has critics.
        metrics: names of the numbers of a step: means over the global batch, the norm of the gradient and whether any
            update of the step was skipped, 0 or 1.

    Raises:
        ConfigError: the system has no use for an option, or the model no head for one.
    """

    def __init__(self, model: MusAE, training: TrainingConfig, regularisation: RegularisationConfig, seed: int):
        check_regularisation(regularisation, model.config.model)
        if regularisation.order and model.order is None:
            raise ConfigError(
                f"regularisation.order is {regularisation.order}; allowed: 0 for a model built without property_head"
            )
        self.model = model
        self.training, self.regularisation, self.seed = training, regularisation, seed
        critic, skip = model.config.critic, training.skip_norm
        adam = SummedAdam(training.learning_rate, name="autoencoder_adam")
        variables, limits = model.autoencoder_variables, (training.clip_norm, training.clip_value)
        self.groups = {"autoencoder": OptimizerGroup(adam, variables, *limits, skip_norm=skip)}
        if model.critics:
            beta_2 = 0.9 if critic.beta_1 == 0 else 0.999
            adam = SummedAdam(critic.learning_rate, beta_1=critic.beta_1, beta_2=beta_2, name="critic_adam")
            self.groups["critic"] = OptimizerGroup(adam, model.critic_variables, skip_norm=skip)
        self._terms = terms_of(model, regularisation)
        self._rate = learning_rate_schedule(training)
        further = ["draft"] if isinstance(model.decoder, AutoregressiveDecoder) else []
        further += ["hidden_parts"] if model.config.model.hidden_parts else []
        self._parts = ("reconstruction", *further, *(term.name for term in self._terms))
        self.metrics = (
            *self._parts,
            *(f"{critic.name}{metric}" for critic in model.critics for metric in ("wasserstein", "gradient_penalty")),
            "accuracy",
            "gradient_norm",
            "skipped",
        )

    def reset_learning_rates(self) -> None:
        """Give the optimizers the rates of the configuration: checkpoints of version 0.1 have those of a step."""
        self.groups["autoencoder"].optimizer.learning_rate = self.training.learning_rate
        if self.model.critics:
            self.groups["critic"].optimizer.learning_rate = self.model.config.critic.learning_rate

    def schedules(self, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """At a step, an int64 scalar from 0: share of the full learning rates and weight of the scheduled term."""
        return self._rate(step + 1), regularisation_weight(self.regularisation, step)

    def __call__(
        self, tokens: tf.Tensor, genre: tf.Tensor, step: tf.Tensor, place: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Make one step with this replica's rows; call it through `strategy.run`.

        Args:
            tokens: int32 [b, T, K], this replica's rows of the global batch, as many as any other's.
            genre: int32 [b].
            step: int64 scalar, the number of the step; with the seed it fixes all noise.
            place: int64 scalar, the step at which the schedules stand; `step` if left out.

        Returns:
            This replica's share of each of `metrics` and of the "loss", to be summed over replicas.
        """
        rate, weight = self.schedules(step if place is None else place)
        noise = Noise(self.seed, step, genre)
        label = tf.one_hot(genre, len(self.model.genres), dtype=tf.float32)
        group, usable = self.groups["autoencoder"], tf.constant(True)
        numbers: dict[str, tf.Tensor] = {}
        # Not by the gradient_accumulation_steps of Keras: it counts whole train steps, each with updates of the critic.
        if self.training.accumulate == 1:
            with tf.GradientTape() as tape:
                mean, deviation = self.model.encode(tokens, training=True)
                with tape.stop_recording():
                    # The encoder stands still during the critics' updates, so one encoding serves them all.
                    numbers, usable = self._update_critics(mean, deviation, label, noise, rate)
                loss, own = self._loss(tokens, genre, label, mean, deviation, noise, weight)
            gradients = group.gradients(tape, loss)
        else:
            if self.model.critics:
                mean, deviation = self.model.encode(tokens, training=True)
                numbers, usable = self._update_critics(mean, deviation, label, noise, rate)
            gradients, own = self._accumulated(tokens, genre, label, noise, weight)
        norm, made = group.update(gradients, rate)
        replicas = tf.distribute.get_replica_context().num_replicas_in_sync
        skipped = tf.cast(~(usable & made), tf.float32)
        return {**numbers, **own, "gradient_norm": norm / replicas, "skipped": skipped / replicas}

    def _update_critics(
        self, mean: tf.Tensor, deviation: tf.Tensor, label: tf.Tensor, noise: Noise, rate: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """All updates of the critics, if there are any: metrics of the last, and whether every one was made."""
        model, critic, usable = self.model, self.model.config.critic, tf.constant(True)
        parts: dict[str, tf.Tensor] = {}
        for number in range(critic.steps if model.critics else 0):
            posterior_codes = mean + deviation * noise.normal(f"posterior {number}", model.latent)
            prior_codes = noise.rows(model.draw_target(noise.all_genres, noise.seed(f"prior {number}")))
            mix = noise.uniform(f"mix {number}", 1)
            with tf.GradientTape() as tape:
                rows, parts = critic_loss(model, posterior_codes, prior_codes, label, mix, critic.gradient_penalty)
                loss = self._share(rows, noise)
            _, made = self.groups["critic"].update(self.groups["critic"].gradients(tape, loss), rate)
            usable &= made
        return {name: self._share(rows, noise) for name, rows in parts.items()}, usable

    def _loss(
        self,
        tokens: tf.Tensor,
        genre: tf.Tensor,
        label: tf.Tensor,
        mean: tf.Tensor,
        deviation: tf.Tensor,
        noise: Noise,
        weight: tf.Tensor,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """What some rows of this replica add to the loss and to the metrics."""
        latent = mean + deviation * noise.normal("autoencoder", self.model.latent)
        batch = EncodedBatch(self.model, noise, tokens, genre, label, mean, deviation, latent)
        loss, parts = autoencoder_loss(batch, self._terms, weight)
        return self._share(loss, noise), {name: self._share(rows, noise) for name, rows in parts.items()}

    def _accumulated(
        self, tokens: tf.Tensor, genre: tf.Tensor, label: tf.Tensor, noise: Noise, weight: tf.Tensor
    ) -> tuple[list[tf.Tensor], dict[str, tf.Tensor]]:
        """Gradient and metrics of this replica's rows, worked through in parts: only one needs memory at a time."""
        group, parts = self.groups["autoencoder"], self.training.accumulate
        if genre.shape[0] is None:
            raise ConfigError(f"training.accumulate is {parts}; allowed: 1 for batches whose size is not known ahead")
        count = genre.shape[0] // parts
        names = (*self._parts, "accuracy", "loss")

        def body(part: tf.Tensor, gradients: list[tf.Tensor], numbers: tf.Tensor) -> tuple:
            rows = slice(part * count, (part + 1) * count)
            own, own_tokens = noise.part(part * count, count), tf.ensure_shape(tokens[rows], [count, *tokens.shape[1:]])
            with tf.GradientTape() as tape:
                mean, deviation = self.model.encode(own_tokens, training=True)
                loss, found = self._loss(own_tokens, genre[rows], label[rows], mean, deviation, own, weight)
            gradients = [old + new for old, new in zip(gradients, group.gradients(tape, loss), strict=True)]
            return part + 1, gradients, numbers + tf.stack([found[name] for name in names])

        zeros = [tf.zeros(variable.shape) for variable in group.variables]
        _, gradients, numbers = tf.while_loop(
            lambda part, *sums: part < parts,
            body,
            (tf.constant(0), zeros, tf.zeros(len(names))),
            parallel_iterations=1,
            maximum_iterations=parts,
        )
        return gradients, dict(zip(names, tf.unstack(numbers), strict=True))

    @staticmethod
    def _share(rows: tf.Tensor, noise: Noise) -> tf.Tensor:
        """What float32 [b], the rows of this replica, add to the mean over the global batch: a scalar."""
        return tf.reduce_sum(rows) / tf.cast(noise.batch, tf.float32)
