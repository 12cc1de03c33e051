"""What a decoder that listens to itself makes of the code alone: a plan of each beat, and a draft of all symbols.

Shapes: B rows, T steps, K tracks (columns of the layout), D axes of the code, U units.
"""

from typing import Any

import keras
import tensorflow as tf

from musae_tf.config import ModelConfig, PhraseShape
from musae_tf.models.layers import BeatTransform, FrequencyDense, SplitCode, float_dense, float_lstm
from musae_tf.models.relative import sounding
from musae_tf.models.symbols import Known, SymbolEmbedding
from musae_tf.models.tokens import is_kit, kit_logits, widths


class CodeDraft(keras.layers.Layer):
    """Codes, and what is known beforehand, to the plan of each beat and to logits that nothing heard has changed.

    Args:
        config: sizes; `decoder_units` U, a multiple of 4, and `embedding`.
        phrase: beats and T steps.
        vocabulary_sizes: symbols of each of the K tracks.
        style: axes of the code before those of z, which have no frequencies.
    """

    def __init__(
        self, config: ModelConfig, phrase: PhraseShape, vocabulary_sizes: tuple[int, ...], style: int = 0, **kwargs: Any
    ):
        super().__init__(**{"name": "decoder", **kwargs, "dtype": "float32"})
        self.steps, self.beats, self.beat_steps = phrase.steps, phrase.beats, phrase.beat_steps
        self.vocabulary_sizes, self.style = tuple(vocabulary_sizes), style
        self.tracks, self.units = len(vocabulary_sizes), config.decoder_units
        self.width = config.embedding
        self._widths = widths(self.vocabulary_sizes)
        units, latent = self.units, self.style + config.latent
        beat = self.beat_steps * self.tracks * self.width
        self._embedding = SymbolEmbedding(self.vocabulary_sizes, self.width, name="embedding")
        # From the code, and what is known, to a plan of each beat.
        self._split = SplitCode(self.beats, dtype="float32")
        self._beats = BeatTransform(inverse=True, dtype="float32")
        self._frequency = FrequencyDense(units // 2, dtype="float32", name="frequency")
        self._frequency.build((self.beats, None, config.latent // self.beats))
        self._known_beat = float_dense(beat, units // 2, "known_beat", "gelu")
        self._known = keras.layers.Bidirectional(float_lstm(units // 4, "known"), name="known_both", dtype="float32")
        self._known.build((None, self.beats, units // 2))
        self._plan = float_dense(units // 2 + latent + units, units, "plan", "gelu")
        # The draft: from the plan alone to the logits of all symbols.
        self._draft = float_lstm(units, "draft")
        self._draft.build((None, self.beats, units))
        self._draft_beat = float_dense(2 * units, units, "draft_beat", "gelu")
        self._draft_logits = float_dense(units, self.beat_steps * sum(self._widths), "draft_logits")
        # Whether a code has extra noise.
        self._noisy_features = float_dense(latent, units // 2, "noisy_features", "gelu")
        self._noisy = float_dense(units // 2, 1, "noisy")

    def call(self, latent: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, ...]:
        """The draft alone, nothing heard and nothing known: codes [B, D] to K tensors of logits float32 [B, T, V_k]."""
        return self._logits(self._drafted(self._planned(latent, None, training), training))

    def _planned(self, latent: tf.Tensor, known: Known | None, training: bool = False) -> tf.Tensor:
        """Codes [B, D] and known symbols to the plan of each beat, [B, beats, U]."""
        local = self._beats(self._frequency(self._split(latent[:, self.style :])))
        given = self._given(known, tf.shape(latent)[0])
        given = self._by_beat(self._embedding(given, sounding(given, self.vocabulary_sizes)))
        given = self._known_beat(given)
        context = tf.concat([self._known(given, training=training), given], axis=-1)
        repeated = tf.repeat(latent[:, tf.newaxis], self.beats, axis=1)
        return self._plan(tf.concat([local, repeated, context], axis=-1))

    def _given(self, known: Known | None, rows: tf.Tensor) -> tf.Tensor:
        """The symbols that are known, int32 [B, T, K]; the others are hidden, as large as their vocabulary."""
        if known is None:
            return tf.broadcast_to(tf.constant(self.vocabulary_sizes), [rows, self.steps, self.tracks])
        return known.seen(self.vocabulary_sizes)

    def _drafted(self, plan: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The plan to the draft of all symbols, float32 [B, T, sum of widths]."""
        features = self._draft_beat(tf.concat([self._draft(plan, training=training), plan], axis=-1))
        return tf.reshape(self._draft_logits(features), [-1, self.steps, sum(self._widths)])

    def noisy(self, latent: tf.Tensor) -> tf.Tensor:
        """Log-odds that codes [B, D] have extra noise, float32 [B]. No gradient goes to the codes."""
        return self._noisy(self._noisy_features(tf.stop_gradient(latent)))[:, 0]

    def _by_beat(self, steps: tf.Tensor) -> tf.Tensor:
        return tf.reshape(steps, [-1, self.beats, self.beat_steps * steps.shape[-1]])

    def _logits(self, numbers: tf.Tensor) -> tuple[tf.Tensor, ...]:
        tracks = tf.split(numbers, self._widths, axis=-1)
        pairs = zip(tracks, self.vocabulary_sizes, strict=True)
        return tuple(kit_logits(track) if is_kit(size) else track for track, size in pairs)
