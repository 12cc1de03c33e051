"""What an autoregressive decoder is shown: symbols that are given beside the code, and symbols as vectors."""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from musae_tf.models.relative import PITCHES
from musae_tf.models.tokens import is_kit
from musae_tf.music import KIT_PIECES
from musae_tf.music.known import KNOWN
from musae_tf.music.vocabulary import STRUCK


class Known(NamedTuple):
    """Symbols that are given beside the code.

    Attributes:
        tokens: int32 [B, T, K].
        levels: int32 [B, T, K], those of `musae_tf.music.known`; where a symbol is not known, that of `tokens` does not
            matter.
    """

    tokens: tf.Tensor
    levels: tf.Tensor

    def seen(self, vocabulary_sizes: tuple[int, ...]) -> tf.Tensor:
        """The symbols that are given, int32 [B, T, K]; the others are hidden, as large as their vocabulary."""
        return tf.where(self.levels == KNOWN, self.tokens, tf.constant(vocabulary_sizes))


@keras.saving.register_keras_serializable(package="musae_tf")
class SymbolEmbedding(keras.layers.Layer):
    """Tokens and what sounds, int32 [..., K] each, to vectors [..., K * width]; both may be hidden.

    Every melodic track has rows of its own. The rows of a kit are sums over the pieces that are struck.
    """

    def __init__(self, vocabulary_sizes: tuple[int, ...], width: int, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.vocabulary_sizes, self.width = tuple(vocabulary_sizes), width
        normal = keras.initializers.RandomNormal(0.0, 0.7)
        for track, size in enumerate(self.vocabulary_sizes):
            rows = len(KIT_PIECES) + 1 if is_kit(size) else size + 1
            table = self.add_weight(name=f"track_{track}", shape=(rows, width), initializer=normal)
            # As an attribute: checkpoints of TensorFlow look into no lists of Keras.
            setattr(self, f"track_{track}", table)
        tracks = len(self.vocabulary_sizes)
        self._sounding = self.add_weight(name="sounding", shape=(tracks * (PITCHES + 2), width), initializer=normal)
        self.built = True

    def call(self, tokens: tf.Tensor, pitches: tf.Tensor) -> tf.Tensor:
        each = zip(tf.unstack(tokens, axis=-1), tf.unstack(pitches, axis=-1), strict=True)
        return tf.concat([self.of_track(track, *pair) for track, pair in enumerate(each)], axis=-1)

    def of_track(self, track: int, tokens: tf.Tensor, pitches: tf.Tensor) -> tf.Tensor:
        """The same for one track, int32 [...] each to [..., width]."""
        rows = tf.convert_to_tensor(getattr(self, f"track_{track}"))
        kit = is_kit(self.vocabulary_sizes[track])
        vectors = tf.matmul(tf.gather(tf.constant(_STROKES), tokens), rows) if kit else tf.gather(rows, tokens)
        return vectors + tf.gather(tf.convert_to_tensor(self._sounding), pitches + track * (PITCHES + 2))


# Pieces struck by each symbol of a kit, and as a tenth number, and a symbol more, that it is hidden.
_STROKES = np.pad(np.asarray(STRUCK, np.float32), [(0, 1), (0, 1)])
_STROKES[-1, -1] = 1.0
