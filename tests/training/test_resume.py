"""Killed at any moment, a run goes on to the curve that an undisturbed one draws."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CONFIGS
from tests.waiting import LIMIT, wait_for

STEPS = 48


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "musae_tf.cli", *map(str, arguments)]


def start(folder: Path, dataset: Path) -> list[str]:
    # Checkpoints off the beat of the log, so that sums of half a line must survive as well.
    settings = {
        "training.steps": STEPS,
        "training.log_every": 4,
        "training.checkpoint_every": 6,
        "training.evaluate_every": 16,
        "training.deterministic": "true",
        "data.path": dataset,
    }
    overrides = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    return command("train", CONFIGS / "tiny.yaml", "--run", folder, "--no-evaluate", *overrides)


def run(line: list[str]) -> None:
    subprocess.run(line, check=True, capture_output=True, timeout=LIMIT)


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def reached(folder: Path) -> int:
    try:
        text = (folder / "log.jsonl").read_text()
    except FileNotFoundError:
        return 0
    return text.count("\n")


def stop_after(line: list[str], folder: Path, log_lines: int, number: signal.Signals) -> int:
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: reached(folder) >= log_lines, process=process)
        os.kill(process.pid, number)
        return process.wait()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, tiny_dataset) -> list[dict]:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    run(start(folder, tiny_dataset.path))
    return lines(folder)


def test_the_log_is_whole(undisturbed):
    assert [line["step"] for line in undisturbed if line["kind"] == "train"] == list(range(4, STEPS + 1, 4))
    assert [line["step"] for line in undisturbed if line["kind"] == "evaluation"] == [16, 32, 48]


def test_sigkill_sigterm_and_resuming_give_the_same_curve(undisturbed, tiny_dataset, tmp_path):
    folder = tmp_path / "run"
    # The moment of the kill differs from one test run to the next; the curve must not.
    moment = random.Random().randint(2, 7)
    code = stop_after(start(folder, tiny_dataset.path), folder, moment, signal.SIGKILL)
    assert code == -signal.SIGKILL, "training ended before it could be killed"
    assert reached(folder) < len(undisturbed)
    resume = command("train", "--resume", folder, "--no-evaluate")
    # What was logged after the last checkpoint is drawn again, so wait for more than there was.
    code = stop_after(resume, folder, max(moment, reached(folder)) + 2, signal.SIGTERM)
    assert code == 128 + signal.SIGTERM, "training ended before it could be stopped"
    facts = json.loads((folder / "run.json").read_text())
    assert facts["state"] == "training"
    assert 0 < facts["steps"] < STEPS
    run(resume)
    assert lines(folder) == undisturbed, f"killed after {moment} lines"
