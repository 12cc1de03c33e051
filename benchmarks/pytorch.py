"""Claim: against PyTorch's nn.LSTM, training is at least 1.3 times as fast and greedy decoding at least as fast.

    python -m benchmarks.pytorch [--torch PYTHON]

The model on both sides: phrases of two bars, a bidirectional LSTM over the steps, a code, four LSTMs over the steps,
with the sizes and the batch of the preset `voices`; a variational autoencoder, so that nothing but recurrences, losses
and Adam is compared. PyTorch runs in a process of its own, in turns with ours, with as many threads. Its environment
is made once, in the cache folder of the user; the installer's settings say where from. `--torch` names the Python of
another one that has PyTorch.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.measure import Peer, Report, in_turns, parser, rate, times_faster
from benchmarks.steps import TrainingStep
from benchmarks.training_step import CONFIGS, SIZES, TOY
from musae_tf.config import Config, load_config
from musae_tf.models.tokens import decode_tokens

TORCH = "torch==2.13.0"
PLAIN = ["model.kind=vae", "model.core=step", "model.min_posterior_std=0", "regularisation.weight_schedule=[[0, 0.1]]",
         "regularisation.infomax=0", "regularisation.order=0"]  # fmt: skip
"""What makes the preset a plain autoencoder."""

BARS = {"train": 1.3, "decode": 1.0}


FOLDER = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "musae-tf" / TORCH.replace("==", "-")
"""The environment with PyTorch."""


def ready() -> bool:
    """Whether it is there."""
    return (FOLDER / "ready").exists()


def environment() -> Path:
    """Its Python; it is made if it is not there."""
    python = FOLDER / "bin" / "python"
    if not ready():
        print(f"installing {TORCH} in {FOLDER}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", FOLDER], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", TORCH, "numpy"], check=True)
        (FOLDER / "ready").touch()
    return python


def sizes_of(config: Config) -> dict[str, int]:
    """What the peer has to know."""
    model = {key: getattr(config.model, key) for key in
             ("latent", "embedding", "encoder_units", "encoder_layers", "decoder_units", "decoder_layers")}  # fmt: skip
    return {**model, "batch": config.training.batch_size, "steps": 16 * config.music.bars, "tracks": len(SIZES),
            "symbols": SIZES[0], "threads": len(os.sched_getaffinity(0))}  # fmt: skip


def decoder_of(step: TrainingStep, rows: int):
    """Greedy decoding of a batch, to be called."""
    codes = tf.random.stateless_normal([rows, step.model.latent], [1, 2])
    nothing = tf.zeros([rows]), tf.zeros([rows, 2], tf.int32)
    graph = tf.function(lambda latent: decode_tokens(step.model.logits(latent), *nothing)[0], autograph=False)
    return lambda: np.asarray(graph(codes))


def main() -> None:
    """Measure training and decoding."""
    arguments = parser(__doc__, quick=True)
    arguments.add_argument("--torch", type=Path, metavar="PYTHON", help="of an environment that has PyTorch")
    arguments = arguments.parse_args()
    quick = arguments.quick
    report = Report("pytorch", arguments)
    config = load_config(CONFIGS / "voices_one_pass.yaml", [*PLAIN, *(TOY if quick else [])])
    python = arguments.torch or environment()
    peer = Peer([python, Path(__file__).parent / "pytorch_peer.py"], json.dumps(sizes_of(config)))
    step = TrainingStep(config, SIZES, 4)
    ours = {"train": step, "decode": decoder_of(step, config.training.batch_size)}
    rounds = 1 if quick else 3 * arguments.rounds
    report.content["torch"] = peer.said
    for name, bar in BARS.items():
        seconds = in_turns({"ours": ours[name], "PyTorch": lambda name=name: peer.run(name)}, rounds, warm_up=3)
        ratio = times_faster(seconds, "ours", "PyTorch")
        report.content[name] = {
            "phrases_a_second": {run: rate(config.training.batch_size, found) for run, found in seconds.items()},
            "times_faster": ratio,
            "seconds": seconds,
        }
        for run, found in seconds.items():
            print(f"{name}, {run}: {rate(config.training.batch_size, found):,.0f} phrases/s")
        report.add(f"{name}: times as fast as nn.LSTM", ratio["median"], bar)
    peer.close()
    report.write()


if __name__ == "__main__":
    main()
