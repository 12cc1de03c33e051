"""What version 0.1 wrote gives the notes that it gave then: run folders, an export, the packaged model."""

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from musae_tf import Musae
from musae_tf.music import Song
from musae_tf.pretrained import has_pretrained

FIXTURES = Path(__file__).parent / "fixtures" / "before_0_2"
START, END = (Song.read(FIXTURES / f"{name}.mid") for name in ("start", "end"))
NOTES = json.loads((FIXTURES / "notes.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(FIXTURES / "old.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def as_json(song: Song) -> dict[str, Any]:
    tracks = [
        [
            track.name,
            track.program,
            [[int(note[key]) for key in ("start", "pitch", "duration")] for note in track.notes],
        ]
        for track in song.tracks
    ]
    return {"ticks_per_quarter": song.ticks_per_quarter, "end": song.end, "tempo": song.tempos[0].bpm, "tracks": tracks}


def made(musae: Musae, attribute: str = "notes") -> dict[str, Any]:
    """The calls of the fixtures' README."""
    first, second = musae.describe().genres[:2]
    return {
        "sample 0": lambda: musae.sample(first, 4, 0.0, 3, 100.0),
        "sample 0.9": lambda: musae.sample(second, 4, 0.9, 5, 100.0),
        "reconstruct 0.9": lambda: musae.reconstruct(START, 0.9, 2),
        "interpolate": lambda: musae.interpolate(START, END, 3, 0.9, 4, "spherical"),
        "transfer": lambda: musae.transfer(START, second, first, 0.8, 0.9, 6),
        "change": lambda: musae.change(START, {attribute: 1.5}, 0.9, 7),
        "mean": lambda: musae.encode(START).mean,
    }


def hold(musae: Musae, then: dict[str, Any]) -> None:
    assert list(musae.describe().genres) == then["genres"]
    calls = made(musae, then.get("attribute", "notes"))
    for name in then.keys() & calls.keys():
        now = calls[name]()
        if isinstance(now, np.ndarray):
            np.testing.assert_allclose(now, then[name], atol=1e-4)
        elif isinstance(now, list):
            assert [as_json(song) for song in now] == then[name], name
        else:
            assert as_json(now) == then[name], name


@pytest.mark.parametrize(("made_by", "path"), [("gm", "runs/gm"), ("style", "runs/style"), ("export", "exports/old")])
def test_runs_and_exports_of_before(old, made_by, path):
    hold(Musae.from_run(old / path), NOTES[made_by])


@pytest.mark.skipif(not has_pretrained(), reason="this checkout has no packaged model")
def test_the_packaged_model():
    hold(Musae.from_preset("voices"), json.loads((FIXTURES / "preset.json").read_text(encoding="utf-8")))
