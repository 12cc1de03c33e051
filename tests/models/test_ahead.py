"""What the decoder is told of what is known ahead of a place."""

from collections.abc import Iterator
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from musae_tf.config import Config, PhraseShape, load_config
from musae_tf.errors import ConfigError
from musae_tf.models.ahead import KnownAhead
from musae_tf.models.autoregressive import DOUBTED, AutoregressiveDecoder
from musae_tf.models.relative import PITCHES, SILENT
from musae_tf.models.symbols import Known, SymbolEmbedding
from musae_tf.music import HOLD, REST
from musae_tf.music.known import FREE, KNOWN
from musae_tf.music.pieces import row_seeds
from tests.models.test_autoregressive import LAYOUTS, greedy

STEPS, LATENT = 32, 16


def decoder_of(sizes: tuple[int, ...]) -> AutoregressiveDecoder:
    keras.utils.set_random_seed(1)
    config = replace(
        Config().model, latent=LATENT, embedding=6, decoder_units=16, decoder="autoregressive", known_ahead=True
    )
    return AutoregressiveDecoder(config, PhraseShape(STEPS // 16, STEPS // 4, 4), sizes)


def some_known(sizes: tuple[int, ...], rows: int) -> Known:
    rng = np.random.default_rng(3)
    tokens = rng.integers(0, sizes, (rows, STEPS, len(sizes))).astype(np.int32)
    levels = rng.choice([FREE, KNOWN], tokens.shape).astype(np.int32)
    return Known(tf.constant(tokens), tf.constant(levels))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_filled_is_what_its_own_history_and_what_is_ahead_make_most_probable(layout):
    decoder, rows = decoder_of(LAYOUTS[layout]), 3
    known = some_known(decoder.vocabulary_sizes, rows)
    latent = 3.0 * tf.random.stateless_normal([rows, LATENT], [0, 3])
    seeds = tf.constant(row_seeds(5, 0, rows))
    tokens, _ = decoder.generate(latent, tf.zeros(rows), seeds, known, trust=tf.zeros(rows))
    logits, draft = decoder.taught(latent, tokens, known)
    free = known.levels.numpy() == FREE
    # A known note does not grow: what may not be is left out of the logits by `generate` alone.
    free[:, 1:] &= free[:, :-1]
    for track in range(len(decoder.vocabulary_sizes)):
        best = greedy(logits[track] + (DOUBTED - 1.0) * draft[track])
        np.testing.assert_array_equal(best[free[..., track]], tokens.numpy()[..., track][free[..., track]])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_with_nothing_known_it_is_told_of_nothing(layout):
    decoder, rows = decoder_of(LAYOUTS[layout]), 3
    nothing = Known(*(tf.fill([rows, STEPS, len(decoder.vocabulary_sizes)], level) for level in (0, FREE)))
    latent = 3.0 * tf.random.stateless_normal([rows, LATENT], [0, 3])
    how = (latent, tf.constant([0.0, 0.9, 1.0]), tf.constant(row_seeds(5, 0, rows)))
    for some, other in zip(decoder.generate(*how), decoder.generate(*how, nothing), strict=True):
        np.testing.assert_allclose(some, other, rtol=1e-5)
    history = decoder.generate(*how)[0]
    for some, other in zip(decoder.taught(latent, history), decoder.taught(latent, history, nothing), strict=True):
        for one, two in zip(some, other, strict=True):
            np.testing.assert_allclose(one, two, atol=1e-5)


def looked(tokens: list[int], steps: int = 32) -> Iterator[np.ndarray]:
    """Anchors [T, 2] and what sounds now [T] of one voice beside a hidden one; SILENT where there is none."""
    ahead = KnownAhead(PhraseShape(2, steps // 4, 4), (130, 130), 8, 4, [[1], [0]], 6)
    known = np.full((1, steps, 2), 130, np.int32)
    known[0, : len(tokens), 0] = tokens
    found = ahead.look(tf.constant(known), SymbolEmbedding((130, 130), 4))
    assert (found.anchors[:, :, 1].numpy() >= PITCHES).all()
    assert (found.now[..., 1].numpy() >= PITCHES).all()
    return (np.minimum(part.numpy()[0, :, 0], SILENT) for part in (found.anchors, found.now))


def test_it_looks_for_the_next_known_onset_and_for_what_sounds_a_bar_later():
    hidden = 130
    anchors, now = looked([hidden, 60, HOLD, REST, hidden, HOLD, 64] + 11 * [hidden] + [67, HOLD, REST])
    assert anchors[:, 0].tolist() == [60, *5 * [64], *12 * [67], *14 * [SILENT]]
    assert anchors[:, 1].tolist() == [SILENT, SILENT, 67, 67, *28 * [SILENT]]
    assert now[:8].tolist() == [SILENT, 60, 60, SILENT, SILENT, SILENT, 64, SILENT]


def test_what_is_said_of_pitches_moves_with_them():
    ahead = KnownAhead(PhraseShape(2, 8, 4), (130, 130, 130), 8, 4, [[1, 2], [0, 2], [0, 1]], 6)
    features = tf.random.stateless_normal([5, 8], [1, 2])
    anchors, now = tf.constant([[60, 64]] * 5), tf.constant([[SILENT, 55, 48]] * 5)
    for track in range(3):
        before = ahead.numbers(track, features, anchors, now).numpy()
        after = ahead.numbers(track, features, anchors + 5, tf.where(now < 128, now + 5, now)).numpy()
        assert np.abs(before).max() > 0.01
        np.testing.assert_allclose(after[:, 36:96], before[:, 31:91], atol=1e-6)


def test_only_a_decoder_that_hears_can_hear_ahead():
    with pytest.raises(ConfigError, match=r"model\.known_ahead is True; .*allowed: false with model\.decoder flat"):
        load_config("voices_one_pass", ["model.known_ahead=true"])
