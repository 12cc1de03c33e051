"""One step of the two-player game: the critic's moves, then the autoencoder's.

Two players, two optimizers, two explicit lists of variables: in one summed loss the adversarial terms of the
players would cancel, and toggling `trainable` between players is unguarded in Keras.
"""

import keras
import tensorflow as tf

from musae_tf.config import Config
from musae_tf.models import MusAE
from musae_tf.models.losses import critic_gap, gradient_penalty, reconstruction

# Names of the numbers that a step returns, each a mean over the global batch.
METRICS = ("reconstruction", "adversarial", "wasserstein", "gradient_penalty", "accuracy", "gradient_norm")


class Game:
    """A model with both players' optimizers. Build it inside the scope of the strategy it will run under.

    Both optimizers are built here: slots created later are lost by a restore.
    """

    def __init__(self, model: MusAE, config: Config):
        self.model = model
        self.config = config
        training, critic = config.training, config.critic
        self.autoencoder_optimizer = keras.optimizers.Adam(training.learning_rate, name="autoencoder_adam")
        self.critic_optimizer = keras.optimizers.Adam(
            critic.learning_rate, beta_1=critic.beta_1, beta_2=0.9 if critic.beta_1 == 0 else 0.999, name="critic_adam"
        )
        self.autoencoder_optimizer.build(model.autoencoder_variables)
        self.critic_optimizer.build(model.critic_variables)

    def set_learning_rates(self, share: float) -> None:
        """Scale both players' rates together, so that the balance of the game stays as configured."""
        self.autoencoder_optimizer.learning_rate = self.config.training.learning_rate * share
        self.critic_optimizer.learning_rate = self.config.critic.learning_rate * share

    def step(self, tokens: tf.Tensor, genre: tf.Tensor, step: tf.Tensor, weight: tf.Tensor) -> dict[str, tf.Tensor]:
        """Play one step on this replica's rows; call it through `strategy.run`.

        Args:
            tokens: int32 [b, T, K], this replica's rows of the global batch.
            genre: int32 [b].
            step: int64 scalar, the number of the step; with `seed` it fixes all noise.
            weight: float32 scalar, weight of the adversarial term.

        Returns:
            This replica's share of each of METRICS, to be summed over replicas.
        """
        model = self.model
        noise = _Noise(self.config, step, genre, tf.shape(tokens)[0])
        label = tf.one_hot(genre, len(model.genres), dtype=tf.float32)
        share = 1.0 / self.config.training.batch_size
        gap = penalty = 0.0
        with tf.GradientTape() as tape:
            mean, deviation = model.encode(tokens, training=True)
            with tape.stop_recording():
                # The encoder stands still during the critic's moves, so one encoding serves them all.
                for move in range(self.config.critic.steps):
                    gap, penalty = self._critic_move(mean, deviation, genre, label, noise, move)
            latent = mean + deviation * noise.normal("autoencoder", model.latent)
            logits = model.decoder(latent, training=True)
            rebuilt = reconstruction(logits, tokens)
            adversarial = -model.critic((latent, label))
            if model.prior.trainable_variables:
                prior_codes = noise.rows(model.prior.sample(noise.all_genres, noise.seed("prior")))
                adversarial += model.critic((prior_codes, label))
            loss = share * tf.reduce_sum(rebuilt + weight * adversarial)
        norm = self._apply(tape, loss, self.autoencoder_optimizer, model.autoencoder_variables)
        hits = [tf.cast(tf.argmax(x, -1, tf.int32) == tokens[..., k], tf.float32) for k, x in enumerate(logits)]
        replicas = tf.distribute.get_replica_context().num_replicas_in_sync
        return {
            "reconstruction": share * tf.reduce_sum(rebuilt),
            "adversarial": share * tf.reduce_sum(adversarial),
            "wasserstein": share * tf.reduce_sum(gap),
            "gradient_penalty": share * tf.reduce_sum(penalty),
            "accuracy": share * tf.reduce_sum(tf.reduce_mean(tf.stack(hits), axis=[0, 2])),
            "gradient_norm": norm / replicas,
        }

    def _critic_move(self, mean, deviation, genre, label, noise: "_Noise", move: int):
        model, share = self.model, 1.0 / self.config.training.batch_size
        posterior_codes = mean + deviation * noise.normal(f"posterior {move}", model.latent)
        prior_codes = noise.rows(model.prior.sample(noise.all_genres, noise.seed(f"prior {move}")))
        mix = noise.uniform(f"mix {move}")
        with tf.GradientTape() as tape:
            gap = critic_gap(model.critic((prior_codes, label)), model.critic((posterior_codes, label)))
            penalty = gradient_penalty(lambda codes: model.critic((codes, label)), prior_codes, posterior_codes, mix)
            loss = share * tf.reduce_sum(self.config.critic.gradient_penalty * penalty - gap)
        self._apply(tape, loss, self.critic_optimizer, model.critic_variables, clip=False)
        return gap, penalty

    def _apply(self, tape, loss, optimizer, variables, clip: bool = True) -> tf.Tensor:
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, [v.value for v in variables])]
        context = tf.distribute.get_replica_context()
        replicas = context.num_replicas_in_sync
        if replicas > 1:
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        norm = tf.linalg.global_norm(gradients)
        if clip and self.config.training.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self.config.training.clip_norm, use_norm=norm)
        if clip and self.config.training.clip_value:
            limit = self.config.training.clip_value
            gradients = [tf.clip_by_value(g, -limit, limit) for g in gradients]
        # The Keras optimizer sums over replicas once more; the clipping above needs the sum before that.
        optimizer.apply([g / replicas for g in gradients], variables)
        return norm


class _Noise:
    """All randomness of a step, drawn for the global batch from (seed, step) and cut to this replica's rows.

    So a run that is killed and resumed, or spread over other devices, sees the same numbers.
    """

    def __init__(self, config: Config, step: tf.Tensor, genre: tf.Tensor, rows: tf.Tensor):
        context = tf.distribute.get_replica_context()
        self._batch = config.training.batch_size
        self._first = context.replica_id_in_sync_group * rows
        self._count = rows
        self._root = tf.stack([tf.constant(config.seed, tf.int64), step])
        self._streams: dict[str, int] = {}
        self.all_genres = context.all_gather(genre, axis=0) if context.num_replicas_in_sync > 1 else genre

    def seed(self, stream: str) -> tf.Tensor:
        """A seed int64 [2] of its own for each stream of this step."""
        number = self._streams.setdefault(stream, len(self._streams))
        return tf.random.fold_in(self._root, number)

    def rows(self, of_global_batch: tf.Tensor) -> tf.Tensor:
        """The rows of this replica."""
        return of_global_batch[self._first : self._first + self._count]

    def normal(self, stream: str, width: int) -> tf.Tensor:
        """Standard normal float32 [b, width]."""
        return self.rows(tf.random.stateless_normal([self._batch, width], self.seed(stream)))

    def uniform(self, stream: str) -> tf.Tensor:
        """Uniform 0..1, float32 [b, 1]."""
        return self.rows(tf.random.stateless_uniform([self._batch, 1], self.seed(stream)))
