"""Pitches that stay in their order while their rhythm is new."""

import numpy as np
import pytest
import tensorflow as tf

from musae_tf.models.autoregressive import AutoregressiveDecoder
from musae_tf.models.symbols import Known
from musae_tf.music import HOLD, REST
from musae_tf.music.known import FREE, KNOWN, ONSET, PITCH
from tests.models.test_autoregressive import LAYOUTS, STEPS, decoder_of, music


@pytest.fixture(scope="module", params=["voices", "chords"])
def decoder(request) -> AutoregressiveDecoder:
    return decoder_of(LAYOUTS[request.param])


def asked(decoder: AutoregressiveDecoder, rows: int, levels: list[int], shares: list[float]) -> Known:
    sizes, rng = np.array(decoder.vocabulary_sizes), np.random.default_rng(7)
    tokens = rng.integers(0, sizes, (rows, STEPS, len(sizes)))
    # Of melodic symbols about a third are onsets.
    silent = (sizes == 130) & (rng.random(tokens.shape) < 0.7)
    tokens = np.where(silent, rng.choice([REST, HOLD], tokens.shape), tokens)
    return Known(*(tf.constant(part, tf.int32) for part in (tokens, rng.choice(levels, tokens.shape, p=shares))))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(("levels", "shares"), [([PITCH], [1.0]), ([FREE, KNOWN, ONSET, PITCH], [0.2, 0.2, 0.1, 0.5])])
def test_all_pitches_come_in_their_order_and_what_is_known_stays(decoder, temperature, levels, shares):
    known = asked(decoder, 6, levels, shares)
    made, _ = music(decoder, 6, temperature, known=known)
    tokens, level = known.tokens.numpy(), known.levels.numpy()
    np.testing.assert_array_equal(made[level == KNOWN], tokens[level == KNOWN])
    moved = 0
    for column, size in enumerate(decoder.vocabulary_sizes):
        if size != 130:
            continue
        for before, after, own in zip(tokens[..., column], made[..., column], level[..., column] == PITCH, strict=True):
            wanted, found = before[own], after[own]
            assert found[found < REST].tolist() == wanted[wanted < REST].tolist()
            moved += ((found < REST) != (wanted < REST)).sum()
        held = (made[:, 1:, column] == HOLD) & (level[:, 1:, column] != KNOWN)
        assert not (held & (level[:, :-1, column] == KNOWN)).any()
    assert moved > 10, "the rhythm is new"


def test_they_begin_where_the_decoder_would_sooner_have_a_note():
    """A decoder that wants notes at every fourth place, a little less at every second, and none elsewhere."""
    decoder = decoder_of((130,))
    wish = np.full(STEPS, -8.0)
    wish[::2], wish[::4] = 0.0, 3.0
    numbers = np.zeros((1, STEPS, 130), np.float32)
    numbers[0, :, :REST] = wish[:, np.newaxis] - np.log(REST)
    decoder._drafted = lambda plan, training=False: tf.repeat(tf.constant(numbers), tf.shape(plan)[0], axis=0)
    decoder._place = lambda *of: tf.zeros([1, 130])
    for count, expected in ((8, np.arange(0, STEPS, 4)), (16, np.arange(0, STEPS, 2)), (0, []), (STEPS, range(STEPS))):
        tokens = np.full((1, STEPS, 1), HOLD, np.int32)
        tokens[0, :count, 0] = np.arange(40, 40 + count)
        made, _ = music(decoder, 1, 0.0, known=Known(tf.constant(tokens), tf.fill([1, STEPS, 1], PITCH)))
        begins = made[0, :, 0] < REST
        assert np.flatnonzero(begins).tolist() == list(expected)
        assert made[0, begins, 0].tolist() == list(range(40, 40 + count))
