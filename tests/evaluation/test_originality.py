"""How near phrases come to training phrases, beside a count of notes one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musae_tf.evaluation.originality import nearest, nearest_of_others
from musae_tf.music import REST, get_layout
from musae_tf.music.vocabulary import KIT, STRUCK
from tests.corpus import random_tokens

LAYOUTS = [get_layout("voices"), get_layout("band"), get_layout("band", drums="voice")]


def phrases(seed: int, layout, count: int = 6, low: int = 30, high: int = 90) -> np.ndarray:
    """Phrases of two bars [count, 32, K], pitched tracks within low..high."""
    tokens = random_tokens(np.random.default_rng(seed), layout, 2 * count)
    return moved(tokens.reshape(count, 32, -1), layout, 0, low, high)


def moved(tokens: np.ndarray, layout, key: int, low: int = 0, high: int = 127) -> np.ndarray:
    pitched = np.array([not track.is_drum for track in layout.tracks]) & (tokens < REST)
    return np.where(pitched, np.clip(tokens.astype(int) + key, low, high), tokens)


def notes(phrase: np.ndarray, layout, key: int) -> set:
    """Every onset of a phrase [T, K] as (track, step, pitch or piece)."""
    found = set()
    for step, symbols in enumerate(phrase):
        for track, (symbol, spec) in enumerate(zip(symbols.tolist(), layout.tracks, strict=True)):
            if spec.vocabulary == KIT:
                found |= {(track, step, piece) for piece in np.flatnonzero(STRUCK[symbol])}
            elif symbol < REST:
                found.add((track, step, symbol + (0 if spec.is_drum else key)))
    return found


@pytest.mark.parametrize("layout", LAYOUTS, ids=["voices", "kit", "drums as a voice"])
def test_it_is_the_onset_f1_of_the_nearest_phrase_in_the_nearest_key(layout):
    # Few pitches, so that random phrases have notes in common; more phrases than are looked at in one go.
    own, training = phrases(1, layout, 11, 60, 64), phrases(2, layout, 5, 58, 66)
    likeness, rows = nearest(own, training, layout)
    for phrase, value, row in zip(own, likeness, rows, strict=True):
        alike = [
            [2 * len(one & other) / (len(one) + len(other)) for other in (notes(t, layout, 0) for t in training)]
            for one in (notes(phrase, layout, key) for key in range(-6, 7))
        ]
        assert value == pytest.approx(np.max(alike))
        assert np.max(alike, axis=0)[row] == pytest.approx(value)
    assert likeness.min() > 0
    assert likeness.max() < 1


@given(st.integers(0, 2**32 - 1), st.sampled_from(LAYOUTS), st.integers(-6, 6))
@settings(deadline=None)
def test_a_copy_is_found_in_any_key(seed, layout, key):
    training = phrases(seed, layout)
    likeness, rows = nearest(moved(training, layout, key), training, layout)
    np.testing.assert_allclose(likeness, 1, rtol=1e-6)
    assert rows.tolist() == list(range(len(training)))


def test_drums_do_not_change_key():
    layout = get_layout("band", drums="voice")
    training = np.full((1, 32, 4), REST)
    training[0, ::4, 0] = 36
    assert nearest(training, training, layout)[0] == [1.0]
    assert nearest(training + (training == 36), training, layout)[0] == [0.0]


def test_how_long_notes_last_says_nothing_and_silence_is_like_nothing():
    layout = get_layout("voices")
    training = phrases(5, layout)
    shorter = np.where(training > REST, REST, training)
    shorter[0] = REST
    likeness, _ = nearest(shorter, training, layout)
    assert np.isnan(likeness[0])
    np.testing.assert_allclose(likeness[1:], 1, rtol=1e-6)


def test_the_nearest_of_others_is_of_another_song():
    layout = get_layout("voices")
    tokens = phrases(7, layout, 4)
    tokens = np.concatenate([tokens, moved(tokens[:2], layout, 2)])
    songs = np.array([0, 1, 2, 3, 0, 4])
    # The copy of the first phrase is of its own song, that of the second of another one.
    likeness = nearest_of_others(tokens, songs, layout)
    np.testing.assert_allclose(likeness[[1, 5]], 1, rtol=1e-6)
    assert likeness[[0, 2, 3, 4]].max() < 0.8
    assert np.isnan(nearest_of_others(tokens, np.zeros(6, int), layout)).all()
