"""Songs to MusicXML and back: with our reader exactly, and with music21 as a reader by other hands."""

import base64
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musae_tf.errors import MusicError
from musae_tf.music import KIT, LAYOUTS, NOTE, VELOCITY, Metre, Song, Tempo, Track, canonical, detokenize, tokenize
from musae_tf.music.reading import read_data
from musae_tf.music.score import TICKS
from musae_tf.music.writing import as_file
from tests.corpus import four_voice_song
from tests.music.other_readers import heard_by_music21, sounding

METRES = ((4, 4), (3, 4), (2, 2), (6, 8), (12, 8), (5, 8), (7, 16), (3, 8), (1, 4), (4, 2))


def moments(song: Song) -> list:
    """All that a file must keep, with times as fractions of a quarter."""
    quarter = song.ticks_per_quarter
    tracks = [
        (track.name, track.program, track.is_drum, [(Fraction(s, quarter), Fraction(d, quarter), p, v)
                                                    for s, d, p, v in track.notes.tolist()])
        for track in song.tracks
    ]  # fmt: skip
    tempos = {Fraction(tick, quarter): bpm for tick, bpm in song.tempos}
    bars = [(Fraction(start, quarter), Fraction(length, quarter)) for start, length in song.bars().tolist()]
    return [tracks, tempos, bars, Fraction(song.end, quarter), song.name]


def again(song: Song, name: str = "song.musicxml") -> Song:
    return read_data(as_file(song, name), name)


@st.composite
def tokens(draw):
    """Tokens of a layout, most of them holds, and their layout."""
    layout = LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))]
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps = 16 * draw(st.integers(1, 4))
    columns = []
    for column in layout.columns:
        if column.vocabulary == KIT:
            columns.append(random.integers(0, KIT.size, steps) * (random.random(steps) < 0.4))
        elif column.vocabulary == VELOCITY:
            columns.append(random.integers(0, VELOCITY.size, steps))
        else:
            onsets = random.integers(0, 129, steps)
            columns.append(np.where(random.random(steps) < draw(st.sampled_from((0, 0.3, 1))), onsets, 129))
    return np.stack(columns, axis=1), layout


@given(tokens(), st.integers(1, 127), st.floats(1, 1000))
@settings(max_examples=60, deadline=None)
def test_all_that_the_grid_holds_comes_back(made, velocity, tempo):
    grid, layout = made
    if layout.columns_of(VELOCITY):
        velocity = 88  # that of the level that notes without one have
    song = detokenize(grid, layout, [Tempo(0, tempo), Tempo(480, 97.3)], velocity=velocity)
    song.name = "a genre"
    back = again(song)
    assert moments(back) == moments(song)
    assert back.metres == song.metres
    assert not back.warnings
    np.testing.assert_array_equal(tokenize(back, layout).tokens.reshape(grid.shape), canonical(grid, layout))


@st.composite
def songs(draw, drums=True):
    """Songs of any metres and resolutions, chords, several voices and drums; no pitch sounds twice at a time."""
    quarter = draw(st.sampled_from((4, 6, 24, 96, 480, 10080)))
    metres, tick = [], 0
    for beats, unit in draw(st.lists(st.sampled_from(METRES), min_size=1, max_size=3)):
        if 4 * quarter * beats % unit:
            beats, unit = 4, 4
        metres.append(Metre(tick, beats, unit))
        tick += 4 * quarter * beats // unit * draw(st.integers(1, 2))
    step = draw(st.sampled_from([n for n in (1, 2, 3, 4, 5, 6, 7) if quarter % n == 0]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tracks = []
    for number in range(draw(st.integers(1, 3))):
        notes = []
        for pitch in draw(st.sets(st.integers(0, 127), max_size=6)):
            places = quarter // step * np.unique(random.integers(0, max(tick * step // quarter, 1), 6))
            for start, following in zip(places, np.append(places[1:], tick), strict=True):
                if start < following:
                    notes.append((start, random.integers(start + 1, following + 1) - start, pitch, 1 + start % 127))
        tracks.append(Track(f"track {number}", 7 * number, drums and number == 1, np.array(notes, NOTE)))
    tempos = [Tempo(0, 120), Tempo(int(random.integers(1, tick)) if tick > 1 else 0, 61.25)]
    return Song(quarter, tracks, tempos, metres, tick, "title")


@given(songs())
@settings(max_examples=150, deadline=None)
def test_any_song_comes_back(song):
    assert moments(again(song)) == moments(song)


@given(tokens())
@settings(max_examples=8, deadline=None)
def test_music21_finds_the_same_notes_on_the_grid(made):
    song = detokenize(*made)
    assert heard_by_music21(as_file(song, "x.xml"), "musicxml") == sounding(song)


@given(songs(drums=False))
@settings(max_examples=12, deadline=None)
def test_music21_finds_the_same_notes_in_any_metre(song):
    assert heard_by_music21(as_file(song, "x.xml"), "musicxml") == sounding(song)


def test_music21_finds_what_stands_around_the_notes():
    music21 = pytest.importorskip("music21")
    song = four_voice_song(4)
    song.name = "bach"
    found = music21.converter.parseData(as_file(song, "x.musicxml").decode(), format="musicxml")
    assert found.metadata.bestTitle == "bach"
    assert [part.partName for part in found.parts] == [track.name for track in song.tracks]
    assert [part.getInstrument().midiProgram for part in found.parts] == [track.program for track in song.tracks]
    assert [time.ratioString for time in found.parts[0].recurse().getElementsByClass("TimeSignature")] == ["4/4"]
    assert [mark.number for mark in found.recurse().getElementsByClass("MetronomeMark")] == [song.tempos[0].bpm]
    velocity = [note.volume.velocity for note in found.parts[0].flatten().notes if note.tie is None]
    assert set(velocity) <= set(song.tracks[0].notes["velocity"].tolist())


def test_verovio_engraves_it_and_plays_the_same_notes():
    verovio = pytest.importorskip("verovio")
    song = four_voice_song(4)
    toolkit = verovio.toolkit()
    assert toolkit.loadData(as_file(song, "x.musicxml").decode())
    played = Song.read(base64.b64decode(toolkit.renderToMIDI()))
    assert [track.name for track in played.tracks] == [track.name for track in song.tracks]
    assert [tempo.bpm for tempo in played.tempos] == [tempo.bpm for tempo in song.tempos]
    for theirs, ours in zip(played.tracks, song.tracks, strict=True):
        scale = played.ticks_per_quarter / song.ticks_per_quarter
        np.testing.assert_array_equal(theirs.notes["pitch"], ours.notes["pitch"])
        np.testing.assert_array_equal(theirs.notes["start"], ours.notes["start"] * scale)
        # It ends every note a tick early.
        np.testing.assert_array_equal(theirs.notes["duration"] + 1, ours.notes["duration"] * scale)


def test_a_compressed_score_is_the_same_score():
    song = four_voice_song(2)
    assert moments(again(song, "x.mxl")) == moments(again(song, "x.xml"))
    assert as_file(song, "x.mxl") == as_file(song, "y.MXL")


def test_an_empty_song_and_a_silent_one_are_scores():
    assert [len(track.notes) for track in again(Song()).tracks] == [0]
    silent = Song(480, [Track("a", 5), Track("b", 9, True)], [], [Metre(0, 3, 4)], 2 * 1440, "silence")
    assert moments(again(silent)) == moments(silent)


def test_of_a_pitch_that_sounds_twice_the_earlier_note_ends():
    notes = np.array([(0, 960, 60, 80), (480, 480, 60, 80), (0, 240, 60, 80)], NOTE)
    assert again(Song(480, [Track("a", 0, False, notes)])).tracks[0].notes.tolist() == [
        (0, TICKS, 60, 80), (TICKS, TICKS, 60, 80),
    ]  # fmt: skip


def test_other_resolutions_are_rounded_to_the_ticks_of_a_score():
    notes = np.array([(1, 32766, 60, 80), (0, 0, 64, 80)], NOTE)
    found = again(Song(32767, [Track("a", 0, False, notes)])).tracks[0].notes
    assert found.tolist() == [(0, TICKS, 60, 80), (0, 1, 64, 80)]


def test_names_may_hold_anything():
    song = Song(
        480, [Track('<a> & "b"\0\x1f', 0, False, np.array([(0, 480, 60, 80)], NOTE))], [], [], 1920, "<T>\ud800"
    )
    back = again(song)
    assert (back.name, back.tracks[0].name) == ("<T>", '<a> & "b"')


@pytest.mark.parametrize(
    ("song", "words"),
    [
        (Song(metres=[Metre(0, 3, 128)], end=480), "metre at tick 0 is 3/128: scores are written up to 255/64"),
        (
            Song(tempos=[Tempo(7, 2000)], end=480),
            "tempo at tick 7 is 2000: scores are written with 1 to 1,000 quarters",
        ),
    ],
)
def test_what_no_score_holds_is_said(song, words):
    with pytest.raises(MusicError, match=re.escape(words)):
        as_file(song, "x.musicxml")
