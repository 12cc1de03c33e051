"""A decoder that listens to itself: every symbol is drawn with the code and all symbols before it in view.

A decoder in one pass (`musae_tf.models.decoder`) makes all symbols independently given the code, so a code that lies
between or beyond those of training gives voices that do not fit each other. Here the order is step by step, and within
a step track by track. Four things keep the code in use, and the music right where the code is not:

- a *draft*: logits from the code alone, to which what has been heard only adds;
- *relative heads*: a track's logits are a sum over pitch, distance from its own last pitch, and pitch class above what
  sounds in each melodic track, so that intervals are learnt once for all keys;
- *trust*: some codes of training are mixed with noise, in a proportion that the decoder is told. In use it says how far
  a code is to be trusted (noise conditioning augmentation; Ho et al. 2022, "Cascaded Diffusion Models", section 3);
- a *damaged history* in training, of wrong and of hidden symbols.

Shapes: B rows, T steps, K tracks, D axes of the code, U units, H = U / 2.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from musae_tf.config import ModelConfig
from musae_tf.models.layers import LSTM, STEPS_PER_BEAT, BeatTransform, FrequencyDense, SplitCode
from musae_tf.models.relative import PITCHES, REACH, SILENT, around_pitch, over_pitch, sounding, sounding_next
from musae_tf.models.tokens import is_kit, kit_logits, widths
from musae_tf.music import KIT_PIECES
from musae_tf.music.vocabulary import STRUCK


class Known(NamedTuple):
    """Symbols that are given beside the code.

    Attributes:
        tokens: int32 [B, T, K].
        mask: bool [B, T, K], True where the symbol is given; the others of `tokens` do not matter.
    """

    tokens: tf.Tensor
    mask: tf.Tensor


@keras.saving.register_keras_serializable(package="musae_tf")
class SymbolEmbedding(keras.layers.Layer):
    """Tokens and what sounds, int32 [..., K] each, to vectors [..., K * width]; both may be hidden.

    Every melodic track has rows of its own. The rows of a kit are sums over the pieces that are struck.
    """

    def __init__(self, vocabulary_sizes: tuple[int, ...], width: int, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.vocabulary_sizes, self.width = tuple(vocabulary_sizes), width
        normal = keras.initializers.RandomNormal(0.0, 0.7)
        self._parts = [
            self.add_weight(
                name=f"track_{track}",
                shape=(len(KIT_PIECES) + 1 if is_kit(size) else size + 1, width),
                initializer=normal,
            )
            for track, size in enumerate(self.vocabulary_sizes)
        ]
        tracks = len(self.vocabulary_sizes)
        self._sounding = self.add_weight(name="sounding", shape=(tracks * (PITCHES + 2), width), initializer=normal)
        self.built = True

    def call(self, tokens, pitches):
        each = zip(tf.unstack(tokens, axis=-1), tf.unstack(pitches, axis=-1), strict=True)
        return tf.concat([self.of_track(track, *pair) for track, pair in enumerate(each)], axis=-1)

    def of_track(self, track: int, tokens, pitches):
        """The same for one track, int32 [...] each to [..., width]."""
        rows = tf.convert_to_tensor(self._parts[track])
        kit = is_kit(self.vocabulary_sizes[track])
        vectors = tf.matmul(tf.gather(tf.constant(_STROKES), tokens), rows) if kit else tf.gather(rows, tokens)
        return vectors + tf.gather(tf.convert_to_tensor(self._sounding), pitches + track * (PITCHES + 2))


# Pieces struck by each symbol of a kit, and as a tenth number, and a symbol more, that it is hidden.
_STROKES = np.pad(np.asarray(STRUCK, np.float32), [(0, 1), (0, 1)])
_STROKES[-1, -1] = 1.0


@keras.saving.register_keras_serializable(package="musae_tf")
class AutoregressiveDecoder(keras.layers.Layer):
    """p(x | z) as a product over steps and tracks.

    Args:
        config: sizes; `decoder_units` U and `embedding`.
        steps: T, a multiple of 4.
        vocabulary_sizes: symbols of each of the K tracks.
        style: axes of the code before those of z, which have no frequencies.
    """

    def __init__(self, config: ModelConfig, steps: int, vocabulary_sizes: tuple[int, ...], style: int = 0, **kwargs):
        super().__init__(**{"name": "decoder", **kwargs, "dtype": "float32"})
        self.steps, self.vocabulary_sizes, self.style = steps, tuple(vocabulary_sizes), style
        self.beats, self.tracks, self.units = steps // STEPS_PER_BEAT, len(vocabulary_sizes), config.decoder_units
        self.width, self.hidden, latent = config.embedding, config.decoder_units // 2, style + config.latent
        self._melodic = [track for track, size in enumerate(self.vocabulary_sizes) if not is_kit(size)]
        self._widths = widths(self.vocabulary_sizes)
        units, joint = self.units, self.tracks * self.width
        beat = STEPS_PER_BEAT * joint
        self._embedding = SymbolEmbedding(self.vocabulary_sizes, self.width, name="embedding")
        # From the code, and what is known, to a plan of each beat.
        self._split = SplitCode(self.beats, dtype="float32")
        self._beats = BeatTransform(inverse=True, dtype="float32")
        self._frequency = FrequencyDense(units // 2, dtype="float32", name="frequency")
        self._frequency.build((self.beats, None, config.latent // self.beats))
        self._known_beat = _dense(beat, units // 2, "known_beat", "gelu")
        self._known = keras.layers.Bidirectional(
            LSTM(units // 4, return_sequences=True, name="known"), name="known_both"
        )
        self._known.build((None, self.beats, units // 2))
        self._plan = _dense(units // 2 + latent + 2 + units, units, "plan", "gelu")
        # The draft: from the plan alone to the logits of all symbols.
        self._draft = LSTM(units, return_sequences=True, name="draft")
        self._draft.build((None, self.beats, units))
        self._draft_beat = _dense(2 * units, units, "draft_beat", "gelu")
        self._draft_logits = _dense(units, STEPS_PER_BEAT * sum(self._widths), "draft_logits")
        # What was heard, beat by beat.
        self._heard = _dense(beat, 3 * units // 4, "heard", "gelu")
        self._recurrence = LSTM(units, return_sequences=True, name="recurrence")
        self._recurrence.build((None, self.beats, units + 3 * units // 4))
        self._beat = _dense(2 * units, units, "beat", "gelu")
        self._steps = _dense(units, STEPS_PER_BEAT * self.tracks * self.hidden, "steps")
        # What was heard in the last four steps, and in this step in the tracks before.
        self._window = _dense(beat, self.tracks * self.hidden, "window")
        self._earlier = [
            _dense(track * self.width, self.hidden, f"earlier_{track}") if track else None
            for track in range(self.tracks)
        ]
        self._inner = [_dense(self.hidden, self.hidden, f"inner_{track}", "gelu") for track in range(self.tracks)]
        relative = 2 * REACH + 1 + 12 * len(self._melodic)
        self._heads = [
            _dense(self.hidden, width + (0 if is_kit(size) else relative), f"head_{track}", scale=0.3)
            for track, (width, size) in enumerate(zip(self._widths, self.vocabulary_sizes, strict=True))
        ]
        self.built = True

    # --- from the code

    def call(self, latent, training=False):
        """The draft alone, nothing heard and nothing known: codes [B, D] to K tensors of logits float32 [B, T, V_k]."""
        return self._logits(
            self._drafted(self._planned(latent, tf.ones([tf.shape(latent)[0]]), None, training), training)
        )

    def _planned(self, latent, trust, known: Known | None, training=False) -> tf.Tensor:
        """Mixed codes [B, D], the trust in them [B] and known symbols to the plan of each beat, [B, beats, U]."""
        rows = tf.shape(latent)[0]
        local = self._beats(self._frequency(self._split(latent[:, self.style :])))
        told = tf.concat([latent, trust[:, tf.newaxis], _distrust(trust)], axis=-1)
        hidden = tf.broadcast_to(tf.constant(self.vocabulary_sizes), [rows, self.steps, self.tracks])
        given = hidden if known is None else tf.where(known.mask, known.tokens, hidden)
        given = self._by_beat(self._embedding(given, sounding(given, self.vocabulary_sizes)))
        given = self._known_beat(given)
        context = tf.concat([self._known(given, training=training), given], axis=-1)
        told = tf.repeat(told[:, tf.newaxis], self.beats, axis=1)
        return self._plan(tf.concat([local, told, context], axis=-1))

    def _drafted(self, plan: tf.Tensor, training=False) -> tf.Tensor:
        """The plan to the draft of all symbols, float32 [B, T, sum of widths]."""
        features = self._draft_beat(tf.concat([self._draft(plan, training=training), plan], axis=-1))
        return tf.reshape(self._draft_logits(features), [-1, self.steps, sum(self._widths)])

    def _by_beat(self, steps: tf.Tensor) -> tf.Tensor:
        return tf.reshape(steps, [-1, self.beats, STEPS_PER_BEAT * steps.shape[-1]])

    def _logits(self, numbers: tf.Tensor) -> tuple[tf.Tensor, ...]:
        tracks = tf.split(numbers, self._widths, axis=-1)
        pairs = zip(tracks, self.vocabulary_sizes, strict=True)
        return tuple(kit_logits(track) if is_kit(size) else track for track, size in pairs)

    # --- with a history that is given

    def taught(
        self,
        latent: tf.Tensor,
        trust: tf.Tensor,
        history: tf.Tensor,
        known: Known | None = None,
        training: bool = False,
    ) -> tuple[tuple[tf.Tensor, ...], tuple[tf.Tensor, ...]]:
        """The logits of every symbol after a history that is given ("teacher forcing").

        Args:
            latent: float32 [B, D], as `mixed` makes them.
            trust: float32 [B].
            history: int32 [B, T, K]; a symbol as large as its track's vocabulary is hidden. Symbols at and after a
                place do not change the logits there.
            known: what else is given.
            training: whether this is for a gradient.

        Returns:
            The logits, and those of the draft: K tensors float32 [B, T, V_k] each.
        """
        plan = self._planned(latent, trust, known, training)
        draft = self._drafted(plan, training)
        pitches = sounding(history, self.vocabulary_sizes)
        heard = self._embedding(history, pitches)
        before = _later(self._heard(self._by_beat(heard)), 1)
        beats = self._recurrence(tf.concat([plan, before], axis=-1), training=training)
        beats = self._beat(tf.concat([beats, plan], axis=-1))
        window = tf.concat([_later(heard, back) for back in range(STEPS_PER_BEAT, 0, -1)], axis=-1)
        joint = tf.reshape(self._steps(beats), [-1, self.tracks * self.hidden])
        joint += self._window(tf.reshape(window, [-1, window.shape[-1]]))
        last = tf.pad(pitches[:, :-1], [[0, 0], [1, 0], [0, 0]], constant_values=SILENT)
        heard, draft_rows = tf.reshape(heard, [-1, heard.shape[-1]]), tf.reshape(draft, [-1, draft.shape[-1]])
        numbers = []
        for track, (own, drafted) in enumerate(
            zip(tf.split(joint, self.tracks, -1), tf.split(draft_rows, self._widths, -1), strict=True)
        ):
            around = tf.concat([pitches[..., :track], last[..., track:]], axis=-1)
            earlier = heard[:, : track * self.width]
            numbers.append(drafted + self._place(track, own, earlier, tf.reshape(around, [-1, self.tracks])))
        joined = tf.reshape(tf.concat(numbers, axis=-1), [-1, self.steps, sum(self._widths)])
        return self._logits(joined), self._logits(draft)

    def _place(self, track: int, joint: tf.Tensor, earlier: tf.Tensor, pitches: tf.Tensor) -> tf.Tensor:
        """What a history adds to the draft of one track at N places.

        Args:
            track: its number.
            joint: [N, H], from the code and the steps before.
            earlier: [N, track * width], the tracks before it in the same step.
            pitches: int32 [N, K], what sounds in all tracks as far as it is known there.
        """
        features = joint + self._earlier[track](earlier) if track else joint
        features = tf.nn.gelu(features)
        features += self._inner[track](features)
        numbers = self._heads[track](features)
        if is_kit(self.vocabulary_sizes[track]):
            return numbers
        width, voices = self._widths[track], len(self._melodic)
        absolute, own, others = tf.split(numbers, [width, 2 * REACH + 1, 12 * voices], axis=-1)
        by_pitch = around_pitch(own, pitches[:, track])
        by_pitch += over_pitch(tf.reshape(others, [-1, voices, 12]), tf.gather(pitches, self._melodic, axis=-1))
        return absolute + tf.pad(by_pitch, [[0, 0], [0, width - PITCHES]])

    # --- with its own

    def generate(
        self,
        latent: tf.Tensor,
        trust: tf.Tensor,
        temperature: tf.Tensor,
        seed: tf.Tensor,
        known: Known | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Draw music symbol by symbol; a row is the same whatever it is batched with.

        A melodic symbol is drawn in two parts, first whether a note begins, goes on or is silent, then its pitch: the
        most probable of 130 symbols is a hold far too often where many pitches share the probability of an onset.

        Args:
            latent: float32 [B, D].
            trust: float32 [B], how far to follow the codes, from 0, not at all, to 1.
            temperature: float32 [B]; 0 takes what is most probable.
            seed: int32 [B, 2], stateless.
            known: symbols that are kept as they are.

        Returns:
            tokens int32 [B, T, K] and their log-probability float32 [B] at temperature 1; known symbols add nothing.
        """
        rows = tf.shape(latent)[0]
        plan = self._planned(trust[:, tf.newaxis] * latent, trust, known)
        draft, plan = self._drafted(plan), tf.transpose(plan, [1, 0, 2])
        chances = tf.transpose(self._chances(temperature, seed), [1, 0, 2])
        draft = tf.transpose(draft, [1, 0, 2])
        given = None if known is None else [tf.transpose(part, [1, 0, 2]) for part in known]
        states = [tf.zeros([rows, self.units]) for _ in tf.nest.flatten(self._recurrence.cell.state_size)]
        joint = self.tracks * self.width

        def beat(number, states, window, pitches, total, tokens):
            heard = tf.where(number > 0, self._heard(window), 0.0)
            output, states = self._recurrence.cell(tf.concat([plan[number], heard], axis=-1), states)
            features = self._steps(self._beat(tf.concat([output, plan[number]], axis=-1)))
            features = tf.reshape(features, [-1, STEPS_PER_BEAT, self.tracks * self.hidden])

            def step(place, window, pitches, total, tokens):
                now = number * STEPS_PER_BEAT + place
                fixed = None if given is None else (given[0][now], given[1][now])
                own = features[:, place] + self._window(window)
                drawn, vector, pitches, found = self._step(own, draft[now], pitches, temperature, chances[now], fixed)
                window = tf.concat([window[:, joint:], vector], axis=-1)
                return place + 1, window, pitches, total + found, tokens.write(now, drawn)

            _, window, pitches, total, tokens = tf.while_loop(
                lambda place, *_: place < STEPS_PER_BEAT,
                step,
                (tf.constant(0), window, pitches, total, tokens),
                maximum_iterations=STEPS_PER_BEAT,
            )
            return number + 1, states, window, pitches, total, tokens

        *_, total, tokens = tf.while_loop(
            lambda number, *_: number < self.beats,
            beat,
            (
                tf.constant(0),
                states,
                tf.zeros([rows, STEPS_PER_BEAT * joint]),
                tf.fill([rows, self.tracks], SILENT),
                tf.zeros([rows]),
                tf.TensorArray(tf.int32, self.steps, element_shape=[None, self.tracks]),
            ),
            maximum_iterations=self.beats,
        )
        return tf.ensure_shape(tf.transpose(tokens.stack(), [1, 0, 2]), [None, self.steps, self.tracks]), total

    def _step(self, joint, draft, last, temperature, chances, fixed):
        """One step of all tracks: tokens int32 [B, K], their vector, what sounds now, and their log-probability [B]."""
        own, drafts = tf.split(joint, self.tracks, axis=-1), tf.split(draft, self._widths, axis=-1)
        draws = tf.split(chances, [_chances_of(size) for size in self.vocabulary_sizes], axis=-1)
        tokens, vectors, total, pitches = [], [], 0.0, tf.unstack(last, axis=-1)
        for track, size in enumerate(self.vocabulary_sizes):
            earlier = tf.concat(vectors, axis=-1) if vectors else None
            numbers = drafts[track] + self._place(track, own[track], earlier, tf.stack(pitches, axis=-1))
            token, log_probability = (_draw_kit if is_kit(size) else _draw_melodic)(numbers, temperature, draws[track])
            if fixed is not None:
                token = tf.where(fixed[1][:, track], fixed[0][:, track], token)
                log_probability = tf.where(fixed[1][:, track], 0.0, log_probability)
            if not is_kit(size):
                pitches[track] = sounding_next(token, pitches[track])
            tokens.append(token)
            vectors.append(self._embedding.of_track(track, token, pitches[track]))
            total += log_probability
        return tf.stack(tokens, axis=-1), tf.concat(vectors, axis=-1), tf.stack(pitches, axis=-1), total

    def _chances(self, temperature: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Uniform numbers for every step, float32 [B, T, C], of each row's own seed; none are made for greedy rows."""
        shape = [self.steps, sum(_chances_of(size) for size in self.vocabulary_sizes)]
        return tf.cond(
            tf.reduce_any(temperature > 0.0),
            lambda: tf.map_fn(
                lambda row: tf.random.stateless_uniform(shape, row), seed, fn_output_signature=tf.float32
            ),
            lambda: tf.zeros([tf.shape(seed)[0], *shape]),
        )


def _dense(inputs: int, units: int, name: str, activation: str | None = None, scale: float = 1.0) -> keras.layers.Dense:
    kernel = keras.initializers.VarianceScaling(scale, "fan_avg", "uniform")
    layer = keras.layers.Dense(units, activation, kernel_initializer=kernel, dtype="float32", name=name)
    layer.build((None, inputs))
    return layer


def _later(rows: tf.Tensor, steps: int) -> tf.Tensor:
    """Rows [B, T, F] moved on by some steps; the first ones are 0."""
    return tf.pad(rows[:, :-steps], [[0, 0], [steps, 0], [0, 0]])


def _chances_of(size: int) -> int:
    return len(KIT_PIECES) if is_kit(size) else 2


def _draw_melodic(logits: tf.Tensor, temperature: tf.Tensor, chances: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Logits [B, 130] to symbols int32 [B] and their log-probability [B]."""
    onsets, others = logits[:, :PITCHES], logits[:, PITCHES:]
    kinds = tf.concat([tf.reduce_logsumexp(onsets, axis=-1, keepdims=True), others], axis=-1)
    kind, pitch = _draw(kinds, temperature, chances[:, 0]), _draw(onsets, temperature, chances[:, 1])
    token = tf.where(kind == 0, pitch, kind + PITCHES - 1)
    return token, -tf.nn.sparse_softmax_cross_entropy_with_logits(labels=token, logits=logits)


def _draw(logits: tf.Tensor, temperature: tf.Tensor, chance: tf.Tensor) -> tf.Tensor:
    """By the inverse of the distribution function, so that a small change of logits seldom changes what is drawn."""
    best = tf.argmax(logits, axis=-1, output_type=tf.int32)
    sharp = logits / tf.maximum(temperature, 1e-3)[:, tf.newaxis]
    reached = tf.cumsum(tf.nn.softmax(sharp), axis=-1)
    # The last sum may fall short of 1 by rounding.
    drawn = tf.reduce_sum(tf.cast(reached[:, :-1] <= chance[:, tf.newaxis], tf.int32), axis=-1)
    return tf.where(temperature > 0.0, drawn, best)


def _draw_kit(log_odds: tf.Tensor, temperature: tf.Tensor, chances: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Log-odds of the pieces [B, 9] to symbols int32 [B] and their log-probability [B]."""
    odds = tf.sigmoid(log_odds / tf.maximum(temperature, 1e-3)[:, tf.newaxis])
    struck = tf.where(temperature[:, tf.newaxis] > 0.0, chances < odds, log_odds > 0.0)
    bits = tf.constant([1 << piece for piece in range(len(KIT_PIECES))])
    token = tf.reduce_sum(tf.where(struck, bits, 0), axis=-1)
    strokes = tf.cast(struck, tf.float32)
    return token, -tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=strokes, logits=log_odds), axis=-1)


def mixed(latent: tf.Tensor, trust: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """Codes [B, D] mixed with standard normal noise [B, D]: trust [B] of the one, of the other what keeps the size."""
    return trust[:, tf.newaxis] * latent + _distrust(trust) * noise


def _distrust(trust: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(tf.maximum(1.0 - tf.square(trust), 0.0))[:, tf.newaxis]


def damaged(tokens: tf.Tensor, vocabulary_sizes: Sequence[int], wrong: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
    """A history with faults: tokens int32 [B, T, K], where `wrong` from another row, where `hidden` hidden.

    The masks are bool [B, T, K].
    """
    others = tf.roll(tokens, 1, axis=0)
    return tf.where(hidden, tf.constant(vocabulary_sizes), tf.where(wrong, others, tokens))
