"""A decoder that listens to itself: every symbol is drawn with the code and all symbols before it in view.

A decoder in one pass (`musae_tf.models.decoder`) makes all symbols independently given the code, so a code that lies
between or beyond those of training gives voices that do not fit each other. Here the order is step by step, and within
a step track by track. Four things keep the code in use, and the music right where the code is not:

- a *draft*: logits from the code alone, to which what has been heard only adds. In use it counts more where the code
  has no extra noise: a history of its own making has faults that one of training has not;
- *relative heads*: a track's logits are a sum over pitch, distance from its own last pitch, pitch class above what
  sounds in each melodic track, and how a pitch class stands to all that were heard, so that intervals, chords and
  scales are learnt once for all keys;
- *noise*: some codes of training carry far more noise than their posterior has. The decoder sees of a code how noisy it
  is, and trusts what it has heard so much the more; so draws of a prior that are as noisy become music (noise
  augmentation as of cascaded diffusion models, Ho et al. 2022, section 3, but without telling the level);
- a *damaged history* in training, of wrong and of hidden symbols.

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
    heard_classes_next,
    motion,
    over_octaves,
    over_pitch,
    profiles,
    sounding,
    sounding_next,
)
from musae_tf.models.symbols import Known
from musae_tf.models.tokens import allowed, chances_of, chances_of_steps, draw_symbol, is_melodic
from musae_tf.music.known import FREE, KNOWN

# How often the draft counts, where a code is noisy or not trusted, and where it has no extra noise and is trusted: more
# rebuilds better and makes ways between pieces more monotone, less makes better music of what is not in the code.
DOUBTED, TRUSTED = 0.72, 2.6
# Features of a pitch class among those that were heard and that sound.
_TONALITY = 24
# Of how many other tracks each one hears more than their sum, so that cost grows no faster than their number.
_NEAR = 3


@keras.saving.register_keras_serializable(package="musae_tf")
class AutoregressiveDecoder(CodeDraft):
    """p(x | z) as a product over steps and tracks.

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
        self._window = two_dense(beat, self.tracks * self.hidden, "window", units if self.tracks > _NEAR + 1 else 0)
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
                seen = min(track, _NEAR) + (track > _NEAR)
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
        """The melodic tracks nearest to this one, at most `_NEAR`, in order."""
        others = [other for other in self._melodic if other != track]
        return sorted(sorted(others, key=lambda other: abs(other - track))[:_NEAR])

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
        tonality, ahead = self._tonality(tf.reshape(heard_classes(pitches), [-1, 2, 12])), None
        if self._ahead is not None:
            ahead = self._looked(latent, known)
            joint += tf.reshape(ahead.features, tf.shape(joint))
            tonality += tf.repeat(ahead.classes, self.steps, axis=0)
            ahead = ahead._replace(
                anchors=tf.reshape(ahead.anchors, [-1, *ahead.anchors.shape[2:]]),
                now=tf.reshape(ahead.now, [-1, self.tracks]),
            )
        last = tf.pad(pitches[:, :-1], [[0, 0], [1, 0], [0, 0]], constant_values=SILENT)
        heard, draft_rows = tf.reshape(heard, [-1, heard.shape[-1]]), tf.reshape(draft, [-1, draft.shape[-1]])
        last, pitches = (tf.reshape(some, [-1, self.tracks]) for some in (last, pitches))
        numbers, far = [], tf.zeros([])
        for track, (own, drafted) in enumerate(
            zip(tf.split(joint, self.tracks, -1), tf.split(draft_rows, self._widths, -1), strict=True)
        ):
            now = tf.concat([pitches[:, :track], last[:, track:]], axis=-1)
            near = max(0, track - _NEAR)
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

    def _looked(self, latent: tf.Tensor, known: Known | None) -> AheadOf:
        return self._ahead.look(self._given(known, tf.shape(latent)[0]), self._embedding)

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
        if self._ahead is not None:
            by_pitch += self._ahead.numbers(track, features, ahead.anchors[:, track], ahead.now)
        by_pitch += over_octaves(tf.linalg.matvec(tf.nn.gelu(tonality), scale))
        return absolute + tf.pad(by_pitch, [[0, 0], [0, width - PITCHES]])

    # --- with its own

    def generate(
        self,
        latent: tf.Tensor,
        temperature: tf.Tensor,
        seed: tf.Tensor,
        known: Known | None = None,
        trust: tf.Tensor | None = None,
        chances: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Draw music symbol by symbol; a row is the same whatever it is batched with.

        Args:
            latent: float32 [B, D].
            temperature: float32 [B]; 0 takes what is most probable.
            seed: int32 [B, 2], stateless.
            known: symbols that are kept as they are, and places where a note begins.
            trust: float32 [B], 0 to 1: how far to trust a code that looks as if it had no extra noise; 1 if left out.
            chances: float32 [B, T, C], uniform numbers instead of those that are made of the seed.

        Returns:
            tokens int32 [B, T, K] and their log-probability float32 [B] at temperature 1, with the draft counted as it
            was; known symbols add nothing.
        """
        rows = tf.shape(latent)[0]
        plan = self._planned(latent, known)
        trusted = (1.0 - tf.sigmoid(self.noisy(latent))) * (1.0 if trust is None else trust)
        weight = DOUBTED + (TRUSTED - DOUBTED) * trusted[:, tf.newaxis, tf.newaxis]
        draft, plan = _by_step(self._drafted(plan) * weight), _by_step(plan)
        if chances is None:
            chances = chances_of_steps(self.steps, self.vocabulary_sizes, temperature, seed)
        chances = _by_step(chances)
        given = None
        if known is not None:
            before = tf.pad(known.levels[:, :-1], [[0, 0], [1, 0], [0, 0]], constant_values=FREE)
            given = [_by_step(part) for part in (*known, before)]
        ahead = None
        if self._ahead is not None:
            ahead = self._looked(latent, known)
            ahead = AheadOf(*(_by_step(part) for part in ahead[:3]), ahead.classes)
        states = [tf.zeros([rows, self.units]) for _ in tf.nest.flatten(self._recurrence.cell.state_size)]
        joint = self.tracks * self.width

        def beat(
            number: tf.Tensor,
            states: list,
            window: tf.Tensor,
            pitches: tf.Tensor,
            classes: tf.Tensor,
            total: tf.Tensor,
            tokens: tf.TensorArray,
        ) -> tuple:
            heard = tf.where(number > 0, self._heard(window), 0.0)
            output, states = self._recurrence.cell(tf.concat([plan[number], heard], axis=-1), states)
            features = self._steps(self._beat(tf.concat([output, plan[number]], axis=-1)))
            features = tf.reshape(features, [-1, self.beat_steps, self.tracks * self.hidden])

            def step(
                place: tf.Tensor,
                window: tf.Tensor,
                pitches: tf.Tensor,
                classes: tf.Tensor,
                total: tf.Tensor,
                tokens: tf.TensorArray,
            ) -> tuple:
                now = number * self.beat_steps + place
                fixed = None if given is None else tuple(part[now] for part in given)
                own, tonality, look = features[:, place] + self._window(window), self._tonality(classes), None
                if ahead is not None:
                    look = AheadOf(*(part[now] for part in ahead[:3]), ahead.classes)
                    own, tonality = own + look.features, tonality + look.classes
                drawn, vector, pitches, found = self._step(
                    own, draft[now], pitches, tonality, temperature, chances[now], fixed, look
                )
                window = tf.concat([window[:, joint:], vector], axis=-1)
                classes = heard_classes_next(classes, pitches)
                return place + 1, window, pitches, classes, total + found, tokens.write(now, drawn)

            _, window, pitches, classes, total, tokens = tf.while_loop(
                lambda place, *_: place < self.beat_steps,
                step,
                (tf.constant(0), window, pitches, classes, total, tokens),
                maximum_iterations=self.beat_steps,
            )
            return number + 1, states, window, pitches, classes, total, tokens

        *_, total, tokens = tf.while_loop(
            lambda number, *_: number < self.beats,
            beat,
            (
                tf.constant(0),
                states,
                tf.zeros([rows, self.beat_steps * joint]),
                tf.fill([rows, self.tracks], SILENT),
                tf.zeros([rows, 2, 12]),
                tf.zeros([rows]),
                tf.TensorArray(tf.int32, self.steps, element_shape=[latent.shape[0], self.tracks]),
            ),
            maximum_iterations=self.beats,
        )
        return tf.ensure_shape(tf.transpose(tokens.stack(), [1, 0, 2]), [None, self.steps, self.tracks]), total

    def _step(
        self,
        joint: tf.Tensor,
        draft: tf.Tensor,
        last: tf.Tensor,
        tonality: tf.Tensor,
        temperature: tf.Tensor,
        chances: tf.Tensor,
        fixed: tuple[tf.Tensor, ...] | None,
        ahead: AheadOf | None,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """One step of all tracks: tokens int32 [B, K], their vector, what sounds now, and their log-probability [B].

        `fixed` are tokens and levels of what is known, and the levels of the step before, int32 [B, K] each.
        """
        own, drafts = tf.split(joint, self.tracks, axis=-1), tf.split(draft, self._widths, axis=-1)
        draws = tf.split(chances, [chances_of(size) for size in self.vocabulary_sizes], axis=-1)
        total, pitches = tf.zeros_like(temperature), tf.unstack(last, axis=-1)
        tokens: list[tf.Tensor] = []
        vectors: list[tf.Tensor] = []
        far = tf.zeros([])
        for track, size in enumerate(self.vocabulary_sizes):
            near = vectors[max(0, track - _NEAR) :]
            if track > _NEAR:
                far = vectors[track - _NEAR - 1] + far
                near = [far, *near]
            earlier = tf.concat(near, axis=-1) if near else None
            heard = self._place(track, own[track], earlier, tf.stack(pitches, axis=-1), last, tonality, ahead)
            numbers = drafts[track] + heard
            if fixed is None:
                token, log_probability = draw_symbol(size, numbers, temperature, draws[track])
            else:
                kept, level, before = (part[:, track] for part in fixed)
                if is_melodic(size):
                    numbers = allowed(numbers, level, before)
                token, log_probability = draw_symbol(size, numbers, temperature, draws[track])
                token = tf.where(level == KNOWN, kept, token)
                log_probability = tf.where(level == KNOWN, 0.0, log_probability)
            if is_melodic(size):
                pitches[track] = sounding_next(token, pitches[track])
            tokens.append(token)
            vectors.append(self._embedding.of_track(track, token, pitches[track]))
            total += log_probability
        return tf.stack(tokens, axis=-1), tf.concat(vectors, axis=-1), tf.stack(pitches, axis=-1), total


def _by_step(rows: tf.Tensor) -> tf.Tensor:
    """[B, T, ...] to [T, B, ...]."""
    return tf.transpose(rows, [1, 0, *range(2, len(rows.shape))])
