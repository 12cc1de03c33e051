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

from collections.abc import Callable
from functools import partial
from operator import itemgetter

import keras
import tensorflow as tf

from musae_tf.models.ahead import AheadOf
from musae_tf.models.history import NEAR, HistoryHeads
from musae_tf.models.kept_pitches import KeptPitches
from musae_tf.models.relative import SILENT, heard_classes_next, sounding_next
from musae_tf.models.symbols import Known
from musae_tf.models.tokens import allowed, chances_of, chances_of_steps, draw_symbol, is_melodic
from musae_tf.music import REST
from musae_tf.music.known import FREE, KNOWN, PITCH

# How often the draft counts, where a code is noisy or not trusted, and where it has no extra noise and is trusted: more
# rebuilds better and makes ways between pieces more monotone, less makes better music of what is not in the code.
DOUBTED, TRUSTED = 0.72, 2.6


@keras.saving.register_keras_serializable(package="musae_tf")
class AutoregressiveDecoder(HistoryHeads):
    """p(x | z) as a product over steps and tracks."""

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
            known: symbols that are kept as they are, places where a note begins, and pitches that are kept.
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
        draft = self._drafted(plan) * weight
        if chances is None:
            chances = chances_of_steps(self.steps, self.vocabulary_sizes, temperature, seed)
        given, kept = None, None
        if known is not None:
            before = tf.pad(known.levels[:, :-1], [[0, 0], [1, 0], [0, 0]], constant_values=FREE)
            given = [_by_step(part) for part in (*known, before)]
            drafts = tf.split(draft, self._widths, axis=-1)
            kept = KeptPitches.of(known, drafts, self.vocabulary_sizes, temperature, chances)
        draft, plan, chances = (_by_step(part) for part in (draft, plan, chances))
        ahead = self._looked(latent, known)
        ahead = None if ahead is None else ahead.at(_by_step)
        states = [tf.zeros([rows, self.units]) for _ in tf.nest.flatten(self._recurrence.cell.state_size)]
        joint = self.tracks * self.width

        def beat(
            number: tf.Tensor,
            states: list,
            window: tf.Tensor,
            pitches: tf.Tensor,
            classes: tf.Tensor,
            begun: tf.Tensor,
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
                begun: tf.Tensor,
                total: tf.Tensor,
                tokens: tf.TensorArray,
            ) -> tuple:
                now = number * self.beat_steps + place
                fixed = None if given is None else tuple(part[now] for part in given)
                own, tonality, look = features[:, place] + self._window(window), self._tonality(classes), None
                if ahead is not None:
                    look = ahead.at(itemgetter(now))
                    own, tonality = own + look.features, tonality + look.classes
                following = None if kept is None else partial(kept.limited, now, begun)
                drawn, vector, pitches, found = self._step(
                    own, draft[now], pitches, tonality, temperature, chances[now], fixed, following, look
                )
                if fixed is not None:
                    begun += tf.cast((fixed[1] == PITCH) & (drawn < REST), tf.int32)
                window = tf.concat([window[:, joint:], vector], axis=-1)
                classes = heard_classes_next(classes, pitches)
                return place + 1, window, pitches, classes, begun, total + found, tokens.write(now, drawn)

            _, window, pitches, classes, begun, total, tokens = tf.while_loop(
                lambda place, *_: place < self.beat_steps,
                step,
                (tf.constant(0), window, pitches, classes, begun, total, tokens),
                maximum_iterations=self.beat_steps,
            )
            return number + 1, states, window, pitches, classes, begun, total, tokens

        *_, total, tokens = tf.while_loop(
            lambda number, *_: number < self.beats,
            beat,
            (
                tf.constant(0),
                states,
                tf.zeros([rows, self.beat_steps * joint]),
                tf.fill([rows, self.tracks], SILENT),
                tf.zeros([rows, 2, 12]),
                tf.zeros([rows, self.tracks], tf.int32),
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
        following: Callable[..., tf.Tensor] | None,
        ahead: AheadOf | None,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """One step of all tracks: tokens int32 [B, K], their vector, what sounds now, and their log-probability [B].

        `fixed` are tokens and levels of what is known, and the levels of the step before, int32 [B, K] each.
        `following` is `KeptPitches.limited` of the step.
        """
        own, drafts = tf.split(joint, self.tracks, axis=-1), tf.split(draft, self._widths, axis=-1)
        draws = tf.split(chances, [chances_of(size) for size in self.vocabulary_sizes], axis=-1)
        total, pitches = tf.zeros_like(temperature), tf.unstack(last, axis=-1)
        tokens: list[tf.Tensor] = []
        vectors: list[tf.Tensor] = []
        far = tf.zeros([])
        for track, size in enumerate(self.vocabulary_sizes):
            near = vectors[max(0, track - NEAR) :]
            if track > NEAR:
                far = vectors[track - NEAR - 1] + far
                near = [far, *near]
            earlier = tf.concat(near, axis=-1) if near else None
            heard = self._place(track, own[track], earlier, tf.stack(pitches, axis=-1), last, tonality, ahead)
            numbers = drafts[track] + heard
            if fixed is None or following is None:
                token, log_probability = draw_symbol(size, numbers, temperature, draws[track])
            else:
                kept, level, before = (part[:, track] for part in fixed)
                if is_melodic(size):
                    numbers = following(track, allowed(numbers, level, before), level)
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
