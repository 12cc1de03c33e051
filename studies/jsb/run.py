"""Train on the training part of the JSB chorales, choose the step by the validation part, and bound the test part.

    python studies/jsb/run.py quarter --file jsb-chorales-quarter.json
    python studies/jsb/run.py sixteenth --file Jsb16thSeparated.json

What was found is a file in results/jsb/. A run that was stopped goes on with the same command.
"""

import argparse
import json
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from musae_tf.config import Config, config_hash, load_config
from musae_tf.data import Dataset, JsbSource, build
from musae_tf.data.jsb import GRIDS
from musae_tf.errors import MusaeError, RunError
from musae_tf.files import write_text

if TYPE_CHECKING:
    from musae_tf.models import MusAE
    from musae_tf.training import Run
    from musae_tf.training.trainer import Evaluation

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

SAMPLES = 1000
"""Codes drawn for each window of the test part."""

VALIDATION_SAMPLES = 4
"""The same for the validation part while training."""


def main(arguments: list[str] | None = None) -> int:
    """Run the study for one grid."""
    parser = argparse.ArgumentParser(description="Bound the density of the JSB chorales.")
    parser.add_argument("grid", choices=GRIDS)
    parser.add_argument("--file", required=True, type=Path, help="the public JSON file of that grid")
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "jsb", help="default: results/jsb")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "jsb", help="run folders; default: runs/jsb")
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"codes a window (default: {SAMPLES})")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    options = parser.parse_args(arguments)
    if options.samples < 2:
        parser.error(f"--samples is {options.samples}; allowed: 2 or more, or their noise is not known")
    try:
        return _run(options)
    except MusaeError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    from musae_tf.training import Run, train

    changes = [part for change in options.overrides for part in ("--set", change)]
    draws = [] if options.samples == SAMPLES else ["--samples", str(options.samples)]
    words = ["python", "studies/jsb/run.py", options.grid, "--file", options.file.name, *draws, *changes]
    source = JsbSource(options.file, options.grid)
    lengths = {name: len(steps) for name, steps in source.chorales().items()}
    folder = options.runs / f"{options.grid}-dataset"
    build(source, folder, workers=0)  # a second or two, and then it is that of the file
    dataset = Dataset.open(folder)
    config = load_config(Path(__file__).parent / f"{options.grid}.yaml", [f"data.path={folder}", *options.overrides])
    path = options.runs / f"{options.grid}-{config_hash(config)[:8]}-{dataset.hash[:8]}"
    if (path / "run.json").is_file():
        run = Run.open(path)
    else:
        run = Run.create(path, config, dataset)
        run.update(command=shlex.join(words))
    if run.facts["state"] != "finished":
        stopped_by = train(run, dataset, _Validation(config, dataset, lengths))
        if stopped_by:
            return 128 + stopped_by
    facts = _measure(run, dataset, lengths, options.samples)
    facts = {"grid": options.grid, "command": shlex.join(words), **facts}
    write_text(options.results / f"{options.grid}.json", json.dumps(facts, indent=1) + "\n", RunError)
    print(json.dumps(facts["test"], indent=1))
    return 0


class _Validation:
    """What training asks for in between: the bound on the validation part, of few draws."""

    def __init__(self, config: Config, dataset: Dataset, lengths: dict[str, int]):
        from studies.jsb.windows import windows

        self._music, self._seed = windows(dataset, "validation", config.music.bars, lengths), config.seed

    def __call__(self, model: "MusAE") -> "Evaluation":
        from musae_tf.training.trainer import Evaluation
        from studies.jsb.bound import bound

        facts = bound(model, self._music, VALIDATION_SAMPLES, self._seed).facts()
        numbers = {
            "validation_nats_per_step": facts["nats_per_step"],
            "validation_divergence": facts["divergence_nats_per_step"],
        }
        nothing = np.zeros((1, *self._music.tokens.shape[1:]), np.int32)
        return Evaluation(numbers, nothing, nothing)


def _measure(run: "Run", dataset: Dataset, lengths: dict[str, int], samples: int) -> dict[str, Any]:
    import tensorflow as tf

    from musae_tf.training.checkpoints import read_log
    from musae_tf.training.run import revision
    from studies.jsb.bound import bound
    from studies.jsb.windows import windows

    curve = [line for line in read_log(run.path) if line["kind"] == "evaluation"]
    best = min(curve, key=lambda line: line["validation_nats_per_step"])
    model = run.build_model()
    checkpoint = tf.train.Checkpoint(model=model)
    checkpoint.restore(str(run.checkpoints / f"ckpt-{best['step']}")).expect_partial().assert_existing_objects_matched()
    started, bars = time.monotonic(), run.config.music.bars
    validation, test = (windows(dataset, part, bars, lengths) for part in ("validation", "test"))
    told = bound(model, validation, VALIDATION_SAMPLES, run.config.seed, known=True).facts()
    found = bound(model, test, samples, run.config.seed).facts()
    return {
        "seed": run.config.seed,
        "config_hash": config_hash(run.config),
        "dataset_hash": dataset.hash,
        **{key: run.facts[key] for key in ("versions", "revision", "machine", "devices", "steps", "seconds")},
        "weights": sum(int(np.prod(variable.shape)) for variable in model.autoencoder_variables),
        "validation_curve": [[line["step"], round(line["validation_nats_per_step"], 4)] for line in curve],
        "chosen_step": best["step"],
        "measured_at_revision": revision(),
        "validation_with_context_known_beforehand": round(told["nats_per_step"], 4),
        "test": found,
        "measuring_seconds": round(time.monotonic() - started, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
