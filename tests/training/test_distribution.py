"""Two replicas, in one process or in two, draw the loss curve of one; and workers that are killed change nothing."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import CONFIGS
from tests.waiting import LIMIT, children, wait_for

STEPS = 30
SCRIPT = """
import sys
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from musae_tf.cli import main
for line in sys.stdin:
    assert main(eval(line)) == 0
"""
"""Runs the lists of arguments that it reads, one after the other: TensorFlow takes seconds to start."""
PATIENT = f"""
import sys
from musae_tf.cli import main, workers
workers._GRACE = {LIMIT}
sys.exit(main(sys.argv[1:]))
"""
"""The command line, with a supervisor that waits until workers notice by themselves, on a busy machine too."""

# One has means that are trained and every term beside the critic; two workers train it. The other has two critics, and
# reads back what it decodes; two devices of one process train it. A process for each costs more than what it trains.
SYSTEMS = {
    "musae_gm": {
        "prior.geometry": "learned",
        "regularisation.divergence": 0.1,
        "regularisation.infomax": 0.5,
        "regularisation.order": 0.5,
    },
    "musae": {"regularisation.infomax": 1.0},
}


def arguments(folder: Path, dataset, system: str, **more) -> list[str]:
    settings = {
        "model.kind": system,
        **SYSTEMS[system],
        "training.steps": STEPS,
        "training.log_every": 2,
        "training.evaluate_every": STEPS,
        "training.checkpoint_every": 10,
        "training.deterministic": "true",
        "regularisation.weight_schedule": "[[0, 0.5]]",
        "data.path": dataset.path,
        **more,
    }
    changes = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    return ["train", str(CONFIGS / "tiny.yaml"), "--run", str(folder), "--no-evaluate", *changes]


def curve(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]  # the last is the evaluation


def run(*line: str, **more) -> str:
    done = subprocess.run([sys.executable, *line], capture_output=True, text=True, timeout=3 * LIMIT, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_same_curves(found: Path, expected: Path) -> None:
    found, expected = curve(found), curve(expected)
    assert found[-1]["posterior_deviation"] == pytest.approx(expected[-1]["posterior_deviation"], rel=2e-3)
    for left, right in zip(found[:-1], expected[:-1], strict=True):
        for key in right.keys() - {"kind"}:
            # The two losses amplify rounding: sums over replicas are added in another order.
            assert left[key] == pytest.approx(right[key], rel=2e-3, abs=2e-3), (right["step"], key)


@pytest.fixture(scope="module")
def one_process(tiny_dataset, tmp_path_factory) -> dict[str, Path]:
    """Runs of one process with two logical devices: both systems on one of these, and `musae` on both."""
    folder = tmp_path_factory.mktemp("devices")
    lines = [
        arguments(folder / name, tiny_dataset, system, **{"training.strategy": strategy})
        for name, system, strategy in (
            ("musae_gm", "musae_gm", "one"), ("musae", "musae", "one"), ("two", "musae", "mirrored"),
        )
    ]  # fmt: skip
    run("-c", SCRIPT, input="".join(f"{line}\n" for line in lines))
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def two_workers(tiny_dataset, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("workers") / "run"
    said = run("-m", "musae_tf.cli", *arguments(folder, tiny_dataset, "musae_gm"), "--workers", "2")
    assert re.search(
        r"training in float32 on 2 replicas of the 2 workers in TF_CONFIG; each has the CPU with \d+ ", said
    )
    return folder


def test_two_logical_devices_draw_the_curve_of_one(one_process):
    devices = {name: json.loads((folder / "run.json").read_text())["devices"] for name, folder in one_process.items()}
    assert devices["two"].startswith("2 replicas on the CPUs")
    assert "replicas" not in devices["musae"]
    assert_same_curves(one_process["two"], one_process["musae"])


def test_two_workers_draw_the_curve_of_one(one_process, two_workers):
    assert_same_curves(two_workers, one_process["musae_gm"])


def steps_of(folder: Path) -> int:
    facts = folder / "run.json"
    return json.loads(facts.read_text()).get("steps", 0) if facts.exists() else 0


def numbers(folder: Path) -> dict[str, np.ndarray]:
    newest = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(folder / "checkpoints")))
    names = [name for name in newest.get_variable_to_shape_map() if "save_counter" not in name]
    return {name: newest.get_tensor(name) for name in names if not name.startswith("_CHECKPOINTABLE")}


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_a_killed_worker_comes_back_and_the_job_ends_as_if_nothing_had_been(two_workers, tiny_dataset, tmp_path):
    # The chief or the other one: it differs from one test run to the next, what comes of it must not.
    victim = random.Random().randint(0, 1)
    folder = tmp_path / "run"
    line = [sys.executable, "-c", PATIENT, *arguments(folder, tiny_dataset, "musae_gm"), "--workers", "2"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as launcher:
        wait_for(lambda: steps_of(folder) >= 10, process=launcher)
        os.kill(children(launcher.pid)[victim], signal.SIGKILL)
        said, complaints = launcher.communicate(timeout=3 * LIMIT)
    assert launcher.returncode == 0, complaints
    assert re.findall(r"worker (\d) was killed by SIGKILL", said) == [str(victim)]
    assert complaints.count("another worker has gone, so this one leaves too") == 1, complaints
    assert curve(folder) == curve(two_workers)
    ours, theirs = numbers(folder), numbers(two_workers)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)
