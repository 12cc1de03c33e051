"""`musae compare`: evaluated runs side by side."""

from argparse import Namespace
from pathlib import Path

from musae_tf.commands.runs import find_run
from musae_tf.errors import RunError
from musae_tf.files import write_text


def compare(arguments: Namespace) -> None:
    """`musae compare RUN RUN...`."""
    paths = [find_run(path) for path in arguments.runs]
    if len(paths) < 2:
        raise RunError(f"{paths[0]} is only one run: name two or more")
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
