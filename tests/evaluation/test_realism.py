"""The two-sample test of phrases: real music is not told from other real music, salad always is."""

import numpy as np
import pytest

from musae_tf.evaluation.grammar import shuffled_voices
from musae_tf.evaluation.prior_match import MINIMUM_CODES
from musae_tf.evaluation.realism import Music, NetworkTest, TokenTest, tell_apart


@pytest.fixture(scope="module")
def music(real) -> Music:
    return Music(real.tokens, real.genre, real.songs.astype(str))


def parts(music: Music, count: int, seed: int) -> list[Music]:
    """So many sets of phrases of different songs, each with songs of all genres."""
    rng = np.random.default_rng(seed)
    number = np.zeros(len(music.songs), int)
    for genre in np.unique(music.genre):
        for place, song in enumerate(rng.permutation(np.unique(music.songs[music.genre == genre]))):
            number[music.songs == song] = place % count
    return [music.of(number == part) for part in range(count)]


def test_real_music_is_not_told_from_other_real_music(music, real):
    # A few songs by few hands: one split may be lucky, many are not.
    found = []
    for seed in range(12):
        learnt, other, asked, asked_other = parts(music, 4, seed)
        found.append(TokenTest(learnt, other, real.layout).above(asked, asked_other).mean())
    assert np.mean(found) == pytest.approx(0.5, abs=0.04)


def test_salad_is_told_from_music(music, real):
    learnt, asked = parts(music, 2, 0)
    salad = [one._replace(tokens=shuffled_voices(one.tokens, real.layout)) for one in (learnt, asked)]
    above = TokenTest(learnt, salad[0], real.layout).above(asked, salad[1])
    assert above.shape == (len(asked.tokens),)
    assert above.mean() > 0.97


@pytest.mark.slow
def test_a_network_tells_salad_from_music_and_no_real_music_from_other(music, real):
    learnt, other, asked, asked_other = parts(music, 4, 0)
    learnt_again = other._replace(tokens=shuffled_voices(other.tokens, real.layout))
    salad = asked_other._replace(tokens=shuffled_voices(asked_other.tokens, real.layout))
    assert NetworkTest(learnt, learnt_again, real.layout).above(asked, salad).mean() > 0.9
    assert NetworkTest(learnt, other, real.layout).above(asked, asked_other).mean() == pytest.approx(0.5, abs=0.2)


def test_a_few_wrong_notes_are_noticed(music, real):
    rng = np.random.default_rng(5)
    learnt, other, asked, asked_other = parts(music, 4, 1)
    wrong = []
    for one in (other, asked_other):
        tokens = one.tokens.copy()
        chosen = (tokens < 128) & (rng.random(tokens.shape) < 0.2)
        tokens[chosen] += rng.integers(-4, 5, np.count_nonzero(chosen))
        wrong.append(one._replace(tokens=tokens))
    assert TokenTest(learnt, wrong[0], real.layout).above(asked, wrong[1]).mean() > 0.75


def test_without_other_songs_halves_are_told_apart_crosswise(music, real):
    salad = music._replace(tokens=shuffled_voices(music.tokens, real.layout), songs=np.arange(len(music.songs)))
    assert tell_apart(music, salad, real.layout) > 0.95
    assert tell_apart(music, salad, real.layout) == tell_apart(music, salad, real.layout)
    few = music.of(np.arange(MINIMUM_CODES))
    assert np.isnan(tell_apart(few, salad, real.layout))


def test_a_genre_of_which_nothing_was_made_says_nothing(music, real):
    learnt, asked = parts(music, 2, 2)
    made = learnt._replace(tokens=shuffled_voices(learnt.tokens, real.layout))
    above = TokenTest(learnt, made, real.layout).above(asked, made.of(made.genre == 0))
    np.testing.assert_array_equal(np.isnan(above), asked.genre != 0)
