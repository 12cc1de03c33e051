"""One step of the game: the critics' moves, if the system has critics, then the autoencoder's.

Two players, two optimizers, two explicit lists of variables: in one summed loss the adversarial terms of the
players would cancel.
"""

import tensorflow as tf

from musae_tf.config import Config
from musae_tf.models import MusAE
from musae_tf.models.losses import critic_gap, gradient_penalty, reconstruction
from musae_tf.training.adam import SummedAdam
from musae_tf.training.noise import Noise
from musae_tf.training.player import Player
from musae_tf.training.terms import Turn, terms_of


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
