"""A song as a loop of MIDI messages."""

import numpy as np
import pytest

from musae_tf.errors import MusicError
from musae_tf.live.schedule import to_loop
from musae_tf.music import Song, Tempo, Track
from musae_tf.music.song import NOTE, Metre
from tests.corpus import four_voice_song


def track(*notes: tuple[int, int, int, int], program: int = 0, is_drum: bool = False) -> Track:
    return Track("", program, is_drum, np.array(list(notes), NOTE))


def said(song: Song) -> list[tuple]:
    """The messages of a song, short."""
    found = []
    for quarter, message in to_loop(song).messages:
        if message.type == "program_change":
            found.append((quarter, "program", message.channel, message.program))
        else:
            found.append((quarter, message.type[5:], message.channel, message.note, message.velocity))
    return found


def test_notes_programs_and_channels():
    drums = track((0, 240, 36, 100), is_drum=True)
    song = Song(480, [track((480, 480, 60, 80), program=5), drums, track(), track((0, 960, 64, 90))], end=1920)
    assert said(song) == [
        (0, "program", 0, 5),
        (0, "program", 2, 0),  # the silent one would have channel 1
        (0, "on", 9, 36, 100),
        (0, "on", 2, 64, 90),
        (0.5, "off", 9, 36, 0),
        (1.0, "on", 0, 60, 80),
        (2.0, "off", 0, 60, 0),
        (2.0, "off", 2, 64, 0),
    ]


def test_bars_and_tempo_are_the_songs():
    song = Song(480, [track((0, 480, 60, 80))], [Tempo(0, 97.0)], [Metre(0, 3, 4)], end=3 * 480 * 2 + 1)
    loop = to_loop(song)
    assert (loop.bars, loop.length, loop.bpm) == ((0.0, 3.0, 6.0, 9.0), 9.0, 97.0)
    assert [loop.next_bar(quarter) for quarter in (0, 0.1, 3, 3.1, 8.9)] == [0, 3, 3, 6, 9]


def test_every_note_of_a_real_song_begins_and_ends_once():
    song = four_voice_song(8, seed=3)
    sounding = set()
    begun = 0
    for _, message in to_loop(song).messages:
        if message.type == "note_on":
            assert (message.channel, message.note) not in sounding
            sounding.add((message.channel, message.note))
            begun += 1
        elif message.type == "note_off":
            sounding.remove((message.channel, message.note))
    assert sounding == set()
    assert begun == sum(len(track.notes) for track in song.tracks)


def test_a_song_without_bars_is_refused():
    with pytest.raises(MusicError, match="nothing to play"):
        to_loop(Song())
