"""What the README tells people to type."""

import re
import shlex

import pytest

from musae_tf.cli import build_parser
from tests.serving.files import SERVING, entrypoint

README = (SERVING / "README.md").read_text(encoding="utf-8")
MAKEFILE = (SERVING.parent / "Makefile").read_text(encoding="utf-8")


def commands(program: str) -> list[str]:
    """Commands of a program, from indented lines and from between backquotes."""
    lines = re.findall(rf"^    ({program} [^#\n]*)", README, re.MULTILINE) + re.findall(rf"`({program} [^`]*)`", README)
    return sorted({line.strip() for line in lines if "..." not in line})


@pytest.mark.parametrize("command", commands("musae"))
def test_musae_understands_it(command):
    build_parser().parse_args(shlex.split(command)[1:])


@pytest.mark.parametrize("command", commands("make"))
def test_make_has_the_target(command):
    assert re.search(rf"^{command.split()[1]}:", MAKEFILE, re.MULTILINE), command


def test_from_training_to_a_call_takes_five_commands():
    section = README.split("## From training")[1].split("or from Python")[0]
    assert re.findall(r"^    .*# (\d)", section, re.MULTILINE) == list("12345")


def test_files_that_it_names_are_there():
    table = README.split("## What is here")[1].split("Without make")[0]
    names = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    paths = [name for cell in names for name in re.findall("`([^`]+)`", cell)]
    assert len(paths) >= 8
    assert all((SERVING / path).exists() for path in paths)
    assert {path.name for path in SERVING.iterdir() if not path.name.startswith(".")} == {
        "README.md", *(path.rstrip("/") for path in paths),
    }  # fmt: skip


def test_times_that_it_names_are_those_of_the_flags():
    given = entrypoint()
    assert given["model_config_file_poll_wait_seconds"] == "30"
    assert "read within 30 s" in README
    assert "grpc.max_connection_age_ms=300000" in given["grpc_channel_arguments"]
    assert "closes connections after five\n  minutes" in README
    assert "grpc.http2.min_ping_interval_without_data_ms=10000" in given["grpc_channel_arguments"]
    assert "more often than every 10 seconds" in README
