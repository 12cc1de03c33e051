import numpy as np
import pytest

from musae_tf.music import HOLD, REST, canonical, cut, detokenize, get_layout, join, pitch_range, tokenize, transpose
from tests.corpus import band_song, changing_metre_song, four_voice_song, random_tokens

VOICES = get_layout("voices")


def test_phrases_stay_inside_runs():
    grid = tokenize(changing_metre_song(), VOICES)
    assert grid.runs == [(0, 2), (2, 3), (5, 1)]
    assert cut(grid, 2).shape == (1 + 2, 32, 4)
    assert cut(grid, 2, hop=2).shape == (1 + 1, 32, 4)
    assert cut(grid, 1).shape == (6, 16, 4)
    assert cut(grid, 4).shape == (0, 64, 4)


def test_a_phrase_inside_a_note_starts_with_its_onset():
    grid = tokenize(four_voice_song(8), VOICES)
    grid.tokens[0, 12:, 0] = [75, HOLD, HOLD, HOLD]
    grid.tokens[1:3, :, 0] = HOLD
    phrases = cut(grid, 2)
    assert phrases[1, 0, 0] == phrases[2, 0, 0] == 75
    np.testing.assert_array_equal(phrases[1, 1:, 0], grid.tokens[1:3, :, 0].ravel()[1:])
    # Cutting changes nothing but first steps, and gives music that needs no earlier bar.
    for phrase in phrases:
        np.testing.assert_array_equal(canonical(phrase, VOICES), phrase)


def test_a_phrase_that_starts_with_a_hold_of_nothing_starts_with_a_rest():
    grid = tokenize(four_voice_song(2), VOICES)
    grid.tokens[0, 0, 1] = REST
    grid.tokens[0, 1:, 1] = HOLD
    grid.tokens[1, 0, 1] = HOLD
    assert cut(grid, 1)[1, 0, 1] == REST


@pytest.mark.parametrize("layout", ["voices", "band", "lpd5"])
def test_cut_and_join_give_the_music_back(layout):
    layout = get_layout(layout)
    grid = tokenize(band_song(8), layout)
    joined = join(cut(grid, 2, hop=2))
    flat = grid.tokens.reshape(joined.shape)
    changed = (joined != flat).any(axis=1)
    assert set(np.flatnonzero(changed) % 32) <= {0}
    assert detokenize(joined, layout).end == detokenize(flat, layout).end


@pytest.mark.parametrize(("bars", "hop"), [(0, 1), (1, 0)])
def test_impossible_cuts_are_refused(bars, hop):
    with pytest.raises(ValueError, match="at least 1"):
        cut(tokenize(four_voice_song(), VOICES), bars, hop)


@pytest.mark.parametrize("drums", ["kit", "voice"])
def test_transposition_moves_pitched_onsets_only(drums):
    layout = get_layout("band", drums)
    tokens = random_tokens(np.random.default_rng(0), layout, 4)
    onsets = tokens < REST
    tokens = np.where(onsets, tokens // 2 + 20, tokens).astype(np.uint16)
    for semitones in (-5, 0, 6):
        moved = transpose(tokens, semitones, layout)
        assert moved.dtype == tokens.dtype
        np.testing.assert_array_equal(moved[:, 0], tokens[:, 0])
        np.testing.assert_array_equal(moved[:, 1:], np.where(onsets, tokens.astype(int) + semitones, tokens)[:, 1:])
        np.testing.assert_array_equal(transpose(moved, -semitones, layout), tokens)


def test_pitches_stay_in_range():
    tokens = np.full((2, 16, 4), REST, np.uint16)
    tokens[0, 0, :2] = [3, 120]
    tokens[1, 4, 3] = 60
    low, high = pitch_range(tokens, VOICES)
    assert (low.tolist(), high.tolist()) == ([3, 60], [120, 60])
    assert transpose(tokens, 7, VOICES)[0, 0, 1] == 127
    for semitones in (8, -4):
        with pytest.raises(ValueError, match="leave 0 to 127"):
            transpose(tokens, semitones, VOICES)


def test_silence_fits_every_transposition():
    tokens = np.full((16, 4), REST, np.uint16)
    low, high = pitch_range(tokens, VOICES)
    assert (int(low), int(high)) == (127, 0)
    np.testing.assert_array_equal(transpose(tokens, 12, VOICES), tokens)
