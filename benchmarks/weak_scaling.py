"""What two workers that share the work make of two cores, beside one worker on one of them.

    python -m benchmarks.weak_scaling [--config configs/voices.yaml] [--dataset datasets/corpus] [--batch 128]
        [--turns 5] [--out results/bench/weak_scaling.json]

**Claim:** two workers on a core each train at least 0.85 times two as many phrases a second as one worker on one core.

Each worker has the same number of phrases a step in both cases, so what is lost is the time in which workers tell each
other gradients, over loopback. Every turn starts the processes anew, one case after the other, and times their steps
after the first ones, which trace. The ratio is of the two in each turn; the median, least and greatest are printed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import machine
from benchmarks.whole_step import Player, configuration
from musae_tf.cli.shared import load_tensorflow
from musae_tf.cli.workers import addresses
from musae_tf.data import Dataset
from musae_tf.files import write_text

GOAL = 0.85
_FIRST = 3


def work(arguments: argparse.Namespace) -> None:
    """What a worker does: print its seconds a step."""
    os.sched_setaffinity(0, {arguments.core})
    config = configuration(arguments.config, arguments.batch)
    dataset = Dataset.open(arguments.dataset or config.data.path)
    load_tensorflow()
    player = Player(config, dataset)
    batches = player.batches(_FIRST + arguments.steps)
    player.play(batches, _FIRST)
    start = time.perf_counter()
    player.play(batches, arguments.steps)
    print((time.perf_counter() - start) / arguments.steps)


def seconds_a_step(workers: int, cores: list[int], arguments: argparse.Namespace) -> float:
    """Of a job with as many workers, each on a core of its own."""
    named = addresses(workers)
    processes = []
    for index in range(workers):
        line = [sys.executable, "-m", "benchmarks.weak_scaling", "--core", str(cores[index])]
        line += [
            "--batch",
            str(workers * arguments.batch),
            "--config",
            arguments.config,
            "--steps",
            str(arguments.steps),
        ]
        line += ["--dataset", arguments.dataset] if arguments.dataset else []
        cluster = {"cluster": {"worker": named}, "task": {"type": "worker", "index": index}} if workers > 1 else {}
        environment = {**os.environ, "TF_CONFIG": json.dumps(cluster), "CUDA_VISIBLE_DEVICES": "-1"}
        processes.append(subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment))
    said = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit("a worker has failed, see above")
    return max(map(float, said))


def main() -> None:
    """Measure, print and write one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="configs/voices.yaml", metavar="FILE")
    parser.add_argument("--dataset", metavar="DIR", help="default: the one of the configuration")
    parser.add_argument("--batch", type=int, default=128, metavar="N", help="phrases a worker and step (default: 128)")
    parser.add_argument("--turns", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument("--steps", type=int, default=30, metavar="N", help="steps that are timed (default: 30)")
    parser.add_argument("--out", type=Path, default=Path("results/bench/weak_scaling.json"), metavar="FILE")
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.core is not None:
        work(arguments)
        return
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("two workers on a core each need two cores")
    load, found = os.getloadavg(), {"one": [], "two": []}
    for turn in range(arguments.turns):
        for name, count in (("one", 1), ("two", 2)) if turn % 2 else (("two", 2), ("one", 1)):
            seconds = seconds_a_step(count, cores, arguments)
            found[name].append(count * arguments.batch / seconds)
            print(f"turn {turn + 1}: {name}: {found[name][-1]:.1f} phrases/s", flush=True)
    ratios = sorted(two / (2 * one) for one, two in zip(found["one"], found["two"], strict=True))
    result = {
        "claim": "phrases a second of two workers on a core each, against twice those of one worker on one core",
        "ratio": {"median": statistics.median(ratios), "least": ratios[0], "greatest": ratios[-1]},
        "goal": GOAL,
        "phrases_a_second": found,
        "config": Path(arguments.config).stem,
        "batch_size": arguments.batch,
        "steps": arguments.steps,
        "machine": machine(),
        "load": load,
    }
    print(f"ratio: {result['ratio']['median']:.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f}; goal at least {GOAL:g})")
    write_text(arguments.out, json.dumps(result, indent=2) + "\n")
    print(f"written to {arguments.out}")


if __name__ == "__main__":
    main()
