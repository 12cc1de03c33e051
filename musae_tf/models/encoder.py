"""The encoder q(z | x): a phrase to the mean and the log-variance of its latent code."""

import keras

from musae_tf.config import ModelConfig
from musae_tf.models.layers import STEPS_PER_BEAT, TokenEmbedding, recurrent


def build_encoder(config: ModelConfig, steps: int, vocabulary_sizes: tuple[int, ...]) -> keras.Model:
    """Build the encoder.

    Args:
        config: sizes; `core` "step" runs the bidirectional LSTMs over steps (Valenti et al. 2020, the authors'
            settings), "beat" joins the four steps of a beat by a dense layer and runs over beats.
        steps: T, steps of a phrase; a multiple of 4.
        vocabulary_sizes: symbols of each of the K tracks.

    Returns:
        A model from tokens int32 [B, T, K] to (mean, log_variance), both float32 [B, D].
    """
    tokens = keras.Input((steps, len(vocabulary_sizes)), dtype="int32", name="tokens")
    embedding = TokenEmbedding(vocabulary_sizes, config.embedding, name="embedding")(tokens)
    if config.core == "beat":
        features = _beat_features(embedding, config, steps)
    else:
        features = _step_features(embedding, config, steps)
    # Latent codes stay float32 under mixed precision: the critic and the prior need their resolution.
    mean = keras.layers.Dense(config.latent, dtype="float32", name="mean")(features)
    log_variance = keras.layers.Dense(
        config.latent, dtype="float32", name="log_variance", bias_initializer=keras.initializers.Constant(-4.0)
    )(features)
    return keras.Model(tokens, (mean, log_variance), name="encoder")


def _step_features(embedding, config: ModelConfig, steps: int):
    features = embedding
    for layer in range(config.encoder_layers):
        last = layer == config.encoder_layers - 1
        cell = recurrent(config.encoder_units, steps, sequences=not last, name=f"lstm_{layer}")
        features = keras.layers.Bidirectional(cell, name=f"bilstm_{layer}")(features)
    return features


def _beat_features(embedding, config: ModelConfig, steps: int):
    beats = steps // STEPS_PER_BEAT
    features = keras.layers.Reshape((beats, STEPS_PER_BEAT * embedding.shape[-1]), name="beats")(embedding)
    features = keras.layers.Dense(2 * config.encoder_units, activation="gelu", name="beat")(features)
    for layer in range(config.encoder_layers):
        cell = recurrent(config.encoder_units, beats, sequences=True, name=f"lstm_{layer}")
        features = keras.layers.Bidirectional(cell, name=f"bilstm_{layer}")(features)
    # All beat states, not only the last: a code must tell where in the phrase something happens.
    flat = keras.layers.Flatten(name="flatten")(features)
    return keras.layers.Dense(2 * config.encoder_units, activation="gelu", name="phrase")(flat)
