"""`musae layouts`: the layouts of the package in a list, and one as a file to start from."""

import json
from pathlib import Path

import pytest

from musae_tf.cli import main
from musae_tf.music import LAYOUTS
from musae_tf.music.layout_files import read_layout
from musae_tf.music.named_layouts import DESCRIPTIONS


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_all_are_listed(capsys):
    assert main(["layouts"]) == 0
    lines = capsys.readouterr().out.partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in lines[::2]] == list(LAYOUTS) == list(DESCRIPTIONS)
    assert all(DESCRIPTIONS[line.split()[0]] in line for line in lines[::2])
    assert "21 columns: drums, bass, guitar x4, keys x4, strings x4, lead, with velocities" in lines[9]
    assert max(map(len, lines)) <= 110
    assert main(["layouts", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {name: layout["columns"] for name, layout in found.items()} == {
        name: len(layout.columns) for name, layout in LAYOUTS.items()
    }
    assert found["piano"]["tracks"][0]["voices"] == 6


def test_one_is_a_file_to_start_from(capsys):
    assert main(["layouts", "band_full"]) == 0
    Path("mine.yaml").write_text(capsys.readouterr().out)
    assert read_layout("mine.yaml").tracks == LAYOUTS["band_full"].tracks
    assert main(["layouts", "mine.yaml"]) == 0
    assert capsys.readouterr().out == Path("mine.yaml").read_text()
    Path("mine.yaml").write_text("tracks: 3")
    assert main(["layouts", "mine.yaml"]) == 2
    assert capsys.readouterr().err.startswith("musae: mine.yaml: tracks is 3; a layout has the key 'tracks' with")
