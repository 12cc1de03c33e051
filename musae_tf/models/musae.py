"""MusAE-GM: encoder, decoder, critic and mixture prior, and what can be done in the latent space.

The model knows no optimizer and no file format. Shapes: B rows, T steps, K tracks, D latent axes, G genres.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from musae_tf.config import Config, config_from_dict, config_to_dict
from musae_tf.models.critic import build_critic
from musae_tf.models.decoder import build_decoder
from musae_tf.models.encoder import build_encoder
from musae_tf.models.prior import MixturePrior
from musae_tf.models.sampling import decode_tokens
from musae_tf.music import STEPS_PER_BAR


@keras.saving.register_keras_serializable(package="musae_tf")
class MusAE(keras.Model):
    """The adversarial autoencoder with one Gaussian a genre (Valenti, Carta, Bacciu 2020, section 3).

    Args:
        config: sizes, prior and critic.
        vocabulary_sizes: symbols of each of the K tracks.
        genres: names of the G genres, in the order of their numbers.
    """

    def __init__(self, config: Config, vocabulary_sizes: Sequence[int], genres: Sequence[str], **kwargs):
        super().__init__(name="musae", **kwargs)
        self.config = config
        self.vocabulary_sizes = tuple(vocabulary_sizes)
        self.genres = tuple(genres)
        self.steps = config.music.bars * STEPS_PER_BAR
        self.encoder = build_encoder(config.model, self.steps, self.vocabulary_sizes)
        self.decoder = build_decoder(config.model, self.steps, self.vocabulary_sizes)
        self.critic = build_critic(config.critic, config.model.latent, len(self.genres))
        self.prior = MixturePrior.from_prior_config(config.prior, config.model.latent, len(self.genres))
        self.built = True

    @property
    def latent(self) -> int:
        """D, the number of latent axes."""
        return self.config.model.latent

    @property
    def autoencoder_variables(self) -> list:
        """What the autoencoder's player moves: encoder, decoder and, if learned, the prior's means."""
        return [
            *self.encoder.trainable_variables,
            *self.decoder.trainable_variables,
            *self.prior.trainable_variables,
        ]

    @property
    def critic_variables(self) -> list:
        """What the critic's player moves."""
        return self.critic.trainable_variables

    def call(self, tokens):
        """Reconstruct: tokens int32 [B, T, K] to logits, K tensors float32 [B, T, V_k], from the posterior mean."""
        return self.decoder(self.encode(tokens)[0])

    def encode(self, tokens: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """The posterior of each phrase: tokens int32 [B, T, K] to mean and standard deviation, float32 [B, D].

        The standard deviation never falls below `model.noise_floor`, which keeps neighbouring codes sounding alike.
        """
        mean, log_variance = self.encoder(tokens, training=training)
        floor = self.config.model.noise_floor
        return mean, tf.sqrt(tf.exp(log_variance) + floor * floor)

    def decode(self, latent: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Codes float32 [B, D] to tokens int32 [B, T, K] and log-probability float32 [B].

        `temperature` float32 [B] (0 is greedy) and `seed` int32 [B, 2] belong to the rows.
        """
        return decode_tokens(self.decoder(latent), temperature, seed)

    def sample_latent(self, genre: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """One code from the prior of each genre int32 [B], float32 [B, D]; `seed` int32 [B, 2] belongs to the row."""
        return tf.map_fn(
            lambda row: self.prior.sample(row[0][tf.newaxis], row[1])[0],
            (genre, seed),
            fn_output_signature=tf.TensorSpec([self.latent], tf.float32),
        )

    def interpolate_latent(self, start: tf.Tensor, end: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
        """Points on the straight line between codes [B, D] at positions float32 [B], 0 the start and 1 the end."""
        return start + position[:, tf.newaxis] * (end - start)

    def transfer_latent(
        self, latent: tf.Tensor, source: tf.Tensor, target: tf.Tensor, strength: tf.Tensor
    ) -> tf.Tensor:
        """Move codes [B, D] along the difference of two genres' prior means.

        Args:
            latent: float32 [B, D].
            source: int32 [B]; -1 takes the genre whose component explains the code best.
            target: int32 [B].
            strength: float32 [B]; 0 stays, 1 goes the whole way.
        """
        inferred = tf.argmax(self.prior.genre_scores(latent), axis=-1, output_type=tf.int32)
        source = tf.where(source < 0, inferred, source)
        means = tf.convert_to_tensor(self.prior.means)
        return latent + strength[:, tf.newaxis] * (tf.gather(means, target) - tf.gather(means, source))

    def get_config(self):
        return {
            "config": config_to_dict(self.config),
            "vocabulary_sizes": self.vocabulary_sizes,
            "genres": self.genres,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(config_from_dict(config["config"], "model"), config["vocabulary_sizes"], config["genres"])
