"""Tracks of several voices, velocities and other bars than 4/4 in sixteenths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musae_tf.errors import MusicError
from musae_tf.music import (
    HOLD,
    KIT,
    LAYOUTS,
    MELODIC,
    NOTE,
    REST,
    VELOCITY,
    Layout,
    Metre,
    Song,
    TimeGrid,
    Track,
    TrackSpec,
    canonical,
    cut,
    detokenize,
    get_layout,
    tokenize,
)
from musae_tf.music.columns import lay_chords, levels_in_force
from musae_tf.music.grid import lines_of, sounding_bars
from musae_tf.music.metrics import agreement
from tests.corpus import notes, random_tokens

GRIDS = ("4/4x4", "3/4x4", "6/8x6", "12/8x6", "5/4x4", "4/4x6", "4/4x12", "2/4x4", "7/8x2", "9/8x3")
NEW = ("band_full", "piano", "pop909", "ensemble")


def piano(voices: int, dynamics: bool = False, grid: str = "4/4x4") -> Layout:
    track = TrackSpec("piano", 0, MELODIC, "others", voices=voices, dynamics=dynamics)
    return Layout("piano", (track,), TimeGrid.parse(grid))


@st.composite
def layouts(draw) -> Layout:
    """A layout of the package, or one of a kit and tracks with any number of voices, on any grid."""
    grid = draw(st.sampled_from(GRIDS))
    name = draw(st.sampled_from([*LAYOUTS, "own"]))
    if name != "own":
        return get_layout(name, grid=grid)
    kit = [TrackSpec("drums", 0, KIT, "drums", dynamics=draw(st.booleans()))] if draw(st.booleans()) else []
    tracks = [
        TrackSpec(f"track {number}", 0, MELODIC, "named", voices=draw(st.integers(1, 6)), dynamics=draw(st.booleans()))
        for number in range(draw(st.integers(1, 3)))
    ]
    return Layout("own", (*kit, *tracks), TimeGrid.parse(grid))


@settings(max_examples=150, deadline=None)
@given(layout=layouts(), bars=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_tokens_survive_a_midi_file(layout, bars, seed):
    tokens = canonical(random_tokens(np.random.default_rng(seed), layout, bars), layout)
    back = Song.read(detokenize(tokens, layout).to_bytes())
    grid = tokenize(back, layout)
    np.testing.assert_array_equal(grid.tokens.reshape(tokens.shape), tokens)
    assert back.metres == [Metre(0, layout.time.numerator, layout.time.denominator)]
    assert grid.losses["off_grid"] == grid.losses["overlapped"] == grid.losses["same_step"] == 0
    np.testing.assert_array_equal(canonical(tokens, layout), tokens)


@settings(max_examples=100, deadline=None)
@given(layout=layouts(), bars=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
def test_any_tokens_sound_as_their_canonical_ones(layout, bars, seed):
    tokens = random_tokens(np.random.default_rng(seed), layout, bars)
    # As loud as a level, where no velocity is given.
    one, other = (detokenize(some, layout, velocity=88) for some in (tokens, canonical(tokens, layout)))
    assert one.tracks == other.tracks


@settings(max_examples=100, deadline=None)
@given(layout=layouts())
def test_a_layout_survives_its_description(layout):
    again = Layout.from_dict(layout.to_dict())
    assert again == layout
    assert again.columns == layout.columns


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 31), st.integers(1, 12), st.integers(55, 70)), max_size=30),
    voices=st.integers(2, 5),
)
def test_a_note_is_lost_only_where_more_begin_than_there_are_columns(rows, voices):
    start, length, pitch = np.array(rows, np.int64).reshape(-1, 3).T
    flat = np.full((voices, 48), REST, np.uint16)
    kept = lay_chords(flat, start, start + length, pitch)
    begins = {(s, p) for s, p in zip(start.tolist(), pitch.tolist(), strict=True)}
    found = {(int(step), int(flat[column, step])) for column, step in zip(*np.nonzero(flat < REST), strict=True)}
    assert len(found) == kept
    assert found <= begins
    for step in range(32):
        here = sorted(p for s, p in begins if s == step)
        got = sorted(p for s, p in found if s == step)
        assert len(got) == min(len(here), voices)
        if len(here) > voices:  # those inside are lost
            assert (got[0], got[-1]) == (here[0], here[-1])
        columns = [int(p) for p in flat[:, step] if p < REST]
        assert columns == sorted(columns, reverse=True), "the highest is in the first free column"


def test_notes_keep_their_column_and_those_inside_give_way():
    flat = np.full((3, 8), REST, np.uint16)
    #      start end pitch: a chord of three, then a note that needs room
    rows = [(0, 8, 72), (0, 8, 60), (0, 8, 48), (4, 8, 65)]
    assert lay_chords(flat, *np.array(rows).T) == 4
    assert flat.tolist() == [
        [72, *[HOLD] * 7],
        [60, HOLD, HOLD, HOLD, 65, HOLD, HOLD, HOLD],
        [48, *[HOLD] * 7],
    ]


def test_a_note_struck_again_ends_and_a_repeated_one_counts_once():
    song = Song(480, [Track("piano", 0, False, notes((0, 960, 60), (480, 480, 60), (480, 240, 60), (0, 960, 64)))])
    grid = tokenize(song, piano(2))
    assert grid.tokens.reshape(-1, 2)[:8].T.tolist() == [
        [64, *[HOLD] * 7],
        [60, HOLD, HOLD, HOLD, 60, HOLD, HOLD, HOLD],
    ]
    assert (grid.losses["notes"], grid.losses["overlapped"]) == (4, 1)


def test_what_does_not_fit_is_counted():
    chord = [(0, 480, pitch) for pitch in (48, 52, 55, 60, 64)]
    grid = tokenize(Song(480, [Track("piano", 0, False, notes(*chord))]), piano(3))
    assert grid.tokens[0, 0].tolist() == [64, 60, 48]
    assert grid.losses["overlapped"] == 2


@settings(max_examples=100, deadline=None)
@given(velocities=st.lists(st.integers(1, 127), min_size=1, max_size=16), kit=st.booleans())
def test_velocities_come_back_within_half_a_level(velocities, kit):
    layout = get_layout("band_full") if kit else piano(2, dynamics=True)
    pitch = 36 if kit else 60
    rows = [(120 * step, 120, pitch, velocity) for step, velocity in enumerate(velocities)]
    song = Song(480, [Track("drums" if kit else "piano", 0, kit, notes(*rows))])
    back = detokenize(tokenize(song, layout).tokens, layout).tracks[0].notes
    assert len(back) == len(velocities)
    assert np.abs(back["velocity"].astype(int) - velocities).max() <= 8


def test_a_velocity_goes_on_and_a_phrase_begins_with_the_one_in_force():
    layout = piano(2, dynamics=True)
    rows = [(0, 4 * 1920, 60, 30), (0, 240, 64, 30), (1920, 480, 67, 100)]
    grid = tokenize(Song(480, [Track("piano", 0, False, notes(*rows))]), layout)
    levels = grid.tokens.reshape(-1, 3)[:, 2]
    assert levels[[0, 1, 16, 17]].tolist() == [1, VELOCITY.rest, 6, VELOCITY.rest]
    assert levels_in_force(levels)[[0, 15, 16, 40]].tolist() == [1, 1, 6, 6]
    phrases = cut(grid, 1)
    assert phrases[1, 0].tolist() == [67, 60, 6]
    assert phrases[2, 0].tolist() == [REST, 60, 6]
    # Without a level the notes are as loud as the caller says.
    silent = np.array([[60, REST, VELOCITY.rest]] * 16, np.uint16)
    assert set(detokenize(silent, layout, velocity=70).tracks[0].notes["velocity"].tolist()) == {70}


@pytest.mark.parametrize(
    ("grid", "metre", "taken"),
    [
        ("3/4x4", (3, 4), 4),
        ("3/4x4", (6, 8), 0),
        ("6/8x6", (6, 8), 4),
        ("6/8x6", (3, 4), 0),
        ("6/8x6", (3, 8), 4),
        ("4/4x4", (2, 2), 3),
        ("2/4x4", (4, 4), 6),
        ("12/8x3", (6, 8), 2),
    ],
)
def test_bars_of_the_metre_and_equal_ones_are_taken(grid, metre, taken):
    song = Song(480, [Track("piano", 0, False, notes((0, 4 * 1440, 60)))], metres=[Metre(0, *metre)])
    if not taken:
        with pytest.raises(MusicError, match=r"no bar is in"):
            tokenize(song, piano(1, grid=grid))
        return
    found = tokenize(song, piano(1, grid=grid))
    assert found.tokens.shape == (taken, TimeGrid.parse(grid).steps, 1)


def test_triplets_fit_a_grid_of_sixths():
    rows = [(160 * step, 160, 60 + step) for step in range(12)]
    song = Song(480, [Track("piano", 0, False, notes(*rows))])
    assert tokenize(song, piano(1)).losses["off_grid"] == 8
    layout = piano(1, grid="4/4x6")
    grid = tokenize(song, layout)
    assert grid.losses["off_grid"] == 0
    back = detokenize(grid.tokens, layout).tracks[0].notes
    for field in ("start", "duration", "pitch"):
        np.testing.assert_array_equal(back[field], song.tracks[0].notes[field])


@pytest.mark.parametrize("name", ["4/4", "4x4", "4/3x4", "0/4x4", "4/4x0", "4/4x7", "64/4x16", "4/4x4 ", "", "four"])
def test_a_grid_that_cannot_be_is_a_sentence(name):
    with pytest.raises(MusicError, match="grid is"):
        TimeGrid.parse(name)


def test_onset_f1_compares_sets_of_notes_by_track_and_leaves_velocities_out():
    layout = get_layout("pop909")
    target = canonical(random_tokens(np.random.default_rng(1), layout, 2), layout)
    turned = target.copy()
    turned[:, 4:9] = target[:, [6, 8, 4, 5, 7]]  # the piano's voices in other columns
    turned[:, [1, 3, 9]] = VELOCITY.rest
    found = agreement(turned, target, layout)["onset_f1"]
    assert list(found) == ["all", "melody", "bridge", "piano"]
    assert set(found.values()) == {1.0}
    turned[:, 0] = REST
    assert agreement(turned, target, layout)["onset_f1"]["melody"] == 0.0


def test_a_track_sounds_where_any_of_its_voices_does():
    layout = get_layout("pop909")
    silence = np.array([column.vocabulary.rest for column in layout.columns], np.uint16)
    tokens = np.tile(silence, (2, 16, 1))
    tokens[1, 3, 7] = 60
    assert sounding_bars(tokens, layout).tolist() == [[False] * 3, [False, False, True]]


def test_lines_are_all_voices_without_velocities():
    layout = get_layout("pop909")
    tokens = random_tokens(np.random.default_rng(2), layout, 1)
    lines, of_lines = lines_of(tokens, layout)
    assert of_lines.names == ("melody", "bridge", *(f"piano {voice}" for voice in range(1, 6)))
    assert of_lines.vocabulary_sizes == (130,) * 7
    np.testing.assert_array_equal(lines, tokens[:, [0, 2, 4, 5, 6, 7, 8]])
    assert lines_of(tokens, layout.lines)[1] is layout.lines


@pytest.mark.parametrize("name", NEW)
def test_new_layouts_have_the_columns_they_say(name):
    layout = get_layout(name)
    assert len(layout.columns) == sum(track.voices + track.dynamics for track in layout.tracks)
    assert len({column.name for column in layout.columns}) == len(layout.columns)


def test_every_program_has_a_place_in_band_full():
    layout = get_layout("band_full")
    for program in range(128):
        song = Song(480, [Track("", program, False, np.array([(0, 480, 60, 90)], NOTE))])
        assert tokenize(song, layout).losses["outside_layout"] == 0, program
