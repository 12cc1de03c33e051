"""Beats from a file beside the music: reading it, and songs that are put on them."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musae_tf.errors import MusicError
from musae_tf.music import Metre, Song, Tempo, Track, get_layout, tokenize
from musae_tf.music.beat import off_beat
from musae_tf.music.beats import LARGEST, MOST, Beats, parse_beats, read_beats, retimed
from musae_tf.music.pieces import losses_in_words
from tests.corpus import notes

QUARTER = 480


def beats_at(times, bar=4, first=0):
    marks = np.zeros(len(times), bool)
    if bar:
        marks[first::bar] = True
    return Beats(np.asarray(times, float), marks)


def played_at(seconds, pitch=60, resolution=960):
    """Notes of .1 seconds at some times, in a file of 120 quarters a minute."""
    ticks = np.rint(np.asarray(seconds) * 2 * resolution).astype(int)
    return Song(resolution, [Track("MELODY", 5, False, notes(*((tick, resolution // 5, pitch, 77) for tick in ticks)))])


def starts_of(song):
    return np.concatenate([track.notes["start"].astype(np.int64) for track in song.tracks])


def metres_of(song):
    return [(metre.tick / song.ticks_per_quarter, metre.numerator) for metre in song.metres]


# --- the song on its beats --------------------------------------------------------------------------------------------

TIMES = st.lists(st.floats(0.2, 3.0), min_size=1, max_size=30)
NOTES = st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 4_000), st.integers(0, 127)), min_size=1, max_size=30)
TEMPOS = st.lists(st.tuples(st.integers(0, 40_000), st.floats(20, 400)), max_size=5)


@settings(deadline=None)
@given(st.floats(0, 8), TIMES, NOTES, TEMPOS, st.integers(24, 960), st.integers(0, 9), st.integers(0, 12))
def test_every_note_sounds_when_it_did(first, lengths, rows, tempos, resolution, bar, downbeat):
    track = Track("PIANO", 7, False, notes(*rows))
    song = Song(resolution, [track, Track("drums", 0, True)], [Tempo(*one) for one in tempos], [Metre(0, 3, 8)], 50_000)
    beats = beats_at(np.cumsum([first, *lengths]), bar, downbeat)
    found = retimed(song, beats)
    assert [(one.name, one.program, one.is_drum) for one in found.tracks] == [("PIANO", 7, False), ("drums", 0, True)]
    # Notes that come to one tick may be in another order, so that they are compared in order of time alone.
    was, now = (np.sort(one.seconds_at(one.tracks[0].notes["start"])) for one in (song, found))
    tick = max(60 / tempo.bpm for tempo in found.tempos) / found.ticks_per_quarter
    assert np.abs(was - now).max() <= 1.01 * tick
    assert abs(song.seconds_at(song.end) - found.seconds_at(found.end)) <= 1.01 * tick
    assert np.sort(found.tracks[0].notes["velocity"]).tolist() == np.sort(track.notes["velocity"]).tolist()
    assert (found.tracks[0].notes["duration"] >= (track.notes["duration"].min() > 0)).all()
    edges = found.bars()[:, 0]
    assert (edges % found.ticks_per_quarter == 0).all()
    again = Song.read(found.to_bytes())
    assert [one.tick for one in again.tempos] == [one.tick for one in found.tempos]
    lengths_now, lengths_written = ([round(60e6 / tempo.bpm) for tempo in one.tempos] for one in (found, again))
    assert lengths_now == lengths_written
    assert again.metres == found.metres


@settings(deadline=None)
@given(st.floats(0, 8), st.lists(st.floats(0.2, 3.0), min_size=3, max_size=30), st.integers(0, 5))
def test_notes_on_beats_are_on_quarters_and_bars_begin_on_downbeats(first, lengths, downbeat):
    times = np.cumsum([first, *lengths])
    found = retimed(played_at(times, resolution=9600), beats_at(times, 3, downbeat))
    starts = starts_of(found)
    assert (np.abs(starts - np.rint(starts / found.ticks_per_quarter) * found.ticks_per_quarter) <= 1).all()
    assert (np.diff(np.rint(starts / found.ticks_per_quarter)) == 1).all()
    bars = found.bars()[:, 0]
    for number in range(downbeat, len(times), 3):
        assert np.abs(bars - starts[number]).min() <= 1


def test_notes_around_the_beats_lie_in_beats_as_long_as_the_nearest():
    beats = beats_at([2.0, 2.5, 3.0, 4.0], first=1)
    found = retimed(played_at([0.75, 1.0, 1.5, 2.25, 3.5, 4.0, 5.25]), beats)
    first = starts_of(found)[1] / found.ticks_per_quarter
    assert (starts_of(found) / found.ticks_per_quarter - first).tolist() == [-0.5, 0, 1, 2.5, 4.5, 5, 6.25]
    assert first == 2, "a second of silence, in beats as long as the first one"
    assert metres_of(found) == [(0, 1), (1, 4)]


def test_the_song_may_begin_between_beats_and_with_a_note():
    found = retimed(played_at([0.0, 0.3, 0.8]), beats_at([0.3, 0.8, 1.3]))
    assert (starts_of(found) / found.ticks_per_quarter).tolist() == pytest.approx([0.4, 1, 2], abs=0.001)
    assert found.seconds_at(starts_of(found)) == pytest.approx([0, 0.3, 0.8], abs=0.001)
    assert metres_of(found) == [(0, 1), (1, 4)]
    assert "tempos go" not in losses_in_words(found, tokenize(found, get_layout("voices")))


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("1000100010001", [(0, 4)]),
        ("0100010001000", [(0, 1), (1, 4)]),
        ("1001001001001", [(0, 3)]),
        ("1000100000100010001", [(0, 4), (8, 2), (10, 4)]),
        ("1000100100010001", [(0, 4), (4, 3), (7, 4)]),
        ("10001000000010001", [(0, 4)]),
        ("1000101010001000", [(0, 4), (4, 2), (8, 4)]),
        ("0000000010001", [(0, 4)]),
        ("0000000000000", [(0, 4)]),
        ("0001", [(0, 3), (3, 4)]),
    ],
)
def test_metres_are_those_of_the_downbeats(marks, expected):
    times = np.arange(len(marks)) * 0.5
    beats = Beats(times, np.array([mark == "1" for mark in marks]))
    assert metres_of(retimed(played_at(times), beats)) == expected


def test_fewer_notes_are_off_the_grid_than_before():
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.uniform(0.5, 0.8, 200))
    inside = rng.integers(0, 4, (199, 3)) / 4
    played = np.sort((times[:-1, None] + np.diff(times)[:, None] * inside).ravel())
    song = played_at(played)
    found = retimed(song, beats_at(times))
    assert off_beat(song) > 0.5
    assert off_beat(found) == 0
    layout = get_layout("voices")
    before, after = (tokenize(one, layout).losses["same_step"] for one in (song, found))
    assert after <= before


def test_too_many_beats_are_a_sentence():
    song = Song(480, [Track("a", 0, False, notes((0, 10, 60), (2**30, 10, 60)))], [Tempo(0, 4.0)])
    with pytest.raises(MusicError, match=r"the song has .* beats, must have less than"):
        retimed(song, beats_at([0.0, 0.01]))
    with pytest.raises(MusicError, match="the first beat is 4,000,000 beats after the beginning, at most 100,000"):
        retimed(song, beats_at([80_000.0, 80_000.02]))
    with pytest.raises(MusicError, match=r"0\.001 to 0\.001 seconds apart"):
        beats_at([0.0, 0.001])
    with pytest.raises(MusicError, match="3 beats and 2 marks"):
        Beats(np.arange(3.0), np.ones(2, bool))


# --- the file ---------------------------------------------------------------------------------------------------------


def test_a_file_of_beats_may_have_comments_marks_and_any_separator(tmp_path):
    (tmp_path / "a.beats.txt").write_bytes(b"\xef\xbb\xbf# beats\r\n\r\n0.5\t1\r\n1e0,2\r\n 1.5 , 3.0\r\n2. 1\r\n")
    beats = read_beats(tmp_path / "a.beats.txt")
    assert beats.times.tolist() == [0.5, 1, 1.5, 2]
    assert beats.downbeats.tolist() == [True, False, False, True]
    assert parse_beats(b"0\n1\n", "a").downbeats.tolist() == [False, False]


@pytest.mark.parametrize(
    ("half", "whole", "counts"),
    [
        ("10101010101", "10001000100", 1),  # 4/4, as most files of POP909
        ("1001001001001", "1000001000001", 0),  # 3/4
        ("1000001000001", "0000000000000", 0),
        ("1000001000001", "1000000000001", 1),  # neither has short bars: the last one
    ],
)
def test_of_two_opinions_the_one_with_bars_counts(half, whole, counts):
    text = "".join(f"{number}.0 {one}.0 {two}.0\n" for number, (one, two) in enumerate(zip(half, whole, strict=True)))
    assert parse_beats(text.encode(), "a").downbeats.tolist() == [mark == "1" for mark in (half, whole)[counts]]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "a.txt has 0 lines of beats"),
        (b"# nothing\n1 1\n", "a.txt has 1 lines of beats"),
        (b"1\nx\n", "a.txt, line 2: 'x' is not a number"),
        (b"1\n\xff\xfe\n", "a.txt, line 2: .* is not a number"),
        (b"1\n1_0\n", "line 2: '1_0' is not a number"),
        (b"1\nnan\n", "line 2: 'nan' is not a number"),
        (b"1\n" + b"9" * 100_000 + b"\n", "line 2: '9{40}' is not a number"),
        (b"1\n1e300\n", "line 2: the beat is at 1e.300 seconds, must be 0 to 86,400"),
        (b"-1\n1\n", "line 1: the beat is at -1 seconds"),
        (b"1\n\n1\n", "line 3: the beat is 0 seconds after the one before it, must be 0.01 to 10"),
        (b"2\n1\n", "line 2: the beat is -1 seconds after"),
        (b"1\n100\n", "line 2: the beat is 99 seconds after"),
        (b"1 1\n2\n", "line 2: 1 columns, the line before has 2"),
        (b"1 1 1 1\n", "line 1: more than 3 columns"),
        (b"1 0.5\n", "line 1: the mark 0.5; allowed: 1 where a bar begins"),
        (b"1 -1\n", "line 1: the mark -1"),
        (b"1 33\n", "line 1: the mark 33"),
        (b"1" + b" " * 100_000 + b"x\n", "line 1: 'x' is not a number"),
        (b"1 1\n" + b"".join(b"%d 0\n" % n for n in range(2, 41)) + b"41 1\n", "line 41: most bars have 40 beats"),
        (b" " * (LARGEST + 1), "a.txt has more than 4,194,304 bytes"),
        (b"".join(b"%d.%02d\n" % divmod(2 * n, 100) for n in range(MOST + 1)), "line 100001: more than 100,000 beats"),
    ],
)
def test_a_file_that_is_no_file_of_beats_is_one_sentence(data, complaint):
    with pytest.raises(MusicError, match=complaint):
        parse_beats(data, "a.txt")


def test_what_cannot_be_read_is_said(tmp_path):
    with pytest.raises(MusicError, match=r"cannot read .*gone: No such file"):
        read_beats(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MusicError, match="pipe is not a regular file"):
        read_beats(tmp_path / "pipe")
