import numpy as np
import pytest

from musae_tf.evaluation.interpolation import SLACK, NegativeLogLikelihood, cross_fade, distance, measure_paths
from musae_tf.music import HOLD, REST, get_layout
from tests.corpus import random_tokens


def path(*changed: int) -> np.ndarray:
    """Phrases of 100 cells in which the first so many are those of the end."""
    phrases = np.zeros((1, len(changed), 25, 4), int)
    for point, count in enumerate(changed):
        phrases[0, point].reshape(-1)[:count] = 1
    return phrases


def test_an_even_way_is_even_smooth_and_monotone():
    found = measure_paths(path(0, 25, 50, 75, 100))
    np.testing.assert_allclose(found.to_start[0], [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(found.to_end[0], [1, 0.75, 0.5, 0.25, 0])
    assert (found.monotone[0], found.nearly_monotone[0]) == (1, 1)
    assert found.rank_correlation[0] == pytest.approx(1)
    assert found.evenness[0] == found.smoothness[0] == 1


def test_a_jump_is_uneven_and_a_detour_is_not_smooth():
    jump = measure_paths(path(0, 0, 100, 100))
    assert jump.evenness[0] == pytest.approx(1 / 3)
    assert jump.smoothness[0] == 1
    detour = measure_paths(path(0, 80, 20, 100))
    assert detour.smoothness[0] == pytest.approx(100 / 220)
    assert detour.nearly_monotone[0] == 0


def test_going_back_counts_from_where_it_had_been():
    slack = round(100 * SLACK)
    assert measure_paths(path(0, 50, 50 - slack, 100)).nearly_monotone[0] == 1
    assert measure_paths(path(0, 50, 50 - slack, 100)).monotone[0] == 0
    # Two small steps back are one large one.
    assert measure_paths(path(0, 50, 50 - slack, 50 - 2 * slack, 100)).nearly_monotone[0] == 0


def test_the_way_from_a_phrase_to_itself_is_none():
    found = measure_paths(path(0, 10, 0))
    assert np.isnan([found.monotone[0], found.evenness[0], found.smoothness[0]]).all()


def test_distance_counts_cells():
    one, other = np.zeros((2, 3, 16, 4), int)
    other[1, :4, 0] = 5
    np.testing.assert_allclose(distance(one, other), [0, 4 / 64, 0])


def test_cross_fading_is_even_in_cells_by_construction():
    rng = np.random.default_rng(1)
    start, end = rng.integers(0, 128, (2, 30, 32, 4))
    found = measure_paths(cross_fade(start, end, 9))
    assert found.monotone.all()
    np.testing.assert_allclose(found.smoothness, 1)
    np.testing.assert_allclose(found.to_start.mean(0), np.linspace(0, 1, 9) * found.to_start[:, -1].mean(), atol=0.02)
    np.testing.assert_array_equal(cross_fade(start, end, 3)[:, [0, -1]], np.stack([start, end], 1))


def test_music_is_likelier_than_its_steps_out_of_order(real):
    known = real.songs % 2 == 0
    nll = NegativeLogLikelihood(real.tokens[known], real.layout)
    unseen = real.tokens[~known]
    shuffled = np.random.default_rng(0).permuted(unseen, axis=1)
    assert nll(unseen).mean() < 0.5 * nll(shuffled).mean()
    halfway = cross_fade(unseen, unseen[::-1], 3)[:, 1]
    assert nll(halfway).mean() > 1.3 * nll(unseen).mean()


def test_negative_log_likelihood_is_the_logarithm_of_what_was_counted():
    # A line of which every beat is one note, and a kit that strikes on each beat.
    tokens = np.full((50, 32, 4), REST)
    tokens[..., 0], tokens[:, ::4, 0] = 0, 1
    tokens[..., 1], tokens[:, ::4, 1] = HOLD, 60
    nll = NegativeLogLikelihood(tokens, get_layout("band"))
    assert nll(tokens).max() < 0.01
    other = tokens.copy()
    other[:, 4, 1] = 61  # never heard: 0.001 spread over 130 symbols
    expected = -np.log(0.001 / 130) / 32 / 4
    assert (nll(other) - nll(tokens)).mean() == pytest.approx(expected, rel=0.2)
    assert np.isfinite(nll(np.stack([random_tokens(np.random.default_rng(2), get_layout("band"), 2)] * 3)
                                .reshape(3, 32, 4))).all()  # fmt: skip
