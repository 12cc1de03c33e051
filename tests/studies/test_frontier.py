"""The frontier of reconstruction against samples: one tiny run for real."""

import json

import pytest

from musae_tf.config import load_config
from musae_tf.evaluation import QuickEvaluator
from musae_tf.training import Run, train
from studies.frontier import run as frontier
from tests.studies.test_claims import TINY


@pytest.fixture(scope="module")
def finished(tiny_dataset, tmp_path_factory) -> Run:
    config = load_config("voices", [*TINY, "critic.units=[8]"])
    run = Run.create(tmp_path_factory.mktemp("frontier") / "run", config, tiny_dataset)
    train(run, tiny_dataset, QuickEvaluator(run, tiny_dataset))
    return run


def test_every_temperature_trust_and_noise_is_a_point(finished, tiny_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(frontier, "SCALES", (1.0,))
    monkeypatch.setattr(frontier, "TRUSTS", (0.0, 1.0))
    monkeypatch.setattr(frontier, "TEMPERATURES", {0.0: "-", 0.9: ":"})
    monkeypatch.setattr(frontier, "_COUNTS", (12, 8))
    to = tmp_path / "results"
    assert frontier.main([str(finished.path), "--dataset", str(tiny_dataset.path), "--to", str(to)]) == 0
    written = json.loads((to / "frontier.json").read_text())
    row = written["runs"][finished.path.name]
    assert {(point["temperature"], point["trust"], point["scale"]) for point in row["points"]} == {
        (0.0, 0.0, 6.0), (0.0, 1.0, 6.0), (0.9, 0.0, 6.0), (0.9, 1.0, 6.0), (0.0, 1.0, 1.0)
    }  # fmt: skip
    assert all(0 <= point["onset_f1"] <= 1 and 0.5 < point["auc"] <= 1 for point in row["points"])
    assert (row["steps"], row["seed"]) == (4, 1)
    assert (to / "frontier.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_that_is_none_is_a_sentence(tmp_path, capsys):
    assert frontier.main([str(tmp_path / "none"), "--to", str(tmp_path)]) == 2
    assert "none" in capsys.readouterr().err
