"""Several evaluations side by side: `musae compare`, and the first table of a page."""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from musae_tf.errors import RunError
from musae_tf.evaluation.headlines import HEADLINES, Headline
from musae_tf.evaluation.per_song import Difference, PerSongMetrics
from musae_tf.renamed import renew_json

FOLDER = "evaluation"
FORMAT = 2


@dataclass(frozen=True)
class Comparison:
    """Headlines of runs that were measured on the same phrases.

    Attributes:
        runs: names of the runs, each once.
        results: what their evaluation.json hold.
        differences: by headline and number of the run: how much larger its value is than the first run's, with both
            resampled over the same songs. Headlines without interval have none.
    """

    runs: tuple[str, ...]
    results: tuple[dict[str, Any], ...]
    differences: dict[tuple[str, int], Difference]

    def cells(self, headline: Headline) -> list[dict[str, float] | None]:
        """Value and limits of each run; None where it was not measured."""
        return [result["headlines"].get(headline.key) for result in self.results]

    def best(self, headline: Headline) -> set[int]:
        """Numbers of the runs with the best value, as it is shown."""
        values = {i: round(cell["value"], 3) for i, cell in enumerate(self.cells(headline)) if cell is not None}
        if not values:
            return set()
        wanted = max(values.values()) if headline.better == "higher" else min(values.values())
        return {index for index, value in values.items() if value == wanted}


def compare(runs: list[Path], results: list[dict[str, Any]], per_song: list[PerSongMetrics]) -> Comparison:
    """Compare the first run with the others.

    Args:
        runs: their folders.
        results: what their evaluation.json hold.
        per_song: what their songs.csv hold.

    Raises:
        RunError: measured on different datasets, or one run named twice.
    """
    check_comparable(runs, results)
    differences = {}
    for number in range(1, len(runs)):
        for headline in HEADLINES:
            ours, theirs = (per_song[index].ratio(headline.metric, headline.part) for index in (number, 0))
            if ours is not None and theirs is not None:
                differences[headline.key, number] = ours.minus(theirs)
    names = [path.name for path in runs]
    labels = [path.name if names.count(path.name) == 1 else str(path) for path in runs]
    return Comparison(tuple(labels), tuple(results), differences)


def check_comparable(runs: list[Path], results: list[dict[str, Any]]) -> None:
    """Whether runs can stand side by side; of the results only "dataset" and "phrases" are looked at.

    Raises:
        RunError: measured on different datasets or phrases, or one run named twice.
    """
    if len({path.resolve() for path in runs}) < len(runs):
        raise RunError("one run is named twice")
    first, *others = results
    for path, other in zip(runs[1:], others, strict=True):
        if other["dataset"]["hash"] != first["dataset"]["hash"] or other["phrases"] != first["phrases"]:
            raise RunError(f"{runs[0]} and {path} were not measured on the same phrases: they cannot be compared")


def compare_folders(runs: list[Path]) -> Comparison:
    """`compare` runs by what `musae evaluate` wrote.

    Raises:
        RunError: see `read_evaluation` and `compare`.
    """
    return compare(runs, [read_evaluation(path) for path in runs], [read_per_song(path) for path in runs])


def read_evaluation(run: Path) -> dict[str, Any]:
    """The full evaluation of a run, as evaluation.json holds it.

    Raises:
        RunError: there is none, it is damaged, it is only the quick one, or training went on after it.
    """
    path = run / FOLDER / "evaluation.json"
    again = f"measure it with musae evaluate {run}"
    try:
        result = renew_json(json.loads(path.read_text(encoding="utf-8")), path.name)
        steps = json.loads((run / "run.json").read_text(encoding="utf-8")).get("steps")
    except FileNotFoundError:
        raise RunError(f"{run} was not evaluated: {again}") from None
    except (OSError, ValueError, AttributeError) as cause:
        raise RunError(f"{path} is damaged ({cause}): {again}") from cause
    if not isinstance(result, dict) or result.get("format") != FORMAT or result.get("quick"):
        raise RunError(f"{run} has no full evaluation of this version: {again}")
    if result["steps"] != steps:
        raise RunError(f"{run} was trained further after it was evaluated: {again}")
    return result


def read_per_song(run: Path) -> PerSongMetrics:
    """The metrics of a run song by song.

    Raises:
        RunError: see `PerSongMetrics.read`.
    """
    return PerSongMetrics.read(run / FOLDER / "songs.csv")


def comparison_csv(comparison: Comparison) -> str:
    """One line for each metric and run: value, limits, difference to the first run, its limits and p."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["metric", "run", "value", "low", "high", "better", "difference", "difference_low", "difference_high", "p"]
    )
    for headline in HEADLINES:
        for number, (run, cell) in enumerate(zip(comparison.runs, comparison.cells(headline), strict=True)):
            if cell is not None:
                found = comparison.differences.get((headline.key, number))
                numbers = [cell.get(name) for name in ("value", "low", "high")]
                shown = [*map(_short, numbers), headline.better, *map(_short, found or [None] * 4)]
                writer.writerow([headline.key, run, *shown])
    return text.getvalue()


def comparison_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """One row for each metric that was measured: key, title, what is better, each run's numbers, for JSON.

    A run's numbers are `value` and, with an interval, `low` and `high`; all but the first run's have `difference`.
    """
    rows = []
    for headline in HEADLINES:
        runs = {}
        for number, (run, cell) in enumerate(zip(comparison.runs, comparison.cells(headline), strict=True)):
            if cell is not None:
                found = comparison.differences.get((headline.key, number))
                runs[run] = cell | ({"difference": found._asdict()} if found else {})
        if runs:
            rows.append({"key": headline.key, "title": headline.title, "better": headline.better, "runs": runs})
    return rows


def comparison_table(comparison: Comparison) -> str:
    """For the screen: a row for each metric, a column for each run, the best marked with <."""
    rows = [["metric", *comparison.runs]]
    for headline in HEADLINES:
        cells = comparison.cells(headline)
        if not any(cells):
            continue
        best = comparison.best(headline)
        row = [headline.title]
        for number, cell in enumerate(cells):
            text = "-" if cell is None else f"{cell['value']:.3f}"
            found = comparison.differences.get((headline.key, number))
            if found is not None:
                sure = "*" if found.low > 0 or found.high < 0 else ""
                text += f" ({found.value:+.3f}{sure})"
            row.append(text + (" <" if number in best else ""))
        rows.append(row)
    return tabulate(rows, tablefmt="plain", disable_numparse=True)


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
