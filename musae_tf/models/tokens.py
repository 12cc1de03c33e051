"""Tokens as tensors: the pieces that a kit's symbols strike, properties of phrases, and from logits to tokens.

K tracks stand here for the columns of a layout: a model knows of each no more than the number of its symbols.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from musae_tf.music import HOLD, REST
from musae_tf.music.known import FREE, KNOWN, ONSET, PITCH
from musae_tf.music.vocabulary import KIT, KIT_PIECES, MELODIC, STRUCK, VELOCITY

NEVER = -1e9
"""The logit of a symbol that may not be."""

VELOCITY_WEIGHT = 0.3
"""Of the cross-entropy of velocities, beside 1 for notes."""


def is_kit(size: int) -> bool:
    """Whether a track with so many symbols is a drum kit: no other vocabulary has as many."""
    return size == KIT.size


def is_melodic(size: int) -> bool:
    """Whether it is a voice with onsets, holds and rests."""
    return size == MELODIC.size


def widths(vocabulary_sizes: Sequence[int]) -> tuple[int, ...]:
    """Numbers that say a step of each track: one a symbol, of kits one a piece."""
    return tuple(len(KIT_PIECES) if is_kit(size) else size for size in vocabulary_sizes)


def struck(tokens: tf.Tensor, dtype: str) -> tf.Tensor:
    """Kit symbols int32 [...] to 1 for each piece that is struck and 0 for the others, [..., 9]."""
    return tf.gather(tf.constant(STRUCK, dtype), tokens)


def expected_strokes(probabilities: tf.Tensor) -> tf.Tensor:
    """Probabilities of kit symbols [B, T, 512] to the probability that each piece is struck, [B, T, 9]."""
    return tf.einsum("bts,sp->btp", probabilities, tf.constant(STRUCK, probabilities.dtype))


def kit_logits(log_odds: tf.Tensor) -> tf.Tensor:
    """Log-odds of the nine pieces float32 [B, T, 9] to logits of the kit symbols float32 [B, T, 512].

    The logit of a symbol is the sum over the pieces that it strikes. Its softmax is then the product of nine
    independent strokes, and the cross-entropy is the sum of theirs.
    """
    return tf.einsum("btp,sp->bts", log_odds, tf.constant(STRUCK, tf.float32))


@keras.saving.register_keras_serializable(package="musae_tf")
class KitLogits(keras.layers.Layer):
    """`kit_logits` as a layer, float32."""

    def __init__(self, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, log_odds: tf.Tensor) -> tf.Tensor:
        return kit_logits(log_odds)


# Counts are in eighths of a phrase, pitches in thirds of an octave from middle C.
_SHARE, _SEMITONES, _CENTRE = 1 / 8, 4.0, 60.0


def order_of(tokens: tf.Tensor, vocabulary_sizes: Sequence[int]) -> tuple[tf.Tensor, tf.Tensor]:
    """The six properties of every track (`musae_tf.music.properties`) in units of a model, and which of them there are.

    Args:
        tokens: int32 [B, T, K].
        vocabulary_sizes: symbols of each track. Of a drum kit only silence and steps with strokes are known, of
            velocities nothing.

    Returns:
        Values float32 [B, K, 6], 0 where there is none; and 1 where there is one, else 0, of the same shape.
    """
    kit = tf.constant([is_kit(size) for size in vocabulary_sizes])
    notes = tf.constant([size != VELOCITY.size for size in vocabulary_sizes])
    onset = tf.where(kit, tokens > 0, tokens < REST)
    rest = tf.where(kit, tokens == 0, tokens == REST)
    hold = tf.logical_and(tokens == HOLD, tf.logical_not(kit))
    counts = [tf.reduce_mean(tf.cast(event, tf.float32), axis=1) / _SHARE for event in (hold, rest, onset)]
    pitch = (tf.cast(tokens, tf.float32) - _CENTRE) / _SEMITONES
    number = tf.reduce_sum(tf.cast(onset, tf.float32), axis=1)
    highest = tf.reduce_max(tf.where(onset, pitch, -np.inf), axis=1)
    lowest = tf.reduce_min(tf.where(onset, pitch, np.inf), axis=1)
    mean = tf.reduce_sum(tf.where(onset, pitch, 0.0), axis=1) / tf.maximum(number, 1.0)
    always = tf.logical_and(tf.ones_like(number, tf.bool), notes)
    melodic = tf.logical_and(always, tf.logical_not(kit))
    pitched = tf.logical_and(melodic, number > 0)
    values = tf.stack([*counts, highest, lowest, mean], axis=-1)
    known = tf.stack([melodic, always, always, pitched, pitched, pitched], axis=-1)
    return tf.where(known, values, 0.0), tf.cast(known, tf.float32)


def reconstruction(logits: Sequence[tf.Tensor], tokens: tf.Tensor, weight: tf.Tensor | None = None) -> tf.Tensor:
    """Cross-entropy of each phrase in nats: mean over the T steps, summed over the K tracks, velocities less.

    Args:
        logits: K tensors float32 [b, T, V_k].
        tokens: int32 [b, T, K].
        weight: float32 [b, T, K] of each symbol, 1 if left out.

    Returns:
        float32 [b].
    """
    tracks = [
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tokens[..., track], logits=track_logits)
        for track, track_logits in enumerate(logits)
    ]
    if weight is not None:
        tracks = [track * weight[..., number] for number, track in enumerate(tracks)]
    tracks = [
        VELOCITY_WEIGHT * track if track_logits.shape[-1] == VELOCITY.size else track
        for track, track_logits in zip(tracks, logits, strict=True)
    ]
    return tf.add_n([tf.reduce_mean(track, axis=-1) for track in tracks])


def decode_tokens(logits: Sequence[tf.Tensor], temperature: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw the tokens of each row; the same row gives the same tokens whatever it is batched with.

    Args:
        logits: K tensors float32 [B, T, V_k].
        temperature: float32 [B]; 0 takes the most probable symbol.
        seed: int32 [B, 2], stateless.

    Returns:
        tokens int32 [B, T, K] and their log-probability float32 [B] under the logits at temperature 1.
    """
    # Without a row that is drawn there is no noise to make.
    tracks = tf.cond(
        tf.reduce_any(temperature > 0.0),
        lambda: [
            _most_probable(track + temperature[:, tf.newaxis, tf.newaxis] * _gumbel(tf.shape(track)[1:], seed, number))
            for number, track in enumerate(logits)
        ],
        lambda: [_most_probable(track) for track in logits],
    )
    log_probability = 0.0
    for tokens, track in zip(tracks, logits, strict=True):
        chosen = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tokens, logits=track)
        log_probability -= tf.reduce_sum(chosen, axis=-1)
    return tf.stack(tracks, axis=-1), log_probability


def _most_probable(numbers: tf.Tensor) -> tf.Tensor:
    return tf.argmax(numbers, axis=-1, output_type=tf.int32)


def _gumbel(shape: tf.Tensor, seed: tf.Tensor, track: int) -> tf.Tensor:
    """Gumbel noise, float32 [B, T, V]: temperature scales it instead of dividing the logits, so 0 is plain argmax."""
    uniform = tf.map_fn(
        lambda row: tf.random.stateless_uniform(
            shape, seed=tf.random.fold_in(row, track), minval=1e-20, dtype=tf.float32
        ),
        seed,
        fn_output_signature=tf.float32,
    )
    return -tf.math.log(-tf.math.log(uniform))


def chances_of(size: int) -> int:
    """Uniform numbers that `draw_symbol` needs for a track with so many symbols."""
    return len(KIT_PIECES) if is_kit(size) else 2 if is_melodic(size) else 1


def chances_of_steps(steps: int, vocabulary_sizes: Sequence[int], temperature: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Those of every step and track, of each row's own seed int32 [B, 2]; none are made if all rows are greedy.

    Returns:
        float32 [B, T, C], C the sum of `chances_of` over the tracks.
    """
    shape = [steps, sum(chances_of(size) for size in vocabulary_sizes)]
    return tf.cond(
        tf.reduce_any(temperature > 0.0),
        lambda: tf.map_fn(
            lambda row: tf.random.stateless_uniform(shape, tf.random.fold_in(row, 0)),
            seed,
            fn_output_signature=tf.float32,
        ),
        lambda: tf.zeros([tf.shape(seed)[0], *shape]),
    )


def draw_symbol(
    size: int, numbers: tf.Tensor, temperature: tf.Tensor, chances: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw one symbol a row.

    Args:
        size: symbols of the track.
        numbers: its logits float32 [B, size], of a kit the log-odds of its pieces [B, 9].
        temperature: float32 [B]; 0 takes what is most probable.
        chances: uniform numbers 0..1, float32 [B, `chances_of(size)`].

    Returns:
        Symbols int32 [B] and their log-probability float32 [B] at temperature 1. A melodic symbol is drawn in two
        parts, first whether a note begins, goes on or is silent, then its pitch: where many pitches share the
        probability of an onset, the most probable of 130 symbols is a hold far too often.
    """
    if is_kit(size):
        return _draw_kit(numbers, temperature, chances)
    if is_melodic(size):
        return _draw_melodic(numbers, temperature, chances)
    token = _draw(numbers, temperature, chances[:, 0])
    return token, -tf.nn.sparse_softmax_cross_entropy_with_logits(labels=token, logits=numbers)


def allowed(logits: tf.Tensor, level: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """Logits [B, 130] where known levels int32 [B], and those of the step before, leave a melodic symbol its choice."""
    symbol = tf.range(logits.shape[-1])
    no_onset = (level == ONSET)[:, tf.newaxis] & (symbol >= REST)
    written = (level == FREE) | (level == PITCH)
    longer = (written & (before == KNOWN))[:, tf.newaxis] & (symbol == HOLD)
    return tf.where(no_onset | longer, NEVER, logits)


def _draw_melodic(logits: tf.Tensor, temperature: tf.Tensor, chances: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Logits [B, 130] to symbols int32 [B] and their log-probability [B]."""
    onsets, others = logits[:, :REST], logits[:, REST:]
    kinds = tf.concat([tf.reduce_logsumexp(onsets, axis=-1, keepdims=True), others], axis=-1)
    kind, pitch = _draw(kinds, temperature, chances[:, 0]), _draw(onsets, temperature, chances[:, 1])
    token = tf.where(kind == 0, pitch, kind + REST - 1)
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
