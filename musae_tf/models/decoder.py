"""The decoder p(x | z): a latent code to the logits of every step of every track, all in one pass.

The one that is not in one pass is in `musae_tf.models.autoregressive`.
"""

from typing import Any

import keras
import tensorflow as tf

from musae_tf.config import ModelConfig, PhraseShape
from musae_tf.models.autoregressive import AutoregressiveDecoder
from musae_tf.models.layers import LSTM, BeatTransform, FrequencyDense, Repeated, SplitCode
from musae_tf.models.tokens import KitLogits, is_kit, kit_logits, widths


@keras.saving.register_keras_serializable(package="musae_tf")
class SplitTracks(keras.layers.Layer):
    """Joint numbers [B, T, sum of `kit.widths`] to the float32 logits of each track, [B, T, V_k]."""

    def __init__(self, vocabulary_sizes: tuple[int, ...], **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.vocabulary_sizes = tuple(vocabulary_sizes)

    def call(self, logits: tf.Tensor) -> tuple[tf.Tensor, ...]:
        tracks = tf.split(logits, widths(self.vocabulary_sizes), axis=-1)
        return tuple(
            kit_logits(track) if is_kit(size) else track
            for track, size in zip(tracks, self.vocabulary_sizes, strict=True)
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "vocabulary_sizes": self.vocabulary_sizes}


def build_decoder(
    config: ModelConfig, phrase: PhraseShape, vocabulary_sizes: tuple[int, ...], style: int = 0
) -> keras.Model | AutoregressiveDecoder:
    """Build the decoder.

    Args:
        config: sizes. `core` "step" is the authors' decoder (Valenti et al. 2020): for each track a stack of LSTMs
            whose input is the code at every step and whose initial states are tanh of a dense layer of the code; "beat"
            runs one stack over beats for all tracks and emits the steps of a beat together. `decoder` "flat" runs
            over the phrase; "hierarchical" has a conductor over bars, as MusicVAE (Roberts et al. 2018),
            and the same decoder for each bar, whose code is the conductor's output there. "autoregressive" hears what
            it has written, see `AutoregressiveDecoder`; it runs over beats.
        phrase: bars, beats and T steps.
        vocabulary_sizes: symbols of each of the K tracks.
        style: axes of the code before those of z, for `kind` musae.

    Returns:
        A model from codes float32 [B, style + D] to a tuple of K float32 tensors [B, T, V_k] of logits; the
        autoregressive one gives its draft.
    """
    if config.decoder == "autoregressive":
        return AutoregressiveDecoder(config, phrase, vocabulary_sizes, style)
    latent = keras.Input((style + config.latent,), name="latent")
    sizes = tuple(vocabulary_sizes)
    build = _beat_logits if config.core == "beat" else _step_logits
    if config.decoder == "flat":
        return keras.Model(latent, build(latent, config, phrase, sizes, style), name="decoder")
    codes = keras.ops.reshape(_conductor(latent, config, phrase.bars), (-1, config.decoder_units))
    logits = build(codes, config, PhraseShape(1, phrase.beats // phrase.bars, phrase.beat_steps), sizes, 0)
    joined = tuple(keras.ops.reshape(track, (-1, phrase.steps, track.shape[-1])) for track in logits)
    return keras.Model(latent, joined, name="decoder")


def _conductor(latent: tf.Tensor, config: ModelConfig, bars: int) -> tf.Tensor:
    features = keras.layers.RepeatVector(bars, name="repeat_for_bars")(latent)
    for layer in range(config.decoder_layers):
        features = _started_by(latent, features, config, f"conductor_{layer}")
    return features


def _started_by(latent: tf.Tensor, features: tf.Tensor, config: ModelConfig, name: str) -> tf.Tensor:
    """A recurrence over `features` whose initial states come from the code."""
    cell = LSTM(config.decoder_units, return_sequences=True, name=name)
    return cell(features, initial_state=_first_states(latent, config, name))


def _first_states(latent: tf.Tensor, config: ModelConfig, name: str) -> list[tf.Tensor]:
    return [
        keras.layers.Dense(config.decoder_units, activation="tanh", name=f"{name}_{state}")(latent)
        for state in ("hidden", "carry")
    ]


def _step_logits(
    latent: tf.Tensor, config: ModelConfig, phrase: PhraseShape, vocabulary_sizes: tuple[int, ...], style: int
) -> tuple[tf.Tensor, ...]:
    logits = []
    for track, (size, width) in enumerate(zip(vocabulary_sizes, widths(vocabulary_sizes), strict=True)):
        names = [f"track_{track}_lstm_{layer}" for layer in range(config.decoder_layers)]
        cell = LSTM(config.decoder_units, return_sequences=True, name=names[0])
        first = Repeated(cell, phrase.steps, name=f"{names[0]}_repeated")
        features = first(latent, _first_states(latent, config, names[0]))
        for name in names[1:]:
            features = _started_by(latent, features, config, name)
        numbers = keras.layers.Dense(width, dtype="float32", name=f"track_{track}_logits")(features)
        logits.append(KitLogits(name=f"track_{track}_kit")(numbers) if is_kit(size) else numbers)
    return tuple(logits)


def _beat_logits(
    latent: tf.Tensor, config: ModelConfig, phrase: PhraseShape, vocabulary_sizes: tuple[int, ...], style: int
) -> tuple[tf.Tensor, ...]:
    beats, units = phrase.beats, config.decoder_units
    # The style is one for the whole phrase: it has no frequencies.
    varying = latent[:, style:] if style else latent
    rows = SplitCode(beats, name="frequencies")(varying)
    rows = FrequencyDense(units // 2, name="frequency")(rows)
    local = BeatTransform(inverse=True, name="beats")(rows)
    repeated = keras.layers.RepeatVector(beats, name="repeat")(latent)
    plan = keras.layers.Concatenate(name="local_and_code")([local, repeated])
    plan = keras.layers.Dense(units, activation="gelu", name="plan")(plan)
    features = plan
    for layer in range(config.decoder_layers):
        features = LSTM(units, return_sequences=True, name=f"lstm_{layer}")(features)
    # The plan joins again after the recurrence, a short way from the code to each beat.
    features = keras.layers.Concatenate(name="beat_and_plan")([features, plan])
    features = keras.layers.Dense(units, activation="gelu", name="beat")(features)
    width = sum(widths(vocabulary_sizes))
    joint = keras.layers.Dense(phrase.beat_steps * width, name="logits")(features)
    joint = keras.layers.Reshape((phrase.steps, width), name="steps")(joint)
    return SplitTracks(vocabulary_sizes, name="tracks")(joint)
