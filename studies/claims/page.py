"""Build the table and the page of the study from its cells: claims.json, claims.csv and index.html.

python studies/claims/page.py
"""

import argparse
import base64
import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from musae_tf.errors import MusaeError, RunError
from musae_tf.files import write_text

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from studies.claims.cells import SYSTEMS  # noqa: E402
from studies.claims.table import COLUMNS, Column, Entry, bars, classifier_on_real_phrases, read, tabulate, tried  # noqa: E402

FOLDER = Path(__file__).parent


def main(arguments: list[str] | None = None) -> int:
    """Build everything below --results."""
    parser = argparse.ArgumentParser(description="Build the table and the page of the study of the paper's claims.")
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "claims", help="default: results/claims")
    folder = parser.parse_args(arguments).results
    try:
        found = read(folder)
        table = tabulate(found)
        write_text(folder / "claims.json", json.dumps(as_json(found, table), indent=1) + "\n", RunError)
        write_text(folder / "claims.csv", as_csv(found), RunError)
        write_text(folder / "index.html", page(found, table, tried(folder)), RunError)
    except MusaeError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    print(f"{len(found)} cells; written to {folder}: claims.json, claims.csv, index.html")
    return 0


def as_json(found: list[dict[str, Any]], table: dict[str, dict[Column, Entry]]) -> dict[str, Any]:
    """The table, and what made each of its cells."""
    facts = ("command", "config_hash", "dataset_hash", "seed", "versions", "revision", "machine")
    return {
        "bars": [{**bar._asdict(), "met": bar.met} for bar in bars(table)],
        "classifier_on_real_phrases": classifier_on_real_phrases(found),
        "table": {system: {c.key: entry._asdict() for c, entry in row.items()} for system, row in table.items()},
        "cells": {cell["cell"]: {key: cell[key] for key in facts} for cell in found},
    }


def as_csv(found: list[dict[str, Any]]) -> str:
    """A line for each cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["cell", "system", "seed", "factor", "seconds", "weights", *(column.key for column in COLUMNS)])
    for cell in found:
        facts = [cell[key] for key in ("cell", "system", "seed", "factor", "seconds", "weights")]
        writer.writerow([*facts, *(column.value(cell) for column in COLUMNS)])
    return text.getvalue()


def page(
    found: list[dict[str, Any]], table: dict[str, dict[Column, Entry]], given_up: dict[str, dict[str, Any]]
) -> str:
    """One HTML file that needs no other: page.html, filled in."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html").render(
        found=found,
        first=found[0],
        columns=COLUMNS,
        table=table,
        bars=bars(table),
        real=classifier_on_real_phrases(found),
        findings=(FOLDER / "findings.md").read_text("utf-8").strip().split("\n\n"),
        tried=given_up,
        frontier=base64.b64encode(frontier(found)).decode("ascii"),
    )


def frontier(found: list[dict[str, Any]]) -> bytes:
    """Onset F1 over two-sample AUC, a line for each system of which several weights were trained: a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    by_key = {column.key: column for column in COLUMNS}
    seed = min(cell["seed"] for cell in found)
    for system in SYSTEMS:
        points = sorted((c for c in found if (c["system"], c["seed"]) == (system, seed)), key=lambda c: c["factor"])
        x, y = (
            [np.nan if (value := by_key[key].value(c)) is None else value for c in points]
            for key in ("two_sample_auc", "onset_f1")
        )
        if points:
            axes.plot(x, y, marker="o", label=system)
        if len(points) > 1:
            for cell, *place in zip(points, x, y, strict=True):
                axes.annotate(f"x {cell['factor']:g}", place, textcoords="offset points", xytext=(4, 4), fontsize=8)
    axes.set_xlabel("codes told from the prior, AUC (0.5: not at all)")
    axes.set_ylabel("onset F1 of reconstructions")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    picture = io.BytesIO()
    figure.savefig(picture, dpi=110)
    return picture.getvalue()


if __name__ == "__main__":
    sys.exit(main())
