"""`musae evaluate`: measure trained models."""

from argparse import Namespace

from musae_tf.commands.quiet import load_tensorflow
from musae_tf.commands.runs import evaluate_and_print, find_run, open_dataset, print_next
from musae_tf.errors import RunError


def evaluate(arguments: Namespace) -> None:
    """`musae evaluate RUN... [--against RUN...]`."""
    if arguments.quick and arguments.against:
        raise RunError("--quick measures too little to be held --against another run: leave one of them out")
    paths = [find_run(path) for path in arguments.runs or [None]]
    others = [find_run(path) for path in arguments.against]
    load_tensorflow()
    from musae_tf.training import Run

    against = [Run.open(path) for path in others]
    for path in paths:
        run = Run.open(path)
        dataset = open_dataset(arguments.dataset or run.facts["dataset"]["path"])
        evaluate_and_print(run, dataset, arguments.quick, against)
    if len(paths) > 1 and not arguments.quick:
        print_next((f"compare {' '.join(map(str, paths))}", "these runs side by side"))
    else:
        print_next((f"sample {paths[0]} --wav", "a new piece of every genre"))
