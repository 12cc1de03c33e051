"""Songs to the objects of other libraries and back."""

from fractions import Fraction

import numpy as np
import pytest

from musae_tf.errors import MusicError
from musae_tf.music import NOTE, Metre, Song, Tempo, Track, get_layout
from musae_tf.music.exchange import (
    from_music21,
    from_pretty_midi,
    from_symusic,
    to_music21,
    to_pretty_midi,
    to_symusic,
)
from musae_tf.music.multitrack import to_multitrack
from musae_tf.music.pieces import as_song
from tests.corpus import band_song, changing_metre_song, changing_tempo_song, four_voice_song

WAYS = {"symusic": (to_symusic, from_symusic), "pretty_midi": (to_pretty_midi, from_pretty_midi)}
SONGS = {
    "voices": four_voice_song(4),
    "metres": changing_metre_song(),
    "tempos": changing_tempo_song(),
    "band": band_song(),
    "silence": Song(480, [Track("a", 5), Track("b", 0, True)], [Tempo(0, 97.3)], [Metre(0, 3, 4)], 2880),
}


def moments(song: Song, velocities: bool = True) -> list:
    """What a song holds but its name, with times in quarters."""
    quarter = song.ticks_per_quarter
    return [
        [(track.name, track.program, track.is_drum) for track in song.tracks],
        [
            [(Fraction(start, quarter), Fraction(length, quarter), pitch, velocity * (velocities or not track.is_drum))
             for start, length, pitch, velocity in track.notes.tolist()]
            for track in song.tracks
        ],
        {Fraction(tick, quarter): bpm for tick, bpm in song.tempos},
        [(Fraction(start, quarter), Fraction(length, quarter)) for start, length in song.bars().tolist()],
        Fraction(song.end, quarter),
    ]  # fmt: skip


@pytest.mark.parametrize("library", WAYS)
@pytest.mark.parametrize("name", SONGS)
def test_what_midi_holds_comes_back(library, name):
    pytest.importorskip(library)
    there, back = WAYS[library]
    assert moments(back(there(SONGS[name]))) == moments(SONGS[name])


@pytest.mark.parametrize("name", ["voices", "metres", "tempos", "band"])
def test_what_a_score_holds_comes_back_from_music21(name):
    pytest.importorskip("music21")
    song = SONGS[name]
    back = from_music21(to_music21(song))
    assert moments(back, velocities=False) == moments(song, velocities=False)
    assert back.name == song.name


def test_symusic_may_count_in_quarters_or_seconds():
    song = four_voice_song(2)
    for unit in ("quarter", "second"):
        assert moments(from_symusic(to_symusic(song).to(unit))) == moments(song)


def test_music21_may_bring_a_part_or_notes():
    music21 = pytest.importorskip("music21")
    part = music21.stream.Part([music21.note.Note("C4"), music21.chord.Chord("E4 G4", quarterLength=0.5)])
    assert [(start // 10080, pitch) for start, _, pitch, _ in from_music21(part).tracks[0].notes.tolist()] == [
        (0, 60), (1, 64), (1, 67),
    ]  # fmt: skip
    melody = music21.converter.parse("tinynotation: 3/4 c4 d8 f g16 a g f#")
    assert as_song(melody, get_layout("voices")).metres == [Metre(0, 3, 4)]
    with pytest.raises(MusicError, match="music21 cannot write the stream"):
        from_music21(music21.stream.Part([music21.note.Note("C4", quarterLength=1 / 512)]))


def test_every_object_is_music_for_everything_that_takes_music():
    layout, song = get_layout("voices"), four_voice_song(2)
    for made in (to_symusic(song), to_pretty_midi(song), to_music21(song), to_multitrack(song)):
        found = as_song(made, layout)
        assert [track.name for track in found.tracks] == [track.name for track in song.tracks]
        assert [len(track.notes) for track in found.tracks] == [len(track.notes) for track in song.tracks]
    with pytest.raises(MusicError, match="music is of the type int, must be a path"):
        as_song(7, layout)


def test_a_song_too_long_for_pretty_midi_is_refused():
    pytest.importorskip("pretty_midi")
    notes = np.array([(20_000_000, 480, 60, 80)], NOTE)
    with pytest.raises(MusicError, match="ends at tick 20000480, which pretty_midi does not take"):
        to_pretty_midi(Song(480, [Track("a", 0, False, notes)]))
