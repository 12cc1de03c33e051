"""The study of the form of pieces, on a tiny run for real; and that its likelihood is one."""

import json

import numpy as np

from musae_tf.latent.fit_form import fit_form
from musae_tf.latent.form import LAGS, Form
from studies.form import likelihood, recurrent
from studies.form import run as study


def test_every_way_to_draw_codes_is_measured(autoregressive_run, tiny_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(study, "PIECES", 2)
    monkeypatch.setattr(study, "SHORTEST", 2)
    monkeypatch.setattr(study, "DISTANCES", (1, 2))
    monkeypatch.setattr(study, "JUDGED", (2,))
    monkeypatch.setattr(recurrent, "EPOCHS", 1)
    arguments = [str(autoregressive_run.path), "--dataset", str(tiny_dataset.path), "--to", str(tmp_path)]
    assert study.main(arguments) == 0
    written = json.loads((tmp_path / "form.json").read_text())
    made = {"walk", "walk, phrases side by side", "single codes", "following", "and song", "and repetitions", "form"}
    assert set(written["music"]) == {"held-out songs", "training songs", *made}
    assert all(0 <= row["all"] <= 1 for row in written["difference_from_held_out_songs"].values())
    assert written["difference_from_held_out_songs"]["held-out songs"]["all"] == 0
    ways = {"walk", "song", "following", "following and song", "and repetitions", "recurrent network"}
    assert set(written["gain_nats_a_window"]) == ways
    assert all(np.isfinite(row["mean"]) for row in written["gain_nats_a_window"].values())


def test_a_run_that_is_none_is_a_sentence(tmp_path, capsys):
    assert study.main([str(tmp_path / "none"), "--to", str(tmp_path)]) == 2
    assert "none is not a run folder" in capsys.readouterr().err


def test_what_made_the_codes_gains_what_it_is_worth():
    """Of codes without noise whose first axis follows another, the gain is the mutual information of neighbours."""
    rng, axes, share = np.random.default_rng(0), 30, 0.9
    songs = []
    for _ in range(100):
        codes = rng.standard_normal((30, axes))
        codes[1:, 0] = share * codes[:-1, 1] + np.sqrt(1 - share**2) * codes[1:, 0]
        songs.append(codes)
    genre = np.zeros(len(songs), int)
    noise = np.full((1, axes, axes), 0.0) + 1e-6 * np.eye(axes)
    codes = likelihood.Codes(songs, genre, songs, songs, genre, noise, 1)
    form = fit_form(songs, genre, 1)
    gains = likelihood.gains(codes, form)
    assert abs(gains["following"]["mean"] + 0.5 * np.log(1 - share**2)) < 0.03
    assert abs(gains["song"]["mean"]) < 0.05
    assert gains["walk"]["mean"] < 0
    nothing = Form(form.song, form.following, form.place, np.zeros((1, LAGS)), np.zeros(1))
    assert likelihood.gains(codes, nothing)["and repetitions"] == gains["following and song"]
