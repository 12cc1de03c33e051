"""`musae evaluate`: measure trained models."""

import shutil
from argparse import Namespace
from pathlib import Path

from musae_tf.commands.quiet import load_tensorflow
from musae_tf.commands.runs import RUNS, evaluate_and_print, find_run, open_dataset, print_next
from musae_tf.errors import RunError


def evaluate(arguments: Namespace) -> None:
    """`musae evaluate RUN... [--against RUN...]`."""
    if arguments.quick and arguments.against:
        raise RunError("--quick measures too little to be held --against another run: leave one of them out")
    paths = [_pretrained(arguments)] if arguments.pretrained else [find_run(path) for path in arguments.runs or [None]]
    others = [find_run(path) for path in arguments.against]
    load_tensorflow()
    from musae_tf.training import Run

    against = [Run.open(path) for path in others]
    arguments.report = {"runs": []}
    for path in paths:
        run = Run.open(path)
        dataset = open_dataset(arguments.dataset or run.facts["dataset"]["path"])
        arguments.report["runs"].append(evaluate_and_print(run, dataset, arguments.quick, against))
    if arguments.pretrained:
        print_next(("sample --pretrained --wav", "a new piece of every genre"))
    elif len(paths) > 1 and not arguments.quick:
        print_next((f"compare {' '.join(map(str, paths))}", "these runs side by side"))
    else:
        print_next((f"sample {paths[0]} --wav", "a new piece of every genre"))


def _pretrained(arguments: Namespace) -> Path:
    """A copy of the pretrained model: an evaluation writes into the run folder."""
    source = find_run(arguments.runs[0] if arguments.runs else None, True)
    folder = RUNS / "pretrained" / source.name
    if not folder.is_dir():
        shutil.copytree(source, folder)
    print(f"using {folder}, a copy of the pretrained model")
    return folder
