"""The training that a build proposes: its line is understood, fits the dataset, and trains."""

import shlex
from pathlib import Path

import pytest

from musae_tf.cli import main
from musae_tf.cli.train import _check_fit
from musae_tf.config import load_config
from musae_tf.data import Dataset
from musae_tf.music import Metre, Song
from tests.corpus import band_song, four_voice_song
from tests.data.makers import write_played

SONGS = 12
SMALL = {
    "model.decoder": "flat", "model.hidden_parts": "false", "model.known_ahead": "false",
    "model.embedding": "4", "model.encoder_units": "16", "model.decoder_units": "16",
    "critic.units": "[16]", "critic.steps": "1", "training.steps": "2", "training.batch_size": "8",
    "training.evaluate_phrases": "8", "prior.sample_noise_scale": "1",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def proposed(capsys, *build: str) -> tuple[list[str], list[str]]:
    """Build a dataset; the words of the two trainings that are proposed, from `train` on."""
    assert main(["data", "build", *build, "--workers", "1"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    tiny, real = (shlex.split(line)[1:] for line in lines if line.startswith("musae train "))
    assert shlex.split(lines[-1])[1:] == real
    assert tiny[:2] == ["train", "tiny"]
    return tiny, real


def in_three(song: Song) -> Song:
    return Song(480, song.tracks, song.tempos, [Metre(0, 3, 4)])


@pytest.mark.parametrize(
    ("layout", "grid", "preset", "sets"),
    [
        ("voices", "4/4x4", "voices", {"data.path"}),
        ("voices", "3/4x4", "voices_waltz", {"data.path"}),
        ("voices", "4/4x6", "voices", {"data.path", "music.grid"}),
        ("band", "3/4x4", "band", {"data.path", "music.grid", "model.latent"}),
        ("lpd5", "4/4x4", "band", {"data.path", "music.layout"}),
        ("pop909", "4/4x4", "pop", {"data.path"}),
        ("pop909", "3/4x6", "pop", {"data.path", "music.grid", "model.latent"}),
        ("band_full", "4/4x4", "pop", {"data.path", "music.layout"}),
        ("ensemble", "3/4x4", "pop", {"data.path", "music.layout", "music.grid", "model.latent"}),
        ("mine.yaml", "4/4x4", "pop", {"data.path", "music.layout"}),
    ],
)
def test_what_is_proposed_fits(layout, grid, preset, sets, capsys):
    make = four_voice_song if layout in ("voices", "ensemble") else band_song
    for number in range(SONGS):
        song = make(8, number)
        (in_three(song) if grid.startswith("3/4") else song).write(f"songs/{number}.mid")
    main(["layouts", "band_full"])
    Path("mine.yaml").write_text(capsys.readouterr().out)
    tiny, real = proposed(capsys, "folder", "songs", "--layout", layout, "--grid", grid, "--out", "made")
    assert real[1] == preset
    changed = [word for word in real[2:] if word != "--set"]
    assert {change.partition("=")[0] for change in changed} - {"data.sounding"} == sets
    for words in (tiny, real):
        _check_fit(load_config(words[1], [word for word in words[2:] if word != "--set"]), Dataset.open("made"), "")


@pytest.mark.slow
@pytest.mark.parametrize("grid", ["4/4x4", "3/4x4"])
def test_what_is_proposed_trains(grid, capsys):
    for number in range(1, SONGS + 1):
        write_played(Path("POP909"), number)
        marks = Path(f"POP909/{number:03}/beat_midi.txt")
        if grid == "3/4x4":
            times = [line.split()[0] for line in marks.read_text().splitlines()]
            marks.write_text("\n".join(f"{time} {int(at % 3 == 0)}" for at, time in enumerate(times)))
    tiny, real = proposed(capsys, "pop909", "--dir", "POP909", "--grid", "auto")
    assert Dataset.open("datasets/pop909").layout.time.name == grid
    small = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    assert main([*real, *small, "--run", "run", "--no-evaluate"]) == 0
    assert main([*tiny, "--set", "training.steps=2", "--run", "tiny", "--no-evaluate"]) == 0
