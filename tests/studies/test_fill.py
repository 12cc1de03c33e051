"""The study of filling: one tiny run for real."""

import json

import numpy as np

from musae_tf.music import get_layout
from musae_tf.music.known import FREE, KNOWN
from studies.fill import run as fill


def test_what_is_hidden_in_each_task():
    tasks = fill.hidden_tasks(get_layout("voices"), 32)
    assert {name: (levels == KNOWN).all(axis=0).tolist() for name, levels in tasks.items()} == {
        "harmonise": [True, False, False, False],
        "inner": [True, False, False, True],
        "second bar": [False] * 4,
        "first bar": [False] * 4,
    }
    for name, known in (("second bar", slice(0, 16)), ("first bar", slice(16, 32))):
        assert (tasks[name][known] == KNOWN).all()
        assert (tasks[name] == FREE).sum() == 16 * 4


def test_every_task_and_filling_has_its_figures(autoregressive_run, tiny_dataset, tmp_path):
    to = tmp_path / "results"
    options = ["--dataset", str(tiny_dataset.path), "--to", str(to), "--count", "16"]
    assert fill.main([str(autoregressive_run.path), *options]) == 0
    written = json.loads((to / "fill.json").read_text())
    for name, systems in written["tasks"].items():
        others = {"copy"} if name.endswith("bar") else set()
        if not name.endswith("kept"):
            others |= {"mean code", "rests", "nearest"}
        assert set(systems) == {"real", "model"} | others
        assert systems["real"]["found"]["value"] == systems["real"]["notes"]["value"] == 1
        for row in systems.values():
            assert 0 <= row["found"]["low"] <= row["found"]["value"] <= row["found"]["high"] <= 1
    kept = [written["tasks"][f"{name} kept"]["model"]["notes"]["value"] for name in ("rhythm", "pitches")]
    assert kept == [1, 1]
    assert 0 <= written["other_genres"]["as_asked"]["value"] <= 1
    assert (to / "fill.png").read_bytes().startswith(b"\x89PNG")
    assert "harmonise" in (to / "fill.md").read_text()


def test_a_phrase_of_training_is_found_in_any_key(autoregressive_run, tiny_dataset):
    context = fill.EvaluationContext.of(autoregressive_run, tiny_dataset)
    study = fill.Study(context, 10)
    tokens, levels = study._real.tokens, np.full(study._real.tokens.shape, FREE)
    levels[..., 0] = KNOWN
    context.train = fill.HeldOut(
        study._transposed(tokens, 3), study._real.genre, study._real.songs, context.layout, context.genres
    )
    np.testing.assert_array_equal(study._nearest(levels)[..., 0], tokens[..., 0])


def test_a_run_that_reads_no_holes_is_a_sentence(tiny_run, tmp_path, capsys):
    assert fill.main([str(tiny_run.path), "--to", str(tmp_path)]) == 2
    assert "model.hidden_parts is false" in capsys.readouterr().err
