"""What a decoder that listens to itself makes of what it has heard: the logits of every place after a history.

Shapes: B rows, T steps, K tracks (columns of the layout), D axes of the code, U units, H = U / 2.
"""

from typing import Any

import keras
import tensorflow as tf

from musae_tf.config import ModelConfig, PhraseShape
from musae_tf.models.ahead import AheadOf, KnownAhead
from musae_tf.models.draft import CodeDraft
from musae_tf.models.layers import float_dense, float_lstm, later, two_dense
from musae_tf.models.relative import (
    MOTIONS,
    PITCHES,
    REACH,
    SILENT,
    around_pitch,
    class_counts,
    from_each_class,
    heard_classes,
    motion,
    over_octaves,
    over_pitch,
    profiles,
    sounding,
)
from musae_tf.models.symbols import Known
from musae_tf.models.tokens import is_melodic

# Features of a pitch class among those that were heard and that sound.
_TONALITY = 24
# Of how many other tracks each one hears more than their sum, so that cost grows no faster than their number.
NEAR = 3


class HistoryHeads(CodeDraft):
    """The logits of every place, from a code, what is known, and the symbols before.

    Args:
        config: sizes; `decoder_units` U, a multiple of 4, and `embedding`.
        phrase: beats and T steps.
        vocabulary_sizes: symbols of each of the K tracks.
        style: axes of the code before those of z, which have no frequencies.
    """

    def __init__(
        self, config: ModelConfig, phrase: PhraseShape, vocabulary_sizes: tuple[int, ...], style: int = 0, **kwargs: Any
    ):
        super().__init__(config, phrase, vocabulary_sizes, style, **kwargs)
        self.hidden = config.decoder_units // 2
        self._melodic = [track for track, size in enumerate(self.vocabulary_sizes) if is_melodic(size)]
        self._make_layers(config)
        self._ahead = None
        if config.known_ahead:
            others = [self._others(track) for track in range(self.tracks)]
            self._ahead = KnownAhead(phrase, self.vocabulary_sizes, self.hidden, self.width, others, _TONALITY)
        self.built = True

    def _make_layers(self, config: ModelConfig) -> None:
        units, beat = self.units, self.beat_steps * self.tracks * self.width
        # What was heard, beat by beat.
        self._heard = float_dense(beat, 3 * units // 4, "heard", "gelu")
        self._recurrence = float_lstm(units, "recurrence")
        self._recurrence.build((None, self.beats, units + 3 * units // 4))
        self._beat = float_dense(2 * units, units, "beat", "gelu")
        self._steps = float_dense(units, self.beat_steps * self.tracks * self.hidden, "steps")
        # What was heard in the last beat, and in this step in the tracks before.
        self._window = two_dense(beat, self.tracks * self.hidden, "window", units if self.tracks > NEAR + 1 else 0)
        # A pitch class among those heard in the whole phrase and lately, and those that sound in other tracks.
        self._tonality_heard = float_dense(24, _TONALITY, "tonality_heard")
        self._tonality_now = float_dense(12, _TONALITY, "tonality_now")
        for track, (width, size) in enumerate(zip(self._widths, self.vocabulary_sizes, strict=True)):
            others = self._others(track)
            relative = 2 * REACH + 1 + 12 * (len(others) + 1) + _TONALITY
            numbers = width + relative if is_melodic(size) else width
            layers = {
                "inner": float_dense(self.hidden, self.hidden, f"inner_{track}", "gelu"),
                "head": float_dense(self.hidden, numbers, f"head_{track}", scale=0.3),
            }
            if track:
                seen = min(track, NEAR) + (track > NEAR)
                layers["earlier"] = float_dense(seen * self.width, self.hidden, f"earlier_{track}")
            for name, layer in layers.items():
                # As attributes: checkpoints of TensorFlow look into no lists of Keras.
                setattr(self, f"{name}_{track}", layer)
            if others and is_melodic(size):
                normal = keras.initializers.RandomNormal(0.0, 0.05)
                # Numbers for the features, and straight for the intervals above the other track.
                shape = (len(others) * MOTIONS, self.hidden + 12)
                setattr(
                    self, f"motion_{track}", self.add_weight(name=f"motion_{track}", shape=shape, initializer=normal)
                )

    def _others(self, track: int) -> list[int]:
        """The melodic tracks nearest to this one, at most `NEAR`, in order."""
        others = [other for other in self._melodic if other != track]
        return sorted(sorted(others, key=lambda other: abs(other - track))[:NEAR])

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """Its recurrences."""
        return [self._known, self._draft, self._recurrence]

    # --- with a history that is given

    def taught(
        self,
        latent: tf.Tensor,
        history: tf.Tensor,
        known: Known | None = None,
        training: bool = False,
    ) -> tuple[tuple[tf.Tensor, ...], tuple[tf.Tensor, ...]]:
        """The logits of every symbol after a history that is given ("teacher forcing").

        Args:
            latent: float32 [B, D].
            history: int32 [B, T, K]; a symbol as large as its track's vocabulary is hidden. Symbols at and after a
                place do not change the logits there.
            known: what else is given.
            training: whether this is for a gradient.

        Returns:
            The logits, and those of the draft: K tensors float32 [B, T, V_k] each.
        """
        plan = self._planned(latent, known, training)
        draft = self._drafted(plan, training)
        pitches = sounding(history, self.vocabulary_sizes)
        heard = self._embedding(history, pitches)
        before = later(self._heard(self._by_beat(heard)), 1)
        beats = self._recurrence(tf.concat([plan, before], axis=-1), training=training)
        beats = self._beat(tf.concat([beats, plan], axis=-1))
        window = tf.concat([later(heard, back) for back in range(self.beat_steps, 0, -1)], axis=-1)
        joint = tf.reshape(self._steps(beats), [-1, self.tracks * self.hidden])
        joint += self._window(tf.reshape(window, [-1, window.shape[-1]]))
        tonality = self._tonality(tf.reshape(heard_classes(pitches), [-1, 2, 12]))
        ahead = self._looked(latent, known)
        if ahead is not None:
            joint += tf.reshape(ahead.features, tf.shape(joint))
            tonality += tf.repeat(ahead.classes, self.steps, axis=0)
            ahead = ahead.at(lambda part: tf.reshape(part, [-1, *part.shape[2:]]))
        last = tf.pad(pitches[:, :-1], [[0, 0], [1, 0], [0, 0]], constant_values=SILENT)
        heard, draft_rows = tf.reshape(heard, [-1, heard.shape[-1]]), tf.reshape(draft, [-1, draft.shape[-1]])
        last, pitches = (tf.reshape(some, [-1, self.tracks]) for some in (last, pitches))
        numbers, far = [], tf.zeros([])
        for track, (own, drafted) in enumerate(
            zip(tf.split(joint, self.tracks, -1), tf.split(draft_rows, self._widths, -1), strict=True)
        ):
            now = tf.concat([pitches[:, :track], last[:, track:]], axis=-1)
            near = max(0, track - NEAR)
            earlier = heard[:, near * self.width : track * self.width]
            if near:
                far = heard[:, (near - 1) * self.width : near * self.width] + far
                earlier = tf.concat([far, earlier], axis=-1)
            numbers.append(drafted + self._place(track, own, earlier, now, last, tonality, ahead))
        joined = tf.reshape(tf.concat(numbers, axis=-1), [-1, self.steps, sum(self._widths)])
        return self._logits(joined), self._logits(draft)

    def _tonality(self, heard: tf.Tensor) -> tf.Tensor:
        """Pitch classes that were heard, float32 [N, 2, 12], to what it makes of each, float32 [N, 12, _TONALITY]."""
        return self._tonality_heard(from_each_class(profiles(heard)))

    def _looked(self, latent: tf.Tensor, known: Known | None) -> AheadOf | None:
        """What is known ahead of all places, for a decoder that hears it."""
        if self._ahead is None:
            return None
        look = self._ahead.look(self._given(known, tf.shape(latent)[0]), self._embedding)
        # Where nothing is known there is no pitch to look to.
        return look._replace(anchors=None, now=None) if known is None else look

    def _place(
        self,
        track: int,
        joint: tf.Tensor,
        earlier: tf.Tensor | None,
        now: tf.Tensor,
        last: tf.Tensor,
        tonality: tf.Tensor,
        ahead: AheadOf | None,
    ) -> tf.Tensor:
        """What a history adds to the draft of one track at N places.

        Args:
            track: its number.
            joint: [N, H], from the code and the steps before.
            earlier: [N, width a track], the tracks right before it in the same step, if there are any, and before them
                the sum of those before.
            now: int32 [N, K], what sounds in all tracks as far as it is known there; else what sounded before.
            last: int32 [N, K], what sounded in the step before.
            tonality: [N, 12, _TONALITY], of what was heard before this step.
            ahead: what is known ahead of the places.
        """
        features = joint + getattr(self, f"earlier_{track}")(earlier) if track else joint
        melodic, others = is_melodic(self.vocabulary_sizes[track]), self._others(track)
        moved = None
        if others and melodic:
            rows = motion(track, others, last, now) + MOTIONS * tf.range(len(others))
            moved = tf.gather(tf.convert_to_tensor(getattr(self, f"motion_{track}")), rows)
            features += tf.reduce_sum(moved[..., : self.hidden], axis=1)
        features = tf.nn.gelu(features)
        features += getattr(self, f"inner_{track}")(features)
        numbers = getattr(self, f"head_{track}")(features)
        if not melodic:
            return numbers
        width, voices = self._widths[track], sorted([*others, track])
        absolute, own, chord, scale = tf.split(numbers, [width, 2 * REACH + 1, 12 * len(voices), _TONALITY], axis=-1)
        by_pitch = around_pitch(own, now[:, track])
        by_pitch += over_pitch(tf.reshape(chord, [-1, len(voices), 12]), tf.gather(now, voices, axis=-1))
        if moved is not None:
            by_pitch += over_pitch(moved[..., self.hidden :], tf.gather(now, others, axis=-1))
            sounds = class_counts(tf.gather(now, others, axis=-1))[:, tf.newaxis]
            tonality += self._tonality_now(from_each_class(sounds))
        if self._ahead is not None and ahead is not None and ahead.anchors is not None and ahead.now is not None:
            by_pitch += self._ahead.numbers(track, features, ahead.anchors[:, track], ahead.now)
        by_pitch += over_octaves(tf.linalg.matvec(tf.nn.gelu(tonality), scale))
        return absolute + tf.pad(by_pitch, [[0, 0], [0, width - PITCHES]])
