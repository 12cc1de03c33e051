"""Holes in songs: what stays, what is written, window by window, and where it goes."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musae_tf.errors import InvalidRequestError
from musae_tf.music import (
    HOLD,
    KIT,
    MELODIC,
    NOTE,
    REST,
    VELOCITY,
    Layout,
    Metre,
    Song,
    Tempo,
    Track,
    get_layout,
    tokenize,
)
from musae_tf.music.hole import Hole, cut_hole, filled
from musae_tf.music.known import FREE, KNOWN, ONSET, PITCH
from musae_tf.music.roles import POOLED, assign
from musae_tf.music.selecting import part, selected_bars, selected_tracks
from musae_tf.music.windows import MOST_TURNS, Writing, windows
from tests.corpus import band_song, changing_metre_song, four_voice_song, notes, piano_song
from tests.music.test_columns import layouts

VOICES = get_layout("voices")


def written(hole: Hole, length: int, rng: np.random.Generator) -> tuple[np.ndarray, Writing]:
    """The hole filled with any symbols that a decoder may write."""
    layout = hole.grid.layout
    writing = Writing(hole.grid.tokens, hole.levels, hole.grid.runs, length, layout)
    for numbers in writing.turns:
        tokens, levels = writing.views(numbers)
        writing.write(numbers, levels, any_symbols(tokens, levels, layout, rng))
    return writing.tokens, writing


def any_symbols(tokens: np.ndarray, levels: np.ndarray, layout: Layout, rng: np.random.Generator) -> np.ndarray:
    made = tokens.copy()
    for number, column in enumerate(layout.columns):
        own, level = tokens[..., number], levels[..., number]
        if column.vocabulary == KIT:
            new = rng.integers(0, KIT.size, own.shape)
        elif column.vocabulary == VELOCITY:
            new = rng.integers(0, VELOCITY.size, own.shape)
        else:
            new = np.where(rng.random(own.shape) < 0.5, HOLD, rng.integers(40, 129, own.shape))
            after = np.pad(level[:, :-1], ((0, 0), (1, 0)), constant_values=FREE) == KNOWN
            new = np.where((level == ONSET) | (after & (new == HOLD)), rng.integers(40, 90, own.shape), new)
            for row, places in enumerate(level == PITCH):
                pitches = own[row, places & (own[row] < REST)]
                new[row, places] = np.where(after[row] | (rng.random(own.shape[1]) < 0.3), REST, HOLD)[places]
                begin = rng.choice(np.flatnonzero(places), len(pitches), replace=False)
                new[row, np.sort(begin)] = pitches
        made[..., number] = np.where(level == KNOWN, own, new)
    return made


def played(rng: np.random.Generator, layout: Layout, bars: int, quarter: int) -> Song:
    """Tracks for a layout, freely played: notes off the grid, of all lengths and velocities, some at once."""
    length, tracks = round(layout.time.quarters * quarter), []
    for spec in layout.tracks:
        count = int(rng.integers(0, 12 * bars))
        rows = np.zeros(count, NOTE)
        rows["start"] = rng.integers(0, bars * length, count)
        rows["duration"] = rng.integers(1, 2 * length, count)
        rows["pitch"] = rng.choice([35, 36, 38, 42, 46, 56], count) if spec.is_drum else rng.integers(40, 90, count)
        rows["velocity"] = rng.integers(1, 128, count)
        tracks.append(Track(spec.name, 7, spec.is_drum, rows))
    tracks.append(Track("another", 122, not layout.tracks[0].is_drum, notes((7, 9, 36, 3))))
    metre = Metre(0, layout.time.numerator, layout.time.denominator)
    return Song(quarter, tracks, [Tempo(0, 91.0), Tempo(3 * quarter, 70.0)], [metre], bars * length, "played")


def rows_of(song: Song, track: int, keep: np.ndarray | None = None) -> list[tuple]:
    own = song.tracks[track].notes
    return sorted((own if keep is None else own[keep]).tolist())


@st.composite
def selections(draw):
    """A song in a layout, a hole in it and the length of a phrase."""
    layout, count = draw(layouts()), draw(st.integers(1, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    song = played(rng, layout, count, draw(st.sampled_from((96, 480, 960))))
    count = len(song.bars())
    first = draw(st.integers(1, count))
    bars = draw(st.sampled_from((None, f"{first}-{draw(st.integers(first, count))}", f"1,{count}")))
    tracks = draw(st.lists(st.sampled_from(layout.names), min_size=1, unique=True))
    return song, layout, bars, tracks, draw(st.integers(1, 4)), rng


def hole_of(song: Song, layout: Layout, bars: str | None, tracks: list[str] | None, keep: str = "nothing") -> Hole:
    chosen = None if bars is None else selected_bars(song, bars)
    numbers = None if tracks is None else selected_tracks(layout, tracks)
    return cut_hole(song, layout, assign(song, layout), part(song, layout, chosen, numbers), keep)


@settings(max_examples=150, deadline=None)
@given(selections())
def test_what_is_known_comes_back_to_the_tick_and_new_notes_begin_in_the_hole(selection):
    song, layout, bars, tracks, length, rng = selection
    hole = hole_of(song, layout, bars, tracks)
    tokens, _ = written(hole, length, rng)
    np.testing.assert_array_equal(tokens[hole.levels == KNOWN], hole.grid.tokens[hole.levels == KNOWN])
    back = filled(hole, tokens)
    assert (back.tempos, back.metres, back.name) == (song.tempos, song.metres, song.name)
    kinds, own_kinds = ([(track.name, track.program, track.is_drum) for track in s.tracks] for s in (back, song))
    assert kinds == own_kinds
    edges, step = song.bars(), song.ticks_per_quarter * layout.time.quarters / layout.bar_steps
    chosen = np.arange(len(edges)) if bars is None else selected_bars(song, bars)
    roles, numbers = assign(song, layout), selected_tracks(layout, tracks)
    for number, source in enumerate(song.tracks):
        own = source.notes
        # A bar takes notes up to half a step before it.
        bar = np.searchsorted(edges[:, 0] - step / 2, own["start"], side="right") - 1
        selected = roles[number] in numbers
        leaves = np.isin(bar, chosen) & selected
        np.testing.assert_array_equal(leaves, hole.leaving[number])
        known, now = rows_of(song, number, ~leaves), rows_of(back, number)
        for row in known:
            now.remove(row)
        assert selected or not now
        for start, duration, pitch, _ in now:
            assert np.searchsorted(edges[:, 0], start, side="right") - 1 in chosen
            same = [row for row in known if row[2] == pitch]
            assert not [row for row in same if row[0] < start + duration and start < row[0] + row[1]]


@settings(max_examples=100, deadline=None)
@given(selections())
def test_kept_rhythm_is_the_same_but_for_pitches(selection):
    song, layout, bars, tracks, length, rng = selection
    hole = hole_of(song, layout, bars, tracks, keep="rhythm")
    np.testing.assert_array_equal(hole.grid.tokens, tokenize(song, layout).tokens)
    tokens, writing = written(hole, length, rng)
    back = filled(hole, tokens)
    for number, leaves in enumerate(hole.leaving):
        now = rows_of(back, number)
        for row in rows_of(song, number, ~leaves):
            now.remove(row)
        starts = {(start, velocity) for start, _, _, velocity in rows_of(song, number, leaves)}
        assert {(start, velocity) for start, _, _, velocity in now} <= starts
    lost = sum(len(track.notes) for track in song.tracks) - sum(len(track.notes) for track in back.tracks)
    assert back.warnings.get("without_new_pitch", 0) == lost
    if not (hole.levels == ONSET).any():
        assert not writing.turns


@settings(max_examples=150, deadline=None)
@given(selections())
def test_kept_pitches_come_again_in_their_order(selection):
    song, layout, bars, tracks, length, rng = selection
    hole = hole_of(song, layout, bars, tracks, keep="pitches")
    old = tokenize(song, layout).tokens
    np.testing.assert_array_equal(hole.grid.tokens, old)
    tokens, _ = written(hole, length, rng)
    np.testing.assert_array_equal(tokens[hole.levels == KNOWN], old[hole.levels == KNOWN])
    for column in layout.columns_of(MELODIC):
        places = hole.levels[..., column] == PITCH
        before, after = old[places][..., column], tokens[places][..., column]
        assert after[after < REST].tolist() == before[before < REST].tolist()
    back, left, now = filled(hole, tokens), Counter(), Counter()
    for number, leaves in enumerate(hole.leaving):
        left.update(song.tracks[number].notes["pitch"][leaves].tolist())
        own = rows_of(back, number)
        for row in rows_of(song, number, ~leaves):
            own.remove(row)
        now.update(pitch for _, _, pitch, _ in own)
    assert not now - left
    lost = sum(len(track.notes) for track in song.tracks) - sum(len(track.notes) for track in back.tracks)
    assert back.warnings.get("without_new_place", 0) == lost
    assert back.warnings.get("without_new_pitch", 0) == 0


@settings(max_examples=100, deadline=None)
@given(layout=layouts(), seed=st.integers(0, 2**32 - 1), bars=st.integers(1, 4))
def test_a_song_without_a_hole_is_itself_on_its_grid(layout, seed, bars):
    song = played(np.random.default_rng(seed), layout, bars, 480)
    hole = cut_hole(song, layout, assign(song, layout), lambda placement: np.zeros(
        (placement.bars * layout.bar_steps, len(layout.columns)), bool))  # fmt: skip
    np.testing.assert_array_equal(hole.grid.tokens, tokenize(song, layout).tokens)
    assert filled(hole, hole.grid.tokens) == song


def test_a_piano_whose_voices_are_shared_out_stays_a_piano():
    song = piano_song(4)
    assert assign(song, VOICES).tolist() == [POOLED]
    hole = hole_of(song, VOICES, "2-3", ["alto", "tenor"])
    tokens, _ = written(hole, 2, np.random.default_rng(1))
    (piano,) = filled(hole, tokens).tracks
    known, now = rows_of(song, 0, ~hole.leaving[0]), piano.notes.tolist()
    assert hole.leaving[0].any()
    for row in known:
        now.remove(row)
    assert now
    assert all(1920 <= start < 3 * 1920 for start, _, _, _ in now)


def test_a_new_track_stands_where_the_layout_has_it_and_is_as_loud_as_the_song():
    song = four_voice_song(4)
    del song.tracks[2]
    for track in song.tracks:
        track.notes["velocity"] = 33
    hole = hole_of(song, VOICES, None, ["tenor"])
    tokens, _ = written(hole, 2, np.random.default_rng(1))
    back = filled(hole, tokens)
    assert [track.name for track in back.tracks] == ["Soprano", "Alto", "tenor", "Bass"]
    assert set(back.tracks[2].notes["velocity"].tolist()) == {33}


def test_bars_are_those_of_the_song_whatever_its_metres():
    song = changing_metre_song()  # 1/4, two of 4/4, 3/4, three of 2/2, 6/8, 4/4
    hole = hole_of(song, VOICES, "3,5-6", None)
    assert (hole.levels != KNOWN).any(axis=(1, 2)).tolist() == [False, True, True, True, False, False]
    for bar in (1, 4, 8):
        with pytest.raises(InvalidRequestError, match=f"^bar {bar} is not one in 4/4: the model cannot write it$"):
            hole_of(song, VOICES, f"2,{bar}", None)


def test_half_of_a_bar_of_the_grid_may_be_a_bar_of_the_song():
    song = four_voice_song(2)
    song = Song(480, song.tracks, metres=[Metre(0, 2, 4)], end=song.end)
    hole = hole_of(song, VOICES, "2", ["alto"])
    sounding = hole.grid.tokens[0, 8:, 1] == HOLD
    np.testing.assert_array_equal(hole.levels[0, 8:, 1], np.where(sounding, KNOWN, FREE))
    assert (hole.levels[0, :8] == KNOWN).all()
    assert (hole.levels[1] == KNOWN).all()


@pytest.mark.parametrize(("bars", "words"), [
    ("5-", "bars is '5-', must be numbers of bars such as 5-6 or 3,7-8"),
    ("", "bars is '', must be numbers of bars"),
    ("two", "bars is 'two', must be"),
    (None, "bars is None, must be"),
    ([1.5], r"bars is \[1.5\], must be"),
    (True, "bars is True, must be"),
    ([], "bars is empty: name at least one, such as 5-6"),
    ("0", "bars has 0, but the song has bars 1 to 8"),
    ("3,7-9", "bars has 7-9, but the song has bars 1 to 8"),
    ("6-5", "bars has 6-5, but the song has bars 1 to 8"),
    ("99999999999", "bars is '99999999999', must be"),
    ([3, -1], "bars has -1, but the song has bars 1 to 8"),
])  # fmt: skip
def test_what_names_no_bars_is_refused(bars, words):
    with pytest.raises(InvalidRequestError, match=words):
        selected_bars(four_voice_song(8), bars)


def test_bars_and_tracks_may_be_named_in_several_ways():
    song = four_voice_song(8)
    for bars in ("3,5-6", " 5-6 , 3", [6, 5, 3, 3], np.array([3, 5, 6])):
        assert selected_bars(song, bars).tolist() == [2, 4, 5]
    assert selected_bars(song, 8).tolist() == [7]
    names = ("Violin I", "Violin II", "Viola", "Bass")
    for tracks in ("alto, Bass", ["violin ii", "bass"], ("BASS", "Alto", "alto")):
        assert selected_tracks(VOICES, tracks, names) == [1, 3]
    cello = "there is no track 'cello' in this model; it has: soprano, alto, tenor, bass"
    others = (([], "tracks is empty"), (3, "tracks is 3, must be names"), ([1], "must be names"))
    for tracks, words in (("alto,cello", cello), *others):
        with pytest.raises(InvalidRequestError, match=words):
            selected_tracks(VOICES, tracks, names)


# --- windows ----------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(st.lists(st.booleans(), min_size=1, max_size=40), min_size=1, max_size=4), length=st.integers(1, 5)
)
def test_every_free_bar_is_written_once_and_sees_what_stands_before_it(parts, length):
    free = np.array([bar for run in parts for bar in run])
    starts = np.cumsum([0, *map(len, parts)]).tolist()
    runs = [(start, len(run)) for start, run in zip(starts, parts, strict=False)]
    found = windows(free, runs, length)
    done = ~free
    for turn in range(max([window.turn for window in found], default=-1) + 1):
        now = [window for window in found if window.turn == turn]
        assert now
        before = done.copy()
        for window in now:
            start, count = next(run for run in runs if run[0] <= window.first < sum(run))
            here = np.arange(window.first, min(window.first + length, start + count))
            new = here[~before[here]]
            assert len(new)
            assert not (done[here] & ~before[here]).any(), "two windows of a turn write one bar"
            if length > 1:
                assert new[0] == start or (before[new[0] - 1] and new[0] - 1 in here)
            done[here] = True
    assert done.all()


def test_holes_that_lie_apart_are_written_together_and_long_ones_in_bounded_time():
    free = np.zeros(100, bool)
    free[[3, 10, 11, 40]] = True
    assert windows(free, [(0, 100)], 2) == [(2, 0), (9, 0), (10, 1), (39, 0)]
    found = windows(np.ones(1000, bool), [(0, 1000)], 2)
    assert max(window.turn for window in found) < MOST_TURNS
    assert len(found) < 1000


def test_a_note_that_was_written_may_be_held_over_the_bar_line_and_one_that_is_known_may_not():
    song = Song(480, [Track("Soprano", 52, False, notes((0, 1920, 70)))], end=4 * 1920)
    hole = hole_of(song, VOICES, "2-4", ["soprano"])
    writing = Writing(hole.grid.tokens, hole.levels, hole.grid.runs, 2, VOICES)
    assert [window.first for window in writing.windows] == [0, 1, 2]
    tokens, levels = writing.views([0])
    assert levels[0, :16, 0].tolist() == [KNOWN] * 16
    made = tokens.copy()
    made[0, 16:, 0] = [60, *[HOLD] * 11, 62, HOLD, HOLD, HOLD]
    writing.write([0], levels, made)
    tokens, levels = writing.views([1])
    assert levels[0, :, 0].tolist() == [KNOWN] * 12 + [ONSET] + [FREE] * 19
    made = tokens.copy()
    made[0, 12:, 0] = [64, *[HOLD] * 19]
    writing.write([1], levels, made)
    tokens, levels = writing.views([2])
    assert tokens[0, 0, 0] == 64, "a window begins with the note that it is inside of"
    assert levels[0, :16, 0].tolist() == [KNOWN] * 16, "what began before the window is not written again"
    writing.write([2], levels, np.where(levels == KNOWN, tokens, REST))
    (soprano,) = filled(hole, writing.tokens).tracks
    assert [row[:3] for row in soprano.notes.tolist()] == [(0, 1920, 70), (1920, 1440, 60), (3360, 2400, 64)]


def test_a_run_shorter_than_a_window_ends_before_it():
    song = four_voice_song(1)
    hole = hole_of(song, VOICES, None, ["bass"])
    writing = Writing(hole.grid.tokens, hole.levels, hole.grid.runs, 4, VOICES)
    tokens, levels = writing.views([0])
    assert tokens.shape == (1, 64, 4)
    assert (levels[0, 16:] == FREE).all()
    writing.write([0], levels, np.full_like(tokens, 50))
    assert (writing.tokens[0, :, 3][hole.levels[0, :, 3] == FREE] == 50).all()


def test_the_notes_of_a_band_stay_in_their_tracks():
    song = band_song(4)
    hole = hole_of(song, get_layout("band_full"), "2", ["drums", "keys"])
    back = filled(hole, written(hole, 2, np.random.default_rng(3))[0])
    assert [track.name for track in back.tracks] == [track.name for track in song.tracks]
    for number, track in enumerate(song.tracks):
        assert (back.tracks[number] == track) == (track.name not in ("kit", "keys"))
