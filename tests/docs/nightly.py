"""Run the lines of `ledger.yaml` whose needs this machine has, in a copy of the project, and write down the day.

    python -m tests.docs.nightly [NEED ...] [--only PATTERN ...] [--midi FOLDER]

Needs that are always there: minutes, ends. Name the others that this machine has: packages, network, docker, ...
`NAME` stands for the newest run, `~/midi` and `DIR` for a folder of songs for a band: that of --midi, or some that are
composed.
"""

import argparse
import fnmatch
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import date
from pathlib import Path

import yaml

from benchmarks.composed import compose
from tests.corpus import four_voice_song
from tests.docs.markdown import ROOT

LEDGER = Path(__file__).parent / "ledger.yaml"
ALWAYS = {"minutes", "ends"}
HOURS = 3.0
"""A line that takes longer has failed."""

_SONGS = 200
"""As many are composed: enough for phrases of every genre in every split."""

READY = re.compile(r"https?://|Forwarding from")
"""What a command that stays says when it answers."""


def main() -> int:
    """Run what can be run; the exit code is 1 if a line failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("needs", nargs="*", metavar="NEED", help="what this machine has")
    parser.add_argument("--only", nargs="+", default=["*"], metavar="PATTERN", help="only such lines")
    parser.add_argument("--midi", type=Path, help="songs for a band, in a folder a genre")
    arguments = parser.parse_args()
    has = ALWAYS | set(arguments.needs)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        home = _prepare(Path(folder), arguments.midi)
        for entry in yaml.safe_load(LEDGER.read_text()):
            if not any(fnmatch.fnmatch(entry["line"], pattern) for pattern in arguments.only):
                continue
            lacking = sorted(set(entry["needs"]) - has)
            if lacking:
                print(f"skipped  {entry['line']}: needs {', '.join(lacking)}", flush=True)
                continue
            started = time.monotonic()
            error = _run(entry, home)
            print(f"{'FAILED' if error else 'ran':<8} {entry['line']}: {time.monotonic() - started:.0f} s", flush=True)
            if error:
                print(error)
                failed += 1
            else:
                _note(entry["line"])
    return int(failed > 0)


def _prepare(folder: Path, midi: Path | None) -> Path:
    """A copy of what git has of the project, with songs, a dataset and a short run; returns where it is."""
    home = folder / "musae-tf"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(home)], check=True)
    if midi:
        (home / "midi").symlink_to(midi.resolve(strict=True))
    else:
        compose(home / "midi", _SONGS)
    (home / "DIR").symlink_to(home / "midi")
    four_voice_song(8).write(home / "mine.mid")
    if (ROOT / "datasets/corpus").is_dir():
        shutil.copytree(ROOT / "datasets/corpus", home / "datasets/corpus")
    for line in (
        "musae data build corpus",
        "musae data build folder ~/midi --layout band",
        "musae train tiny --run runs/NAME",
    ):
        error = _run({"line": line, "needs": []}, home)
        if error:
            raise SystemExit(f"{line}: {error}")
    return home


def _run(entry: dict, home: Path) -> str:
    """Run one line; returns what it said if it failed."""
    path = f"{_programs(home)}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(home), "PATH": path}
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            ["bash", "-c", entry["line"]], cwd=home, env=environment, stdout=said, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        expires = time.monotonic() + 3600 * HOURS
        stays, code, text = "ends" in entry["needs"], None, ""
        while code is None and time.monotonic() < expires:
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
            said.seek(0)
            text, code = said.read(), process.poll()
            if stays and READY.search(text):
                code = 0
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return "" if code == 0 else text or "nothing was said"


def _programs(home: Path) -> Path:
    """A folder with `musae` and `python` of this environment."""
    folder = home / ".programs"
    if not folder.is_dir():
        folder.mkdir()
        musae = folder / "musae"
        musae.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m musae_tf.cli "$@"\n')
        musae.chmod(0o755)
        (folder / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (folder / "python").chmod(0o755)
    return folder


def _note(line: str) -> None:
    """Write today into the line of the ledger, leaving everything else as it stands."""
    lines = LEDGER.read_text(encoding="utf-8").splitlines(keepends=True)
    for number, text in enumerate(lines):
        if text.startswith("- {") and yaml.safe_load(text)[0]["line"] == line:
            lines[number] = re.sub(r"last: \S+\}$", f"last: {date.today()}}}", text.rstrip("\n")) + "\n"
    LEDGER.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
