"""Layers that the encoder and the decoder share: token embedding and recurrent stacks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from musae_tf.models import recurrence
from musae_tf.models.tokens import expected_strokes, is_kit, struck
from musae_tf.music import KIT_PIECES


@keras.saving.register_keras_serializable(package="musae_tf")
class TokenEmbedding(keras.layers.Layer):
    """Tokens of all tracks, int32 [B, T, K], to one float vector a step, [B, T, K * width].

    Every melodic track has its own rows in one table. A kit has a row for each piece, and its symbols are sums of them.
    `width` 0 gives one-hot coding, and of kits the pieces that are struck: [B, T, sum of `kit.widths`]. A symbol as
    large as its vocabulary is hidden: its vector is 0.
    """

    def __init__(self, vocabulary_sizes: tuple[int, ...], width: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.vocabulary_sizes = tuple(vocabulary_sizes)
        self.width = width
        rows = [0 if is_kit(size) else size for size in self.vocabulary_sizes]
        self._offsets = [sum(rows[:k]) for k in range(len(rows))]
        if width and any(rows):
            self.table = keras.layers.Embedding(sum(rows), width, embeddings_initializer=_unit(), name="table")
        if width and not all(rows):
            self.kit = keras.layers.Dense(width, kernel_initializer=_unit(), name="kit")

    def build(self, input_shape: Any) -> None:
        if hasattr(self, "table"):
            self.table.build(input_shape)
        if hasattr(self, "kit"):
            self.kit.build((None, None, len(KIT_PIECES)))

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        vectors = []
        tracks = tf.unstack(tf.cast(tokens, tf.int32), axis=-1)
        for track, size, first in zip(tracks, self.vocabulary_sizes, self._offsets, strict=True):
            shown, symbol = track < size, tf.minimum(track, size - 1)
            if is_kit(size):
                vector = self._of_pieces(struck(symbol, self.compute_dtype))
            elif self.width:
                vector = self.table(symbol + first)
            else:
                vector = tf.one_hot(symbol, size, dtype=self.compute_dtype)
            vectors.append(vector * tf.cast(shown, vector.dtype)[..., tf.newaxis])
        return tf.concat(vectors, axis=-1)

    def expected(self, probabilities: Sequence[tf.Tensor]) -> tf.Tensor:
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

    def _of_pieces(self, strokes: tf.Tensor) -> tf.Tensor:
        return self.kit(strokes) if self.width else strokes

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "vocabulary_sizes": self.vocabulary_sizes, "width": self.width}


def _unit() -> keras.initializers.Initializer:
    # Unit variance, as a normalised input has; the default of Keras (0.05) starves the layers above for hundreds of
    # steps.
    return keras.initializers.RandomNormal(0.0, 1.0)


@keras.saving.register_keras_serializable(package="musae_tf")
class BeatTransform(keras.layers.Layer):
    """Orthonormal cosine transform over beats (DCT-II): [B, beats, C] to frequencies first, [beats, B, C].

    Row 0 of the transformed is the mean over the phrase, later rows are ever faster changes. Neighbouring beats are
    alike; these rows are far less so, and a prior with independent axes asks for that. `inverse` is the way back
    (DCT-III), [beats, B, C] to [B, beats, C].
    """

    def __init__(self, inverse: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.inverse = inverse

    def call(self, rows: tf.Tensor) -> tf.Tensor:
        first = rows if self.inverse else tf.transpose(rows, [1, 0, 2])
        count, _, width = first.shape
        frequency, beat = np.arange(count)[:, np.newaxis], np.arange(count)[np.newaxis]
        matrix = np.sqrt(2 / count) * np.cos(np.pi * (2 * beat + 1) * frequency / (2 * count))
        matrix[0] /= np.sqrt(2)
        matrix = tf.constant(matrix.T if self.inverse else matrix, self.compute_dtype)
        transformed = tf.reshape(tf.matmul(matrix, tf.reshape(first, [count, -1])), [count, -1, width])
        return tf.transpose(transformed, [1, 0, 2]) if self.inverse else transformed

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "inverse": self.inverse}


@keras.saving.register_keras_serializable(package="musae_tf")
class SplitCode(keras.layers.Layer):
    """A code by its frequencies: [B, F * C] to [F, B, C]."""

    def __init__(self, frequencies: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.frequencies = frequencies

    def call(self, code: tf.Tensor) -> tf.Tensor:
        width = code.shape[-1] // self.frequencies
        return tf.transpose(tf.reshape(code, [-1, self.frequencies, width]), [1, 0, 2])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "frequencies": self.frequencies}


@keras.saving.register_keras_serializable(package="musae_tf")
class JoinCode(keras.layers.Layer):
    """The way back from `SplitCode`: [F, B, C] to [B, F * C]."""

    def call(self, rows: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tf.transpose(rows, [1, 0, 2]), [-1, rows.shape[0] * rows.shape[2]])


@keras.saving.register_keras_serializable(package="musae_tf")
class FrequencyDense(keras.layers.Layer):
    """A dense layer a frequency: [F, B, C] to [F, B, units].

    Each frequency has weights of its own, since its size differs and the prior's does not. With the frequencies first
    this is one batch of matrix products and nothing has to be moved in memory.
    """

    def __init__(self, units: int, bias_initializer: Any = "zeros", **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def build(self, input_shape: Any) -> None:
        count, _, width = input_shape
        self._kernel = self.add_weight(name="kernel", shape=(count, width, self.units), initializer="glorot_uniform")
        self.bias = self.add_weight(name="bias", shape=(count, self.units), initializer=self.bias_initializer)

    def call(self, rows: tf.Tensor) -> tf.Tensor:
        return tf.matmul(rows, tf.convert_to_tensor(self._kernel)) + tf.convert_to_tensor(self.bias)[:, tf.newaxis]

    def get_config(self) -> dict[str, Any]:
        bias = keras.initializers.serialize(self.bias_initializer)
        return {**super().get_config(), "units": self.units, "bias_initializer": bias}


@keras.saving.register_keras_serializable(package="musae_tf")
class LSTM(keras.layers.LSTM):
    """The LSTM of Keras, which runs on a CPU by `recurrence`.

    Args:
        one_hot: whether its inputs are mostly zeros. The numbers are the same; the zeros are not multiplied.
    """

    def __init__(self, units: int, one_hot: bool = False, **kwargs: Any):
        super().__init__(units, **kwargs)
        self.one_hot = one_hot

    def inner_loop(
        self, sequences: tf.Tensor, initial_state: Sequence[tf.Tensor], mask: Any, training: bool | None = False
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        if mask is not None or self.return_state or not _by_ourselves(self):
            return super().inner_loop(sequences, initial_state, mask, training)
        # The rows of a step lie together: [T, B, F].
        inputs = tf.transpose(sequences, [1, 0, 2])
        inputs = tf.reverse(inputs, [0]) if self.go_backwards else inputs
        outputs = self.run(inputs, initial_state, sequences.shape[1], training)
        return outputs[:, -1], outputs, []

    def run(
        self, inputs: tf.Tensor, initial_state: Sequence[tf.Tensor], steps: int, training: bool | None
    ) -> tf.Tensor:
        """Inputs [T, B, F], or [B, F] for all steps, and a hidden state and a carry, to all hidden states [B, T, U]."""
        # As one product of matrices: with more dimensions TensorFlow takes a slower way.
        rows, kernel = tf.reshape(inputs, [-1, inputs.shape[-1]]), tf.convert_to_tensor(self.cell.kernel)
        # Servers on a GPU have no product of sparse matrices, so what is exported does without.
        multiply = recurrence.sparse_product if self.one_hot and training else tf.matmul
        product = multiply(rows, kernel)
        product = tf.nn.bias_add(product, tf.convert_to_tensor(self.cell.bias))
        product = tf.reshape(product, [*inputs.shape[:-2], -1, product.shape[-1]])
        kernel = tf.convert_to_tensor(self.cell.recurrent_kernel)
        hidden, carry = initial_state
        return recurrence.run(product, kernel, hidden, carry, steps, keep=bool(training))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "one_hot": self.one_hot}


@keras.saving.register_keras_serializable(package="musae_tf")
class Repeated(keras.layers.Layer):
    """A recurrence whose input is the same at every step: [B, F] and a list of first states to [B, T, U].

    Args:
        member: the recurrence, which returns sequences. The weights are its own.
        steps: T.
    """

    def __init__(self, member: keras.layers.Layer, steps: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.member = member
        self.steps = steps

    def build(self, inputs_shape: Any, states_shape: Any) -> None:
        self.member.build((None, self.steps, inputs_shape[-1]))

    def call(self, inputs: tf.Tensor, states: Sequence[tf.Tensor], training: bool | None = None) -> tf.Tensor:
        if _by_ourselves(self.member):
            return self.member.run(inputs, states, self.steps, training)
        repeated = tf.repeat(inputs[:, tf.newaxis], self.steps, axis=1)
        return self.member(repeated, initial_state=states, training=training)

    def get_config(self) -> dict[str, Any]:
        member = keras.saving.serialize_keras_object(self.member)
        return {**super().get_config(), "member": member, "steps": self.steps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Repeated":
        return cls(keras.saving.deserialize_keras_object(config.pop("member")), **config)


def recurrences_of(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The LSTMs that a layer is or is made of."""
    if isinstance(layer, keras.layers.Bidirectional):
        return [layer.forward_layer, layer.backward_layer]
    if isinstance(layer, Repeated):
        return [layer.member]
    return [layer] if isinstance(layer, keras.layers.LSTM) else []


def _on_gpu() -> bool:
    return bool(tf.config.list_logical_devices("GPU"))


def _by_ourselves(layer: keras.layers.Layer) -> bool:
    """Whether this is an LSTM that has no cuDNN to run on, or was told to leave it alone."""
    return isinstance(layer, LSTM) and not (_on_gpu() and layer.use_cudnn)


def float_lstm(units: int, name: str) -> LSTM:
    """A recurrence over sequences in float32."""
    return LSTM(units, return_sequences=True, dtype="float32", name=name)


def float_dense(
    inputs: int, units: int, name: str, activation: str | None = None, scale: float = 1.0
) -> keras.layers.Dense:
    """A dense layer in float32, built."""
    kernel = keras.initializers.VarianceScaling(scale, "fan_avg", "uniform")
    layer = keras.layers.Dense(units, activation, kernel_initializer=kernel, dtype="float32", name=name)
    layer.build((None, inputs))
    return layer


def two_dense(inputs: int, outputs: int, name: str, between: int) -> keras.layers.Layer:
    """A dense layer in float32, or two with so many units between them."""
    if not between:
        return float_dense(inputs, outputs, name)
    stack = keras.Sequential(
        [float_dense(inputs, between, f"{name}_in", "gelu"), float_dense(between, outputs, f"{name}_out")], name=name
    )
    stack.build((None, inputs))
    return stack


def later(rows: tf.Tensor, steps: int) -> tf.Tensor:
    """Rows [B, T, F] moved on by some steps; the first ones are 0."""
    return tf.pad(rows[:, :-steps], [[0, 0], [steps, 0], [0, 0]])


@contextmanager
def computing_in(policy: keras.DTypePolicy) -> Iterator[None]:
    """Layers made inside the block compute by the policy, but for those that are given a dtype."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
