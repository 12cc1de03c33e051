"""Songs to ABC and back: through abc2midi, which reads ABC here, and with music21."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from musae_tf.errors import MusicError
from musae_tf.music import NOTE, Metre, Song, Tempo, Track, canonical, detokenize, get_layout, tokenize
from musae_tf.music.abc import voice_names
from musae_tf.music.reading import read_data
from musae_tf.music.writing import as_file
from tests.corpus import four_voice_song
from tests.music.other_readers import heard_by_music21, sounding


def again(song: Song) -> Song:
    return read_data(as_file(song, "song.abc"), "song.abc")


def kinds(song: Song) -> list:
    return [(track.name, track.program, track.is_drum) for track in song.tracks if len(track.notes)]


@pytest.mark.parametrize("layout", ["voices", "band"])
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_what_the_grid_holds_comes_back(layout, seed, bars):
    layout = get_layout(layout)
    random = np.random.default_rng(seed)
    steps = 16 * bars
    columns = [
        random.integers(0, 512, steps) * (random.random(steps) < 0.4)
        if spec.is_drum
        else np.where(random.random(steps) < 0.4, random.integers(24, 129, steps), 129)
        for spec in layout.tracks
    ]
    grid = np.stack(columns, axis=1)
    grid[-1] = [36 if not spec.is_drum else 1 for spec in layout.tracks]  # ABC has no silence at its end
    song = detokenize(grid, layout, 97, velocity=77)
    back = again(song)
    assert kinds(back) == kinds(song)
    assert back.metres[0][1:] == (4, 4)
    assert round(back.tempos[-1].bpm) == 97
    assert {velocity for track in back.tracks for velocity in track.notes["velocity"].tolist()} == {77}
    np.testing.assert_array_equal(tokenize(back, layout).tokens.reshape(grid.shape), canonical(grid, layout))


@st.composite
def chords(draw):
    """A track in sixteenths or triplets, whose notes overlap, over several bars of one metre."""
    quarter = draw(st.sampled_from((4, 6, 12)))
    notes, until = [], {}
    for _ in range(draw(st.integers(1, 8))):
        start, length, pitch = draw(st.tuples(st.integers(0, 48), st.integers(1, 24), st.integers(24, 96)))
        if until.get(pitch, 0) <= start:
            notes.append((start, length, pitch, 80))
            until[pitch] = start + length
    metre = draw(st.sampled_from(((4, 4), (3, 4), (6, 8), (2, 2))))
    return Song(quarter, [Track("a", 5, False, np.array(notes, NOTE))], [], [Metre(0, *metre)])


@given(chords())
@settings(max_examples=150, deadline=None)
def test_chords_ties_and_tuplets_come_back(song):
    # A twelfth of a quarter beside a sixteenth is on no tuplet of ours.
    assume(song.ticks_per_quarter != 12 or not (song.tracks[0].notes["start"] % 4).any())
    assume(song.ticks_per_quarter != 12 or not (song.tracks[0].notes["duration"] % 4).any())
    back = again(song)
    assert sounding(back) == sounding(song)
    assert kinds(back) == kinds(song)
    assert back.metres[0][1:] == song.metres[0][1:]


def test_music21_reads_the_same_notes():
    song = four_voice_song(4)
    assert heard_by_music21(as_file(song, "x.abc"), "abc") == sounding(song)


def test_notes_between_the_signs_move_to_the_nearest():
    notes = np.array([(0, 437, 60, 80), (487, 961, 62, 80), (1441, 3, 64, 80)], NOTE)
    back = again(Song(480, [Track("a", 0, False, notes)]))
    found = [(Fraction(start, 480), Fraction(length, 480)) for start, length, *_ in back.tracks[0].notes.tolist()]
    assert found == [(0, Fraction(15, 16)), (1, 2), (3, Fraction(1, 16))]


def test_metres_and_tempos_change_where_they_do():
    notes = np.array([(start, 480, 60, 80) for start in range(0, 480 * 10, 480)], NOTE)
    metres, tempos = [Metre(0, 4, 4), Metre(1920, 3, 4)], [Tempo(0, 90), Tempo(1920, 120.4), Tempo(2400, 60)]
    back = again(Song(480, [Track("a", 0, False, notes)], tempos, metres))
    assert [metre for metre in back.metres if metre.tick] == [Metre(1920, 3, 4)]
    assert {tempo.tick: round(tempo.bpm) for tempo in back.tempos} == {0: 90, 1920: 120, 2400: 60}


def test_accidentals_hold_for_no_longer_than_all_readers_agree():
    pitches = (60, 64, 67, 65, 66, 77, 66, 72, 65, 60)
    notes = np.array([(2 * place, 2, pitch, 80) for place, pitch in enumerate(pitches)], NOTE)
    song = Song(4, [Track("a", 0, False, notes)])
    assert "\nC2 E2 G2 F2 ^F2 =f2 ^F2 c2 | F2 C2 z4 z8 |]\n" in as_file(song, "x.abc").decode()
    assert sounding(again(song)) == sounding(song)


def test_voices_have_their_names():
    text = 'X:1\nV:1 name="High one" clef=treble\nV:B nm=Low\n[V:1] C4|\n[V:B] C,4|\nV:3\nC4|\n'
    assert voice_names(text) == ["High one", "Low", ""]
    names = [track.name for track in again(Song(tracks=[_note('a "b" 50% \\ [c]'), _note("")])).tracks]
    assert names == ["a b 50 c", ""]


def _note(name: str) -> Track:
    return Track(name, 0, False, np.array([(0, 480, 60, 80)], NOTE))


def test_names_are_found_in_no_more_time_than_the_text_is_long():
    assert voice_names("\n" * 200_000 + " " * 200_000 + "V:1 nm=a") == ["a"]


def test_tracks_without_notes_are_left_out():
    assert kinds(again(Song(tracks=[Track("silent"), _note("b")]))) == [("b", 0, False)]
    assert as_file(Song(), "x.abc").endswith(b"z16 |]\n")


def test_what_abc_cannot_hold_is_said():
    song = Song(480, [], [], [Metre(0, 4, 4), Metre(7, 4, 4)], 960)
    with pytest.raises(MusicError, match=r"bar 1 is 0\.0145833 quarters long"):
        as_file(song, "x.abc")
