"""Two replicas draw the loss curve of one, whatever the system."""

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


# One has what crosses replicas: sorted codes, an average. The other has two critics, and reads back what it decodes.
SYSTEMS = {
    "musae_gm": {
        "prior.geometry": "learned",
        "critic.label": "project",
        "critic.spectral": "true",
        "regularisation.sliced_wasserstein": 1.0,
        "regularisation.divergence": 0.1,
        "regularisation.infomax": 0.5,
        "regularisation.order": 0.5,
        "training.average": 0.9,
    },
    "musae": {"regularisation.infomax": 1.0, "training.token_noise": 0.2},
}


def curve(devices: int, strategy: str, folder, dataset, system: str) -> list[dict]:
    settings = {
        "model.kind": system,
        **SYSTEMS[system],
        "training.strategy": strategy,
        "training.steps": 24,
        "training.log_every": 2,
        "training.evaluate_every": 24,
        "regularisation.points": "[[0, 0.5]]",
        "data.path": dataset.path,
    }
    overrides = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    line = [sys.executable, "-c", SCRIPT, str(devices), "train", str(CONFIGS / "tiny.yaml"), "--run", str(folder)]
    subprocess.run([*line, "--no-evaluate", *overrides], check=True, capture_output=True, timeout=300)
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return lines  # the last one is the evaluation


@pytest.mark.parametrize("system", SYSTEMS)
def test_two_logical_devices_draw_the_curve_of_one(tiny_dataset, tmp_path, system):
    one = curve(1, "one", tmp_path / "one", tiny_dataset, system)
    two = curve(2, "mirrored", tmp_path / "two", tiny_dataset, system)
    facts = json.loads((tmp_path / "two" / "run.json").read_text())
    assert facts["devices"].startswith("2 replicas")
    assert two[-1]["posterior_deviation"] == pytest.approx(one[-1]["posterior_deviation"], rel=2e-3)
    for left, right in zip(one[:-1], two[:-1], strict=True):
        for key in left.keys() - {"kind"}:
            # The game amplifies rounding: sums over replicas are added in another order.
            assert right[key] == pytest.approx(left[key], rel=2e-3, abs=2e-3), (left["step"], key)
