"""Runs and exports of version 0.1 load and give the notes they gave; see fixtures/before_0_2."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from musae_tf import Musae
from musae_tf.cli import main
from musae_tf.music import Song
from tests.conftest import write_songs

FIXTURES = Path(__file__).parent / "fixtures" / "before_0_2"
START, END = FIXTURES / "start.mid", FIXTURES / "end.mid"
NOTES = json.loads((FIXTURES / "notes.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> Path:
    """The folder of what version 0.1 wrote."""
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(FIXTURES / "old.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def written(song: Song) -> dict:
    """A song as the fixtures have it, the names of its tracks in small letters: they are the source's now."""
    return {
        "ticks_per_quarter": song.ticks_per_quarter,
        "end": int(song.end),
        "tempo": round(float(song.tempos[0][1]), 3),
        "tracks": [
            [track.name.lower(), int(track.program),
             [[int(note["start"]), int(note["pitch"]), int(note["duration"])] for note in track.notes]]
            for track in song.tracks
        ],
    }  # fmt: skip


CALLS = {
    "sample 0": lambda musae, first, second: musae.sample(first, 4, 0.0, 3, 100.0),
    "sample 0.9": lambda musae, first, second: musae.sample(second, 4, 0.9, 5, 100.0),
    "reconstruct 0.9": lambda musae, first, second: musae.reconstruct(START, 0.9, 2),
    "interpolate": lambda musae, first, second: musae.interpolate(START, END, 3, 0.9, 4, "spherical"),
    "transfer": lambda musae, first, second: musae.transfer(START, second, first, 0.8, 0.9, 6),
}


def check(musae: Musae, expected: dict) -> None:
    genres = musae.describe().genres
    assert list(genres) == expected["genres"]
    for name, call in CALLS.items():
        if name in expected:
            made = call(musae, *genres[:2])
            assert (list(map(written, made)) if isinstance(made, list) else written(made)) == expected[name], name
    if "mean" in expected:
        np.testing.assert_allclose(musae.encode(START).mean, expected["mean"], atol=2e-4)


@pytest.mark.parametrize("name", ["gm", "style"])
def test_a_run_gives_the_same_notes(old, name):
    check(Musae.from_run(old / "runs" / name), NOTES[name])


def test_an_export_gives_the_same_notes(old):
    with Musae.from_run(old / "exports" / "old") as musae:
        check(musae, NOTES["export"])
        changed = musae.change(START, {NOTES["export"]["attribute"]: 1.5}, 0.9, 7)
        assert written(changed) == NOTES["export"]["change"]


def test_a_run_that_was_interrupted_goes_on(old, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_songs(Path("songs"))
    assert main(["data", "build", "folder", "songs", "--layout", "voices", "--out", "ds"]) == 0
    run = old / "runs" / "interrupted"
    assert main(["train", "--resume", str(run)]) == 0, capsys.readouterr().err
    assert "going on from step 20" in capsys.readouterr().out
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert (facts["state"], facts["steps"]) == ("finished", 40)
