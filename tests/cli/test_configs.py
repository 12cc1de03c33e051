"""Presets by name: `musae configs`, and what `musae train` takes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from musae_tf.cli import main
from musae_tf.config import find_config, load_config, presets
from musae_tf.errors import ConfigError
from tests.conftest import CONFIGS

NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_all_presets_are_listed_with_a_line_each(capsys):
    assert main(["configs"]) == 0
    lines = capsys.readouterr().out.partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in lines] == NAMES == list(presets())
    assert all(len(line) <= 100 for line in lines)
    assert all(len(what.split()) >= 5 for what in presets().values())


def test_one_is_printed_as_it_is_written(capsys):
    assert main(["configs", "voices"]) == 0
    assert capsys.readouterr().out == (CONFIGS / "voices.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_as_good_as_a_path(name):
    assert load_config(name) == load_config(f"{name}.yaml") == load_config(CONFIGS / f"{name}.yaml")


def test_a_file_wins_over_a_preset_and_a_folder_does_not():
    Path("voices").mkdir()
    assert load_config("voices").name == "voices"
    Path("voices.yaml").write_text("name: mine\nbase: tiny.yaml\n")
    assert load_config("voices.yaml").name == "mine"
    assert load_config("voices").name == "voices"


def test_a_configuration_of_ones_own_stands_on_a_preset():
    Path("mine.yaml").write_text("base: tiny\nmodel: {latent: 8}\n")
    mine, tiny = load_config("mine.yaml"), load_config("tiny")
    assert (mine.model.latent, mine.model.embedding) == (8, tiny.model.embedding)


@pytest.mark.parametrize("name", ["voicse", "configs/voices.yaml", "../voices", "voices.yml", ""])
def test_what_is_neither_gets_the_list(name, capsys):
    with pytest.raises(ConfigError, match=r"one of band, base, .*voices, voices_4bar"):
        find_config(name)
    if name:
        assert main(["train", name]) == 2
        assert f"there is no configuration {name}:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "build", "wanted", "out"),
    [
        ("voices", "corpus,", "voices", "corpus"),
        ("band", "band,", "band", "band"),
        ("tiny", "corpus,", "voices", "corpus"),
        ("pop", "pop909 --dir DIR,", "pop909", "pop909"),
        ("voices_waltz", "corpus --grid 3/4x4 --out datasets/waltz,", "voices --grid 3/4x4", "waltz"),
    ],
)
def test_without_a_dataset_the_command_that_makes_it_is_said(name, build, wanted, out, capsys):
    assert main(["train", name]) == 2
    message = capsys.readouterr().err
    assert f"make it with musae data build {build} or from" in message
    assert f"musae data build folder DIR --layout {wanted} --out datasets/{out}" in message
    assert not list(Path().iterdir())


def test_an_installed_package_has_them(tmp_path):
    """Not the repository: a copy of the package as pip installs it, in an empty folder."""
    root, source = CONFIGS.parent, tmp_path / "source"
    source.mkdir()
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / "musae_tf", source / "musae_tf", symlinks=True, ignore=ignore)
    shutil.copytree(CONFIGS, source / "configs")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, source)
    install = [
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(tmp_path / "site"),
        str(source),
    ]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True, timeout=120)
    shutil.rmtree(source)
    (tmp_path / "empty").mkdir()
    where = {"cwd": tmp_path / "empty", "env": {**os.environ, "PYTHONPATH": str(tmp_path / "site")}}
    musae = [sys.executable, "-m", "musae_tf.cli"]
    listed = subprocess.run([*musae, "configs"], capture_output=True, text=True, check=True, timeout=60, **where).stdout
    assert [line.split()[0] for line in listed.partition("\n\n")[0].splitlines()] == NAMES
    refused = subprocess.run([*musae, "train", "voices"], capture_output=True, text=True, timeout=60, **where)
    assert "musae data build corpus" in refused.stderr
    for name in NAMES:
        copy = tmp_path / "site/musae_tf/presets" / f"{name}.yaml"
        assert copy.read_bytes() == (CONFIGS / f"{name}.yaml").read_bytes()
        assert not copy.parent.is_symlink()
