"""Layers that the encoder and the decoder share: token embedding and recurrent stacks."""

import keras
import numpy as np
import tensorflow as tf

from musae_tf.models.kit import expected_strokes, is_kit, struck
from musae_tf.music import KIT_PIECES

# Steps a beat: the grid has 16 steps in a bar of four beats.
STEPS_PER_BEAT = 4
# Unrolling doubles or trebles the speed of short recurrences on a CPU; on a GPU cuDNN wants the rolled form.
UNROLL_LIMIT = 32


@keras.saving.register_keras_serializable(package="musae_tf")
class TokenEmbedding(keras.layers.Layer):
    """Tokens of all tracks, int32 [B, T, K], to one float vector a step, [B, T, K * width].

    Every melodic track has its own rows in one table. A kit has a row for each piece, and its symbols are sums of them.
    `width` 0 gives one-hot coding, and of kits the pieces that are struck: [B, T, sum of `kit.widths`].
    """

    def __init__(self, vocabulary_sizes: tuple[int, ...], width: int, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary_sizes = tuple(vocabulary_sizes)
        self.width = width
        rows = [0 if is_kit(size) else size for size in self.vocabulary_sizes]
        self._offsets = [sum(rows[:k]) for k in range(len(rows))]
        if width and any(rows):
            self.table = keras.layers.Embedding(sum(rows), width, embeddings_initializer=_unit(), name="table")
        if width and not all(rows):
            self.kit = keras.layers.Dense(width, kernel_initializer=_unit(), name="kit")

    def build(self, input_shape):
        if hasattr(self, "table"):
            self.table.build(input_shape)
        if hasattr(self, "kit"):
            self.kit.build((None, None, len(KIT_PIECES)))

    def call(self, tokens):
        vectors = []
        tracks = tf.unstack(tf.cast(tokens, tf.int32), axis=-1)
        for track, size, first in zip(tracks, self.vocabulary_sizes, self._offsets, strict=True):
            if is_kit(size):
                vectors.append(self._of_pieces(struck(track, self.compute_dtype)))
            elif self.width:
                vectors.append(self.table(track + first))
            else:
                vectors.append(tf.one_hot(track, size, dtype=self.compute_dtype))
        return tf.concat(vectors, axis=-1)

    def expected(self, probabilities):
        """The mean embedding of tokens that are only known by their probabilities, with gradients to these.

        Args:
            probabilities: K tensors float [B, T, V_k].

        Returns:
            What `call` gives for tokens, [B, T, K * width].
        """
        vectors = []
        for track, size, first in zip(probabilities, self.vocabulary_sizes, self._offsets, strict=True):
            track = tf.cast(track, self.compute_dtype)
            if is_kit(size):
                vectors.append(self._of_pieces(expected_strokes(track)))
            elif self.width:
                table = tf.cast(tf.convert_to_tensor(self.table.embeddings), self.compute_dtype)
                vectors.append(tf.einsum("btv,vw->btw", track, table[first : first + size]))
            else:
                vectors.append(track)
        return tf.concat(vectors, axis=-1)

    def _of_pieces(self, strokes):
        return self.kit(strokes) if self.width else strokes

    def get_config(self):
        return {**super().get_config(), "vocabulary_sizes": self.vocabulary_sizes, "width": self.width}


def _unit() -> keras.initializers.Initializer:
    # Unit variance, as a normalised input has; the default of Keras (0.05) starves the layers above for hundreds of
    # steps.
    return keras.initializers.RandomNormal(0.0, 1.0)


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
