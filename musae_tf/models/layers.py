"""Layers that the encoder and the decoder share: token embedding and recurrent stacks."""

import keras
import numpy as np
import tensorflow as tf

# Steps a beat: the grid has 16 steps in a bar of four beats.
STEPS_PER_BEAT = 4
# Unrolling doubles or trebles the speed of short recurrences on a CPU; on a GPU cuDNN wants the rolled form.
UNROLL_LIMIT = 32


@keras.saving.register_keras_serializable(package="musae_tf")
class TokenEmbedding(keras.layers.Layer):
    """Tokens of all tracks, int32 [B, T, K], to one float vector a step, [B, T, K * width].

    Every track has its own rows in one table. `width` 0 gives one-hot coding: [B, T, sum of vocabulary sizes].
    """

    def __init__(self, vocabulary_sizes: tuple[int, ...], width: int, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary_sizes = tuple(vocabulary_sizes)
        self.width = width
        self._offsets = [sum(self.vocabulary_sizes[:k]) for k in range(len(self.vocabulary_sizes))]
        if width:
            # Unit variance, as a normalised input has; the default of Keras (0.05) starves the layers above for
            # hundreds of steps.
            self.table = keras.layers.Embedding(
                sum(self.vocabulary_sizes),
                width,
                embeddings_initializer=keras.initializers.RandomNormal(0.0, 1.0),
                name="table",
            )

    def build(self, input_shape):
        if self.width:
            self.table.build(input_shape)

    def call(self, tokens):
        shifted = tf.cast(tokens, tf.int32) + tf.constant(self._offsets, tf.int32)
        if self.width:
            steps = self.table(shifted)
            return keras.ops.reshape(steps, (-1, *tokens.shape[1:-1], len(self.vocabulary_sizes) * self.width))
        # Offsets keep the tracks apart, so the sum of the one-hot rows is their concatenation.
        return tf.reduce_sum(tf.one_hot(shifted, sum(self.vocabulary_sizes), dtype=self.compute_dtype), axis=-2)

    def expected(self, probabilities):
        """The mean embedding of tokens that are only known by their probabilities, with gradients to these.

        Args:
            probabilities: K tensors float [B, T, V_k].

        Returns:
            What `call` gives for tokens, [B, T, K * width].
        """
        tracks = [tf.cast(track, self.compute_dtype) for track in probabilities]
        if self.width:
            table = tf.cast(tf.convert_to_tensor(self.table.embeddings), self.compute_dtype)
            tracks = [
                tf.einsum("btv,vw->btw", track, table[first : first + size])
                for track, first, size in zip(tracks, self._offsets, self.vocabulary_sizes, strict=True)
            ]
        return tf.concat(tracks, axis=-1)

    def get_config(self):
        return {**super().get_config(), "vocabulary_sizes": self.vocabulary_sizes, "width": self.width}


@keras.saving.register_keras_serializable(package="musae_tf")
class BeatTransform(keras.layers.Layer):
    """Orthonormal cosine transform over beats (DCT-II; DCT-III when `inverse`): [B, beats, C] to the same shape.

    Row 0 of the transformed is the mean over the phrase, later rows are ever faster changes. Neighbouring beats are
    alike; these rows are far less so, and a prior with independent axes asks for that.
    """

    def __init__(self, inverse: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.inverse = inverse

    def call(self, beats):
        count = beats.shape[1]
        frequency, beat = np.arange(count)[:, np.newaxis], np.arange(count)[np.newaxis]
        matrix = np.sqrt(2 / count) * np.cos(np.pi * (2 * beat + 1) * frequency / (2 * count))
        matrix[0] /= np.sqrt(2)
        matrix = tf.constant(matrix.T if self.inverse else matrix, self.compute_dtype)
        return tf.einsum("fb,nbc->nfc", matrix, beats)

    def get_config(self):
        return {**super().get_config(), "inverse": self.inverse}


def recurrent(units: int, steps: int, *, sequences: bool, name: str, cell: str = "lstm") -> keras.layers.Layer:
    """An LSTM or GRU over `steps` steps, unrolled where that is faster. Its name does not say which of the two."""
    on_gpu = bool(tf.config.list_logical_devices("GPU"))
    layer = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[cell]
    return layer(
        units,
        return_sequences=sequences,
        unroll=steps <= UNROLL_LIMIT and not on_gpu,
        name=name,
    )
