"""What of a phrase is known ahead of each place, by pitch: where a line has to go, and what it will sound with.

The plan of each beat sees all that is known, but as features of whole beats, which know no intervals. Here it is told
as the history is (`musae_tf.models.relative`): by distances from pitches, which are learnt once for all keys.

Shapes: B rows, T steps, K tracks, H numbers of features a track, N places of a step.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from musae_tf.config import PhraseShape
from musae_tf.models.layers import float_dense
from musae_tf.models.relative import (
    PITCHES,
    REACH,
    SILENT,
    around_pitch,
    class_counts,
    from_each_class,
    over_pitch,
    sounding,
)
from musae_tf.models.tokens import is_melodic

# Pitches of a track's own that distances are told from: its next known onset, and what sounds in it a bar later.
_ANCHORS = 2
# Steps to the next known onset from which on it counts as farther away; none is the farthest.
_FARTHER = np.array([2, 3, 5, 9, 17, 33], np.int32)
_DISTANCES = len(_FARTHER) + 2
# Sounding steps of no class that a profile is mixed with: little that is known says little of a key.
_PRIOR_NOTES = 8.0


class AheadOf(NamedTuple):
    """What is known ahead, of all places or of those of one step.

    Attributes:
        features: float32 [..., K * H].
        anchors: int32 [..., K, 2], pitches, SILENT or HIDDEN where there is none; None where nothing at all is known.
        now: int32 [..., K], what sounds in this step, SILENT or HIDDEN as well; or None.
        classes: float32 [B, 12, M], what the pitch classes of all that is known make of each: of the phrase.
    """

    features: tf.Tensor
    anchors: tf.Tensor | None
    now: tf.Tensor | None
    classes: tf.Tensor

    def at(self, choose: Callable[[tf.Tensor], tf.Tensor]) -> "AheadOf":
        """The same of other places, or in another order of them, by what chooses these of each tensor."""
        anchors, now = (None if part is None else choose(part) for part in (self.anchors, self.now))
        return AheadOf(choose(self.features), anchors, now, self.classes)


class KnownAhead(keras.layers.Layer):
    """Looks ahead in what is known, and says what that changes in the logits of a place.

    Args:
        phrase: beats and T steps.
        vocabulary_sizes: symbols of each of the K tracks.
        hidden: H.
        width: numbers a symbol of the embedding.
        others: of each track the melodic tracks nearest to it.
        tonality: numbers a pitch class, M.
    """

    def __init__(
        self,
        phrase: PhraseShape,
        vocabulary_sizes: tuple[int, ...],
        hidden: int,
        width: int,
        others: list[list[int]],
        tonality: int,
    ):
        super().__init__(name="ahead", dtype="float32")
        self.vocabulary_sizes, self._bar = vocabulary_sizes, phrase.steps // phrase.bars
        tracks = len(vocabulary_sizes)
        # Of a step the tracks after this one: what sounds in those before has been heard.
        self._after = [[other for other in some if other > track] for track, some in enumerate(others)]
        self._features = float_dense(tracks * (2 * width + _DISTANCES), tracks * hidden, "features")
        self._classes = float_dense(12, tonality, "classes")
        for track, size in enumerate(vocabulary_sizes):
            if is_melodic(size):
                numbers = _ANCHORS * (2 * REACH + 1) + 12 * len(self._after[track])
                # As an attribute: checkpoints of TensorFlow look into no lists of Keras.
                setattr(self, f"head_{track}", float_dense(hidden, numbers, f"head_{track}", scale=0.3))
        self.built = True

    def look(self, known: tf.Tensor, embedding: keras.layers.Layer) -> AheadOf:
        """Known symbols int32 [B, T, K], others as large as their track's vocabulary, to what is ahead of all places.

        `embedding` is a `SymbolEmbedding`.
        """
        steps, bar = known.shape[1], self._bar
        # Behind the phrase is a bar of which nothing is known.
        hidden = tf.broadcast_to(tf.constant(self.vocabulary_sizes), [tf.shape(known)[0], bar, known.shape[2]])
        longer = tf.concat([known, hidden], axis=1)
        sounds = sounding(longer, self.vocabulary_sizes)
        vectors, pitches = embedding(longer, sounds), sounds[:, :steps]
        onset, distance = self._next_onset(known)
        there = tf.reshape(tf.one_hot(distance, _DISTANCES), [-1, steps, known.shape[2] * _DISTANCES])
        features = self._features(tf.concat([vectors[:, :steps], vectors[:, bar:], there], axis=-1))
        counts = tf.reduce_sum(class_counts(pitches), axis=1)
        profile = counts / (tf.reduce_sum(counts, axis=-1, keepdims=True) + _PRIOR_NOTES)
        classes = self._classes(from_each_class(profile[:, tf.newaxis]))
        return AheadOf(features, tf.stack([onset, sounds[:, bar:]], axis=-1), pitches, classes)

    def _next_onset(self, known: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The pitch of each track's next known onset after a step, and how far it is: int32 [B, T, K] each."""
        steps = known.shape[1]
        melodic = tf.constant([is_melodic(size) for size in self.vocabulary_sizes])
        place = tf.range(steps)[:, tf.newaxis]
        first, distance = tf.where((known < PITCHES) & melodic, place, steps), 1
        while distance < steps:  # each round looks twice as far
            ahead = tf.pad(first[:, distance:], [[0, 0], [0, distance], [0, 0]], constant_values=steps)
            first, distance = tf.minimum(first, ahead), 2 * distance
        first = tf.pad(first[:, 1:], [[0, 0], [0, 1], [0, 0]], constant_values=steps)
        by_track = [tf.transpose(some, [0, 2, 1]) for some in (known, tf.minimum(first, steps - 1))]
        pitch = tf.transpose(tf.gather(*by_track, batch_dims=2), [0, 2, 1])
        far = tf.searchsorted(tf.constant(_FARTHER), tf.reshape(first - place, [-1]), side="right")
        far = tf.where(first < steps, tf.reshape(far, tf.shape(first)), _DISTANCES - 1)
        return tf.where(first < steps, pitch, SILENT), far

    def numbers(self, track: int, features: tf.Tensor, anchors: tf.Tensor, now: tf.Tensor) -> tf.Tensor:
        """What is known ahead adds to the logits of pitches of a melodic track at N places, float32 [N, 128].

        Args:
            track: its number.
            features: float32 [N, H], of the place.
            anchors: int32 [N, 2], those of the track.
            now: int32 [N, K], known to sound in the step.
        """
        after, reach = self._after[track], 2 * REACH + 1
        parts = tf.split(getattr(self, f"head_{track}")(features), [*[reach] * _ANCHORS, 12 * len(after)], axis=-1)
        by_pitch = tf.add_n([around_pitch(parts[number], anchors[:, number]) for number in range(_ANCHORS)])
        if after:
            by_pitch += over_pitch(tf.reshape(parts[-1], [-1, len(after), 12]), tf.gather(now, after, axis=-1))
        return by_pitch
