import numpy as np
import pytest
from scipy.spatial import geometric_slerp

from musae_tf.latent import arc, line, sweep

RNG = np.random.default_rng(7)
START, END = RNG.standard_normal((2, 6, 20)).astype(np.float32)


def test_a_line_is_linspace():
    np.testing.assert_allclose(line(START, END, 5), np.linspace(START, END, 5, axis=1), atol=1e-6)


def test_an_arc_is_that_of_scipy_between_unit_vectors():
    doubles = (np.asarray(codes, np.float64) for codes in (START, END))
    one, other = (codes / np.linalg.norm(codes, axis=1, keepdims=True) for codes in doubles)
    expected = [geometric_slerp(a, b, np.linspace(0, 1, 7)) for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(arc(one, other, 7), expected, atol=1e-5)


def test_an_arc_keeps_the_usual_distance_from_the_origin_where_a_line_does_not():
    one, other = np.random.default_rng(1).standard_normal((2, 50, 128))
    lengths = [np.linalg.norm(way(one, other, 3)[:, 1], axis=1).mean() for way in (line, arc)]
    assert lengths[0] == pytest.approx(np.sqrt(64), rel=0.05)
    assert lengths[1] == pytest.approx(np.sqrt(128), rel=0.05)


@pytest.mark.parametrize("way", [line, arc])
def test_both_ends_are_on_the_way_even_if_they_are_the_same_or_opposite_or_nothing(way):
    for other in (START, -START, 2 * START, np.zeros_like(START)):
        points = way(START, other, 4)
        assert np.isfinite(points).all()
        np.testing.assert_allclose(points[:, 0], START, atol=1e-5)
        np.testing.assert_allclose(points[:, -1], other, atol=1e-5)


@pytest.mark.parametrize("way", [line, arc])
def test_one_point_is_no_way(way):
    with pytest.raises(ValueError, match="2 or more"):
        way(START, END, 1)


def test_a_sweep_changes_one_axis_only():
    swept = sweep(START, 3, np.array([-1.0, 0.5]))
    assert swept.shape == (6, 2, 20)
    np.testing.assert_array_equal(swept[:, :, 3], np.tile([-1.0, 0.5], (6, 1)))
    np.testing.assert_array_equal(np.delete(swept, 3, 2), np.delete(np.stack([START, START], 1), 3, 2))
