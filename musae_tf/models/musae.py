"""The systems that `model.kind` names: encoder, decoder, prior and critics, and what can be done in the latent space.

All share encoder, decoder and this interface, so that a comparison changes one thing at a time:

    kind         prior of a genre's codes           what pulls the codes to it
    musae_gm     MixturePrior, or FittedPrior       a critic that sees the genre
    musae        StylePrior: genre s, z normal      a critic of z and one of s
    vae          FittedPrior, after training        KL divergence to N(0, I), which knows no genre
    cvae         MixturePrior, or FittedPrior       KL divergence to the genre's Gaussian
    autoencoder  FittedPrior, after training        nothing

The model knows no optimizer and no file format. Shapes: B rows, T steps, K tracks, D latent axes, G genres.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import keras
import tensorflow as tf

from musae_tf.config import Config, config_from_dict, config_to_dict
from musae_tf.models.critic import build_critic
from musae_tf.models.decoder import build_decoder
from musae_tf.models.encoder import build_encoder, reader
from musae_tf.models.prior import FittedPrior, GenrePrior, build_prior, build_target, normal_divergence
from musae_tf.models.tokens import PROPERTIES, decode_tokens, is_kit
from musae_tf.music import STEPS_PER_BAR

# The codes of an autoencoder are points; this deviation has a logarithm.
_POINT = 1e-6
# Sine of an angle below which arc and line are the same in float32, and from one code to its opposite there is no arc.
_PARALLEL = 1e-3


class CodeCritic(NamedTuple):
    """A critic, the axes of the code that it judges, and whether it sees the genre. `name` begins its metrics."""

    name: str
    network: keras.Model
    axes: slice
    sees_genre: bool

    def __call__(self, codes: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
        """Scores float32 [B] of its own axes, float32 [B, d], with one-hot genres float32 [B, G]."""
        return self.network((codes, label) if self.sees_genre else codes)


@keras.saving.register_keras_serializable(package="musae_tf")
class MusAE(keras.Model):
    """An autoencoder of phrases with a prior over genres (Valenti, Carta, Bacciu 2020), or one of its rivals.

    Args:
        config: which system, sizes, prior and critic.
        vocabulary_sizes: symbols of each of the K tracks.
        genres: names of the G genres, in the order of their numbers.
    """

    def __init__(self, config: Config, vocabulary_sizes: Sequence[int], genres: Sequence[str], **kwargs):
        super().__init__(name="musae", **kwargs)
        self.config = config
        self.vocabulary_sizes = tuple(vocabulary_sizes)
        self.genres = tuple(genres)
        self.steps = config.music.bars * STEPS_PER_BAR
        kind, count = config.model.kind, len(self.genres)
        with computing_in(config.training.precision):
            self.encoder = build_encoder(config.model, self.steps, self.vocabulary_sizes, count)
            self.decoder = build_decoder(config.model, self.steps, self.vocabulary_sizes, self.style)
        if kind == "musae_gm":
            self.critic = build_critic(config.critic, config.model.latent, count)
        if kind == "musae":
            self.critic = build_critic(config.critic, config.model.latent, 0)
            self.style_critic = build_critic(config.critic, count, 0)
        self.prior = build_prior(config, count)
        self._own_target = build_target(config, count)
        if config.regularisation.order:
            self.order = keras.layers.Dense(len(self.vocabulary_sizes) * PROPERTIES, dtype="float32", name="order")
            self.order.build((None, self.latent))
        self._read = reader(self.encoder)
        self.built = True

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
    def kits(self) -> tuple[bool, ...]:
        """Which tracks are drum kits."""
        return tuple(is_kit(size) for size in self.vocabulary_sizes)

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
        """What the autoencoder's player moves: encoder, decoder and, if learned, the target's means."""
        parts = [self.encoder, self.decoder, *([self.target] if self.target else [])]
        parts += [self.order] if self.config.regularisation.order else []
        return [variable for part in parts for variable in part.trainable_variables]

    @property
    def music_variables(self) -> list:
        """What it takes to make music: encoder, decoder and prior, which is what an export holds, in this order."""
        return [variable for part in (self.encoder, self.decoder, self.prior) for variable in part.weights]

    @property
    def critic_variables(self) -> list:
        """What the critics' player moves."""
        return [variable for critic in self.critics for variable in critic.network.trainable_variables]

    def call(self, tokens):
        """Reconstruct: tokens int32 [B, T, K] to logits, K tensors float32 [B, T, V_k], from the posterior mean."""
        return self.decoder(self.encode(tokens)[0])

    def encode(
        self, tokens: tf.Tensor, training: bool = False, floor: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The posterior of each phrase: tokens int32 [B, T, K] to mean and standard deviation, float32 [B, D].

        The standard deviation never falls below `floor`, by default `model.noise_floor`, which keeps neighbouring codes
        sounding alike. A model of kind musae has its style before z, with the deviation `style.deviation`; the codes of
        an autoencoder are points.
        """
        return self._posterior(self.encoder(tokens, training=training), floor)

    def encode_expected(self, logits: Sequence[tf.Tensor]) -> tf.Tensor:
        """The posterior mean of music that is only known by its logits, with gradients to them: float32 [B, D]."""
        return self._posterior(self._read([tf.nn.softmax(track) for track in logits]), None)[0]

    def _posterior(self, outputs, floor: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        mean, *rest = keras.tree.flatten(outputs)
        if not rest:
            return mean, tf.fill(tf.shape(mean), _POINT)
        log_variance, *style = rest
        floor = self.config.model.noise_floor if floor is None else floor
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

    def decode(self, latent: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Codes float32 [B, D] to tokens int32 [B, T, K] and log-probability float32 [B].

        `temperature` float32 [B] (0 is greedy) and `seed` int32 [B, 2] belong to the rows.
        """
        return decode_tokens(self.decoder(latent), temperature, seed)

    def sample_latent(self, genre: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """One code of each genre int32 [B] to make music of, float32 [B, D]; `seed` int32 [B, 2] belongs to the row."""
        return self._by_row(self.prior.draw, genre, seed)

    def sample_prior(self, genre: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """One code from the prior of each genre int32 [B], float32 [B, D]; differs with `prior.drawn_noise` below 1."""
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
        if self.target is not None:
            return self._by_row(self.target.sample, genre, seed)
        return tf.map_fn(
            lambda row: tf.random.stateless_normal([self.latent], row), seed, fn_output_signature=tf.float32
        )

    def interpolate_latent(
        self, start: tf.Tensor, end: tf.Tensor, position: tf.Tensor, path: str = "linear"
    ) -> tf.Tensor:
        """Points between codes [B, D] at positions float32 [B], 0 the start and 1 the end.

        Args:
            start: float32 [B, D].
            end: float32 [B, D].
            position: float32 [B].
            path: "linear" for straight lines, "spherical" for great arcs (Shoemake 1985), which keep the usual distance
                of a Gaussian's draws from the origin: sin((1 - a) w) / sin(w) start + sin(a w) / sin(w) end with w
                the angle between them. Codes that point the same way or opposite ways lie on a line.
        """
        ahead = position[:, tf.newaxis]
        if path == "linear":
            return start + ahead * (end - start)
        lengths = tf.norm(start, axis=-1, keepdims=True) * tf.norm(end, axis=-1, keepdims=True)
        product = tf.reduce_sum(start * end, axis=-1, keepdims=True)
        angle = tf.acos(tf.clip_by_value(tf.math.divide_no_nan(product, lengths), -1.0, 1.0))
        straight = tf.sin(angle) < _PARALLEL
        safe = tf.where(straight, 1.0, angle)
        forth, back = (tf.sin(share * safe) / tf.sin(safe) for share in (ahead, 1.0 - ahead))
        return tf.where(straight, 1.0 - ahead, back) * start + tf.where(straight, ahead, forth) * end

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
            strength: float32 [B]; 0 stays, 1 goes `prior.reach` times the way between the means.
        """
        strength *= self.config.prior.reach
        inferred = tf.argmax(self.prior.genre_scores(latent), axis=-1, output_type=tf.int32)
        return self.prior.transfer(latent, tf.where(source < 0, inferred, source), target, strength)

    def get_config(self):
        return {
            "config": config_to_dict(self.config),
            "vocabulary_sizes": self.vocabulary_sizes,
            "genres": self.genres,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        settings = config_from_dict(config["config"], "model", stored=True)
        return cls(settings, config["vocabulary_sizes"], config["genres"])


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Layers made inside the block compute in `precision`, float32 or bfloat16; their weights are float32 either way.

    Layers that were given a dtype keep it: heads of the encoder, logits, priors and critics are float32.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if precision == "float32" else f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
