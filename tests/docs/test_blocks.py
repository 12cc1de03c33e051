"""Every code block and command line of the documentation is run here, or is in `ledger.yaml`."""

import re
import runpy
import shlex
import signal
import subprocess
from collections import defaultdict
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
import yaml

from musae_tf.cli import build_parser, main
from musae_tf.config import load_config
from tests.docs.markdown import LANGUAGES, ROOT, blocks, blocks_of, inline_commands, lines_of, shell_lines
from tests.docs.world import World, free_port

LEDGER = {entry["line"]: entry for entry in yaml.safe_load((Path(__file__).parent / "ledger.yaml").read_text())}
LINES = {line: place for line, place in shell_lines().items() if line not in LEDGER}
SERVER = re.compile(r"8500|^musae request|^python examples/(latent|style)")
STAYS = ("musae serve", "musae studio", "musae live")
"""Commands that go on until they are stopped."""

ALONE = [line for line in LINES if not SERVER.search(line) and not line.startswith(STAYS)]
SERVED = [line for line in LINES if SERVER.search(line) and not line.startswith(STAYS)]
STAYING = [line for line in LINES if line.startswith(STAYS)]
PYTHON = [block for block in blocks() if block.language == "python"]


@pytest.fixture(scope="module")
def world(tmp_path_factory, tiny_run, evaluated_run, model_folder, song_folder) -> World:
    return World(tmp_path_factory.mktemp("world"), tiny_run.path, evaluated_run.path, model_folder, song_folder)


@pytest.fixture
def here(world, monkeypatch) -> World:
    monkeypatch.chdir(world.path)
    return world


@pytest.fixture(scope="module")
def served(world) -> World:
    """The world with a server."""
    port = ["--port", str(world.port), "--rest-api-port", "0"]
    process = world.start(["serve", "exports/musae", *port], "request sample")
    yield world
    stop(process)


def stop(process: subprocess.Popen) -> int:
    """End a server, and leave none behind that does not end."""
    process.terminate()  # Ctrl-C would be ignored where the tests themselves run in the background of a shell
    try:
        return process.wait(60)
    finally:
        process.kill()


def run(world: World, line: str) -> None:
    """Run a line: what is ours in this process, where TensorFlow is loaded, and what a shell has to read in a shell."""
    line = world.local(line)
    words = world.arguments(line)
    if line.startswith("musae ") and not re.search(r"[|><]|&&", line):
        assert main(words) == 0
    elif line.startswith("python examples/"):
        assert exit_code(words) == 0
    else:
        done = world.shell(line)
        assert done.returncode == 0, done.stdout + done.stderr


def exit_code(words: list[str]) -> int | str | None:
    """What a program of the project ends with, run in this process with its arguments."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", words)
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as stop:
        return stop.code
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return 0


# --- the lists --------------------------------------------------------------------------------------------------------


def test_every_block_is_of_a_kind_that_is_run_or_looked_at():
    wrong = [f"{block.place}: {block.language}" for block in blocks() if block.language not in LANGUAGES]
    assert wrong == []


def test_every_line_is_known():
    """A new line is a `musae` command, which is run here, or a program of the project, or is in the ledger."""
    known = re.compile(r"musae |python (examples|serving)/|mkdir ")
    assert [f"{place}: {line}" for line, place in LINES.items() if not known.match(line)] == []


def test_the_ledger_holds_no_line_that_is_gone():
    assert sorted(set(LEDGER) - set(shell_lines())) == []


def test_the_ledger_says_what_a_line_needs_and_when_it_ran():
    needs = {"minutes", "network", "packages", "collection", "docker", "registry", "cluster", "gpu", "several", "ends"}
    for line, entry in LEDGER.items():
        assert set(entry) == {"line", "needs", "last"}, line
        assert set(entry["needs"]) <= needs, line
        assert entry["last"] == "never" or entry["last"] <= date.today(), line


@pytest.mark.parametrize("line", [line for line in LEDGER if line.startswith("musae ")])
def test_lines_of_the_ledger_are_understood(line, monkeypatch):
    monkeypatch.chdir(ROOT)
    arguments = build_parser().parse_args(shlex.split(line)[1:])
    if line.startswith("musae train"):
        load_config(arguments.config, arguments.overrides)


@pytest.mark.parametrize("line", [line for line in shell_lines() if line.startswith("make ")])
def test_make_knows_the_target(line):
    done = subprocess.run([*shlex.split(line), "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", inline_commands())
def test_commands_in_sentences_are_understood(line, capsys):
    with suppress(SystemExit):
        build_parser().parse_args(shlex.split(line)[1:])
    # Some are only named, without what they need.
    assert re.search("^$|are required|expected one argument", capsys.readouterr().err)


@pytest.mark.parametrize("block", [b for b in blocks() if b.language == "tree"], ids=lambda block: block.place)
def test_trees_name_what_is_there(block):
    folders: list[str] = []
    for line in block.text.splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 2, line.split()[0]
        folders = [*folders[:depth], name]
        assert (ROOT / "/".join(folders)).exists(), line


# --- everything that can be run ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ALONE)
def test_lines_that_need_no_server(here, line):
    run(here, line)


@pytest.mark.parametrize("block", [b for b in PYTHON if "8500" not in b.text], ids=lambda block: block.place)
def test_python_that_needs_no_server(here, block):
    exec(compile(block.text, block.place, "exec"), {"__name__": "docs"})


@pytest.mark.parametrize("line", SERVED)
def test_lines_that_need_a_server(served, here, line):
    run(here, line)


@pytest.mark.parametrize("block", [b for b in PYTHON if "8500" in b.text], ids=lambda block: block.place)
def test_python_that_needs_a_server(served, here, block):
    exec(compile(served.local(block.text), block.place, "exec"), {"__name__": "docs"})


@pytest.mark.parametrize("line", STAYING)
def test_lines_that_stay(served, line):
    arguments = served.arguments(served.local(line))
    if line.startswith("musae serve"):
        ports = ["--port", "0", "--rest-api-port", "0", "--grpc-socket-path", str(served.path / "socket")]
        process = served.start([*arguments, *ports], "serving ")
    elif line.startswith("musae live"):
        process = served.start([*arguments, "--osc", str(free_port())], "OSC: udp")
    else:
        process = served.start([*arguments, "--port", str(free_port()), "--no-browser"], "studio: http")
    assert stop(process) in (0, 143), process.stdout.read()


# --- the reader itself ------------------------------------------------------------------------------------------------


def test_blocks_are_found():
    page = "Words:\n\n    make it   # now\n    two \\\n        lines\n\n```python\nx = 1\n```\n\n!!! a\n    b\n\n- c\n"
    found = defaultdict(list)
    for block in blocks_of(page, "page"):
        found[block.language].append((block.line, lines_of(block)))
    assert found == {"sh": [(3, ["make it", "two lines"])], "python": [(7, ["x = 1"])]}
