import json

import pytest

from musae_tf.config import load_config
from musae_tf.errors import ConfigError, RunError
from musae_tf.training import Place, Run, run
from tests.conftest import CONFIGS


def tf_config(cluster: dict, role: str, index: int) -> str:
    return json.dumps({"cluster": cluster, "task": {"type": role, "index": index}})


WORKERS = {"worker": ["a:1", "b:2"]}
WITH_CHIEF = {"worker": ["a:1", "b:2"], "chief": ["c:3"]}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", Place()),
        ("{}", Place()),
        ('{"cluster": {}}', Place()),
        (tf_config(WORKERS, "worker", 1), Place(("a:1", "b:2"), 1)),
        (tf_config(WITH_CHIEF, "chief", 0), Place(("c:3", "a:1", "b:2"), 0)),
        (tf_config(WITH_CHIEF, "worker", 1), Place(("c:3", "a:1", "b:2"), 2)),
    ],
)
def test_the_place_among_the_workers(text, place, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    found = Place.from_environment()
    assert found == place
    assert found.is_chief == (found.index == 0)
    assert found.workers == max(1, len(place.addresses))


def test_without_the_variable_there_is_one_worker(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert Place.from_environment() == Place()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "expected"),
        ("[1]", "expected"),
        ('{"cluster": {"worker": ["a:1"]}}', "expected"),
        (tf_config(WORKERS, "worker", 2), r"task\.index is 2; cluster\.worker has 2 addresses"),
        (tf_config(WORKERS, "evaluator", 0), "evaluator.*allowed: chief, worker"),
        (tf_config({**WORKERS, "ps": ["d:4"]}, "worker", 0), "ps.*allowed: chief, worker"),
    ],
)
def test_what_is_wrong_with_it_is_said(text, words, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ConfigError, match=f"TF_CONFIG.*{words}"):
        Place.from_environment()


def test_workers_share_the_run_that_the_chief_makes(tiny_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "_PATIENCE", 0.2)
    config = load_config(CONFIGS / "tiny.yaml", [f"data.path={tiny_dataset.path}"])
    chief, other = (Place(("a:1", "b:2"), index) for index in (0, 1))
    folder = tmp_path / "run"
    with pytest.raises(RunError, match="the first worker makes it"):
        Run.join(folder, config, tiny_dataset, other)
    folder.mkdir()
    (folder / "config.yaml").write_text("half of a configuration")  # its maker was killed
    made = Run.join(folder, config, tiny_dataset, chief)
    for place in (chief, other):
        assert Run.join(folder, config, tiny_dataset, place).facts == made.facts
    another = load_config(CONFIGS / "tiny.yaml", [f"data.path={tiny_dataset.path}", "seed=2"])
    with pytest.raises(RunError, match="another configuration"):
        Run.join(folder, another, tiny_dataset, other)
