"""The signature that draws the codes of a piece's windows: what it draws single codes from, and what goes together."""

import numpy as np
import pytest
import tensorflow as tf

from musae_tf.export import ModelSignatures
from musae_tf.latent.form import LAGS, Form
from musae_tf.models import MusAE
from musae_tf.music.pieces import row_seeds
from musae_tf.music.repeats import SECTION
from tests.training.systems import tiny

AXES, PIECES = 8, 3000


def form_of(song: float = 0.0, step: float = 0.0, start: float = 0.0, goes_on: float = 0.0, end: float = 0.0) -> Form:
    loadings, following = np.zeros((AXES, 1)), np.zeros((AXES, AXES))
    loadings[0, 0], following[1, 2] = np.sqrt(song), step
    place, starts = np.zeros((2, 2, AXES)), np.zeros((2, LAGS))
    place[1, :, 3], starts[0, 1] = end, start  # genre 1 repeats nothing
    arrays = (loadings, following, place, starts, np.full(2, goes_on))
    return Form(*(array.astype(np.float32) for array in arrays))


@pytest.fixture(scope="module")
def model() -> MusAE:
    model = MusAE.for_training(tiny("vae"), (130,) * 4, ("a", "b"))
    rng = np.random.default_rng(0)
    model.prior.fit(rng.normal(2.0, 3.0, (90, AXES)), np.full((90, AXES), 0.1), np.arange(90) % 2)
    return model


def drawn(model: MusAE, form: Form, genre: int, window: int, windows: int = 99) -> tuple[np.ndarray, np.ndarray]:
    """The same window of many pieces, as deviations of the genre's Gaussian."""
    inputs = {
        "genre": np.full(PIECES, genre, np.int32),
        "window": np.full(PIECES, window, np.int32),
        "windows": np.full(PIECES, windows, np.int32),
        "seed": row_seeds(5, 0, PIECES),
    }
    found = ModelSignatures(model, form=form)("form", inputs)
    gaussian = model.prior.drawn(tf.constant([genre]))
    values, vectors = np.linalg.eigh(gaussian.covariance()[0].numpy().astype(float))
    return (found["latent"] - gaussian.mean()[0].numpy()) @ (vectors / np.sqrt(values)) @ vectors.T, found["repeats"]


def test_each_code_is_distributed_as_one_that_is_drawn_alone_and_those_of_a_piece_go_together(model):
    form = form_of(song=0.5, step=0.8)
    codes = [drawn(model, form, 0, window)[0] for window in (0, 1, 5)]
    for one in codes:
        np.testing.assert_allclose(one.mean(axis=0), 0, atol=0.08)
        np.testing.assert_allclose(np.cov(one.T), np.eye(AXES), atol=0.1)
    far, near = (codes[2].T @ codes[at] / PIECES for at in (0, 1))
    expected = np.zeros((AXES, AXES))
    expected[0, 0] = 0.5
    np.testing.assert_allclose(far, expected, atol=0.08)
    np.testing.assert_allclose(near, expected, atol=0.08)
    expected[1, 2] = 0.8
    np.testing.assert_allclose(codes[1].T @ codes[0] / PIECES, expected, atol=0.08)


def test_a_piece_repeats_what_it_says_that_it_repeats(model):
    form = form_of(start=0.3, goes_on=0.5)
    codes = [drawn(model, form, 0, window) for window in range(4)]
    assert all((codes[window][1] == window).all() for window in (0, 1))  # there is nothing two windows before
    assert np.mean(codes[2][1] == 0) == pytest.approx(0.3, abs=0.03)
    assert np.mean(codes[3][1] == 1) == pytest.approx(0.3 * 0.5 + (1 - 0.3 * 0.5) * 0.3, abs=0.03)
    for window in (2, 3):
        again = codes[window][1] == window - 2
        np.testing.assert_array_equal(codes[window][0][again], codes[window - 2][0][again])
        assert (codes[window][0] != codes[window - 2][0]).any(axis=1)[~again].all()
        assert (codes[window][1][~again] == window).all()
    assert (drawn(model, form, 1, 3)[1] == 3).all()


def test_the_last_window_ends_the_piece(model):
    form = form_of(end=2.0)
    last, before, other = (drawn(model, form, 1, 3, windows)[0] for windows in (4, 5, 2))
    np.testing.assert_array_equal(before, other)
    np.testing.assert_allclose((last - before).mean(axis=0), np.eye(AXES)[3] * 2, atol=1e-3)


def test_a_row_is_the_same_whatever_it_is_batched_with(model):
    signatures = ModelSignatures(model, form=form_of(0.5, 0.8, 0.3, 0.5, 1.0))
    inputs = {
        "genre": np.int32([0, 1] * 10),
        "window": np.arange(20, dtype=np.int32),
        "windows": np.full(20, 20, np.int32),
        "seed": row_seeds(1, 0, 1).repeat(20, axis=0),
    }
    together = signatures("form", inputs)
    assert (together["repeats"] < inputs["window"]).any()
    for row in (0, 7, 19):
        alone = signatures("form", {name: array[row : row + 1] for name, array in inputs.items()})
        for name, array in alone.items():
            np.testing.assert_array_equal(array[0], together[name][row])


@pytest.mark.parametrize(("name", "value", "words"), [("window", SECTION, "window must be from 0 to 255"),
                                                      ("window", -1, "window must be from 0 to 255"),
                                                      ("windows", 0, "windows must be 1 or more"),
                                                      ("genre", 2, "genre must be from 0 to 1")])  # fmt: skip
def test_what_is_out_of_range_is_refused(model, name, value, words):
    inputs = {key: np.zeros(2, np.int32) for key in ("genre", "window")}
    inputs |= {"windows": np.ones(2, np.int32), "seed": np.zeros((2, 2), np.int32)}
    inputs[name] = np.full(2, value, np.int32)
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        ModelSignatures(model, form=form_of())("form", inputs)
