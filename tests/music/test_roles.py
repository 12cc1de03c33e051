import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musae_tf.errors import MusicError
from musae_tf.music import HOLD, REST, Song, Track, get_layout, tokenize
from musae_tf.music.roles import POOLED, assign, choices, left_out, split_chords
from tests.corpus import BAR, band_song, drum_song, four_voice_song, notes, piano_song

VOICES = get_layout("voices")


def line(pitch, name="", program=0, count=4):
    """A track of quarter notes of one pitch."""
    return Track(name, program, False, notes(*[(480 * i, 480, pitch) for i in range(count)]))


def roles(layout, *tracks):
    return assign(Song(tracks=list(tracks)), layout).tolist()


def test_names_decide_before_anything_else():
    song = four_voice_song()
    assert assign(song, VOICES).tolist() == [0, 1, 2, 3]
    song.tracks.reverse()
    assert assign(song, VOICES).tolist() == [3, 2, 1, 0]
    low_soprano = line(40, " SOPRANO ")
    assert roles(VOICES, low_soprano, line(80)) == [0, 1]


def test_a_name_must_be_of_the_right_kind():
    band = get_layout("band")
    assert roles(band, Track("bass", 0, True, notes((0, 10, 36))), line(40, "drums", 33)) == [0, 1]


def test_one_name_for_all_tracks_says_nothing():
    assert roles(get_layout("lpd5"), line(60, "guitar", 0), line(40, "guitar", 33), line(70, "guitar", 60)) == [1, 3, 4]
    assert roles(get_layout("lpd5"), line(60, "guitar", 0)) == [2]


def test_band_by_the_map_of_the_paper():
    tracks = [line(60, str(program), program) for program in (0, 15, 31, 32, 39, 40, 127)]
    assert roles(get_layout("band_paper"), *tracks) == [2, 2, 2, 1, 1, 3, 3]


@pytest.mark.parametrize(
    ("programs", "expected"),
    [
        ((33, 25, 48), [1, 2, 3]),
        ((33, 25, 0, 48, 73, 81, 16), [1, 2, -1, 3, -1, -1, -1]),  # one family a track
        ((33, 0, 73, 61, 16), [1, 2, 3, 3, 3]),  # the piano for the guitar, winds and organ for the strings
        ((58, 24, 81), [1, 2, 3]),  # a tuba for the bass
        ((33, 58, 16, 16), [1, 3, 2, 2]),  # the tuba is a wind where there is a bass, and the organ comps
        ((9, 12, 47, 55, 115, 127), None),  # no lines
    ],
)
def test_band_by_program(programs, expected):
    tracks = [line(60, str(index), program) for index, program in enumerate(programs)]
    if expected is None:
        with pytest.raises(MusicError, match="no track fits the layout 'band'"):
            roles(get_layout("band"), *tracks)
    else:
        assert roles(get_layout("band"), *tracks) == expected


def test_stand_ins_wait_for_silence_and_names():
    band = get_layout("band")
    silent = Track("a", 25, False)
    assert roles(band, silent, line(60, "b", 0)) == [-1, 2]
    assert roles(band, line(60, "Guitar", 80), line(60, "b", 0), line(60, "c", 27)) == [2, -1, 2]
    assert roles(band, Track("Guitar", 25, False), line(60, "b", 0), line(50, "c", 0)) == [2, 2, 2]


def test_choices_of_candidates():
    band = get_layout("band_paper")
    song = Song(
        tracks=[
            Track("kit", 0, True, notes((0, 120, 36))),
            line(30, "a", 33),
            line(40, "b", 34, count=6),
            line(60, "c", 25, count=5),
            line(62, "d", 0, count=5),
            line(70, "e", 48),
            line(72, "f", 73, count=9),
        ]
    )
    by_rule = assign(song, band)
    assert by_rule.tolist() == [0, 1, 1, 2, 2, 3, 3]
    assert [way.tolist() for way in choices(song, band, by_rule, "merge")] == [by_rule.tolist()]
    assert [way.tolist() for way in choices(song, band, by_rule, "best")] == [[0, -1, 1, 2, -1, -1, 3]]
    assert [way.tolist() for way in choices(song, band, by_rule, "all")] == [
        [0, 1, -1, 2, -1, 3, 3],
        [0, 1, -1, -1, 2, 3, 3],
        [0, -1, 1, 2, -1, 3, 3],
        [0, -1, 1, -1, 2, 3, 3],
    ]
    with pytest.raises(MusicError, match="4 combinations of the tracks that could play band_paper, at most 3"):
        choices(song, band, by_rule, "all", most=3)
    kept = tokenize(song, band, choices(song, band, by_rule, "best")[0])
    assert kept.losses["outside_layout"] == 4 + 5 + 4


def test_lpd5_by_program():
    tracks = [line(60, str(program), program) for program in (0, 7, 8, 23, 24, 31, 32, 39, 40)]
    assert roles(get_layout("lpd5"), *tracks) == [1, 1, 4, 4, 2, 2, 3, 3, 4]


def test_voices_by_register():
    assert roles(VOICES, line(50), line(70), line(45), line(60)) == [2, 0, 3, 1]


def test_more_tracks_than_voices_keep_the_edges_and_the_busiest_between_that_play():
    tracks = [line(80, count=6), line(70, count=7), line(65, count=9), line(60, count=8), line(40, count=5)]
    assert roles(VOICES, *tracks) == [0, -1, 1, 2, 3]
    grid = tokenize(Song(tracks=tracks), VOICES)
    assert grid.losses["outside_layout"] == 7
    slow = Track(
        "", 0, False, notes(*[(1920 * i, 1920, 40) for i in range(3)])
    )  # long notes play as much as short ones
    assert roles(VOICES, *tracks[:4], slow) == [0, -1, 1, 2, 3]


def test_a_part_of_two_notes_takes_no_voice_from_one_that_plays():
    strings = [line(pitch, count=64) for pitch in (72, 67, 57, 45)]
    bell, drone = line(96, program=9, count=2), line(30, count=1)
    assert roles(VOICES, bell, *strings, drone) == [-1, 0, 1, 2, 3, -1]
    assert roles(VOICES, bell, *strings[:2], drone, line(80, count=3)) == [0, 2, 3, -1, 1]


BAND = get_layout("band")


@pytest.mark.parametrize(
    ("name", "program", "role"),
    [("Melody", 81, 3), ("VOCAL 1", 56, 3), ("lead gtr", 0, 3), ("Melodie", 11, 3), ("Voice", 87, 3)],
)
def test_a_busy_track_named_as_the_lead_plays_in_the_band(name, program, role):
    others = [line(36, "Bass", 33, 64), line(60, "Guitar", 25, 64), line(60, "Pad", 48, 4)]
    assert roles(BAND, *others, line(72, name, program, 64)) == [1, 2, 3, role]
    assert roles(BAND, *others, line(72, name, program, 4))[-1] == -1  # it hardly plays


def test_the_highest_busy_line_leads_where_no_name_says_who_does():
    others = [line(36, "a", 33, 64), line(60, "b", 25, 64), line(64, "c", 48, 4)]
    flute, piano, bell = line(80, "d", 73, 40), line(50, "e", 0, 64), line(90, "f", 9, 64)
    assert roles(BAND, *others, flute, piano) == [1, 2, 3, 3, -1]
    assert roles(BAND, *others, flute, bell) == [1, 2, 3, -1, -1]  # bells are no line
    assert roles(BAND, *others, flute, line(70, "backing vocals", 52, 8)) == [1, 2, 3, 3, 3]
    assert roles(BAND, *others, line(50, "melody", 25, 64), flute) == [1, 2, 3, 2, -1]  # it has a place


def test_what_is_left_out_is_named():
    song = Song(tracks=[line(36, "Bass", 33, 64), line(60, "Bells", 9, 5), Track("silent", 9), line(60, "", 12, 3)])
    assert left_out(song, assign(song, BAND)) == ["5 of 'Bells' (program 9)", "3 of program 12"]


def test_one_free_voice_goes_to_the_busiest():
    named = [line(60, name) for name in ("soprano", "alto", "tenor")]
    assert roles(VOICES, *named, line(40, count=2), line(50, count=5)) == [0, 1, 2, -1, 3]


def test_few_lines_go_where_their_register_is():
    assert roles(VOICES, line(45)) == [3]
    assert roles(VOICES, line(72)) == [0]
    assert roles(VOICES, line(48), line(72)) == [3, 0]
    assert roles(VOICES, line(64), line(72), line(50)) == [1, 0, 3]


def test_silent_tracks_take_no_voice():
    assert roles(VOICES, line(70), Track("x"), line(60), line(50), line(45)) == [0, -1, 1, 2, 3]


def test_chords_are_shared_out():
    song = piano_song()
    assert assign(song, VOICES).tolist() == [POOLED]
    grid = tokenize(song, VOICES)
    assert grid.losses["overlapped"] == 0
    flat = grid.tokens.reshape(-1, 4)
    # Chords of 48, 55 and 60 under a melody: the melody is the soprano, 48 always the bass.
    assert set(flat[:, 3].tolist()) == {48, HOLD}
    assert flat[::8, 3].tolist() == [48] * (len(flat) // 8)
    assert {int(p) for p in flat[:, 0] if p < REST} >= {int(p) for p in song.tracks[0].notes["pitch"] if p > 60}
    assert grid.programs == (0, 0, 0, 0)


def test_legato_is_no_chord():
    legato = Track("x", 0, False, notes(*[(480 * i, 500, 60 + i % 3) for i in range(16)]))
    assert roles(VOICES, legato, line(40)) == [1, 3]


def test_drums_and_nothing_else():
    assert roles(get_layout("band"), *drum_song().tracks) == [0]
    song = band_song()
    assert tokenize(song, get_layout("band")).programs[:2] == (0, 33)


@pytest.mark.parametrize(
    ("chord", "voices"),
    [([60], [0]), ([60, 50], [0, 3]), ([60, 50, 55], [0, 3, 1]), ([48, 52, 55, 60], [3, 2, 1, 0])],
)
def test_places_in_a_chord(chord, voices):
    zeros = np.zeros(len(chord), np.int64)
    assert split_chords(zeros, zeros + 4, np.array(chord), 4).tolist() == voices


def test_more_notes_than_voices_meet_in_the_tenor():
    pitch = np.array([72, 67, 64, 60, 55, 48])
    zeros = np.zeros(6, np.int64)
    assert split_chords(zeros, zeros + 1, pitch, 4).tolist() == [0, 1, 2, 2, 2, 3]
    grid = tokenize(Song(tracks=[Track("p", 0, False, notes(*[(0, BAR, int(p)) for p in pitch]))]), VOICES)
    assert grid.tokens[0, 0].tolist() == [72, 67, 64, 48]
    assert grid.losses["overlapped"] == 2


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 5000), st.integers(0, 127)), min_size=1, max_size=30),
    voices=st.integers(2, 5),
)
def test_sharing_out_counts_what_sounds(rows, voices):
    start, length, pitch = np.array(rows, np.int64).T
    found = split_chords(start, start + length, pitch, voices)
    for at, p, voice in zip(start, pitch, found, strict=True):
        sounding = set(pitch[(start <= at) & (start + length > at)].tolist())
        higher, lower = sum(q > p for q in sounding), sum(q < p for q in sounding)
        expected = 0 if higher == 0 else voices - 1 if lower == 0 else min(higher, voices - 2)
        assert voice == expected
