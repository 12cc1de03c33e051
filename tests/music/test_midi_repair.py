"""Files that say loosely what the reader of notes wants said strictly."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musae_tf.errors import MusicError
from musae_tf.music import Song, Track, get_layout, tokenize
from musae_tf.music.midi import count_songs, from_bytes
from musae_tf.music.midi_repair import chunks, has_names_elsewhere, has_programs_elsewhere, joined, repair
from musae_tf.music.pieces import losses_in_words
from tests.corpus import END_OF_TRACK, four_voice_song, midi_file, notes, variable_length


def on(channel, pitch, velocity=90):
    return bytes([0x90 | channel, pitch, velocity])


def off(channel, pitch):
    return bytes([0x80 | channel, pitch, 0])


def program(channel, number):
    return bytes([0xC0 | channel, number])


def text(kind, name):
    return bytes([0xFF, kind, len(name)]) + name.encode()


def prefix(channel):
    return bytes([0xFF, 0x20, 1, channel])


def track(*events):
    """Events with the ticks before them: numbers and bytes in turn."""
    waits, messages = events[::2], events[1::2]
    body = b"".join(variable_length(wait) + message for wait, message in zip(waits, messages, strict=True))
    return body + END_OF_TRACK


def rows(one):
    return one.notes[["start", "duration", "pitch"]].tolist()


def test_notes_without_an_end_last_to_the_next_of_their_pitch_or_to_the_end_of_the_track():
    endless = track(0, on(0, 60), 480, on(0, 60), 480, on(0, 64), 480, on(0, 67), 480, off(0, 67))
    song = Song.read(midi_file(1, 480, endless, track(0, on(1, 40), 480, off(1, 40))))
    assert rows(song.tracks[0]) == [(0, 480, 60), (480, 1440, 60), (960, 960, 64), (1440, 480, 67)]
    assert rows(song.tracks[1]) == [(0, 480, 40)]
    assert song.warnings == {"notes_without_end": 3}


def test_of_two_notes_with_one_end_the_later_one_has_it():
    song = Song.read(midi_file(0, 480, track(0, on(0, 60), 240, on(0, 60), 240, off(0, 60), 960, off(0, 62))))
    assert rows(song.tracks[0]) == [(0, 240, 60), (240, 240, 60)]
    assert song.warnings == {"notes_without_end": 1}


def test_strokes_without_an_end_are_drums_in_the_band():
    strokes = [part for _ in range(32) for part in (480, on(9, 36))][2:]
    song = Song.read(midi_file(1, 480, track(0, text(3, "Drums"), 0, on(9, 36), *strokes)))
    grid = tokenize(song, get_layout("band"))
    assert (grid.tokens[..., 0] != 0).sum() == 32
    assert "32 notes without an end last to the next one" in losses_in_words(song, grid)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 3), st.integers(58, 61), st.integers(0, 127), st.booleans()),
        max_size=40,
    )
)
def test_every_onset_is_a_note(moves):
    events, onsets = [], []
    for wait, channel, pitch, velocity, ends in moves:
        events += [wait, off(channel, pitch) if ends else on(channel, pitch, velocity)]
        if not ends and velocity:
            onsets.append((sum(events[::2]), channel, pitch, velocity))
    song = Song.read(midi_file(0, 480, track(*events)))
    found = sorted((start, pitch, velocity) for one in song.tracks for start, _, pitch, velocity in one.notes.tolist())
    assert found == sorted((tick, pitch, velocity) for tick, _, pitch, velocity in onsets)
    assert song.end <= max(sum(events[::2]), 1) + 1
    mended, counts = repair(midi_file(0, 480, track(*events)))
    assert not counts
    assert repair(mended)[0] == mended
    assert (Song.read(mended), Song.read(mended).warnings) == (song, song.warnings)
    for one in song.tracks:
        for pitch in range(58, 62):
            own = one.notes[one.notes["pitch"] == pitch]
            if song.warnings and (own["duration"] == 0).sum() == 0:
                assert (own["start"] + own["duration"]).max(initial=0) <= sum(events[::2])


def test_a_program_is_that_of_the_channel_whatever_track_sets_it():
    setting = track(0, program(0, 33), 0, program(1, 40), 960, program(1, 41))
    parts = [track(0, text(3, name), 0, on(c, 60), 480, off(c, 60), 480, on(c, 62), 480, off(c, 62))
             for c, name in enumerate(("Low", "High", "Other"))]  # fmt: skip
    song = Song.read(midi_file(1, 480, setting, *parts))
    assert [(one.name, one.program) for one in song.tracks] == [("Low", 33), ("High", 40), ("Other", 0)]
    assert [len(one.notes) for one in song.tracks] == [2, 2, 2]


def test_a_track_keeps_the_program_that_it_sets_itself():
    parts = [track(0, program(0, 12), 0, on(0, 60), 480, off(0, 60)), track(0, on(1, 50), 480, off(1, 50))]
    song = Song.read(midi_file(1, 480, track(0, program(0, 33), 0, program(1, 40)), *parts))
    assert [one.program for one in song.tracks] == [12, 40]


def test_channels_are_named_by_prefixes_and_tracks_by_instruments():
    heads = (0, text(3, "Song"), 0, prefix(0), 0, text(3, "Piano"), 0, prefix(1), 0, text(4, "Bass"))
    lines = (0, program(1, 33), 0, on(0, 60), 480, off(0, 60), 0, on(1, 40), 480, off(1, 40))
    song = Song.read(midi_file(0, 480, track(*heads, *lines)))
    assert [(one.name, one.program, rows(one)) for one in song.tracks] == [
        ("Piano", 0, [(0, 480, 60)]),
        ("Bass", 33, [(480, 480, 40)]),
    ]
    part = track(0, text(4, "Flute"), 0, on(2, 70), 480, off(2, 70))
    assert [one.name for one in Song.read(midi_file(1, 480, track(*heads), part)).tracks] == ["Flute"]


@pytest.mark.parametrize(
    ("name", "number", "pitch", "others", "drums"),
    [
        ("Drums", 0, 36, False, True),
        ("Drum Kit", 118, 42, False, True),
        ("Steel Drums", 114, 60, False, False),
        ("Drums", 0, 36, True, False),
        ("Drums", 33, 36, False, False),
        ("Drums", 0, 100, False, False),
    ],
)
def test_drums_off_their_channel(name, number, pitch, others, drums):
    tracks = [Track(name, number, False, notes(*[(480 * i, 120, pitch) for i in range(16)]))]
    tracks += [Track("Percussion", 0, True, notes((0, 120, 38)))] if others else []
    assert Song.read(Song(tracks=tracks).to_bytes()).tracks[0].is_drum is drums


def test_values_and_events_out_of_range_are_counted():
    wild = track(0, b"\xb0\x07\xc8", 0, b"\xf4", 0, b"\xf2\x01\x02", 0, on(0, 60, 200), 480, off(0, 60))
    song = Song.read(midi_file(0, 480, wild))
    assert song.tracks[0].notes.tolist() == [(0, 480, 60, 127)]
    assert song.warnings == {"values_above_127": 2, "unknown_events": 2}


def test_the_pedal_is_named():
    pressed, released = b"\xb0\x40\x7f", b"\xb0\x40\x00"
    song = Song.read(midi_file(0, 480, track(0, pressed, 0, on(0, 72), 480, off(0, 72), 0, released, 1440, off(0, 1))))
    assert song.warnings == {"pedals_ignored": 1}
    assert "1 presses of the pedal are ignored" in losses_in_words(song, tokenize(song, get_layout("voices")))


def test_a_file_of_type_2_is_its_songs():
    patterns = [track(0, text(3, f"p{i}"), 0, on(0, 60 + i), 480, off(0, 60 + i)) for i in range(3)]
    data = midi_file(2, 480, track(0, text(3, "empty")), *patterns)
    assert count_songs(data) == 3
    assert [from_bytes(data, tune=i + 1).tracks[0].notes["pitch"].tolist() for i in range(3)] == [[60], [61], [62]]
    assert count_songs(four_voice_song(2).to_bytes()) == count_songs(b"") == 1


def test_what_is_in_order_is_not_written_anew():
    data = four_voice_song().to_bytes()
    header, tracks = chunks(data)
    assert joined(header, tracks) == data
    assert not has_names_elsewhere(tracks)
    assert not has_programs_elsewhere(tracks, 0)
    assert Song.read(repair(data)[0]) == Song.read(data)
    assert repair(data)[1] == {}


@given(st.binary(max_size=60), st.integers(0, 2))
def test_any_bytes_are_read_or_refused(body, kind):
    try:
        song = Song.read(midi_file(kind, 480, body))
    except MusicError as error:
        reason = str(error)
    else:
        assert sum(len(one.notes) for one in song.tracks) < 60
        return
    assert "\n" not in reason
