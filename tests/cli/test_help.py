"""Help fits one screen, shows an example that works, and names defaults; commands say the same thing the same way."""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict

import pytest

from musae_tf.cli import build_parser
from musae_tf.cli.parser import COLUMNS
from tests.conftest import CONFIGS

LINES = 40
"""Of a help, at most."""


def commands(parser: argparse.ArgumentParser, path: tuple[str, ...] = ("musae",)) -> dict[str, argparse.ArgumentParser]:
    """All parsers by the words that lead to them."""
    found = {" ".join(path): parser}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                found |= commands(child, (*path, name))
    return found


COMMANDS = commands(build_parser())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_one_screen_and_has_an_example(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    lines = COMMANDS[name].format_help().splitlines()
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= COLUMNS
    assert lines[lines.index("example:") + 1].startswith("  musae ")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_is_understood(name):
    epilog = COMMANDS[name].epilog
    for command in re.search(r"example:\n  (.*)", epilog)[1].split("&&"):
        words = shlex.split(command.partition(">")[0])
        assert words[0] == "musae"
        build_parser().parse_args(words[1:])
    assert " ".join(words).startswith(name)


@pytest.mark.parametrize("name", COMMANDS)
def test_options_with_a_value_name_their_default(name):
    for action in COMMANDS[name]._actions:
        text = getattr(action, "full_help", action.help)
        if not action.option_strings or action.nargs == 0 or action.required or text == argparse.SUPPRESS:
            continue
        assert "default" in text or "may be repeated" in text, action.option_strings
        named = re.search(r"default: ([\d.]+)\b", text)
        if named and isinstance(action.default, (int, float)) and not isinstance(action.default, bool):
            assert float(named[1].rstrip(".")) == float(action.default) or "MiB" in text, action.option_strings


def test_one_name_has_one_meaning():
    """Options of one name take the same kind of value; a genre and a folder for `--to` are the exception."""
    kinds = defaultdict(set)
    for parser in COMMANDS.values():
        for action in parser._actions:
            for flag in action.option_strings:
                if action.help != argparse.SUPPRESS:
                    kinds[flag].add((action.nargs == 0, action.metavar))
    several = {flag: found for flag, found in kinds.items() if len({plain for plain, _ in found}) > 1}
    assert set(several) == {"--labels"}  # what a dataset is built with, and what of it is listed
    paths = {"DIR", "PATH", "FILE", "FILE.csv"}
    assert {metavar for _, metavar in kinds["--out"]} <= paths
    assert {metavar for _, metavar in kinds["--to"]} == {"GENRE", "DIR"}
    for flag, metavar in (("--server", "HOST:PORT"), ("--seed", "N"), ("--bars", "N"), ("--deadline", "S")):
        assert {found for _, found in kinds[flag]} == {metavar}, flag


def test_rare_flags_of_the_server_are_in_the_full_help(capsys):
    with pytest.raises(SystemExit) as stop:
        build_parser().parse_args(["serve", "--help-all"])
    assert stop.value.code == 0
    full = capsys.readouterr().out
    short = build_parser().parse_args  # a new parser: the full help of the other one is out
    with pytest.raises(SystemExit):
        short(["serve", "--help"])
    usual = capsys.readouterr().out
    assert "--grpc-channel-arguments" in full
    assert "--grpc-channel-arguments" not in usual
    assert usual.startswith("usage: musae serve [RUN|MODEL_DIR] [OPTIONS]\n")


# --- the terminal -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {}])
def test_nothing_is_coloured_and_pipes_get_plain_lines(song_folder, tmp_path, environment):
    command = [sys.executable, "-m", "musae_tf.cli", "data", "build", "folder", str(song_folder), "--layout", "voices",
               "--workers", "1", "--out", str(tmp_path / "dataset")]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, cwd=CONFIGS.parent, env={**os.environ, "TERM": "xterm-256color", **environment}
    )
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"\r" not in done.stdout + done.stderr
    assert done.stderr.endswith(b"\n")


@pytest.mark.skipif(shutil.which("script") is None, reason="no program `script`, which makes a terminal")
def test_a_terminal_gets_a_bar_without_colours(song_folder, tmp_path):
    line = shlex.join(
        [sys.executable, "-m", "musae_tf.cli", "data", "build", "folder", str(song_folder), "--layout", "voices",
         "--workers", "1", "--out", str(tmp_path / "dataset")]
    )  # fmt: skip
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "xterm-256color"}
    done = subprocess.run(
        ["script", "-qec", line, "/dev/null"], capture_output=True, cwd=CONFIGS.parent, env=environment
    )
    assert done.returncode == 0
    assert b"\r" in done.stdout
    assert not re.search(rb"\x1b\[[\d;]*m", done.stdout)
