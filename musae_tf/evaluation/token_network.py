"""A network that tells phrases that were made from real ones by their tokens.

The classifier two-sample test (Lopez-Paz and Oquab 2017) with a small convolutional network in place of the
support-vector machine of `musae_tf.evaluation.realism`: it reads what happens and what sounds step by step, and counts
nothing beforehand. It hears other faults, and on the whole fewer. Shapes: N phrases, T steps, K tracks.
"""

import keras
import numpy as np
import tensorflow as tf

from musae_tf.models.relative import PITCHES, SILENT, motion, sounding
from musae_tf.models.tokens import is_kit

_UNITS, _WIDTH = 64, 12
_EPOCHS, _PATIENCE, _BATCH, _HELD_BACK = 16, 4, 64, 0.15
_RATE, _DECAY = 1.5e-3, 1e-2
# Semitones that phrases are moved by, at random.
_TRANSPOSED = (-5, 7)
_SEEDS = 2


class _Reader(keras.layers.Layer):
    """Tokens int32 [N, T, K] to features [N, T, F]: what happens, what sounds, and intervals between tracks."""

    def __init__(self, vocabulary_sizes: tuple[int, ...], seed: int):
        super().__init__()
        self._sizes = vocabulary_sizes
        self._starts = np.cumsum([0, *vocabulary_sizes[:-1]])
        self._melodic = [track for track, size in enumerate(vocabulary_sizes) if not is_kit(size)]
        shapes = ((sum(vocabulary_sizes), _WIDTH), (len(vocabulary_sizes) * (PITCHES + 2), _WIDTH))
        self._events, self._sounds = (
            self.add_weight(shape=shape, initializer=keras.initializers.RandomNormal(0.0, 0.3, seed + number))
            for number, shape in enumerate(shapes)
        )

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        steps, tracks = tokens.shape[1:]
        pitches = sounding(tokens, self._sizes)
        last = tf.concat([pitches[:, :1], pitches[:, :-1]], axis=1)
        events = tf.gather(tf.convert_to_tensor(self._events), tokens + self._starts)
        sounds = pitches + np.arange(tracks) * (PITCHES + 2)
        parts = [events, tf.gather(tf.convert_to_tensor(self._sounds), sounds)]
        parts.append(tf.one_hot(tf.where(pitches < SILENT, pitches % 12, -1), 12))
        moved = tf.where((pitches < SILENT) & (last < SILENT), tf.clip_by_value(pitches - last, -13, 13) + 13, -1)
        parts.append(tf.one_hot(moved, 27))
        found = [tf.reshape(part, [-1, steps, tracks * part.shape[-1]]) for part in parts]
        for number, track in enumerate(self._melodic):
            others = self._melodic[number + 1 :]
            if others:
                apart = motion(track, others, tf.reshape(pitches, [-1, tracks]), tf.reshape(pitches, [-1, tracks])) // 5
                found.append(tf.reshape(tf.one_hot(apart, 13), [-1, steps, 13 * len(others)]))
        return tf.concat(found, axis=-1)


def _network(steps: int, vocabulary_sizes: tuple[int, ...], seed: int) -> keras.Model:
    seeds = iter(range(100 * seed, 100 * seed + 100))

    def dense(units: int, activation: str | None = None) -> keras.layers.Layer:
        return keras.layers.Dense(units, activation, kernel_initializer=keras.initializers.GlorotUniform(next(seeds)))

    def convolution() -> keras.layers.Layer:
        start = keras.initializers.GlorotUniform(next(seeds))
        return keras.layers.Conv1D(_UNITS, 3, padding="same", activation="gelu", kernel_initializer=start)

    tokens = keras.Input((steps, len(vocabulary_sizes)), dtype="int32")
    hidden = dense(_UNITS, "gelu")(_Reader(vocabulary_sizes, next(seeds))(tokens))
    for last in (False, False, True):
        found = keras.layers.Dropout(0.1, seed=next(seeds))(convolution()(hidden))
        hidden = keras.layers.LayerNormalization()(keras.layers.Add()([hidden, found]))
        if not last:
            hidden = keras.layers.AveragePooling1D(2)(hidden)
    means, most = keras.layers.GlobalAveragePooling1D()(hidden), keras.layers.GlobalMaxPooling1D()(hidden)
    features = keras.layers.Dropout(0.3, seed=next(seeds))(keras.layers.Concatenate()([means, most]))
    return keras.Model(tokens, dense(1)(dense(_UNITS, "gelu")(features)))


class TokenNetwork:
    """Scores phrases; the higher, the more they look as if they were made."""

    def __init__(self, real: np.ndarray, made: np.ndarray, vocabulary_sizes: tuple[int, ...]):
        """Learn from real and made phrases, int [N, T, K] each."""
        self._sizes = tuple(vocabulary_sizes)
        tokens = np.concatenate([real, made]).astype(np.int32)
        truth = np.repeat([0.0, 1.0], [len(real), len(made)]).astype(np.float32)
        self._networks = [self._learn(tokens, truth, seed) for seed in range(_SEEDS)]

    def scores(self, tokens: np.ndarray) -> np.ndarray:
        """Log-odds that phrases int [N, T, K] were made, mean of the networks: float64 [N]."""
        return np.mean([_scores(network, tokens) for network in self._networks], axis=0)

    def _learn(self, tokens: np.ndarray, truth: np.ndarray, seed: int) -> keras.Model:
        rng = np.random.default_rng([seed, 71])
        order = rng.permutation(len(tokens))
        held, rest = np.split(order, [int(len(order) * _HELD_BACK)])
        network = _network(tokens.shape[1], self._sizes, seed)
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        network.compile(keras.optimizers.AdamW(_RATE, weight_decay=_DECAY), loss, jit_compile=False)
        best, weights, bad = np.inf, network.get_weights(), 0
        for _ in range(_EPOCHS):
            rest = rng.permutation(rest)
            batches = self._transposed(tokens[rest], rng), truth[rest]
            network.fit(*batches, batch_size=_BATCH, shuffle=False, verbose=0)
            # Logistic loss.
            value = np.logaddexp(0.0, (1 - 2 * truth[held]) * _scores(network, tokens[held])).mean()
            if value < best:
                best, weights, bad = value, network.get_weights(), 0
            else:
                bad += 1
                if bad == _PATIENCE:
                    break
        network.set_weights(weights)
        return network

    def _transposed(self, tokens: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        moved = np.clip(tokens + rng.integers(*_TRANSPOSED, (len(tokens), 1, 1)), 0, PITCHES - 1)
        melodic = np.array([not is_kit(size) for size in self._sizes])
        return np.where(melodic & (tokens < PITCHES), moved, tokens).astype(np.int32)


def _scores(network: keras.Model, tokens: np.ndarray) -> np.ndarray:
    parts = [tokens[first : first + 512] for first in range(0, len(tokens), 512)]
    return np.concatenate([network(tf.constant(part, tf.int32), training=False)[:, 0] for part in parts]).astype(float)
