"""`musae evaluate` and `compare`: measure trained models, and put them side by side."""

import shutil
from argparse import Namespace
from pathlib import Path

from musae_tf.cli.parser import Commands, add_json, command
from musae_tf.cli.shared import (
    RUNS,
    add_dataset,
    add_pretrained,
    dataset_of,
    evaluate_and_print,
    find_run,
    load_tensorflow,
    print_next,
)
from musae_tf.errors import RunError
from musae_tf.files import check_place, write_text


def add_evaluate(commands: Commands) -> None:
    """Add `musae evaluate`."""
    summary = "measure trained models on held-out songs"
    parser = command(commands, "evaluate", evaluate, summary, "musae evaluate runs/NAME --quick")
    parser.add_argument("runs", nargs="*", metavar="RUN", help="run folders (default: the newest in ./runs)")
    add_pretrained(parser)
    beside = "evaluated runs to stand beside it on its page (default: none)"
    parser.add_argument("--against", nargs="+", action="extend", default=[], metavar="RUN", help=beside)
    parser.add_argument("--quick", action="store_true", help="reconstruction, prior and statistics only: seconds")
    add_dataset(parser)
    add_json(parser)


def evaluate(arguments: Namespace) -> None:
    """`musae evaluate RUN... [--against RUN...]`."""
    if arguments.quick and arguments.against:
        raise RunError("--quick measures too little to be held --against another run: leave one of them out")
    paths = [_pretrained(arguments)] if arguments.pretrained else [find_run(path) for path in arguments.runs or [None]]
    others = [find_run(path) for path in arguments.against]
    datasets = [dataset_of(path, arguments.dataset) for path in paths]
    load_tensorflow()
    from musae_tf.training import Run

    against = [Run.open(path) for path in others]
    arguments.report = {"runs": []}
    for path, dataset in zip(paths, datasets, strict=True):
        run = Run.open(path)
        arguments.report["runs"].append(evaluate_and_print(run, dataset, arguments.quick, against))
    if arguments.pretrained:
        print_next((("sample", "--pretrained", "--wav"), "a new piece of every genre"))
    elif len(paths) > 1 and not arguments.quick:
        print_next((("compare", *paths), "these runs side by side"))
    else:
        print_next((("sample", paths[0], "--wav"), "a new piece of every genre"))


def _pretrained(arguments: Namespace) -> Path:
    """A copy of the pretrained model: an evaluation writes into the run folder."""
    source = find_run(arguments.runs[0] if arguments.runs else None, True)
    folder = RUNS / "pretrained" / source.name
    if not folder.is_dir():
        shutil.copytree(source, folder)
    print(f"using {folder}, a copy of the pretrained model")
    return folder


def add_compare(commands: Commands) -> None:
    """Add `musae compare`."""
    summary = "put evaluated runs side by side"
    parser = command(commands, "compare", compare, summary, "musae compare runs/ONE runs/OTHER")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders; differences are to the first")
    parser.add_argument("--out", metavar="FILE.csv", help="write the table with intervals as well (default: not)")
    add_json(parser)


def compare(arguments: Namespace) -> None:
    """`musae compare RUN RUN...`."""
    paths = [find_run(path) for path in arguments.runs]
    if len(paths) < 2:
        raise RunError(f"{paths[0]} is only one run: name two or more")
    if arguments.out:
        check_place(arguments.out, False, RunError)
        if Path(arguments.out).exists() and Path(arguments.out).suffix.lower() != ".csv":
            raise RunError(f"--out {arguments.out} exists and is no .csv file: it is not written over")
    from musae_tf.evaluation import compare_folders, comparison_csv, comparison_rows, comparison_table

    comparison = compare_folders(paths)
    arguments.report = {"metrics": comparison_rows(comparison)}
    print(comparison_table(comparison))
    print(
        f"\nin brackets: difference to {comparison.runs[0]}; * its 95 % interval, over songs resampled together, "
        "does not hold 0; < best"
    )
    if arguments.out:
        write_text(Path(arguments.out), comparison_csv(comparison), RunError)
        print(f"written to {arguments.out}")
