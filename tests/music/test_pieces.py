"""Whole songs as phrases and back."""

import numpy as np
import pytest

from musae_tf.errors import UnknownGenreError
from musae_tf.music import REST, Metre, Song, Tempo, Track, get_layout, pieces, tokenize
from tests.corpus import changing_metre_song, four_voice_song, notes

VOICES = get_layout("voices")


def test_the_walk_keeps_the_distribution_and_relates_neighbours():
    rng = np.random.default_rng(0)
    mean, deviation = np.array([3.0, -1.0, 0.0]), np.array([1.0, 0.3, 2.0])
    draws, others = mean + deviation * rng.standard_normal((2, 40_000, 3))
    codes = pieces.walk(draws, others)
    assert codes.dtype == np.float32
    assert np.array_equal(codes[0], draws[0].astype(np.float32))
    assert np.allclose(codes.mean(axis=0), mean, atol=0.05)
    assert np.allclose(codes.std(axis=0), deviation, rtol=0.05)
    centred = (codes - mean) / deviation
    for lag in (1, 2):
        correlation = np.mean(centred[lag:] * centred[:-lag], axis=0)
        assert np.allclose(correlation, pieces.CORRELATION**lag, atol=0.05)


def test_seeds_of_rows_and_streams_are_all_different_and_do_not_depend_on_the_number_of_rows():
    seeds = np.concatenate([pieces.row_seeds(seed, stream, 20) for seed in (0, 1) for stream in (0, 1, 2)])
    assert seeds.dtype == np.int32
    assert len(np.unique(seeds, axis=0)) == 120
    assert np.array_equal(pieces.row_seeds(0, 0, 3), seeds[:3])
    assert pieces.row_seeds(5, 0, 0).shape == (0, 2)


@pytest.mark.parametrize(("bars", "phrase"), [(1, 2), (4, 2), (5, 2), (5, 4), (3, 1)])
def test_a_song_cut_into_phrases_and_joined_is_the_song(bars, phrase):
    song = four_voice_song(bars, seed=3)
    grid = tokenize(song, VOICES)
    phrases = pieces.phrases_of(grid, phrase)
    assert phrases.dtype == np.int32
    assert phrases.shape == (pieces.phrase_count(bars, phrase), phrase * 16, 4)
    joined = phrases.reshape(-1, 4)
    assert (joined[bars * 16 :] == REST).all()
    back = pieces.changed_song(phrases, grid, "name")
    assert back.name == "name"
    assert back.tempos[0].bpm == grid.tempo
    assert len(back.bars()) == bars
    # But for notes that last beyond a phrase, which begin again.
    assert np.mean(tokenize(back, VOICES).tokens == grid.tokens) > 0.95


def test_phrases_go_on_where_bars_were_left_out():
    grid = tokenize(changing_metre_song(), VOICES)
    assert len(grid.runs) > 1
    assert len(pieces.phrases_of(grid, 2)) == pieces.phrase_count(len(grid.tokens), 2)


def test_the_line_between_songs_goes_from_the_one_to_the_other():
    start, end = tokenize(four_voice_song(2), VOICES), tokenize(four_voice_song(5), VOICES)
    object.__setattr__(start, "tempo", 60.0)
    object.__setattr__(end, "tempo", 240.0)
    object.__setattr__(end, "programs", (1, 2, 3, 4))
    steps = pieces.line(start, end, 3)
    assert [position for position, _ in steps] == [0.0, 0.5, 1.0]
    assert [form.tempo for _, form in steps] == [60.0, 120.0, 240.0]
    assert [form.programs for _, form in steps] == [start.programs, start.programs, (1, 2, 3, 4)]
    assert all(len(form.tokens) == 5 for _, form in steps)
    with pytest.raises(ValueError, match="points is 1"):
        pieces.line(start, end, 1)


def with_tempos(song, *tempos):
    song.tempos = [Tempo(*tempo) for tempo in tempos]
    return song


def test_tempos_come_back_with_the_song():
    song = with_tempos(four_voice_song(4), (0, 100), (1920, 50), (2000, 60), (2000, 70), (5000, 70), (10**6, 9))
    grid = tokenize(song, VOICES)
    assert (grid.tempo, grid.tempos) == (70.0, (Tempo(0, 100.0), Tempo(1920, 50.0), Tempo(2000, 70.0)))
    back = pieces.changed_song(pieces.phrases_of(grid, 2), grid, song.name)
    assert tuple(Song.read(back.to_bytes()).tempos) == grid.tempos
    assert tokenize(back, VOICES).tempos == grid.tempos
    assert "tempos go from 50 to 100, most notes are played at 70" in pieces.losses_in_words(song, grid)


def test_tempos_of_bars_that_are_left_out_are_left_out():
    song = four_voice_song(6)  # bars of 1920 ticks: one in 4/4, one of 3/4, three in 4/4, the rest of 2/4 and 3/4
    song.metres = [Metre(0, 4, 4), Metre(1920, 3, 4), Metre(1920 + 1440, 4, 4)]
    with_tempos(song, (0, 100), (2000, 50), (3000, 60), (4000, 70))
    grid = tokenize(song, VOICES)
    assert grid.runs[0] == (0, 1)
    assert grid.tempos == (Tempo(0, 100.0), Tempo(1920, 60.0), Tempo(1920 + 640, 70.0))


def test_a_map_of_tempos_goes_from_song_to_song():
    start = tokenize(with_tempos(four_voice_song(2), (0, 50), (960, 60)), VOICES)
    end = tokenize(with_tempos(four_voice_song(4), (0, 200), (4000, 100)), VOICES)
    steps = pieces.line(start, end, 3)
    assert [form.tempos for _, form in (steps[0], steps[-1])] == [start.tempos, end.tempos]
    middle = (start.tempo * end.tempo) ** 0.5
    assert [tempo.bpm for tempo in steps[1][1].tempos] == pytest.approx(
        [tempo.bpm * middle / start.tempo for tempo in start.tempos]
    )


def test_a_shorter_song_is_repeated_from_its_beginning():
    assert pieces.repeated(np.array([7, 8]), 5).tolist() == [7, 8, 7, 8, 7]


def test_one_odd_phrase_does_not_decide_the_genre():
    assert pieces.likeliest(np.array([[0.9, 0.1], [0.9, 0.1], [1e-30, 1.0]])) == 0


def test_genres_by_name():
    assert pieces.genre_number(("dances", "hymns"), "hymns") == 1
    with pytest.raises(UnknownGenreError, match=r"'hymms'.*did you mean hymns\?.*dances, hymns"):
        pieces.genre_number(("dances", "hymns"), "hymms")
    with pytest.raises(UnknownGenreError, match=r"genre 0.*dances, hymns"):
        pieces.genre_number(("dances", "hymns"), 0)


def test_losses_are_named_by_the_grid_and_the_voices_of_the_layout():
    chord = notes(*((0, 480, pitch) for pitch in range(60, 68)), (1920, 100, 60), (2040, 100, 60))
    song = Song(480, [Track("a", 0, False, chord)], metres=[Metre(0, 4, 4), Metre(3840, 3, 4)], end=3840 + 1440)
    said = pieces.losses_in_words(song, tokenize(song, get_layout("piano", grid="4/4x3")))
    assert said == (
        "1 of 3 bars are not in 4/4: the model cannot take them; 2 notes have no voice left on their track; "
        "1 notes are moved to the nearest step of 4/4x3"
    )
    usual = pieces.losses_in_words(song, tokenize(song, get_layout("voices")))
    assert "are not 16 sixteenths long: the model cannot take them" in usual
