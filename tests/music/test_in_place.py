"""What is made of a song goes back to where it came from."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from musae_tf.music import HOLD, Metre, Song, Tempo, Track, get_layout, tokenize
from musae_tf.music.in_place import in_place
from tests.corpus import notes

VOICES = get_layout("voices")
METRES = ((4, 4), (2, 4), (3, 4), (1, 4), (2, 2), (7, 8), (6, 8))


def quarters(song: Song) -> list:
    """Name, program and notes of every track, in quarters."""
    scale = song.ticks_per_quarter
    return [
        (track.name, track.program, [(s / scale, d / scale, p) for s, d, p, _ in track.notes.tolist()])
        for track in song.tracks
    ]


@st.composite
def songs(draw) -> Song:
    """Four lines on the grid in bars of many metres, none of whose notes crosses a bar line."""
    quarter = draw(st.sampled_from((8, 96, 480, 960)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    metres, rows, tick = [], [[], [], [], []], 0
    for numerator, denominator in draw(st.lists(st.sampled_from(METRES), min_size=1, max_size=6)):
        metres.append(Metre(tick, numerator, denominator))
        for _ in range(draw(st.integers(1, 3))):
            length = 4 * quarter * numerator // denominator
            for voice, line in enumerate(rows):
                steps = length * 4 // quarter
                for start in range(0, steps - 1, 2):
                    if rng.random() < 0.7:
                        pitch = int(rng.integers(75 - 10 * voice, 80 - 10 * voice))
                        line.append((tick + start * quarter // 4, quarter // 2, pitch, 80))
            tick += length
    names = ("Violin I", "Violin II", "Viola", "Cello")
    parts = zip(names, range(40, 44), rows, strict=True)
    tracks = [Track(name, program, False, notes(*line)) for name, program, line in parts]
    return Song(quarter, tracks, [Tempo(0, 90.0), Tempo(tick // 2, 120.0)], metres, tick, "a quartet")


@settings(max_examples=150, deadline=None)
@given(songs())
def test_a_song_that_is_put_back_is_itself(song):
    if not any((metre.numerator, metre.denominator) in ((4, 4), (2, 2)) for metre in song.metres):
        return
    roles = np.arange(4)
    grid = tokenize(song, VOICES, roles)
    back = in_place(song, grid.tokens, grid)
    assert quarters(back) == quarters(song)
    scale = song.ticks_per_quarter
    for own, other in ((song.tempos, back.tempos), (song.metres, back.metres)):
        assert [(one[0] / scale, *one[1:]) for one in own] == [(one[0] / 480, *one[1:]) for one in other]
    assert back.end / 480 == song.end / scale
    np.testing.assert_array_equal(tokenize(back, VOICES, roles).tokens, grid.tokens)


def test_other_music_stands_in_the_bars_that_fit_and_nowhere_else():
    rows = [(0, 480, 60), (480, 960, 62), (1440, 3000, 64), (1440 + 1920, 480, 65)]
    metres = [Metre(0, 3, 4), Metre(1440, 4, 4), Metre(1440 + 1920, 3, 4)]
    song = Song(480, [Track("flute", 73, False, notes(*rows))], metres=metres)
    layout = get_layout("piano")
    grid = tokenize(song, layout)
    other = grid.tokens.copy()
    other[:] = [column.vocabulary.rest for column in layout.columns]
    other[0, 4, [0, 6]] = 72, 5
    back = in_place(song, other, grid)
    assert quarters(back) == [("flute", 73, [(0, 1, 60), (1, 2, 62), (4, 0.25, 72), (7, 1, 65)])]


def test_a_note_that_lasts_into_a_bar_that_is_made_anew_ends_there():
    metres = [Metre(0, 3, 4), Metre(1440, 4, 4)]
    song = Song(480, [Track("flute", 73, False, notes((960, 1920, 60), (1440, 480, 67)))], metres=metres)
    layout = get_layout("piano")
    grid = tokenize(song, layout)
    assert quarters(in_place(song, grid.tokens, grid)) == [("flute", 73, [(2, 1, 60), (3, 1, 67)])]


def test_a_note_held_over_bars_that_stay_begins_anew_after_them():
    metres = [Metre(0, 4, 4), Metre(1920, 3, 4), Metre(1920 + 1440, 4, 4)]
    song = Song(480, [Track("flute", 73, False, notes((0, 480, 60), (3360, 480, 62)))], metres=metres)
    layout = get_layout("piano")
    grid = tokenize(song, layout)
    held = grid.tokens.copy()
    held[:, :, 0], held[0, 0, 0] = HOLD, 60
    assert quarters(in_place(song, held, grid)) == [("flute", 73, [(0, 4, 60), (7, 4, 60)])]
