"""Whether the input keeps up with the training step.

    python -m benchmarks.input_pipeline [--config configs/voices.yaml] [--dataset datasets/corpus] [--turns 9]
        [--out results/bench/input_pipeline.json]

**Claim:** a step with real input takes at most 5 % longer than one with a batch that is already there.

Both are the step of `musae train`, with the same model in the same process, in turns of some steps each, so that what
else the machine does weighs on both. "real" takes each batch from the pipeline that training reads, "cached" plays the
first batch again and again. The ratio is of the two in each turn; the median, least and greatest are printed. Beside it
stands how long the pipeline needs for a batch when nothing else runs in this process.
"""

import argparse
import itertools
import json
import os
import statistics
import time
from pathlib import Path

from benchmarks.measure import machine
from benchmarks.whole_step import Player, configuration
from musae_tf.cli.shared import load_tensorflow
from musae_tf.config import Config
from musae_tf.data import Dataset
from musae_tf.files import write_text

GOAL = 1.05
_ALONE = 200


def measure(config: Config, dataset: Dataset, turns: int, steps: int) -> dict:
    """Seconds a step of both in each turn, and of a batch alone."""
    player = Player(config, dataset)
    real = player.batches(2 + turns * steps)
    first = next(real)
    cached = itertools.repeat(first)
    player.play(cached, 1)  # traces
    player.play(real, 1)
    found = {"real": [], "cached": []}
    for turn in range(turns):
        pair = [("real", real), ("cached", cached)]
        for name, source in pair if turn % 2 else pair[::-1]:
            start = time.perf_counter()
            player.play(source, steps)
            found[name].append((time.perf_counter() - start) / steps)
    alone = player.batches(_ALONE)
    next(alone)
    start = time.perf_counter()
    for _ in range(_ALONE - 1):
        next(alone)
    batch = (time.perf_counter() - start) / (_ALONE - 1)
    return {"devices": player.devices, "seconds_a_step": found, "seconds_a_batch_alone": batch}


def main() -> None:
    """Measure, print and write one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="configs/voices.yaml", metavar="FILE")
    parser.add_argument("--dataset", metavar="DIR", help="default: the one of the configuration")
    parser.add_argument("--batch", type=int, metavar="N", help="phrases a step (default: the configuration's)")
    parser.add_argument("--turns", type=int, default=9, metavar="N", help="default: 9")
    parser.add_argument("--steps", type=int, default=20, metavar="N", help="steps a turn (default: 20)")
    parser.add_argument("--out", type=Path, default=Path("results/bench/input_pipeline.json"), metavar="FILE")
    arguments = parser.parse_args()
    config = configuration(arguments.config, arguments.batch)
    dataset = Dataset.open(arguments.dataset or config.data.path)
    load_tensorflow()
    load = os.getloadavg()
    found = measure(config, dataset, arguments.turns, arguments.steps)
    pairs = zip(found["seconds_a_step"]["real"], found["seconds_a_step"]["cached"], strict=True)
    ratios = sorted(real / cached for real, cached in pairs)
    result = {
        "claim": "a step with real input against one with a cached batch",
        "ratio": {"median": statistics.median(ratios), "least": ratios[0], "greatest": ratios[-1]},
        "goal": GOAL,
        **found,
        "config": config.name,
        "batch_size": config.training.batch_size,
        "dataset": {"name": dataset.manifest["name"], "hash": dataset.hash[:12]},
        "turns": arguments.turns,
        "steps": arguments.steps,
        "machine": machine(),
        "load": load,
    }
    median = {name: statistics.median(times) for name, times in found["seconds_a_step"].items()}
    print(f"{config.name}, batch {config.training.batch_size}, on {found['devices']}; load {load[0]:.1f}")
    print(f"real input: {1e3 * median['real']:.1f} ms a step; cached batch: {1e3 * median['cached']:.1f} ms a step")
    print(f"a batch alone: {1e3 * found['seconds_a_batch_alone']:.2f} ms")
    print(f"ratio: {result['ratio']['median']:.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f}; goal at most {GOAL:g})")
    write_text(arguments.out, json.dumps(result, indent=2) + "\n")
    print(f"written to {arguments.out}")


if __name__ == "__main__":
    main()
