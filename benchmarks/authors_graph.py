"""The training step of MusAE's authors as a straightforward Keras graph: what a port of their code would be.

Valenti, Carta and Bacciu (2020), from what their code does and in our own words: phrases as one-hot arrays; three
passes through the encoder in every step (one to rebuild, one for the critic, one for the encoder's adversarial
loss); a decoder a track, whose LSTMs get the code once more at every step; all losses in one sum that one Adam makes
small. Layers and loops are those of Keras as they come.

Run as a program it is a peer in a process of its own, since TensorFlow's threads are one setting for a whole process.
Standard input: one line of JSON, {"size": NAME, "quick": BOOL, "genres": G}; then a line for every step to make.
"""

import json
import sys

import keras
import tensorflow as tf

from benchmarks.steps import phrases
from benchmarks.training_step import SIZES, settings
from musae_tf.config import Config


class AuthorsGraph:
    """Call it to make one training step; it returns when the step is done.

    Args:
        config: sizes, batch, learning rate; the recurrences are over steps whatever `model.core` says.
        tokens: int32 [B, T, K], one batch.
        genre: int32 [B].
        symbols: of every track.
        genres: G.
    """

    def __init__(self, config: Config, tokens: tf.Tensor, genre: tf.Tensor, symbols: int, genres: int):
        keras.utils.set_random_seed(1)
        self._config, self._latent = config, config.model.latent
        rows, steps, tracks = tokens.shape
        one_hot = tf.one_hot(tokens, symbols)
        self._phrases = tf.reshape(2.0 * one_hot - 1.0, [rows, steps, tracks * symbols])
        self._targets = [one_hot[:, :, track] for track in range(tracks)]
        self._genre = tf.one_hot(genre, genres)
        self.encoder = _encoder(config, steps, tracks * symbols)
        self.decoder = _decoder(config, steps, tracks, symbols)
        self.critic = _critic(config, genres)
        parts = (self.encoder, self.decoder, self.critic)
        self._variables = [variable for part in parts for variable in part.trainable_variables]
        training = config.training
        self._optimizer = keras.optimizers.Adam(training.learning_rate, global_clipnorm=training.clip_norm or None)
        self._optimizer.build(self._variables)
        self._step = tf.function(self._play, autograph=False)

    def __call__(self) -> float:
        """Make a step; returns the loss."""
        return float(self._step(self._phrases, self._targets, self._genre))

    def _encode(self, phrases: tf.Tensor) -> tf.Tensor:
        mean, log_variance = self.encoder(phrases, training=True)
        return mean + tf.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))

    def _play(self, phrases: tf.Tensor, targets: list[tf.Tensor], genre: tf.Tensor) -> tf.Tensor:
        real = tf.random.normal([phrases.shape[0], self._latent])
        mix = tf.random.uniform([phrases.shape[0], 1])
        with tf.GradientTape() as tape:
            rebuilt = self.decoder(self._encode(phrases), training=True)
            pairs = zip(targets, rebuilt, strict=True)
            entropy = tf.add_n([tf.reduce_mean(keras.losses.categorical_crossentropy(x, y)) for x, y in pairs])
            fake, generated = self._encode(phrases), self._encode(phrases)
            between = mix * real + (1.0 - mix) * fake
            with tf.GradientTape() as inner:
                inner.watch(between)
                score = self.critic([between, genre])
            slope = tf.norm(inner.gradient(score, between), axis=-1)
            adversarial = (
                -tf.reduce_mean(self.critic([real, genre]))
                + tf.reduce_mean(self.critic([fake, genre]))
                - tf.reduce_mean(self.critic([generated, genre]))
                + self._config.critic.gradient_penalty * tf.reduce_mean(tf.square(slope - 1.0))
            )
            loss = entropy + 0.1 * adversarial
        gradients = tape.gradient(loss, [variable.value for variable in self._variables])
        limit = self._config.training.clip_value
        if limit:
            gradients = [tf.clip_by_value(gradient, -limit, limit) for gradient in gradients]
        self._optimizer.apply(gradients, self._variables)
        return loss


def _encoder(config: Config, steps: int, width: int) -> keras.Model:
    phrases = features = keras.Input((steps, width))
    for layer in range(config.model.encoder_layers):
        last = layer == config.model.encoder_layers - 1
        cell = keras.layers.LSTM(config.model.encoder_units, return_sequences=not last)
        features = keras.layers.Bidirectional(cell)(features)
    return keras.Model(phrases, [keras.layers.Dense(config.model.latent)(features) for _ in range(2)])


def _decoder(config: Config, steps: int, tracks: int, symbols: int) -> keras.Model:
    latent = keras.Input((config.model.latent,))
    units, outputs = config.model.decoder_units, []
    for _ in range(tracks):
        features = keras.layers.RepeatVector(steps)(latent)
        for _ in range(config.model.decoder_layers):
            states = [keras.layers.Dense(units, activation="tanh")(latent) for _ in range(2)]
            features = keras.layers.LSTM(units, return_sequences=True)(features, initial_state=states)
        outputs.append(keras.layers.Dense(symbols, activation="softmax")(features))
    return keras.Model(latent, outputs)


def _critic(config: Config, genres: int) -> keras.Model:
    code, genre = keras.Input((config.model.latent,)), keras.Input((genres,))
    features = keras.layers.Concatenate()([code, genre])
    for units in config.critic.units:
        features = keras.layers.Dense(units, activation="tanh")(features)
    return keras.Model([code, genre], keras.layers.Dense(1)(features)[:, 0])


def main() -> None:
    """Answer until standard input ends."""
    told = json.loads(sys.stdin.readline())
    config = settings(told["quick"])[told["size"]]
    step = AuthorsGraph(config, *phrases(config, SIZES, told["genres"]), SIZES[0], told["genres"])
    print("ready", flush=True)
    for _ in sys.stdin:
        print(step(), flush=True)


if __name__ == "__main__":
    main()
