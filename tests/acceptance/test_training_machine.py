"""A machine that trains: an environment with nothing but the wheel and its extra `train`, and an empty folder."""

import json
from pathlib import Path

import pytest

from musae_tf.music import Song
from tests.acceptance.conftest import ROOT, run

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def musae(machine, distributions) -> Path:
    return machine("training", f"{distributions.wheel}[train]") / "bin" / "musae"


def test_the_presets_are_those_of_the_project(musae, tmp_path):
    listed = json.loads(run([musae, "configs", "--json"], tmp_path))
    names = {path.stem for path in (ROOT / "configs").glob("*.yaml")}
    assert names <= {*listed, *listed.get("configs", ())}
    for name in names:
        assert run([musae, "configs", name], tmp_path) == (ROOT / "configs" / f"{name}.yaml").read_text("utf-8")


def test_the_preset_tiny_is_trained_in_an_empty_folder(musae, song_folder, tmp_path):
    run([musae, "data", "build", "folder", song_folder, "--layout", "voices", "--out", "datasets/corpus"], tmp_path)
    run([musae, "train", "tiny", "--run", "runs/first"], tmp_path)
    facts = json.loads((tmp_path / "runs/first/run.json").read_text())
    assert (facts["state"], facts["steps"]) == ("finished", 60)
    assert (tmp_path / "runs/first/evaluation.json").is_file()
    run([musae, "sample", "runs/first", "--out", "pieces"], tmp_path)
    pieces = sorted((tmp_path / "pieces").rglob("*.mid"))
    assert len(pieces) == 2  # one of each genre
    assert all(Song.read(piece).bars() for piece in pieces)


def test_types_are_part_of_it(musae, tmp_path):
    found = run([musae.parent / "python", "-c", "import musae_tf; print(musae_tf.__path__[0])"], tmp_path).strip()
    assert (Path(found) / "py.typed").is_file()
    assert (Path(found) / "protocol" / "messages.pyi").is_file()
