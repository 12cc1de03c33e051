"""What a command leaves behind on a disk that is full: a sentence, and no part of a file."""

import os
import subprocess
from pathlib import Path

import pytest

from musae_tf.cli import main
from tests.conftest import CONFIGS


@pytest.fixture
def small_disk(tmp_path, monkeypatch):
    """A file system of 256 kB; training fits on it for a while, sound does not."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    monkeypatch.chdir(tmp_path)
    Path("disk").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", "disk"], capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    yield tmp_path / "disk"
    subprocess.run(["umount", "--lazy", str(tmp_path / "disk")], check=True)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_full_disk_leaves_no_part_of_a_sample(small_disk, tiny_run, capsys):
    assert main(["sample", str(tiny_run.path), "--genre", "hymns", "--wav", "--out", "disk/new"]) == 2
    message = capsys.readouterr().err
    assert message == "musae: cannot write disk/new/hymns-0.wav: No space left on device\n"
    assert files(small_disk) == []


def test_a_full_disk_stops_a_training_with_a_sentence(small_disk, tiny_dataset, capsys):
    tiny = str(CONFIGS / "tiny.yaml")
    assert main(["train", tiny, "--set", f"data.path={tiny_dataset.path}", "--run", "disk/run"]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("musae: cannot write")
    assert "No space left" in message


def test_a_full_disk_leaves_no_part_of_a_dataset(small_disk, song_folder, capsys):
    (small_disk / "filler").write_bytes(bytes(252 * 1024))
    build = ["data", "build", "folder", str(song_folder), "--layout", "voices", "--workers", "1"]
    assert main([*build, "--out", "disk/new"]) == 2
    assert "No space left" in capsys.readouterr().err.splitlines()[-1]
    assert not (small_disk / "new").exists()
