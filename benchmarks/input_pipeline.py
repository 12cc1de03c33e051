"""Whether the input keeps up with the training step.

    python -m benchmarks.input_pipeline [--config configs/voices.yaml] [--dataset datasets/corpus] [--rounds 9]
        [--out results/bench]

**Claim:** a step with real input takes at most 5 % longer than one with a batch that is already there.

Both are the step of `musae train`, with the same model in the same process, in turns of some steps each, so that what
else the machine does weighs on both. "real" takes each batch from the pipeline that training reads, "cached" takes the
first batch again and again. The ratio is of the two in each round; the median, least and greatest are reported. Beside
it stands how long the pipeline needs for a batch when nothing else runs in this process.
"""

import itertools
import statistics
import time

from benchmarks.measure import Report, in_turns, parser, spread
from musae_tf.cli.shared import load_tensorflow
from musae_tf.config import Config, load_config
from musae_tf.data import Dataset

BAR = 1.05
_ALONE = 200


def measure(config: Config, dataset: Dataset, rounds: int, steps: int) -> dict:
    """Seconds a step of both in each round, and of a batch alone."""
    from benchmarks.steps import FedSteps

    training = FedSteps(config, dataset)
    real = training.batches(2 + rounds * steps)
    cached = itertools.repeat(next(real))
    training.run(cached, 1)  # traces
    training.run(real, 1)
    runs = {"real": lambda: training.run(real, steps), "cached": lambda: training.run(cached, steps)}
    seconds = {name: [turn / steps for turn in found] for name, found in in_turns(runs, rounds, warm_up=0).items()}
    alone = training.batches(_ALONE)
    next(alone)
    start = time.perf_counter()
    for _ in range(_ALONE - 1):
        next(alone)
    batch = (time.perf_counter() - start) / (_ALONE - 1)
    return {"devices": training.devices, "seconds_a_step": seconds, "seconds_a_batch_alone": batch}


def main() -> None:
    """Measure."""
    options = parser(__doc__, rounds=9)
    options.add_argument("--config", default="configs/voices.yaml", metavar="FILE")
    options.add_argument("--dataset", metavar="DIR", help="default: the one of the configuration")
    options.add_argument("--batch", type=int, metavar="N", help="phrases a step (default: the configuration's)")
    options.add_argument("--steps", type=int, default=20, metavar="N", help="steps a turn (default: 20)")
    arguments = options.parse_args()
    config = load_config(arguments.config, [f"training.batch_size={arguments.batch}"] if arguments.batch else [])
    dataset = Dataset.open(arguments.dataset or config.data.path)
    load_tensorflow()
    report = Report("input_pipeline", arguments, config.seed)
    found = measure(config, dataset, arguments.rounds, arguments.steps)
    seconds = found["seconds_a_step"]
    ratio = spread([real / cached for real, cached in zip(seconds["real"], seconds["cached"], strict=True)])
    report.content |= {
        "ratio": ratio,
        **found,
        "config": config.name,
        "batch_size": config.training.batch_size,
        "dataset": {"name": dataset.manifest["name"], "hash": dataset.hash[:12]},
        "steps": arguments.steps,
    }
    print(f"{config.name}, batch {config.training.batch_size}, on {found['devices']}")
    for name, times in seconds.items():
        print(f"{name} input: {1e3 * statistics.median(times):.1f} ms a step")
    print(f"a batch alone: {1e3 * found['seconds_a_batch_alone']:.2f} ms")
    report.add("a step with real input against one with a cached batch", ratio["median"], BAR, at_most=True)
    report.write()


if __name__ == "__main__":
    main()
