"""Pitches that are kept in their order while their rhythm is new: which places of a phrase they begin at.

Of the places that are left, as many get an onset as there are pitches left: those where the decoder would sooner have a
note begin. What it would like at places still to come is known by its draft alone. With a temperature the log-odds of
every place have logistic noise of that scale, so that each is drawn about as often as the decoder believes.

Shapes: B rows, T steps, K tracks.
"""

from typing import NamedTuple

import tensorflow as tf

from musae_tf.models.symbols import Known
from musae_tf.models.tokens import NEVER, chances_of, is_melodic
from musae_tf.music import HOLD, REST
from musae_tf.music.known import PITCH

# A chance of 0 or 1 has no log-odds.
_LEAST = 1e-6


class KeptPitches(NamedTuple):
    """What is to be written at places of the level `PITCH`.

    Attributes:
        pitches: int32 [B, K, T], of each track in their order; behind the last one it does not matter which.
        count: int32 [B, K], how many.
        wishes: float32 [B, K, T], how much a note is wanted to begin at each place; no other than these has any.
        noise: float32 [B, K, T], in `wishes`.
    """

    pitches: tf.Tensor
    count: tf.Tensor
    wishes: tf.Tensor
    noise: tf.Tensor

    @classmethod
    def of(
        cls,
        known: Known,
        draft: list[tf.Tensor],
        vocabulary_sizes: tuple[int, ...],
        temperature: tf.Tensor,
        chances: tf.Tensor,
    ) -> "KeptPitches":
        """What is asked for.

        Args:
            known: tokens and levels; the pitches are those of the onsets among the tokens of such places.
            draft: logits of each track, float32 [B, T, widths].
            vocabulary_sizes: symbols of each track.
            temperature: float32 [B].
            chances: float32 [B, T, C], those of each track as `tokens.draw_symbol` takes them.
        """
        sizes = [chances_of(size) for size in vocabulary_sizes]
        each = zip(vocabulary_sizes, draft, tf.split(chances, sizes, axis=-1), strict=True)
        melodic = tf.constant([is_melodic(size) for size in vocabulary_sizes])[:, tf.newaxis]
        asked, tokens = (tf.transpose(part, [0, 2, 1]) for part in (known.levels == PITCH, known.tokens))
        asked &= melodic
        onsets = asked & (tokens < REST)
        in_order = tf.argsort(tf.cast(onsets, tf.int32), axis=-1, direction="DESCENDING", stable=True)
        odds, noise = [], []
        for size, logits, chance in each:
            odds.append(onset_odds(logits) if is_melodic(size) else tf.zeros_like(chance[..., 0]))
            even = tf.clip_by_value(chance[..., 0], _LEAST, 1.0 - _LEAST)
            noise.append(temperature[:, tf.newaxis] * (tf.math.log(even) - tf.math.log1p(-even)))
        spread = tf.stack(noise, axis=1)
        return cls(
            tf.gather(tokens, in_order, batch_dims=2),
            tf.reduce_sum(tf.cast(onsets, tf.int32), axis=-1),
            tf.where(asked, tf.stack(odds, axis=1) + spread, NEVER),
            spread,
        )

    def limited(self, step: tf.Tensor, begun: tf.Tensor, track: int, numbers: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
        """Logits that leave a place of the level `PITCH` either its next pitch or no onset, float32 [B, 130].

        Args:
            step: the place, int32.
            begun: int32 [B, K], how many of each track's pitches have begun before it.
            track: its number, a melodic one.
            numbers: the logits, float32 [B, 130].
            level: int32 [B], that of the place.
        """
        wish = onset_odds(numbers) + self.noise[:, track, step]
        later = tf.range(self.wishes.shape[-1]) > step
        sooner = later & (self.wishes[:, track] > tf.maximum(wish, NEVER)[:, tf.newaxis])
        left = self.count[:, track] - begun[:, track]
        begins = (tf.reduce_sum(tf.cast(sooner, tf.int32), axis=-1) < left)[:, tf.newaxis]
        place = tf.minimum(begun[:, track], self.pitches.shape[-1] - 1)
        following = tf.gather(self.pitches[:, track], place, batch_dims=1)[:, tf.newaxis]
        symbol = tf.range(numbers.shape[-1])
        impossible = tf.where(begins, symbol != following, symbol < REST)
        return tf.where((level == PITCH)[:, tf.newaxis] & impossible, NEVER, numbers)


def onset_odds(logits: tf.Tensor) -> tf.Tensor:
    """Log-odds that a note begins, float32 [...], of the logits of melodic symbols, float32 [..., 130]."""
    return tf.reduce_logsumexp(logits[..., :REST], axis=-1) - tf.reduce_logsumexp(logits[..., REST : HOLD + 1], axis=-1)
