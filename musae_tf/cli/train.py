"""`musae train`: start a run or go on with one; `musae configs`: what there is to train."""

import datetime
import os
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from musae_tf.cli.parser import Commands, add_json, command, integer
from musae_tf.cli.shared import (
    RUNS,
    dataset_of,
    evaluate_and_print,
    find_run,
    load_tensorflow,
    open_dataset,
    print_next,
)
from musae_tf.errors import ConfigError, DatasetError
from musae_tf.files import check_new_run

if TYPE_CHECKING:
    from musae_tf.config import Config
    from musae_tf.data import Dataset
    from musae_tf.training import Place, Run


def add_train(commands: Commands) -> None:
    """Add `musae train`."""
    summary = "train a model, or go on with a run that was stopped"
    example = "musae train voices --set model.latent=64 --set training.steps=500"
    parser = command(commands, "train", train, summary, example, "training had not begun")
    parser.add_argument(
        "config", nargs="?", metavar="CONFIG", help="a preset, see musae configs, or a YAML file of yours"
    )
    change = "change one key, for instance model.latent=64; may be repeated"
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help=change)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--run", metavar="DIR", help="run folder to make (default: runs/<name>-<date>-<time>)")
    go_on = "go on with this run, from its newest checkpoint (default: a new run)"
    where.add_argument("--resume", metavar="RUN", help=go_on)
    processes = "worker processes of this machine; when one dies, all are started again (default: this one)"
    parser.add_argument("--workers", type=integer(1), metavar="N", help=processes)
    times = "with --workers, how often without a new checkpoint in between (default: 3)"
    parser.add_argument("--restarts", type=integer(0), default=3, metavar="N", help=times)
    parser.add_argument("--no-evaluate", action="store_false", dest="evaluate", help="no evaluation at the end")
    add_json(parser)


def add_configs(commands: Commands) -> None:
    """Add `musae configs`."""
    summary = "list the configurations that come with musae-tf, or print one"
    parser = command(commands, "configs", configs, summary, "musae configs voices > mine.yaml", "nothing was printed")
    parser.add_argument("config", nargs="?", metavar="CONFIG", help="print this one (default: list all)")
    add_json(parser)


def configs(arguments: Namespace) -> None:
    """`musae configs [CONFIG]`."""
    from musae_tf.config import find_config, presets

    if arguments.config is not None:
        text = find_config(arguments.config).read_text(encoding="utf-8")
        arguments.report = {"config": arguments.config, "text": text}
        print(text, end="")
        return
    arguments.report = presets()
    width = max(map(len, arguments.report)) + 2
    for name, what in arguments.report.items():
        print(f"{name:<{width}}{what}")
    print_next(
        (("train", "voices"), "train one of them"), (("configs", "base"), "every key, its default and what it means")
    )


def train(arguments: Namespace) -> int:
    """`musae train CONFIG` and `musae train --resume RUN`. Returns the exit code."""
    if arguments.workers:
        return _supervise(arguments)
    run, dataset, place = _resume(arguments) if arguments.resume else _start(arguments)
    from musae_tf.evaluation import QuickEvaluator
    from musae_tf.training import train as fit

    again = f"musae train --resume {run.path}"
    arguments.stopped = f"go on with {again}"
    if run.facts["state"] == "finished":
        if place.is_chief:
            print(f"{run.path} is finished: {run.facts['steps']} steps are done")
    else:
        # Flushed, so that a log file shows what a terminal would.
        stopped_by = fit(run, dataset, QuickEvaluator(run, dataset), partial(print, flush=True))
        arguments.report = _report(run)
        if stopped_by:
            if place.is_chief:
                print(f"stopped after a checkpoint at step {run.facts['steps']}; go on with {again}")
            return 128 + stopped_by
    arguments.report = _report(run)
    if not place.is_chief:
        return 0
    if arguments.evaluate:
        arguments.stopped = f"the model is trained; evaluate it with musae evaluate {run.path}"
        arguments.report["evaluation"] = evaluate_and_print(run, dataset)
    print_next(
        (("sample", run.path, "--wav"), "a new piece of every genre"),
        (("reconstruct", run.path, "SONG.mid"), "what the model keeps of a piece"),
        (("transfer", run.path, "SONG.mid", "--to", run.genres[0]), "a piece moved to another genre"),
        (("interpolate", run.path, "START.mid", "END.mid"), "the pieces on the way from one to another"),
        (("export", run.path), "publish the model for a server"),
    )
    return 0


def _report(run: "Run") -> dict:
    return {"run": str(run.path), **{key: run.facts.get(key) for key in ("state", "steps", "seconds")}}


def _start(arguments: Namespace) -> tuple["Run", "Dataset", "Place"]:
    config = _read_config(arguments)
    dataset = open_dataset(config.data.path, config.music.layout, config.music.grid)
    _check_fit(config, dataset, arguments.config)
    path = Path(arguments.run or _new_folder(config))
    if not os.environ.get("TF_CONFIG"):  # of a job with several workers one makes the folder, and all go on with it
        check_new_run(path)
    load_tensorflow()
    from musae_tf.training import Place, Run

    place = Place.from_environment()
    if place.workers > 1:
        if not arguments.run:
            raise ConfigError("TF_CONFIG names several workers: name the run folder that they share (--run DIR)")
        run = Run.join(arguments.run, config, dataset, place)
    else:
        run = Run.create(path, config, dataset)
    if place.is_chief:
        print(f"run folder: {run.path}")
    return run, dataset, place


def _resume(arguments: Namespace) -> tuple["Run", "Dataset", "Place"]:
    path = _run_to_resume(arguments)
    dataset = dataset_of(path)
    load_tensorflow()
    from musae_tf.training import Place, Run

    return Run.open(path), dataset, Place.from_environment()


def _supervise(arguments: Namespace) -> int:
    from musae_tf.cli.workers import check_workers, supervise

    check_workers(arguments.workers)
    if arguments.resume:
        path = _run_to_resume(arguments)
        dataset_of(path)
        line = ["--resume", str(path)]
    else:
        config = _read_config(arguments)
        path = Path(arguments.run or _new_folder(config))
        _check_fit(config, open_dataset(config.data.path, config.music.layout, config.music.grid), arguments.config)
        if not (path / "run.json").exists():
            check_new_run(path)
        changes = [part for change in arguments.overrides for part in ("--set", change)]
        line = [arguments.config, *changes, "--run", str(path)]
    arguments.stopped = f"go on with musae train --resume {path} --workers {arguments.workers}"
    arguments.report = {"run": str(path), "workers": arguments.workers}
    quiet = [] if arguments.evaluate else ["--no-evaluate"]
    return supervise(["train", *line, *quiet], path, arguments.workers, arguments.restarts)


def _read_config(arguments: Namespace) -> "Config":
    if not arguments.config:
        raise ConfigError("name a configuration (see musae configs) or go on with a run (--resume RUN)")
    from musae_tf.config import load_config

    return load_config(arguments.config, arguments.overrides)


def _run_to_resume(arguments: Namespace) -> Path:
    if arguments.config or arguments.overrides:
        raise ConfigError(f"--resume goes on with the configuration in {arguments.resume}; leave out CONFIG and --set")
    return find_run(arguments.resume)


def _new_folder(config: "Config") -> Path:
    return RUNS / f"{config.name}-{datetime.datetime.now().strftime('%Y%m%d-%H%M%S')}"


def _check_fit(config: "Config", dataset: "Dataset", origin: str) -> None:
    from musae_tf.music import get_layout

    layout = get_layout(config.music.layout, config.music.drums, grid=config.music.grid)
    built = dataset.layout
    if (layout.name, layout.vocabulary_sizes) != (built.name, built.vocabulary_sizes):
        raise ConfigError(
            f"{origin}: music.layout is {layout.name!r} with {layout.vocabulary_sizes} symbols a column, but "
            f"{dataset.path} was built for {built.name!r} with {built.vocabulary_sizes}; change music.layout and "
            "music.drums, or build the dataset with --layout and --drums"
        )
    if layout.time != built.time:
        raise ConfigError(
            f"{origin}: music.grid is {layout.time.name}, but {dataset.path} was built on {built.time.name}; change "
            "music.grid, or build the dataset with --grid"
        )
    if lack := dataset.lacks(config.music.bars, config.data.sounding):
        hint = "; data.sounding=any asks for one track only" if config.data.sounding == "all" else ""
        raise DatasetError(f"{lack}{hint}")
