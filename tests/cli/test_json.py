"""--json: one JSON object on standard output, what is said on standard error, and exit codes."""

import json
import shutil
from pathlib import Path

import pytest

from musae_tf.cli import main
from musae_tf.data import Dataset
from tests.corpus import four_voice_song


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def song(tmp_path) -> str:
    four_voice_song(4, seed=3).write(tmp_path / "mine.mid")
    return "mine.mid"


def report(capsys, *arguments: str, code: int = 0):
    """What a command prints with --json."""
    capsys.readouterr()
    assert main([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_a_dataset(song_folder, capsys):
    build = ("data", "build", "folder", str(song_folder), "--layout", "voices", "--workers", "1", "--out", "set")
    built = report(capsys, *build)
    dataset = Dataset.open("set")
    assert built["hash"] == dataset.hash
    info = report(capsys, "data", "info", "set", "--labels", "--duplicates", "--rejected")
    assert {key: info[key] for key in built} == built
    assert info["labels"] == {"dances": 10, "hymns": 10}
    assert (info["duplicates"], info["rejections"]) == ([], [])
    songs = sum(info["genres"]["all"][split]["songs"] for split in ("train", "validation", "test"))
    assert songs == info["counts"]["songs"] == 20
    for split in ("train", "validation", "test"):
        assert info["genres"]["all"][split]["phrases"] == len(dataset.phrases(split, 2))
    assert len(report(capsys, "data", "check", "set")["sound"]) == 4
    exported = report(capsys, "data", "export", "set", "--out", "songs", "--limit", "2")
    assert len(exported["songs"]) == 2
    assert Path(exported["table"]).is_file()


def test_pieces_and_their_files(tiny_run, song, capsys):
    run = str(tiny_run.path)
    made = report(capsys, "sample", run, "--bars", "2", "--wav", "--out", "new")
    assert made["run"] == run
    assert [piece["midi"] for piece in made["pieces"]] == ["new/dances-0.mid", "new/hymns-0.mid"]
    for piece in made["pieces"]:
        assert set(piece) == {"title", "midi", "picture", "sound"}
        assert all(Path(piece[kind]).is_file() for kind in ("midi", "picture", "sound"))
    moved = report(capsys, "transfer", run, song, "--to", "dances", "--out", "moved.mid")
    assert moved["source"] in tiny_run.genres
    assert (moved["to"], moved["pieces"][0]["midi"]) == ("dances", "moved.mid")
    between = report(capsys, "interpolate", run, song, song, "--points", "3", "--out", "way")
    assert [Path(piece["midi"]).is_file() for piece in between["pieces"]] == [True] * 3


def test_measurements(evaluated_run, tiny_dataset, capsys):
    shutil.copytree(evaluated_run.path, "other")
    rows = report(capsys, "compare", str(evaluated_run.path), "other")["metrics"]
    by_key = {row["key"]: row["runs"] for row in rows}
    first, second = by_key["onset_f1"][evaluated_run.path.name], by_key["onset_f1"]["other"]
    assert first["low"] <= first["value"] <= first["high"]
    assert second["value"] == first["value"]
    assert second["difference"]["value"] == 0
    measured = report(capsys, "evaluate", "other", "--quick", "--dataset", str(tiny_dataset.path))["runs"]
    written = json.loads(Path(measured[0]["file"]).read_text())
    assert measured[0]["headlines"] == written["headlines"]


def test_a_mistake_prints_nothing_on_standard_output(capsys):
    assert main(["data", "info", "nowhere", "--json"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
