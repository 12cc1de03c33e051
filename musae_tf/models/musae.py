"""The systems that `model.kind` names: encoder, decoder, prior and critics, and what can be done in the latent space.

All share encoder, decoder and this interface, so that a comparison changes one thing at a time:

    kind         prior of a genre's codes           what pulls the codes to it
    musae_gm     MixturePrior, or FittedPrior       a critic that sees the genre
    musae        StylePrior: genre s, z normal      a critic of z and one of s
    vae          FittedPrior, after training        KL divergence to N(0, I), which knows no genre
    cvae         MixturePrior, or FittedPrior       KL divergence to the genre's Gaussian
    autoencoder  FittedPrior, after training        nothing

It is a Keras model: `compile` and `fit` train it on one device or under MirroredStrategy, with the callbacks of Keras.
`musae train` makes the same steps and adds what a long run needs: resuming to the same curve, several workers, early
alarms. Shapes: B rows, T steps, K tracks, D latent axes, G genres.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from musae_tf.config import (
    Architecture,
    Config,
    RegularisationConfig,
    TrainingConfig,
    config_from_dict,
    config_to_dict,
)
from musae_tf.models.autoregressive import AutoregressiveDecoder
from musae_tf.models.critic import CodeCritic, build_critic
from musae_tf.models.decoder import build_decoder
from musae_tf.models.encoder import build_encoder, reader
from musae_tf.models.filling import code_of_part
from musae_tf.models.layers import computing_in
from musae_tf.models.paths import arc, inside, line
from musae_tf.models.prior import FittedPrior, GenrePrior, build_prior, build_target, normal_divergence
from musae_tf.models.symbols import Known
from musae_tf.models.tokens import decode_tokens, reconstruction
from musae_tf.models.train_step import TrainStep
from musae_tf.music.properties import PROPERTIES

# The codes of an autoencoder are points; this deviation has a logarithm.
_POINT = 1e-6
# With an autoregressive decoder: where between line and arc the middle of a way lies, and how far it is trusted.
_MIDDLE_LIFT, _MIDDLE_TRUST = 0.8, 0.42


@keras.saving.register_keras_serializable(package="musae_tf")
class MusAE(keras.Model):
    """An autoencoder of phrases with a prior over genres (Valenti, Carta, Bacciu 2020), or one of its rivals.

    Args:
        config: which system, sizes, prior and critic.
        vocabulary_sizes: symbols of each of the K tracks.
        genres: names of the G genres, in the order of their numbers.
        property_head: whether to have the linear reading of properties from the code, `order`, that
            `regularisation.order` trains.
        dtype: what encoder and decoder compute in, as for any layer of Keras: float32 or mixed_bfloat16, by default the
            global policy. Weights, codes, prior and critics are float32 either way.
    """

    def __init__(
        self,
        config: Architecture,
        vocabulary_sizes: Sequence[int],
        genres: Sequence[str],
        property_head: bool = False,
        dtype: Any = None,
        **kwargs: Any,
    ):
        # Of the model itself float32: a mixed policy would reach the variables of its layers that are not.
        super().__init__(**{"name": "musae", **kwargs}, dtype="float32")
        self._networks_policy = keras.dtype_policies.get(dtype) if dtype else keras.config.dtype_policy()
        self.config = config
        self.vocabulary_sizes = tuple(vocabulary_sizes)
        self.genres = tuple(genres)
        phrase = config.music.phrase
        self.steps = phrase.steps
        kind, count = config.model.kind, len(self.genres)
        with computing_in(self._networks_policy):
            self.encoder = build_encoder(config.model, phrase, self.vocabulary_sizes, count)
            self.decoder = build_decoder(config.model, phrase, self.vocabulary_sizes, self.style)
        if kind == "musae_gm":
            self.critic = build_critic(config.critic, config.model.latent, count)
        if kind == "musae":
            self.critic = build_critic(config.critic, config.model.latent, 0)
            self.style_critic = build_critic(config.critic, count, 0)
        self.prior = build_prior(config, count)
        self._own_target = build_target(config, count)
        self.order = None
        if property_head:
            properties = len(self.vocabulary_sizes) * len(PROPERTIES)
            self.order = keras.layers.Dense(properties, dtype="float32", name="order")
            self.order.build((None, self.latent))
        self._read = reader(self.encoder)
        self.built = True

    @classmethod
    def for_training(cls, config: Config, vocabulary_sizes: Sequence[int], genres: Sequence[str]) -> "MusAE":
        """The model that a configuration of a run asks for."""
        dtype = "float32" if config.training.precision == "float32" else f"mixed_{config.training.precision}"
        return cls(config.architecture, vocabulary_sizes, genres, config.regularisation.order > 0, dtype)

    def compile(
        self,
        training: TrainingConfig | None = None,
        regularisation: RegularisationConfig | None = None,
        seed: int = 1,
        **kwargs: Any,
    ) -> None:
        """Make ready for `fit`, with the losses and optimizers of `musae train`.

        Args:
            training: steps, learning rate, limits of the gradient and parts of a batch. What belongs to the loop
                around the steps is left to `fit`: batches come from its dataset, checkpoints from its callbacks.
            regularisation: terms of the autoencoder's loss.
            seed: of the noise.
            kwargs: `run_eagerly` and `steps_per_execution` of Keras.

        Raises:
            ConfigError: the system has no use for an option.
        """
        with self.distribute_strategy.scope():
            self._make_step = TrainStep(
                self, training or TrainingConfig(), regularisation or RegularisationConfig(), seed
            )
            # XLA knows no cuDNN.
            super().compile(self._make_step.groups["autoencoder"].optimizer, jit_compile=False, **kwargs)
            self._means = [keras.metrics.Mean(name=name) for name in self._make_step.metrics]
        if self.critics:
            self.critic_optimizer = self._make_step.groups["critic"].optimizer

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One step of `fit` with tokens, integers [b, T, K], and genres [b], as many on every replica."""
        tokens, genre = (tf.cast(part, tf.int32) for part in data)
        numbers = self._make_step(tokens, genre, tf.cast(tf.convert_to_tensor(self.optimizer.iterations), tf.int64))
        replicas = tf.distribute.get_replica_context().num_replicas_in_sync
        for tracker in (self._loss_tracker, *self._means):
            tracker.update_state(replicas * numbers[tracker.name])
        return self.get_metrics_result()

    def test_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Reconstruction loss and accuracy, without noise, of tokens, integers [b, T, K], and genres [b]."""
        tokens = tf.cast(data[0], tf.int32)
        logits = self(tokens)
        loss = reconstruction(logits, tokens)
        hits = tf.stack([tf.argmax(track, -1, tf.int32) for track in logits], -1) == tokens
        numbers = {"reconstruction": loss, "accuracy": tf.reduce_mean(tf.cast(hits, tf.float32), axis=[1, 2])}
        self._loss_tracker.update_state(loss)
        trackers = [tracker for tracker in self._means if tracker.name in numbers]
        for tracker in trackers:
            tracker.update_state(numbers[tracker.name])
        return {tracker.name: tracker.result() for tracker in (self._loss_tracker, *trackers)}

    def get_compile_config(self) -> dict[str, Any]:
        """What `compile` was told, as plain values."""
        if not self.compiled:
            return {}
        step = self._make_step
        parts = {"training": step.training, "regularisation": step.regularisation}
        return {"seed": step.seed, **{name: config_to_dict(part) for name, part in parts.items()}}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as the saved model was."""
        whole = config_from_dict({**config, **config_to_dict(self.config)}, "model", stored=True)
        self.compile(whole.training, whole.regularisation, whole.seed)

    @property
    def style(self) -> int:
        """Axes of the code that say the genre, before those of z: G in a model of kind musae, else 0."""
        return len(self.genres) if self.config.model.kind == "musae" else 0

    @property
    def latent(self) -> int:
        """D, the number of latent axes, those of the style included."""
        return self.style + self.config.model.latent

    @property
    def target(self) -> GenrePrior | None:
        """What training pulls the codes of each genre to; None for N(0, I) or nothing.

        It is the prior, unless that one is fitted to the codes afterwards.
        """
        if self._own_target is not None:
            return self._own_target
        return None if isinstance(self.prior, FittedPrior) else self.prior

    @property
    def critics(self) -> tuple[CodeCritic, ...]:
        """The critics of this system, if it has any."""
        if self.config.model.kind == "musae_gm":
            return (CodeCritic("", self.critic, slice(None), True),)
        if self.config.model.kind == "musae":
            return (
                CodeCritic("", self.critic, slice(self.style, None), False),
                CodeCritic("style_", self.style_critic, slice(0, self.style), False),
            )
        return ()

    @property
    def autoencoder_variables(self) -> list:
        """What the autoencoder's loss trains: encoder, decoder and, if learned, the target's means."""
        parts = [self.encoder, self.decoder, *([self.target] if self.target else [])]
        parts += [self.order] if self.order else []
        return [variable for part in parts for variable in part.trainable_variables]

    @property
    def music_variables(self) -> list:
        """What it takes to make music: encoder, decoder and prior, which is what an export holds, in this order."""
        return [variable for part in (self.encoder, self.decoder, self.prior) for variable in part.weights]

    @property
    def critic_variables(self) -> list:
        """What the critics' loss trains."""
        return [variable for critic in self.critics for variable in critic.network.trainable_variables]

    def call(self, tokens: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Reconstruct: tokens int32 [B, T, K] to logits, K tensors float32 [B, T, V_k], from the posterior mean.

        Those of an autoregressive decoder are after the phrase's own symbols.
        """
        latent = self.encode(tokens)[0]
        if isinstance(self.decoder, AutoregressiveDecoder):
            return self.decoder.taught(latent, tokens)[0]
        return self.logits(latent)

    def encode(self, tokens: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """The posterior of each phrase: tokens int32 [B, T, K] to mean and standard deviation, float32 [B, D].

        A symbol as large as its track's vocabulary is hidden. With `model.hidden_parts` the encoder has learnt to give
        for a part what covers the posteriors of the phrases that have it (Ivanov et al. 2019, section 4).
        The standard deviation never falls below `model.min_posterior_std`, which keeps neighbouring codes sounding
        alike. A model of kind musae has its style before z, with the deviation `style.deviation`; the codes of an
        autoencoder are points.
        """
        return self._posterior(self.encoder(tokens, training=training))

    def encode_expected(self, logits: Sequence[tf.Tensor]) -> tf.Tensor:
        """The posterior mean of music that is only known by its logits, with gradients to them: float32 [B, D]."""
        return self._posterior(self._read([tf.nn.softmax(track) for track in logits]))[0]

    def _posterior(self, outputs: Any) -> tuple[tf.Tensor, tf.Tensor]:
        mean, *rest = keras.tree.flatten(outputs)
        if not rest:
            return mean, tf.fill(tf.shape(mean), _POINT)
        log_variance, *style = rest
        floor = self.config.model.min_posterior_std
        deviation = tf.sqrt(tf.exp(log_variance) + floor * floor)
        if style:
            mean = tf.concat([style[0], mean], axis=-1)
            deviation = tf.concat([tf.fill(tf.shape(style[0]), self.prior.deviation), deviation], axis=-1)
        return mean, deviation

    def divergence(self, mean: tf.Tensor, deviation: tf.Tensor, genre: tf.Tensor) -> tf.Tensor:
        """KL divergence in nats, float32 [B], of posteriors [B, D] to what training pulls them to.

        For kind vae that is N(0, I), for musae_gm and cvae the Gaussian of the phrase's genre int32 [B].
        """
        if self.target is None:
            return normal_divergence(mean, deviation)
        return self.target.divergence(mean, deviation, genre)

    def logits(self, latent: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, ...]:
        """Codes float32 [B, D] to the logits of every step, K tensors float32 [B, T, V_k]."""
        return self.decoder(latent, training=training)

    def decode(
        self,
        latent: tf.Tensor,
        temperature: tf.Tensor,
        seed: tf.Tensor,
        trust: tf.Tensor | None = None,
        known: Known | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Codes float32 [B, D] to tokens int32 [B, T, K] and log-probability float32 [B].

        `temperature` float32 [B] (0 is greedy), `seed` int32 [B, 2], `trust` float32 [B] (0 to 1) and what is `known`
        belong to the rows; for the last two see `AutoregressiveDecoder.generate`, other decoders see the code alone.
        """
        if isinstance(self.decoder, AutoregressiveDecoder):
            return self.decoder.generate(latent, temperature, seed, known, trust)
        return decode_tokens(self.logits(latent), temperature, seed)

    def fill_latent(self, known: Known, genre: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """A code for each phrase of which a part is known, float32 [B, D]; `decode` should trust it as `TRUST` says.

        Args:
            known: what is known of B phrases.
            genre: int32 [B]; -1 for the one whose codes explain best what is known.
            seed: int32 [B, 2].
        """
        mean, deviation = self.encode(known.seen(self.vocabulary_sizes))
        noise = self._by_row(
            lambda _, row: tf.random.stateless_normal([1, self.latent], tf.random.fold_in(row, 1)), genre, seed
        )
        asked = genre >= 0
        genre = tf.where(asked, genre, tf.argmax(self.prior.genre_scores(mean), axis=-1, output_type=tf.int32))
        draw = self.sample_latent(genre, seed)
        return code_of_part(self.prior, mean, deviation, genre, asked, draw, noise)

    def sample_latent(self, genre: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """One code of each genre int32 [B] to make music of, float32 [B, D]; `seed` int32 [B, 2] belongs to the row."""
        return self._by_row(self.prior.draw, genre, seed)

    def sample_prior(self, genre: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """One code from the prior of each genre int32 [B], float32 [B, D]; see `prior.sample_noise_scale`."""
        return self._by_row(self.prior.sample, genre, seed)

    def _by_row(self, draw: Callable, genre: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(
            lambda row: draw(row[0][tf.newaxis], row[1])[0],
            (genre, seed),
            fn_output_signature=tf.TensorSpec([self.latent], tf.float32),
        )

    def sample_target(self, genre: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """One code from what training pulls the codes of each genre int32 [B] to, float32 [B, D].

        It is N(0, I) for kind vae, and for autoencoder, whose codes nothing pulls to it.
        """
        return self._by_row(self.draw_target, genre, seed)

    def draw_target(self, genre: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The same with one seed int [2] for all rows."""
        if self.target is None:
            return tf.random.stateless_normal([tf.shape(genre)[0], self.latent], seed)
        return self.target.sample(genre, seed)

    def interpolate_latent(
        self, start: tf.Tensor, end: tf.Tensor, position: tf.Tensor, path: str = "linear"
    ) -> tf.Tensor:
        """Points between codes [B, D] at positions float32 [B], 0 the start and 1 the end.

        Args:
            start: float32 [B, D].
            end: float32 [B, D].
            position: float32 [B].
            path: "linear" for straight lines, which with an autoregressive decoder are lifted towards the arc, in the
                middle, which is nearer to the origin than codes are, four fifths of the way. "spherical" for great
                arcs, see `musae_tf.models.paths`.
        """
        if path == "spherical":
            return arc(start, end, position)
        straight = line(start, end, position)
        if not isinstance(self.decoder, AutoregressiveDecoder):
            return straight
        # Less near the ends: what leads away from the other end there, makes ways less even.
        lift = _MIDDLE_LIFT * tf.square(inside(position))[:, tf.newaxis]
        return straight + lift * (arc(start, end, position) - straight)

    def interpolation_trust(self, position: tf.Tensor) -> tf.Tensor:
        """How far `decode` should trust codes between codes, float32 [B], at positions float32 [B].

        1 at both ends, which sound as they do alone, and less between them, where no music was encoded.
        """
        return 1.0 - (1.0 - _MIDDLE_TRUST) * inside(position)

    def transfer_latent(
        self, latent: tf.Tensor, source: tf.Tensor, target: tf.Tensor, strength: tf.Tensor
    ) -> tf.Tensor:
        """Move codes [B, D] from one genre to another.

        Along the difference of the two genres' means; in a model of kind musae the style moves to the target's, and z
        stays.

        Args:
            latent: float32 [B, D].
            source: int32 [B]; -1 takes the genre whose component explains the code best.
            target: int32 [B].
            strength: float32 [B]; 0 stays, 1 goes `prior.transfer_scale` times the way between the means.
        """
        strength *= self.config.prior.transfer_scale
        inferred = tf.argmax(self.prior.genre_scores(latent), axis=-1, output_type=tf.int32)
        return self.prior.transfer(latent, tf.where(source < 0, inferred, source), target, strength)

    def transfer_trust(self, strength: tf.Tensor) -> tf.Tensor:
        """How far `decode` should trust codes that were moved by a strength float32 [B]: float32 [B].

        1 where nothing moves, 0 from strength 1 on: the further from music that was encoded, the less.
        """
        return 1.0 - tf.minimum(tf.abs(strength), 1.0)

    def get_config(self) -> dict[str, Any]:
        return {
            "config": config_to_dict(self.config),
            "vocabulary_sizes": self.vocabulary_sizes,
            "genres": self.genres,
            "property_head": self.order is not None,
            "dtype": self._networks_policy.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: object = None) -> "MusAE":
        if "training" in config["config"]:  # before 0.2 a model was built from the configuration of its run
            whole = config_from_dict(config["config"], "model", stored=True)
            return cls.for_training(whole, config["vocabulary_sizes"], config["genres"])
        own = {**config, "config": config_from_dict(config["config"], "model", stored=True).architecture}
        return cls(**own)
