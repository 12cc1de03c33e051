"""What two workers that share the work make of two cores, beside one worker on one of them.

    python -m benchmarks.weak_scaling [--config configs/voices.yaml] [--dataset datasets/corpus] [--batch 128]
        [--rounds 5] [--out results/bench]

**Claim:** two workers on a core each train at least 0.85 times two as many phrases a second as one worker on one core.

Each worker has the same number of phrases a step in both cases, so what is lost is the time in which workers tell each
other gradients, over loopback. Every round starts the processes anew, one case after the other, and times their steps
after the first ones, which trace. The ratio is of the two in each round; the median, least and greatest are reported.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import Report, parser, spread
from musae_tf.cli.shared import load_tensorflow
from musae_tf.cli.workers import addresses
from musae_tf.config import load_config
from musae_tf.data import Dataset

BAR = 0.85
_FIRST = 3


def work(arguments: argparse.Namespace) -> None:
    """What a worker does: print its seconds a step."""
    os.sched_setaffinity(0, {arguments.core})
    config = load_config(arguments.config, [f"training.batch_size={arguments.batch}"])
    dataset = Dataset.open(arguments.dataset or config.data.path)
    load_tensorflow()
    from benchmarks.steps import FedSteps

    training = FedSteps(config, dataset)
    batches = training.batches(_FIRST + arguments.steps)
    training.run(batches, _FIRST)
    start = time.perf_counter()
    training.run(batches, arguments.steps)
    print((time.perf_counter() - start) / arguments.steps)


def seconds_a_step(workers: int, cores: list[int], arguments: argparse.Namespace) -> float:
    """Of a job with as many workers, each on a core of its own."""
    named = addresses(workers)
    processes = []
    for index in range(workers):
        line = [sys.executable, "-m", "benchmarks.weak_scaling", "--core", str(cores[index])]
        line += ["--batch", str(workers * arguments.batch), "--config", arguments.config]
        line += ["--steps", str(arguments.steps)]
        line += ["--dataset", arguments.dataset] if arguments.dataset else []
        cluster = {"cluster": {"worker": named}, "task": {"type": "worker", "index": index}} if workers > 1 else {}
        environment = {**os.environ, "TF_CONFIG": json.dumps(cluster), "CUDA_VISIBLE_DEVICES": "-1"}
        processes.append(subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment))
    said = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit("a worker has failed, see above")
    return max(map(float, said))


def main() -> None:
    """Measure."""
    options = parser(__doc__)
    options.add_argument("--config", default="configs/voices.yaml", metavar="FILE")
    options.add_argument("--dataset", metavar="DIR", help="default: the one of the configuration")
    options.add_argument("--batch", type=int, default=128, metavar="N", help="phrases a worker and step (default: 128)")
    options.add_argument("--steps", type=int, default=30, metavar="N", help="steps that are timed (default: 30)")
    options.add_argument("--core", type=int, help=argparse.SUPPRESS)
    arguments = options.parse_args()
    if arguments.core is not None:
        work(arguments)
        return
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("two workers on a core each need two cores")
    report, found = Report("weak_scaling", arguments), {"one": [], "two": []}
    for number in range(arguments.rounds):
        for name, count in (("one", 1), ("two", 2)) if number % 2 else (("two", 2), ("one", 1)):
            seconds = seconds_a_step(count, cores, arguments)
            found[name].append(count * arguments.batch / seconds)
            print(f"round {number + 1}: {name}: {found[name][-1]:.1f} phrases/s", flush=True)
    ratio = spread([two / (2 * one) for one, two in zip(found["one"], found["two"], strict=True)])
    report.content |= {
        "ratio": ratio,
        "phrases_a_second": found,
        "config": Path(arguments.config).stem,
        "batch_size": arguments.batch,
        "steps": arguments.steps,
    }
    text = "phrases a second of two workers on a core each, against twice those of one worker on one core"
    report.add(text, ratio["median"], BAR)
    report.write()


if __name__ == "__main__":
    main()
