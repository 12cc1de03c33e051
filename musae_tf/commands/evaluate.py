"""`musae evaluate`: measure a trained model."""

from argparse import Namespace

from musae_tf.commands.quiet import load_tensorflow
from musae_tf.commands.runs import evaluate_and_print, find_run, open_dataset, print_next


def evaluate(arguments: Namespace) -> None:
    """`musae evaluate RUN`."""
    path = find_run(arguments.run)
    load_tensorflow()
    from musae_tf.training import Run

    run = Run.open(path)
    dataset = open_dataset(arguments.dataset or run.facts["dataset"]["path"])
    evaluate_and_print(run, dataset)
    print_next((f"sample {path} --wav", "a new piece of every genre"))
