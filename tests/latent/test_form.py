"""The form of pieces is what their codes were made with, as far as there is music enough to tell."""

import numpy as np
import pytest

from musae_tf.errors import RunError
from musae_tf.latent.fit_form import fit_form
from musae_tf.latent.form import LAGS, Form

AXES = 30


def songs_of(count: int, windows: int, song: float = 0.0, step: float = 0.0, seed: int = 0) -> list[np.ndarray]:
    """Songs whose first axis has a share in common, and whose second axis follows the third of the window before."""
    rng = np.random.default_rng(seed)
    songs = []
    for _ in range(count):
        codes = rng.standard_normal((windows, AXES))
        codes[:, 0] = np.sqrt(song) * rng.standard_normal() + np.sqrt(1 - song) * codes[:, 0]
        codes[1:, 1] = step * codes[:-1, 2] + np.sqrt(1 - step**2) * codes[1:, 1]
        songs.append(3 + 2 * codes)
    return songs


def test_what_songs_have_in_common_and_what_follows_is_found_and_nothing_else():
    songs = songs_of(200, 40, song=0.5, step=0.8)
    form = fit_form(songs, np.zeros(200, int), 1)
    common = form.song @ form.song.T
    assert common[0, 0] == pytest.approx(0.5, abs=0.08)
    assert np.abs(common - np.diag(np.diag(common))).max() < 0.1
    assert form.following[1, 2] == pytest.approx(0.8, abs=0.05)
    others = form.following.copy()
    others[1, 2] = 0
    assert np.abs(others).max() < 0.1
    assert form.starts.sum() == 0
    nothing = fit_form(songs_of(200, 40), np.zeros(200, int), 1)
    assert np.abs(nothing.song).max(initial=0) < 0.35
    assert np.abs(nothing.following).max() < 0.1


def test_repetitions_are_counted_where_they_are_possible():
    songs = songs_of(100, 12)
    for song in songs[:50]:  # windows 4 to 7 repeat 0 to 3
        song[4:8] = song[:4]
    form = fit_form(songs, np.repeat([0, 1], 50), 2)
    assert form.starts.shape == (2, LAGS)
    assert form.starts[0].argmax() == 3
    # One of about five windows that have one 4 before and do not go on repeating, which is shrunk to that of both.
    assert 0.1 < form.starts[0, 3] < 0.3
    assert 0.7 < form.goes_on[0] < 0.8
    assert form.starts[1].sum() < form.starts[0].sum() / 2


def test_how_pieces_begin_and_end_counts_by_genre():
    songs = songs_of(60, 10)
    for song in songs[:30]:
        song[-1, 4] += 6
    form = fit_form(songs, np.repeat([0, 1], 30), 2)
    assert form.place.shape == (2, 2, AXES)
    assert form.place[1, 0, 4] > 1
    assert np.abs(form.place[0]).max() < 0.5
    assert np.abs(form.place[1, 1]).max() < 0.5


@pytest.mark.parametrize("windows", [1, 2])
def test_little_music_has_no_form(windows):
    form = fit_form(songs_of(3, windows), np.array([0, 0, 2]), 3)
    assert all(np.isfinite(getattr(form, name)).all() for name in ("song", "following", "place", "starts", "goes_on"))
    assert form.song.shape == (AXES, 0)
    assert form.place.shape == (2, 3, AXES)


def test_the_file_holds_everything_and_damage_is_said(tmp_path):
    form, path = fit_form(songs_of(40, 20, song=0.5), np.zeros(40, int), 1), tmp_path / "form.npz"
    form.save(path)
    found = Form.load(path)
    for name in ("song", "following", "place", "starts", "goes_on"):
        np.testing.assert_array_equal(getattr(found, name), getattr(form, name))
    with pytest.raises(RunError, match="there is no"):
        Form.load(tmp_path / "other.npz")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunError, match="is damaged"):
        Form.load(path)
