"""Windows that overlap by a bar, and bars that repeat others."""

import numpy as np
import pytest

from musae_tf.music import HOLD, REST, get_layout
from musae_tf.music.repeats import bars_repeated, hop_of, new_bars, repeated_bar
from musae_tf.music.windows import Window, windows

VOICES = get_layout("voices")


def all_free(bars: int, length: int) -> list[Window]:
    return windows(np.ones(bars, bool), [(0, bars)], length)


@pytest.mark.parametrize(("bars", "length"), [(5, 1), (2, 2), (16, 2), (4, 4), (7, 4), (8, 4), (9, 4), (200, 2)])
def test_each_bar_is_new_in_one_window_and_neighbours_share_one(bars, length):
    found = all_free(bars, length)
    assert [bar for new in new_bars(found, length) for bar in new] == list(range(bars))
    if (bars - length) % hop_of(length) == 0 and bars < 60:
        assert [window.first for window in found] == list(range(0, bars - length + 1, hop_of(length)))


def test_all_bars_of_a_window_repeat_those_of_the_other():
    # Windows 3 and 4 repeat 0 and 1: bars 3, 4 and 5 are 0, 1 and 2.
    assert bars_repeated(all_free(6, 2), np.array([0, 1, 2, 0, 1]), 2).tolist() == [0, 1, 2, 0, 1, 2]
    # A bar of two windows that repeat differently is that of the first.
    assert bars_repeated(all_free(5, 2), np.array([0, 1, 0, 2]), 2).tolist() == [0, 1, 0, 1, 3]
    assert bars_repeated(all_free(3, 1), np.array([0, 1, 0]), 1).tolist() == [0, 1, 0]
    assert bars_repeated(all_free(7, 4), np.array([0, 0]), 4).tolist() == [0, 1, 2, 0, 1, 2, 3]
    assert bars_repeated(all_free(4, 2), np.arange(3), 2).tolist() == [0, 1, 2, 3]


def test_what_is_written_later_is_not_repeated():
    found = all_free(100, 2)
    late = next(number for number, window in enumerate(found) if number and window.turn == 0)
    repeats = np.arange(len(found))
    repeats[late + 1] = late - 5  # of the last turns, where this is one of the first
    assert (bars_repeated(found, repeats, 2) == np.arange(100)).all()


def test_a_repeated_bar_begins_what_rang_into_the_first_one_unless_it_rings_here():
    bars = np.full((4, VOICES.bar_steps, 4), REST, np.int32)
    bars[0, 8, :3] = [72, 65, 60]
    bars[0, 9:] = np.where(bars[0, 8] < REST, HOLD, REST)
    bars[1, :, :3] = HOLD
    bars[1, 4, 2] = 62
    bars[2, 8, :3] = [72, 67, REST]
    bars[2, 9:, :2] = HOLD
    made = repeated_bar(bars, 1, 3, VOICES)
    assert made[0].tolist() == [HOLD, 65, 60, REST]
    np.testing.assert_array_equal(made[1:], bars[1, 1:])
    assert bars[1, 0].tolist() == [HOLD, HOLD, HOLD, REST]
