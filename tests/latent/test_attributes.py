import numpy as np
import pytest

from musae_tf.errors import RunError, UnknownAttributeError
from musae_tf.latent import AttributeVectors, fit_directions

RNG = np.random.default_rng(3)


def some_attributes() -> AttributeVectors:
    return AttributeVectors(
        ("notes", "soprano:notes"),
        np.array([[1, 0, 2], [0, 3, 0]], np.float32),
        np.array([4.0, 2.0], np.float32),
    )


def test_directions_raise_a_linear_property_by_one_unit_and_no_more_than_needed():
    slopes, units = RNG.standard_normal((2, 12)), np.array([0.5, 3.0])
    offsets = 0.3 * RNG.standard_normal((4000, 12))
    more, less = 7 + offsets @ slopes.T, 7 - offsets @ slopes.T
    directions = fit_directions(offsets, more, less, units)
    np.testing.assert_allclose((directions * slopes).sum(axis=1), units, rtol=0.02)
    # The shortest such move goes along the slope.
    cosine = (directions * slopes).sum(1) / np.linalg.norm(directions, axis=1) / np.linalg.norm(slopes, axis=1)
    assert (cosine > 0.999).all()


def test_what_no_move_changes_and_what_is_missing_does_no_harm():
    offsets = RNG.standard_normal((500, 4))
    values = np.stack([np.full(500, 5.0), offsets[:, 0]], axis=1)
    more, less = values.copy(), values * [1, -1]
    more[:50, 1] = np.nan
    directions = fit_directions(offsets, more, less, np.ones(2))
    np.testing.assert_array_equal(directions[0], 0)
    assert np.isfinite(directions).all()
    assert directions[1, 0] > 0.5


def test_moving_adds_so_many_units_and_leaves_the_codes_alone():
    codes = RNG.standard_normal((5, 3)).astype(np.float32)
    before = codes.copy()
    moved = some_attributes().move(codes, {"notes": 2.0, "soprano:notes": -1.0})
    np.testing.assert_allclose(moved - codes, np.tile([2, -3, 4], (5, 1)), atol=1e-6)
    np.testing.assert_array_equal(codes, before)


def test_names_that_are_not_there_get_the_list_of_those_that_are():
    with pytest.raises(
        UnknownAttributeError, match=r"'soprano:note'.*did you mean soprano:notes\?.*notes, soprano:notes"
    ):
        some_attributes().move(np.zeros((1, 3)), {"soprano:note": 1.0})


def test_the_file_holds_everything(tmp_path):
    path = tmp_path / "attributes.npz"
    some_attributes().save(path)
    found = AttributeVectors.load(path)
    assert found.names == some_attributes().names
    for name in ("directions", "units"):
        np.testing.assert_array_equal(getattr(found, name), getattr(some_attributes(), name))
        assert getattr(found, name).dtype == np.float32


def test_a_file_that_is_missing_or_damaged_is_said_to_be(tmp_path):
    path = tmp_path / "attributes.npz"
    with pytest.raises(RunError, match=r"no .*attributes\.npz"):
        AttributeVectors.load(path)
    some_attributes().save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RunError, match="damaged"):
        AttributeVectors.load(path)
    path.write_bytes(b"")
    with pytest.raises(RunError, match="damaged"):
        AttributeVectors.load(path)
