import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musae_tf.errors import MusicError
from musae_tf.music import NOTE, Metre, Song, Tempo, Track, get_layout, tokenize
from tests.corpus import (
    BAR,
    END_OF_TRACK,
    broken_files,
    four_voice_song,
    midi_file,
    notes,
    songs,
    tempo_event,
    type0_file,
    type1_file_without_metre,
    variable_length,
)


@pytest.mark.parametrize("name", songs())
def test_songs_survive_a_file(name, tmp_path):
    song = songs()[name]
    path = tmp_path / f"{song.name}.mid"
    song.write(path)
    assert Song.read(path) == song
    assert list(tmp_path.iterdir()) == [path]


@settings(max_examples=60, deadline=None)
@given(
    quarter=st.sampled_from([1, 24, 96, 480, 32767]),
    rows=st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 900), st.integers(1, 127)), max_size=40),
    programs=st.lists(st.tuples(st.integers(0, 127), st.booleans()), min_size=1, max_size=20),
    tempos=st.dictionaries(st.integers(0, 9000), st.integers(10, 16_777_215), max_size=4),
    metres=st.dictionaries(st.integers(0, 9000), st.tuples(st.integers(1, 255), st.integers(0, 7)), max_size=4),
    silence=st.integers(0, 5000),
)
def test_every_song_survives_bytes(quarter, rows, programs, tempos, metres, silence):
    # One pitch a note: MIDI itself cannot tell apart notes of one pitch that overlap.
    lines = notes(*[(start, length, pitch, 1 + pitch % 127) for pitch, (start, length, _) in enumerate(rows)])
    song = Song(
        quarter,
        [Track(f"part {i}", program, drum, lines[i :: len(programs)]) for i, (program, drum) in enumerate(programs)],
        [Tempo(tick, 60e6 / microseconds) for tick, microseconds in tempos.items()],
        [Metre(tick, count, 2**power) for tick, (count, power) in metres.items()],
    )
    song.end += silence
    back = Song.read(song.to_bytes())
    assert [round(60e6 / tempo.bpm) for tempo in back.tempos] == [round(60e6 / tempo.bpm) for tempo in song.tempos]
    back.tempos = song.tempos
    assert back == song


@pytest.mark.parametrize("bpm", [97.3, 120.0, 143.21, 60.0, 33.333, 3.6, 200.1])
def test_a_neat_tempo_comes_back_exactly(bpm):
    assert Song.read(Song(tempos=[Tempo(0, bpm)]).to_bytes()).tempos == [Tempo(0, bpm)]


def test_any_tempo_comes_back_as_the_same_microseconds():
    microseconds = np.arange(200_000, 1_200_000, 4_321)
    tempos = [Tempo(index, 60e6 / value) for index, value in enumerate(microseconds)]
    back = Song.read(Song(tempos=tempos).to_bytes()).tempos
    assert [round(60e6 / tempo.bpm) for tempo in back] == microseconds.tolist()


def test_repeated_and_touching_notes_stay_apart():
    rows = notes((0, 480, 60), (480, 480, 60), (960, 240, 60), (1200, 240, 61))
    assert np.array_equal(Song.read(Song(tracks=[Track("a", 0, False, rows)]).to_bytes()).tracks[0].notes, rows)


def test_notes_without_length_or_velocity_are_written_at_the_least():
    track = Track("a", 0, False, np.array([(0, 0, 60, 0), (480, 480, 62, 90)], NOTE))
    back = Song.read(Song(tracks=[track]).to_bytes())
    assert back.tracks[0].notes.tolist() == [(0, 1, 60, 1), (480, 480, 62, 90)]


def test_silent_tracks_keep_name_program_and_kind():
    tracks = [Track("soprano", 73), Track("kit", 16, True), Track("bass", 43, False, notes((0, 10, 40)))]
    assert Song.read(Song(tracks=tracks).to_bytes()).tracks == tracks


def test_twenty_tracks_and_names_of_any_alphabet():
    tracks = [Track(f"голос {i} é", i, i % 7 == 3, notes((i, 5, 60 + i))) for i in range(20)]
    assert Song.read(Song(tracks=tracks).to_bytes()).tracks == tracks


def test_type_0_is_parted_by_channel():
    song = Song.read(type0_file())
    assert [(t.program, t.is_drum, len(t.notes)) for t in song.tracks] == [(0, False, 8), (33, False, 8), (0, True, 8)]
    assert (song.ticks_per_quarter, song.tempos, song.metres) == (96, [Tempo(0, 120.0)], [Metre(0, 4, 4)])
    # All channels bear the one track's name; programs must decide.
    grid = tokenize(song, get_layout("lpd5"))
    assert grid.tokens[:, ::4, 1].ravel().tolist() == [72, 73, 74, 75, 76, 77, 78, 79]
    assert grid.tokens[:, ::4, 3].ravel().tolist() == [36] * 8
    assert grid.tokens[:, ::4, 0].ravel().tolist() == [1, 2] * 4


def test_type_1_with_running_status_and_no_metre():
    song = Song.read(type1_file_without_metre())
    assert [track.notes["pitch"].tolist() for track in song.tracks] == [[72, 74], [48]]
    assert song.metres == []
    assert song.bars().tolist() == [[0, BAR]]


def test_a_name_that_is_no_text_is_read():
    data = midi_file(0, 480, b"\x00\xff\x03\x04\xe9\xe8\xff\xfe\x00\x90\x3c\x40\x10\x80\x3c\x00" + END_OF_TRACK)
    song = Song.read(data)
    assert len(song.tracks[0].notes) == 1
    assert Song.read(song.to_bytes()).tracks == song.tracks


@pytest.mark.parametrize("name", broken_files())
def test_broken_files_are_read_or_refused_with_one_sentence(name, tmp_path):
    path = tmp_path / "broken.mid"
    path.write_bytes(broken_files()[name])
    reason = None
    try:
        song = Song.read(path)
        grid = tokenize(song, get_layout("band"))
    except MusicError as error:
        reason = str(error)
    if reason is None:
        assert grid.losses["notes"] == sum(len(track.notes) for track in song.tracks) > 0
    else:
        assert "\n" not in reason
        assert 20 < len(reason) < 400


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty", "broken.mid is not a readable MIDI file"),
        ("text", "broken.mid is not a readable MIDI file: invalid midi file! File header is not MThd"),
        ("resolution 0", "broken.mid: ticks per quarter is 0"),
        ("SMPTE time", "not ticks per quarter"),
        ("tempo 0", "broken.mid: tempo at tick 0 is inf"),
        ("metre 0/4", "metre at tick 0 is 0/4"),
        ("metre denominator 2^255", "metre at tick 0 is 4/0"),
        ("pitch above 127", "188"),
        ("ticks beyond 2^31", "negative start or duration"),
        ("absurd chunk length", "4294967295"),
    ],
)
def test_the_reason_is_named(name, reason, tmp_path):
    path = tmp_path / "broken.mid"
    path.write_bytes(broken_files()[name])
    with pytest.raises(MusicError, match=reason):
        Song.read(path)


def test_a_note_hours_away_does_not_fill_the_memory():
    with pytest.raises(MusicError, match="100,000 bars"):
        tokenize(Song.read(broken_files()["note after 10^9 ticks"]), get_layout("voices"))


def test_a_million_notes_are_read():
    count = 1_000_000
    message = b"\x00\x90\x3c\x40\x01\x80\x3c\x00"
    song = Song.read(midi_file(0, 480, message * count + END_OF_TRACK))
    grid = tokenize(song, get_layout("voices"))
    assert grid.losses["notes"] == count
    assert grid.losses["notes"] - grid.losses["same_step"] == (grid.tokens < 128).sum()


def test_what_midi_cannot_hold_is_not_written():
    with pytest.raises(MusicError, match="tempo at tick 0 is 1"):
        Song(tempos=[Tempo(0, 1.0)]).to_bytes()
    with pytest.raises(MusicError, match="300/4"):
        Song(metres=[Metre(0, 300, 4)]).to_bytes()
    with pytest.raises(MusicError, match="ends at tick 268435456"):
        Song(end=2**28).to_bytes()


def test_other_programs_see_the_same_song(tmp_path):
    import pretty_midi

    song = four_voice_song()
    song.write(tmp_path / "song.mid")
    other = pretty_midi.PrettyMIDI(str(tmp_path / "song.mid"))
    assert [instrument.name for instrument in other.instruments] == [track.name for track in song.tracks]
    for instrument, track in zip(other.instruments, song.tracks, strict=True):
        assert instrument.program == track.program
        starts = sorted((round(other.time_to_tick(note.start)), note.pitch) for note in instrument.notes)
        assert starts == track.notes[["start", "pitch"]].tolist()


def test_the_small_writer_agrees_with_the_format():
    # Example values of the MIDI file specification.
    cases = {0: "00", 0x7F: "7f", 0x80: "8100", 0x2000: "c000", 0x0FFFFFFF: "ffffff7f"}
    assert {value: variable_length(value).hex() for value in cases} == cases
    assert tempo_event(500_000).hex() == "ff510307a120"


def test_program_changes_leave_a_part_one_part():
    def track(name, program, *at):
        return Track(name, program, False, notes(*[(480 * i, 480, 60 + program % 12) for i in at]))

    bass, flute, oboe = track("Bass", 33, 0, 1, 2), track("Melody", 73, 0, 1, 4), track("Melody", 68, 2, 3)
    melody = Track("Melody", 73, False, np.concatenate([flute.notes, oboe.notes]))
    assert Song.read(Song(tracks=[bass, flute, oboe]).to_bytes()).tracks == [bass, melody]
    for apart in (
        [bass, flute, track("Melody", 68, 1)],  # at once
        [bass, flute, track("Solo", 68, 2, 3)],
        [flute, oboe],  # one name for all
        [bass, Track("", 1, False, flute.notes), Track("", 2, False, oboe.notes)],
    ):
        assert Song.read(Song(tracks=apart).to_bytes()).tracks == apart


@pytest.mark.parametrize("wrong", [128, 200, 255])
@pytest.mark.parametrize("event", [b"\xb0\x07%c", b"\xe0\x00%c", b"\xd0%c", b"\xa0\x3c%c", b"\x90\x3c%c"])
def test_a_data_byte_above_127_loses_no_song(event, wrong):
    head = b"\x00" + event % 100
    body = b"\x00\x90\x40\x50\x83\x60\x80\x40\x00"
    good = midi_file(0, 480, head + body + END_OF_TRACK)
    song = Song.read(good)
    assert [note["pitch"] for note in song.tracks[0].notes][-1] == 64
    bad = bytearray(good)
    bad[good.index(head) + len(head) - 1] = wrong
    found = Song.read(bytes(bad))
    assert [(len(track.notes), track.program) for track in found.tracks] == [
        (len(track.notes), track.program) for track in song.tracks
    ]


def test_a_midi_file_inside_a_riff_file():
    song = four_voice_song(2)
    data = song.to_bytes()
    size = len(data).to_bytes(4, "little")
    riff = b"RIFF" + (len(data) + 12).to_bytes(4, "little") + b"RMIDdata" + size + data
    assert Song.read(riff).tracks == song.tracks
    with pytest.raises(MusicError, match="is not a readable MIDI file"):
        Song.read(b"RIFF\0\0\0\0RMIDnothing")
