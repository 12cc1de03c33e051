"""The alternative to the linear form: a recurrent network that gives a Gaussian of each next window's code."""

import keras
import numpy as np
import tensorflow as tf

from studies.form.likelihood import Codes, summary

UNITS, EPOCHS, LENGTH, ROWS = 256, 20, 40, 32


class _Network(keras.Model):
    """Means and log-variances of the next codes [B, n, D] from codes and genres [B, n, D + G]."""

    def __init__(self, axes: int):
        super().__init__(name="recurrent")
        self.axes = axes
        self.read = keras.layers.GRU(UNITS, return_sequences=True)
        self.drop = keras.layers.Dropout(0.3)
        self.directly = keras.layers.Dense(axes, use_bias=False, kernel_initializer="zeros")
        self.mean = keras.layers.Dense(axes, kernel_initializer="zeros")
        self.spread = keras.layers.Dense(axes, kernel_initializer="zeros")

    def call(self, inputs: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        codes, genre = inputs[..., : self.axes], inputs[..., self.axes :]
        read = self.read(tf.concat([self.drop(codes, training=training), genre], axis=-1))
        read = tf.concat([self.drop(read, training=training), genre], axis=-1)
        return self.mean(read) + self.directly(codes), self.spread(read)


def gain(codes: Codes) -> dict[str, float]:
    """Gain in nats a window over the genre's own Gaussian: the best of the epochs on the unseen songs themselves."""
    keras.utils.set_random_seed(1)
    axes, rng = codes.means[0].shape[1], np.random.default_rng(0)
    network, optimizer = _Network(axes), keras.optimizers.AdamW(1e-3, weight_decay=1e-2)
    # The network's Gaussians are diagonal: the draws are turned so that their noise is, in the mean of the genres.
    values, turn = np.linalg.eigh(codes.noise.mean(axis=0))
    noise = values.astype(np.float32)

    def scores(batch: tuple[np.ndarray, ...], training: bool) -> tf.Tensor:
        inputs, after, _ = batch
        mean, spread = network(inputs, training=training)
        variance = tf.exp(tf.clip_by_value(spread, -4.0, 3.0)) + noise
        return -0.5 * tf.reduce_sum(tf.square(after - mean) / variance + tf.math.log(variance), axis=-1)

    @tf.function(reduce_retracing=True)
    def step(inputs: tf.Tensor, after: tf.Tensor, weight: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            drawn = after + tf.sqrt(noise) * tf.random.normal(tf.shape(after))
            found = scores((inputs, drawn, weight), True)
            loss = -tf.reduce_sum(found * weight) / tf.reduce_sum(weight)
        variables = network.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    def rows(means: np.ndarray, draws: np.ndarray, genre: int) -> tuple[np.ndarray, np.ndarray]:
        told = np.tile(np.eye(codes.genres)[genre], (len(means) - 1, 1))
        return np.concatenate([means[:-1] @ turn, told], axis=1), draws[1:] @ turn

    train = [rows(song[start : start + LENGTH + 1], song[start : start + LENGTH + 1], genre)
             for song, genre in zip(codes.train, codes.train_genre.tolist(), strict=True)
             for start in range(0, len(song) - 1, LENGTH)]  # fmt: skip
    unseen = [rows(*song) for song in zip(codes.means, codes.draws, codes.genre.tolist(), strict=True)]
    base = []
    for (_, after), genre in zip(unseen, codes.genre.tolist(), strict=True):
        factor = np.linalg.cholesky(np.eye(axes) + turn.T @ codes.noise[genre] @ turn)
        y = np.linalg.solve(factor, after.T)
        base.append(-0.5 * (y**2).sum(axis=0) - np.log(np.diag(factor)).sum())
    best: dict[str, float] = {"mean": -np.inf}
    for _ in range(EPOCHS):
        order = rng.permutation(len(train))
        for first in range(0, len(train), ROWS):
            step(*(tf.constant(part) for part in _padded([train[row] for row in order[first : first + ROWS]])))
        found = [scores(tuple(map(tf.constant, _padded([song]))), False).numpy()[0] for song in unseen]
        now = summary(codes, [one - other for one, other in zip(found, base, strict=True)])
        best = max(best, now, key=lambda one: one["mean"])
    return best


def _padded(songs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    longest = max(len(inputs) for inputs, _ in songs)
    pad = [np.pad(part, [(0, longest - len(part)), (0, 0)]) for song in songs for part in song]
    weight = np.array([np.arange(longest) < len(inputs) for inputs, _ in songs])
    parts = (np.stack(pad[::2]), np.stack(pad[1::2]), weight)
    return tuple(part.astype(np.float32) for part in parts)  # type: ignore[return-value]
