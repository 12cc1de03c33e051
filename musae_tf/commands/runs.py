"""Run folders and the words that commands share."""

import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from musae_tf.commands.quiet import load_tensorflow
from musae_tf.data import Dataset
from musae_tf.errors import DatasetError, RunError
from musae_tf.pretrained import pretrained_run

if TYPE_CHECKING:
    from musae_tf.training import Run

RUNS = Path("runs")
"""Where `musae train` makes run folders and other commands look for the newest."""


def find_run(path: str | None, pretrained: bool = False) -> Path:
    """The run folder that was named, or the one of the pretrained model, or the newest of ./runs.

    Raises:
        RunError: not a run folder, or none there.
    """
    if pretrained:
        if path is not None:
            raise RunError(f"{path} and --pretrained were given: name one model")
        return pretrained_run()
    if path is not None:
        if not (Path(path) / "run.json").is_file():
            raise RunError(f"{path} is not a run folder: it has no run.json (musae train makes one)")
        return Path(path)
    newest = newest_run()
    if newest is None:
        raise RunError(
            f"no run in ./{RUNS}: name a run folder, train one with musae train configs/voices.yaml, "
            "or take --pretrained"
        )
    print(f"using {newest}, the newest run")
    return newest


def newest_run() -> Path | None:
    """The newest run of ./runs, if there is one."""
    runs = sorted(RUNS.glob("*/run.json"), key=lambda file: file.stat().st_mtime_ns)
    return runs[-1].parent if runs else None


def open_run(arguments: Namespace) -> "Run":
    """The run that a command is to make music with: `arguments.run` or `arguments.pretrained`.

    Raises:
        RunError: as `find_run`.
    """
    path = find_run(arguments.run, arguments.pretrained)
    load_tensorflow()
    from musae_tf.training import Run

    return Run.open(path)


def samples_folder(run: "Run", arguments: Namespace) -> Path:
    """Where pieces go if the user does not say: a cache is no place for them."""
    return Path("samples") if arguments.pretrained else run.path / "samples"


def open_dataset(path: str | os.PathLike) -> Dataset:
    """Open a dataset, or say how to make it.

    Raises:
        DatasetError: not there, or damaged.
    """
    if not Path(path).exists():
        raise DatasetError(
            f"there is no dataset {path}; make it with musae data build corpus --out {path}, "
            f"or from your own MIDI files with musae data build folder DIR --out {path}"
        )
    return Dataset.open(path)


def evaluate_and_print(run: "Run", dataset: Dataset, quick: bool = True, against: Sequence["Run"] = ()) -> dict:
    """Measure the run's model on held-out songs; tables to the screen, files to RUN/evaluation.

    Returns:
        The run, the file with everything, and its headlines, for --json.
    """
    from musae_tf.evaluation.report import evaluate_run, plain

    result = evaluate_run(run, dataset, print, quick, against)
    return {
        "run": str(run.path),
        "file": str(run.path / "evaluation" / "evaluation.json"),
        "headlines": plain(result["headlines"]),
    }


def print_next(*commands: tuple[str, str]) -> None:
    """Print what the user may want to do next: pairs of a `musae` command line and what it does."""
    called = Path(sys.argv[0])
    # Someone who called .venv/bin/musae has no `musae` on the path.
    program = str(called) if called.name == "musae" and not shutil.which("musae") else "musae"
    print("\nnext:")
    for command, purpose in commands:
        print(f"  # {purpose}\n  {program} {command}")
