"""Bars by metre, notes off each grid, and the grid that suits songs."""

import json
import math

import numpy as np
import pytest

from musae_tf.errors import MusicError
from musae_tf.music import Metre, Song, TimeGrid, Track, get_layout, tokenize
from musae_tf.music.survey import Survey, fits, survey
from tests.corpus import four_voice_song, notes, waltz


def even(metre: tuple[int, int], step: int, count: int = 96, late: int = 0) -> Song:
    """Notes every `step` ticks of 480 a quarter, all but the first of each four by some ticks `late`."""
    starts = np.arange(count) * step
    starts = starts + late * (np.arange(count) % 4 > 0)
    track = Track("a", 0, False, notes(*((int(start), 30, 60) for start in starts)))
    return Song(480, [track], metres=[Metre(0, *metre)])


@pytest.mark.parametrize(
    ("metre", "step", "grid"),
    [
        ((4, 4), 120, "4/4x4"),
        ((4, 4), 160, "4/4x6"),
        ((4, 4), 80, "4/4x6"),
        ((4, 4), 40, "4/4x12"),
        ((3, 4), 120, "3/4x4"),
        ((6, 8), 240, "6/8x3"),
        ((6, 8), 120, "6/8x6"),
        ((2, 4), 120, "4/4x4"),
        ((1, 4), 160, "4/4x6"),
        ((2, 2), 120, "4/4x4"),
        ((4, 2), 120, "4/4x4"),
        ((5, 4), 120, "5/4x4"),
        ((11, 32), 120, "4/4x4"),  # no grid can have it
    ],
)
def test_the_grid_that_suits(metre, step, grid):
    found = survey([even(metre, step)])
    assert found.best == grid
    assert found.share_off(grid) == 0 or metre == (11, 32)
    assert found.songs == 1


def test_a_finer_grid_has_to_be_worth_it():
    straight = even((4, 4), 120, 88)
    triplets = even((4, 4), 160, 12)
    off = survey([straight, triplets]).share_off("4/4x4")
    assert off == pytest.approx(8 / 100)
    assert survey([straight, triplets]).best == "4/4x4"
    assert survey([straight, *[triplets] * 4]).best == "4/4x12"


def test_what_lies_near_a_step_is_on_it():
    assert survey([even((4, 4), 120, late=15)]).share_off("4/4x12") == 0
    found = survey([even((4, 4), 120, late=16)])
    assert found.share_off("4/4x4") == found.share_off("4/4x12") == 0.75


def test_metres_are_counted_by_bars_and_by_what_takes_them():
    two = Song(480, four_voice_song(3).tracks, metres=[Metre(0, 2, 4)])
    found = survey([four_voice_song(8), waltz(6), two])
    assert found.bars == {"4/4": 8, "3/4": 8, "2/4": 6}
    assert found.taken["4/4"] == found.notes["4/4"] + found.notes["2/4"]
    assert found.taken["3/4"] == found.notes["3/4"]
    assert found.best == "4/4x4"
    assert found.other_bars("4/4x4") == {"3/4": 8}
    assert found.other_bars("3/4x4") == {"4/4": 8, "2/4": 6}
    assert found.grids[:3] == ["4/4x4", "4/4x6", "4/4x12"]


def test_songs_with_another_beat_say_nothing_of_grids():
    found = survey([even((4, 4), 120)])
    found.add(even((3, 4), 40, 1000), on_beat=False)
    assert (found.best, found.grids) == ("4/4x4", ["4/4x4", "4/4x6", "4/4x12"])
    assert found.songs == 2
    assert found.bars["3/4"] > found.bars["4/4"]


def test_surveys_are_joined_and_survive_json():
    one, other = survey([four_voice_song(8)]), survey([waltz(6), even((6, 8), 160)])
    both = survey([four_voice_song(8), waltz(6), even((6, 8), 160)])
    one.join(Survey.from_dict(json.loads(json.dumps(other.to_dict()))))
    assert one == both


def test_without_notes_there_is_the_usual_grid():
    assert survey([]).best == survey([Song(480, [], [])]).best == "4/4x4"
    assert math.isnan(survey([]).share_off("4/4x4"))


@pytest.mark.parametrize("metre", ["4/4", "2/2", "2/4", "1/4", "4/2", "3/4", "3/8", "6/8", "12/8", "6/4", "5/4", "7/8"])
@pytest.mark.parametrize("grid", ["4/4x4", "3/4x4", "6/8x6", "5/4x4", "12/8x3", "2/4x4"])
def test_bars_fit_as_they_are_placed(metre, grid):
    """Bars enough for whole ones: a song of a metre that fits is put on the grid, and of another it is refused."""
    over, under = map(int, metre.split("/"))
    song = even((over, under), 120, 480 * over)
    if fits(metre, grid.partition("x")[0]):
        assert tokenize(song, get_layout("piano", grid=TimeGrid.parse(grid))).losses["bars_other_metre"] == 0
    else:
        with pytest.raises(MusicError, match="no bar is"):
            tokenize(song, get_layout("piano", grid=grid))
