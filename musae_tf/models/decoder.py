"""The decoder p(x | z): a latent code to the logits of every step of every track, all in one pass."""

import keras
import tensorflow as tf

from musae_tf.config import ModelConfig
from musae_tf.models.layers import STEPS_PER_BEAT, BeatTransform, recurrent


@keras.saving.register_keras_serializable(package="musae_tf")
class SplitTracks(keras.layers.Layer):
    """Joint logits [B, T, sum of vocabulary sizes] to one float32 tensor a track, [B, T, V_k]."""

    def __init__(self, vocabulary_sizes: tuple[int, ...], **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.vocabulary_sizes = tuple(vocabulary_sizes)

    def call(self, logits):
        return tuple(tf.split(logits, self.vocabulary_sizes, axis=-1))

    def get_config(self):
        return {**super().get_config(), "vocabulary_sizes": self.vocabulary_sizes}


def build_decoder(config: ModelConfig, steps: int, vocabulary_sizes: tuple[int, ...]) -> keras.Model:
    """Build the decoder.

    Args:
        config: sizes; `core` "step" is the authors' decoder (Valenti et al. 2020): for each track a stack of LSTMs
            whose input is z at every step and whose initial states are tanh of a dense layer of z; "beat" runs one
            stack over beats for all tracks and emits the four steps of a beat together.
        steps: T, steps of a phrase; a multiple of 4.
        vocabulary_sizes: symbols of each of the K tracks.

    Returns:
        A model from z float32 [B, D] to a tuple of K float32 tensors [B, T, V_k] of logits. Not autoregressive.
    """
    latent = keras.Input((config.latent,), name="latent")
    build = _beat_logits if config.core == "beat" else _step_logits
    return keras.Model(latent, build(latent, config, steps, tuple(vocabulary_sizes)), name="decoder")


def _step_logits(latent, config: ModelConfig, steps: int, vocabulary_sizes: tuple[int, ...]):
    repeated = keras.layers.RepeatVector(steps, name="repeat")(latent)
    logits = []
    for track, size in enumerate(vocabulary_sizes):
        features = repeated
        for layer in range(config.decoder_layers):
            name = f"track_{track}_lstm_{layer}"
            states = [
                keras.layers.Dense(config.decoder_units, activation="tanh", name=f"{name}_{state}")(latent)
                for state in ("hidden", "carry")
            ]
            cell = recurrent(config.decoder_units, steps, sequences=True, name=name)
            features = cell(features, initial_state=states)
        logits.append(keras.layers.Dense(size, dtype="float32", name=f"track_{track}_logits")(features))
    return tuple(logits)


def _beat_logits(latent, config: ModelConfig, steps: int, vocabulary_sizes: tuple[int, ...]):
    beats, units = steps // STEPS_PER_BEAT, config.decoder_units
    rows = keras.layers.Reshape((beats, config.latent // beats), name="frequencies")(latent)
    rows = keras.layers.EinsumDense("bfd,fdu->bfu", (beats, units // 2), bias_axes="fu", name="frequency")(rows)
    local = BeatTransform(inverse=True, name="beats")(rows)
    repeated = keras.layers.RepeatVector(beats, name="repeat")(latent)
    plan = keras.layers.Concatenate(name="local_and_code")([local, repeated])
    plan = keras.layers.Dense(units, activation="gelu", name="plan")(plan)
    features = plan
    for layer in range(config.decoder_layers):
        features = recurrent(units, beats, sequences=True, name=f"lstm_{layer}")(features)
    # The plan joins again after the recurrence, a short way from the code to each beat.
    features = keras.layers.Concatenate(name="beat_and_plan")([features, plan])
    features = keras.layers.Dense(units, activation="gelu", name="beat")(features)
    joint = keras.layers.Dense(STEPS_PER_BEAT * sum(vocabulary_sizes), name="logits")(features)
    joint = keras.layers.Reshape((steps, sum(vocabulary_sizes)), name="steps")(joint)
    return SplitTracks(vocabulary_sizes, name="tracks")(joint)
