"""The encoder q(z | x): a phrase to the mean and the log-variance of its latent code."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from musae_tf.config import ModelConfig, PhraseShape
from musae_tf.models.layers import LSTM, BeatTransform, FrequencyDense, JoinCode, TokenEmbedding


def build_encoder(
    config: ModelConfig, phrase: PhraseShape, vocabulary_sizes: tuple[int, ...], genres: int
) -> keras.Model:
    """Build the encoder.

    Args:
        config: sizes; `core` "step" runs the bidirectional recurrence over steps (Valenti et al. 2020, the authors'
            settings), "beat" joins the steps of a beat by a dense layer and runs over beats.
        phrase: bars, beats and T steps.
        vocabulary_sizes: symbols of each of the K tracks.
        genres: G.

    Returns:
        A model from tokens int32 [B, T, K] to a tuple of float32 tensors: mean [B, D]; log-variance [B, D], unless
        `kind` is autoencoder; and the style 0..1 [B, G], if `kind` is musae.
    """
    tokens = keras.Input((phrase.steps, len(vocabulary_sizes)), dtype="int32", name="tokens")
    embedding = TokenEmbedding(vocabulary_sizes, config.embedding, name="embedding")(tokens)
    features = _beat_features(embedding, config, phrase) if config.core == "beat" else _step_features(embedding, config)
    # Latent codes stay float32 under mixed precision: the critic and the prior need their resolution.
    outputs = [_head(features, config.latent, "mean", "zeros")]
    if config.kind != "autoencoder":
        outputs.append(_head(features, config.latent, "log_variance", keras.initializers.Constant(-4.0)))
    if config.kind == "musae":
        flatten = keras.layers.Flatten if len(features.shape) == 2 else JoinCode
        flat = flatten(dtype="float32", name="all_features")(features)
        outputs.append(keras.layers.Dense(genres, activation="sigmoid", dtype="float32", name="style")(flat))
    return keras.Model(tokens, tuple(outputs), name="encoder")


def reader(encoder: keras.Model) -> Callable[[Sequence[tf.Tensor]], Sequence[tf.Tensor]]:
    """The encoder for music that is only known by its probabilities, with gradients to them.

    Returns:
        A function of K tensors float32 [B, T, V_k] that gives what the encoder gives. It owns no weights: they are the
        encoder's.
    """
    embedding = encoder.get_layer("embedding")
    above = keras.Model(embedding.output, encoder.outputs)
    return lambda probabilities: above(embedding.expected(probabilities))


def _head(features: tf.Tensor, latent: int, name: str, bias: Any) -> tf.Tensor:
    if len(features.shape) == 2:
        return keras.layers.Dense(latent, dtype="float32", name=name, bias_initializer=bias)(features)
    rows = features.shape[0]
    head = FrequencyDense(latent // rows, dtype="float32", name=name, bias_initializer=bias)
    return JoinCode(dtype="float32", name=f"{name}_code")(head(features))


def _step_features(embedding: tf.Tensor, config: ModelConfig) -> tf.Tensor:
    features = embedding
    for layer in range(config.encoder_layers):
        last, one_hot = layer == config.encoder_layers - 1, layer == 0 and not config.embedding
        cell = LSTM(config.encoder_units, one_hot, return_sequences=not last, name=f"lstm_{layer}")
        features = keras.layers.Bidirectional(cell, name=f"bilstm_{layer}")(features)
    return features


def _beat_features(embedding: tf.Tensor, config: ModelConfig, phrase: PhraseShape) -> tf.Tensor:
    width = phrase.beat_steps * embedding.shape[-1]
    features = keras.layers.Reshape((phrase.beats, width), name="beats")(embedding)
    beat = features = keras.layers.Dense(2 * config.encoder_units, activation="gelu", name="beat")(features)
    for layer in range(config.encoder_layers):
        cell = LSTM(config.encoder_units, return_sequences=True, name=f"lstm_{layer}")
        features = keras.layers.Bidirectional(cell, name=f"bilstm_{layer}")(features)
    # What a beat holds goes past the recurrence as well, a short way from the notes to the code.
    features = keras.layers.Concatenate(name="context_and_beat")([features, beat])
    return BeatTransform(name="frequencies")(features)
