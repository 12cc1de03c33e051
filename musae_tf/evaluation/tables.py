"""The tables that `musae evaluate` prints."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from musae_tf.evaluation.headline import HEADLINES
from musae_tf.evaluation.statistics import STATISTICS
from musae_tf.music import Layout


def headline_table(rows: dict[str, dict[str, float]], references: dict[str, dict[str, float]]) -> str:
    """The numbers by which models are compared, with intervals and what to read them against."""
    lines = [["metric", "value", "95 % interval", "", "read against"]]
    for headline in HEADLINES:
        if headline.key in rows:
            row = rows[headline.key]
            limits = f"{_number(row['low'])} to {_number(row['high'])}" if "low" in row else ""
            against = [f"{what} {value:.3f}" for what, value in references.get(headline.key, {}).items()]
            lines.append([headline.title, _number(row["value"]), limits, headline.better, "  " + "; ".join(against)])
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(line[c].rjust(widths[c]) for c in (1, 2)), line[3].ljust(widths[3]),
                   line[4].strip()]).rstrip()
        for line in lines
    )  # fmt: skip


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
    rows = [[f"samples within the 5th to 95th percentile ({samples['count']} a genre)", *layout.names, "", ""]]
    for genre, shares in samples["within_5_95"].items():
        for number, statistic in enumerate(STATISTICS):
            name = statistic.replace("_", " ")
            rows.append([f"  {genre}, {name}", *(_number(value) for value in shares["each"][:, number]), "", ""])
        rows.append([f"  {genre}, all at once", *[""] * (len(layout.names) - 1), _number(shares["all"]),
                     "real music:", _number(shares["real_all"])])  # fmt: skip
    return _aligned(rows)


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in rows
    )
