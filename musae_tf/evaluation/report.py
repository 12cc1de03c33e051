"""`musae evaluate`: what a trained run is worth on songs of the test split.

RUN/evaluation/
    evaluation.json      every number, with what it was measured on
    evaluation.csv       the headlines, a line each
    songs.csv            every metric song by song, for paired comparisons
    index.html           tables, maps, pictures and sound on one page
    reconstructions.png  four phrases beside their reconstructions
    curves.png           the run's curves over training
RUN/attributes.npz       attribute vectors

The quick evaluation measures a part of it in seconds, with the same code and the same keys, and writes neither
songs.csv nor the page.
"""

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate
from threadpoolctl import threadpool_limits

from musae_tf.data import Dataset
from musae_tf.errors import RunError
from musae_tf.evaluation.compare import (
    FOLDER,
    FORMAT,
    Comparison,
    check_comparable,
    compare,
    read_evaluation,
    read_per_song,
)
from musae_tf.evaluation.context import EvaluationContext
from musae_tf.evaluation.figures import write_curves
from musae_tf.evaluation.genre import measure_genre_classifier, measure_genre_probe
from musae_tf.evaluation.headlines import HEADLINES, headlines, references
from musae_tf.evaluation.held_out import SEED
from musae_tf.evaluation.interpolation import measure_interpolation
from musae_tf.evaluation.latent_order import measure_attributes, measure_order
from musae_tf.evaluation.originality import measure_originality
from musae_tf.evaluation.prior_match import measure_prior
from musae_tf.evaluation.quick import reconstruction_picture
from musae_tf.evaluation.realism import measure_realism
from musae_tf.evaluation.reconstruction import measure_reconstruction
from musae_tf.evaluation.report_page import evaluation_page
from musae_tf.evaluation.statistics import STATISTICS, measure_generation, measure_samples
from musae_tf.evaluation.transfer import measure_transfer
from musae_tf.evaluation.verdict import verdict, verdict_text
from musae_tf.files import atomic_path, write_text
from musae_tf.music import Layout
from musae_tf.progress import progress
from musae_tf.training import Run, read_log

# Families that only the full evaluation has, in the order in which they are measured.
_FULL = (
    ("realism", measure_realism),
    ("genre_probe", measure_genre_probe),
    ("genre_classifier", measure_genre_classifier),
    ("generation", measure_generation),
    ("originality", measure_originality),
    ("transfer", measure_transfer),
    ("interpolation", measure_interpolation),
    ("latent_order", measure_order),
    ("attributes", measure_attributes),
)


def evaluate_run(
    run: Run,
    dataset: Dataset,
    log: Callable[[str], None] = print,
    quick: bool = False,
    against: Sequence[Run] = (),
) -> dict[str, Any]:
    """Measure a run on held-out songs; write RUN/evaluation/ and print the tables.

    Decoding is greedy, from the posterior mean (so nothing of the target is seen while decoding) and, for samples,
    from draws of each genre's component.

    Args:
        run: the run.
        dataset: the one it was trained on.
        log: takes the tables.
        quick: reconstruction, match of the prior and statistics of samples only.
        against: runs whose full evaluations stand beside this one on its page.

    Returns:
        What evaluation.json holds.

    Raises:
        RunError: no checkpoint, another dataset than the run's, or a run of `against` that was not evaluated.
        DatasetError: the test split has no phrase.
    """
    if dataset.hash != run.facts["dataset"]["hash"]:
        raise RunError(f"{run.path} was trained on another dataset than {dataset.path}: their hashes differ")
    others = [other.path for other in against]
    compared = (
        [read_evaluation(path) for path in others],
        [read_per_song(path) for path in others],
    )
    context = EvaluationContext.of(run, dataset)
    result = {**_facts(context), "quick": quick}
    check_comparable([run.path, *others], [result, *compared[0]])
    families = () if quick else _FULL
    # The matrices of scikit-learn's fits are small: with more threads these wait for each other, ten times as long.
    with threadpool_limits(1, "blas"), progress(total=3 + len(families), title="measuring", unit="families") as bar:
        result |= measure_reconstruction(context)
        bar.update()
        result["prior_match"] = measure_prior(context)
        bar.update()
        result["samples"] = measure_samples(context)
        bar.update()
        for name, measure in families:
            found = measure(context)
            if found is not None:
                result[name] = found
            bar.update()
    result["headlines"] = headlines(result, context.per_song)
    result["references"] = references(result, context.per_song)
    curve = [line["onset_f1"] for line in read_log(run.path) if line["kind"] == "evaluation"]
    result["verdict"] = verdict(result, curve)
    shown = plain(result)
    results, per_song = compared
    comparison = compare([run.path, *others], [shown, *results], [context.per_song, *per_song])
    _write(context, shown, comparison)
    _print_tables(context, result, log)
    return result


def _facts(context: EvaluationContext) -> dict[str, Any]:
    run, held_out = context.run, context.held_out
    return {
        "format": FORMAT,
        "split": "test",
        "phrases": {name: len(held_out.of_genre(number)) for number, name in enumerate(held_out.genres)},
        "songs": len(np.unique(held_out.songs)),
        "songs_by_genre": {
            name: len(np.unique(held_out.songs[held_out.of_genre(number)]))
            for number, name in enumerate(held_out.genres)
        },
        "decoding": "greedy, from the posterior mean",
        "steps": run.facts.get("steps"),
        "dataset": run.facts["dataset"],
        "config": run.config.name,
        "seed": run.config.seed,
        "evaluation_seed": SEED,
        "versions": run.facts["versions"],
        "revision": run.facts["revision"],
        "command": run.facts["command"],
        "machine": run.facts["machine"],
    }


def _write(context: EvaluationContext, result: dict[str, Any], comparison: Comparison) -> None:
    run = context.run
    folder = run.path / FOLDER
    _write_picture(folder / "reconstructions.png", reconstruction_picture(context.held_out, context.rebuilt))
    write_curves(run.path, folder / "curves.png")
    write_text(folder / "evaluation.csv", headlines_csv({str(run.path): result}), RunError)
    if result["quick"]:
        for stale in ("songs.csv", "index.html"):  # of an earlier evaluation
            (folder / stale).unlink(missing_ok=True)
    else:
        write_text(folder / "songs.csv", context.per_song.to_csv(), RunError)
        write_text(folder / "index.html", evaluation_page(context, result, comparison), RunError)
    # Written last: where it is, everything is.
    write_text(folder / "evaluation.json", json.dumps(result, indent=1) + "\n", RunError)


def _print_tables(context: EvaluationContext, result: dict[str, Any], log: Callable[[str], None]) -> None:
    layout, folder = context.layout, context.run.path / FOLDER
    log(f"\nOn {sum(result['phrases'].values())} phrases of {result['songs']} songs that training never saw,")
    log("decoded greedily; intervals are 95 %, over songs:")
    if not result["quick"]:
        log("\n" + headline_table(result["headlines"], result["references"]))
    log("\n" + reconstruction_lines(result["reconstruction"], layout))
    log("\n" + prior_table(result["prior_match"]))
    log("\n" + statistics_table(result["samples"], layout))
    log("\n" + verdict_text(result["verdict"]))
    if result["quick"]:
        log(f"\nwritten to {folder}: evaluation.json, reconstructions.png, curves.png")
        log(f"all metrics, maps and sound: musae evaluate {context.run.path}")
    else:
        log(f"\nwritten to {folder}: index.html (open it in a browser), evaluation.json, evaluation.csv, songs.csv")


def headlines_csv(results: dict[str, dict[str, Any]]) -> str:
    """The headlines of runs as CSV: run, metric, value, low, high, and what is better."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", "metric", "value", "low", "high", "better"])
    for run, result in results.items():
        for headline in HEADLINES:
            row = result["headlines"].get(headline.key)
            if row is not None:
                numbers = (row.get(name) for name in ("value", "low", "high"))
                writer.writerow(
                    [run, headline.key, *("" if n is None else f"{n:.6g}" for n in numbers), headline.better]
                )
    return text.getvalue()


def _write_picture(path: Path, pixels: np.ndarray) -> None:
    from matplotlib.image import imsave

    with atomic_path(path, RunError) as temporary:
        imsave(temporary, pixels)


def plain(value: Any) -> Any:
    """A value as JSON holds it: arrays as lists, numbers to six places, NaN as null."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, float):
        return None if np.isnan(value) else round(value, 6)
    return value


def headline_table(rows: dict[str, dict[str, float]], references: dict[str, dict[str, float]]) -> str:
    """The numbers by which models are compared, with intervals and what to read them against."""
    lines = [["metric", "value", "95 % interval", "", "read against"]]
    for headline in HEADLINES:
        if headline.key in rows:
            row = rows[headline.key]
            limits = f"{_number(row['low'])} to {_number(row['high'])}" if "low" in row else ""
            against = [f"{what} {value:.3f}" for what, value in references.get(headline.key, {}).items()]
            lines.append([headline.title, _number(row["value"]), limits, headline.better, "; ".join(against)])
    return _table(lines, ("left", "right", "right", "left", "left"))


def reconstruction_lines(table: dict[str, dict], layout: Layout) -> str:
    """Onset F1 and accuracies, a row for each prediction, a column for each track."""
    titles = {
        "onset_f1": "onset F1 (pitch and step exact)",
        "step_accuracy": "per-step accuracy",
        "accuracy_off_hold_rest": "accuracy at onsets",
    }
    names = ["all", *layout.names]
    rows = []
    for metric, title in titles.items():
        rows.append([title, *names])
        rows += [[f"  {name}", *(_number(values[metric][track]) for track in names)] for name, values in table.items()]
    return _aligned(rows)


def prior_table(match: dict[str, Any]) -> str:
    """Two-sample accuracy of each genre."""
    accuracies = match["two_sample_accuracy"]
    head = ["posterior or prior? (two-sample accuracy)", *accuracies, "mean", "chance"]
    measured = [value for value in accuracies.values() if not np.isnan(value)]
    mean = float(np.mean(measured)) if measured else float("nan")
    return _aligned(
        [head, ["  classifier on unseen songs", *map(_number, accuracies.values()), _number(mean), "0.500"]]
    )


def statistics_table(samples: dict[str, Any], layout: Layout) -> str:
    """Share of samples within the 5th to 95th percentile of real phrases, by genre, statistic and track."""
    rows = [[f"samples within the 5th to 95th percentile ({samples['count']} a genre)", *layout.lines.names, "", ""]]
    for genre, shares in samples["within_5_95"].items():
        for number, statistic in enumerate(STATISTICS):
            name = statistic.replace("_", " ")
            rows.append([f"  {genre}, {name}", *(_number(value) for value in shares["each"][:, number]), "", ""])
        rows.append([f"  {genre}, all at once", *[""] * (len(layout.lines.names) - 1), _number(shares["all"]),
                     "real music:", _number(shares["real_all"])])  # fmt: skip
    return _aligned(rows)


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table whose numbers end below each other."""
    return _table(rows, ("left", *["right"] * (len(rows[0]) - 1)))


def _table(rows: Sequence[Sequence[str]], sides: Sequence[str]) -> str:
    return tabulate(rows, tablefmt="plain", colalign=sides, disable_numparse=True, preserve_whitespace=True)
