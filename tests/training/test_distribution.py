"""Two replicas draw the loss curve of one."""

import json
import subprocess
import sys

import pytest

from tests.conftest import CONFIGS

SCRIPT = """
import sys
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * int(sys.argv[1])
)
from musae_tf.cli import main
sys.exit(main(sys.argv[2:]))
"""


def curve(devices: int, strategy: str, folder, dataset) -> list[dict]:
    settings = {
        "training.strategy": strategy,
        "training.steps": 24,
        "training.log_every": 2,
        "training.evaluate_every": 24,
        "regularisation.points": "[[0, 0.5]]",
        "prior.geometry": "learned",
        "data.path": dataset.path,
    }
    overrides = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    line = [sys.executable, "-c", SCRIPT, str(devices), "train", str(CONFIGS / "tiny.yaml"), "--run", str(folder)]
    subprocess.run([*line, "--no-evaluate", *overrides], check=True, capture_output=True, timeout=300)
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == "train"]


def test_two_logical_devices_draw_the_curve_of_one(tiny_dataset, tmp_path):
    one = curve(1, "one", tmp_path / "one", tiny_dataset)
    two = curve(2, "mirrored", tmp_path / "two", tiny_dataset)
    facts = json.loads((tmp_path / "two" / "run.json").read_text())
    assert facts["devices"].startswith("2 replicas")
    for left, right in zip(one, two, strict=True):
        for key in left.keys() - {"kind"}:
            # The game amplifies rounding: sums over replicas are added in another order.
            assert right[key] == pytest.approx(left[key], rel=2e-3, abs=2e-3), (left["step"], key)
