"""Train and measure all cells of the study that are not done yet.

    python studies/claims/run.py                     # everything; stop it at any moment and start it again
    python studies/claims/run.py --list              # which cells there are, and which are done
    python studies/claims/run.py --cells 'vae-*'     # some of them

A cell computes on one core: start the script once for each core, with other cells, to make use of all.

A cell that is done is a file in results/claims/cells/. It is done again if its configuration or the dataset changed.
"""

import argparse
import fnmatch
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from musae_tf.config import config_hash
from musae_tf.data import Dataset, TrainingBatches
from musae_tf.errors import MusaeError, RunError
from musae_tf.files import write_text

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from studies.claims.cells import Cell, cells  # noqa: E402
from studies.claims.labels import LABELS  # noqa: E402

RESULTS = ROOT / "results" / "claims"
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
"""Of TensorFlow: several would add up in other orders, so that numbers depended on the machine's cores."""


def main(arguments: list[str] | None = None) -> int:
    """Run the study; the exit code is 0 if all cells that were asked for are done."""
    parser = argparse.ArgumentParser(description="Train and measure the cells of the study of the paper's claims.")
    parser.add_argument("--dataset", default=ROOT / "datasets" / "corpus", help="default: datasets/corpus")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the cells go; default: results/claims")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "claims", help="run folders; default: runs/claims")
    parser.add_argument("--cells", nargs="*", default=["*"], metavar="NAME", help="names, or patterns such as 'vae-*'")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--list", action="store_true", help="only say what is done")
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    chosen = [cell for cell in cells() if any(fnmatch.fnmatch(cell.name, name) for name in options.cells)]
    try:
        if not chosen:
            raise RunError(f"no cell is called {' or '.join(options.cells)}; --list says which there are")
        dataset = Dataset.open(options.dataset)
        if options.in_this_process:
            return _run(chosen[0], dataset, options)
        return _run_all(chosen, dataset, options)
    except MusaeError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2


def _run_all(chosen: list[Cell], dataset: Dataset, options: argparse.Namespace) -> int:
    missing = [cell for cell in chosen if not _is_done(cell, dataset, options)]
    print(f"{len(chosen) - len(missing)} of {len(chosen)} cells are done")
    if options.list:
        print("\n".join(f"{'    ' if cell in missing else 'done'}  {cell.name}" for cell in chosen))
        return 0
    started, failed = time.monotonic(), []
    for number, cell in enumerate(missing):
        left = (time.monotonic() - started) / number * (len(missing) - number) if number else None
        print(f"\n{cell.name}" + (f", about {left / 60:.0f} minutes left" if left else ""), flush=True)
        # A process each: nothing of one cell is left in the memory, or in the random state, of the next.
        command = [sys.executable, __file__, "--in-this-process", "--cells", cell.name, *_pass_on(options)]
        code = _call(command)
        if code >= 128 or code < 0:
            print(f"stopped; the same command goes on with {cell.name}")
            return code if code > 0 else 128 - code
        if code:
            failed.append(cell.name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def _call(command: list[str]) -> int:
    """Run a process that ends when this one is told to: a cell must not go on while the next start trains it too."""
    with subprocess.Popen(command, env={**os.environ, **ONE_THREAD}) as process:
        # Ctrl-C reaches both; the process leaves a checkpoint and ends by itself.
        handlers = {signal.SIGINT: signal.SIG_IGN, signal.SIGTERM: lambda number, _: process.send_signal(number)}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            return process.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _pass_on(options: argparse.Namespace) -> list[str]:
    changes = [part for change in options.overrides for part in ("--set", change)]
    paths = {"--dataset": options.dataset, "--results": options.results, "--runs": options.runs}
    return [*changes, *(str(part) for pair in paths.items() for part in pair)]


def _file(cell: Cell, options: argparse.Namespace) -> Path:
    return options.results / "cells" / f"{cell.name}.json"


def _is_done(cell: Cell, dataset: Dataset, options: argparse.Namespace) -> bool:
    try:
        done = json.loads(_file(cell, options).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    digest = config_hash(cell.config(tuple(options.overrides)))
    return (done["config_hash"], done["dataset_hash"]) == (digest, dataset.hash)


def _run(cell: Cell, dataset: Dataset, options: argparse.Namespace) -> int:
    from musae_tf.evaluation import QuickEvaluator, evaluate_run
    from musae_tf.evaluation.report import plain
    from musae_tf.training import Run, train

    config = cell.config(tuple(options.overrides))
    digest = config_hash(config)
    folder = options.runs / f"{cell.name}-{digest[:8]}-{dataset.hash[:8]}"
    changes = "".join(f" --set {change}" for change in options.overrides)
    command = f"python studies/claims/run.py --cells {cell.name}{changes}"
    if (folder / "run.json").is_file():
        run = Run.open(folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)  # of a start that ended before there was anything
        run = Run.create(folder, config, dataset)
        run.update(command=command)
    if run.facts["state"] != "finished":
        batches = LABELS.get(cell.system, TrainingBatches)
        stopped_by = train(run, dataset, QuickEvaluator(run, dataset), batches=batches)
        if stopped_by:
            return 128 + stopped_by
    started = time.monotonic()
    evaluation = evaluate_run(run, dataset)
    facts = {
        "cell": cell.name,
        "system": cell.system,
        "seed": cell.seed,
        "factor": cell.factor,
        "command": command,
        "config_hash": digest,
        "dataset_hash": dataset.hash,
        **{key: run.facts[key] for key in ("versions", "revision", "machine", "devices", "steps", "seconds")},
        "evaluation_seconds": round(time.monotonic() - started, 1),
        "weights": sum(int(np.prod(variable.shape)) for variable in run.build_model().autoencoder_variables),
        "evaluation": plain(evaluation),
    }
    write_text(_file(cell, options), json.dumps(facts, indent=1) + "\n", RunError)
    return 0


if __name__ == "__main__":
    sys.exit(main())
