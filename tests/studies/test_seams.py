"""What happens at bar lines, counted by hand, and told apart."""

import numpy as np

from musae_tf.music import HOLD, REST
from studies.form.seams import EDGES, at_bar_lines, held_and_intervals, two_sample


def test_holds_and_intervals_at_a_bar_line():
    first = np.array([[60, 70, REST], [HOLD, HOLD, 50], [HOLD, 72, REST], [HOLD, HOLD, REST]])
    second = np.array([[HOLD, 71, 62], [64, HOLD, HOLD], [HOLD, HOLD, HOLD], [REST, REST, HOLD]])
    counts = at_bar_lines(np.stack([first, second]), np.array([1]))
    # The first voice holds 60, the second does not hold 72, the third rests.
    np.testing.assert_array_equal(counts[:2], [1, 1])
    # Intervals of 4, 1 and 12 semitones.
    np.testing.assert_array_equal(counts[2:], [0, 1, 0, 1, 0, 1, 0])
    assert EDGES == (0, 1, 2, 4, 7, 12)
    held, intervals = held_and_intervals(counts[np.newaxis])
    np.testing.assert_allclose(held, [0.5, 0.5])
    np.testing.assert_allclose(intervals.sum(), 1)


def test_alike_pieces_are_not_told_apart_and_others_are():
    rng = np.random.default_rng(0)
    one, same = (rng.poisson([5, 5, 3, 3, 3, 3, 3, 3, 1], (40, 9)) for _ in range(2))
    other = rng.poisson([1, 9, 9, 1, 1, 1, 1, 1, 6], (40, 9))
    assert all(part["p"] > 0.05 for part in two_sample(one, same).values())
    assert all(part["p"] < 0.01 for part in two_sample(one, other).values())
