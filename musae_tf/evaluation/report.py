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
from typing import Any

import numpy as np

from musae_tf.data import Dataset
from musae_tf.errors import RunError
from musae_tf.evaluation.compare import FOLDER, FORMAT, Comparison, check_comparable, compare, read_evaluation
from musae_tf.evaluation.curves import write_curves
from musae_tf.evaluation.headline import HEADLINES, headlines, references
from musae_tf.evaluation.ledger import Ledger
from musae_tf.evaluation.measure_codes import measure_attributes, measure_order, measure_prior, measure_probe
from musae_tf.evaluation.measure_music import (
    measure_generation,
    measure_interpolation,
    measure_originality,
    measure_reconstruction,
    measure_samples,
    measure_transfer,
)
from musae_tf.evaluation.page import evaluation_page
from musae_tf.evaluation.quick import reconstruction_picture
from musae_tf.evaluation.subject import SEED, Subject
from musae_tf.evaluation.tables import headline_table, prior_table, reconstruction_lines, statistics_table
from musae_tf.files import atomic_path, write_text
from musae_tf.progress import progress
from musae_tf.training import Run

# Families that only the full evaluation has, in the order in which they are measured.
_FULL = (
    ("genre_probe", measure_probe),
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
    say: Callable[[str], None] = print,
    quick: bool = False,
    against: Sequence[Run] = (),
) -> dict[str, Any]:
    """Measure a run on held-out songs; write RUN/evaluation/ and tell the tables.

    Decoding is greedy, from the posterior mean (so nothing of the target is seen while decoding) and, for samples,
    from draws of each genre's component.

    Args:
        run: the run.
        dataset: the one it was trained on.
        say: takes the tables.
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
    compared = [read_evaluation(path) for path in others], [Ledger.read(path / FOLDER / "songs.csv") for path in others]
    subject = Subject.of(run, dataset)
    result = {**_facts(subject), "quick": quick}
    check_comparable([run.path, *others], [result, *compared[0]])
    families = () if quick else _FULL
    with progress(total=3 + len(families), title="measuring", unit="families") as bar:
        result |= measure_reconstruction(subject)
        bar.update()
        result["prior_match"] = measure_prior(subject)
        bar.update()
        result["samples"] = measure_samples(subject)
        bar.update()
        for name, measure in families:
            found = measure(subject)
            if found is not None:
                result[name] = found
            bar.update()
    result["headlines"] = headlines(result, subject.ledger)
    result["references"] = references(result, subject.ledger)
    shown = plain(result)
    results, ledgers = compared
    comparison = compare([run.path, *others], [shown, *results], [subject.ledger, *ledgers])
    _write(subject, shown, comparison)
    _tell(subject, result, say)
    return result


def _facts(subject: Subject) -> dict[str, Any]:
    run, held_out = subject.run, subject.held_out
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


def _write(subject: Subject, result: dict[str, Any], comparison: Comparison) -> None:
    run = subject.run
    folder = run.path / FOLDER
    _write_picture(folder / "reconstructions.png", reconstruction_picture(subject.held_out, subject.rebuilt))
    write_curves(run.path, folder / "curves.png")
    write_text(folder / "evaluation.csv", headlines_csv({str(run.path): result}), RunError)
    if result["quick"]:
        for stale in ("songs.csv", "index.html"):  # of an earlier evaluation
            (folder / stale).unlink(missing_ok=True)
    else:
        write_text(folder / "songs.csv", subject.ledger.to_csv(), RunError)
        write_text(folder / "index.html", evaluation_page(subject, result, comparison), RunError)
    # Written last: where it is, everything is.
    write_text(folder / "evaluation.json", json.dumps(result, indent=1) + "\n", RunError)


def _tell(subject: Subject, result: dict[str, Any], say: Callable[[str], None]) -> None:
    layout, folder = subject.layout, subject.run.path / FOLDER
    say(f"\nOn {sum(result['phrases'].values())} phrases of {result['songs']} songs that training never saw,")
    say("decoded greedily; intervals are 95 %, over songs:")
    if not result["quick"]:
        say("\n" + headline_table(result["headlines"], result["references"]))
    say("\n" + reconstruction_lines(result["reconstruction"], layout))
    say("\n" + prior_table(result["prior_match"]))
    say("\n" + statistics_table(result["samples"], layout))
    if result["quick"]:
        say(f"\nwritten to {folder}: evaluation.json, reconstructions.png, curves.png")
        say(f"all metrics, maps and sound: musae evaluate {subject.run.path}")
    else:
        say(f"\nwritten to {folder}: index.html (open it in a browser), evaluation.json, evaluation.csv, songs.csv")


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


def _write_picture(path, pixels: np.ndarray) -> None:
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
