"""Build the table and the page of the study from its cells: claims.json, claims.csv and index.html.

python studies/claims/page.py
"""

import argparse
import base64
import csv
import html
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from musae_tf.errors import MusaeError, RunError
from musae_tf.files import write_text

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from studies.claims.cells import SYSTEMS  # noqa: E402
from studies.claims.table import COLUMNS, Column, Entry, bars, judge_on_real_phrases, read, tabulate, tried  # noqa: E402

FINDINGS = Path(__file__).parent / "findings.md"


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
        "judge_on_real_phrases": judge_on_real_phrases(found),
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
    """One HTML file that needs no other."""
    head = "".join(f"<th>{html.escape(column.title)}</th>" for column in COLUMNS)
    body = "".join(
        f"<tr><th>{html.escape(system)}</th>{''.join(_cell(entry) for entry in row.values())}</tr>"
        for system, row in table.items()
    )
    first = found[0]
    versions = ", ".join(f"{name} {version}" for name, version in first["versions"].items())
    cells = "".join(
        f"<tr><td>{html.escape(cell['cell'])}</td><td>{cell['steps']}</td><td>{cell['seconds'] / 60:.1f}</td>"
        f"<td>{cell['weights'] / 1e6:.1f}</td><td><code>{cell['config_hash'][:12]}</code></td>"
        f"<td><code>{html.escape(cell['command'])}</code></td></tr>"
        for cell in found
    )
    reached = "".join(
        f"<tr><td>{html.escape(bar.text)}</td><td>{bar.value:.3f}</td><td>{bar.least:g}</td>"
        f"<td>{'reached' if bar.met else 'missed'}</td></tr>"
        for bar in bars(table)
    )
    real = judge_on_real_phrases(found)
    judge = (
        "" if real is None else f"<p>The judge itself is right on {real:.3f} of real held-out phrases (balanced).</p>"
    )
    findings = "".join(f"<p>{html.escape(text)}</p>" for text in FINDINGS.read_text("utf-8").strip().split("\n\n"))
    numbers = {name: [_number(column.value(cell)) for column in COLUMNS] for name, cell in given_up.items()}
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{'</td><td>'.join(n)}</td></tr>" for name, n in numbers.items()
    )
    others = (
        f'<h2>Tried for musae_gm, seed 1</h2>\n<div><table class="wide"><tr><th></th>{head}</tr>{rows}</table></div>'
        if rows
        else ""
    )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>The paper's claims, measured</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #222 }}
table {{ border-collapse: collapse; margin: 1rem 0 }}
p {{ max-width: 50rem }} div {{ overflow-x: auto }}
td, th {{ border-bottom: 1px solid #ddd; padding: .3rem .6rem; text-align: right; vertical-align: top }}
td {{ white-space: nowrap }} .wide {{ font-size: .8em }}
th:first-child, td:first-child, td:last-child {{ text-align: left }}
.best {{ font-weight: 700 }} .as-good::after {{ content: " ="; color: #777 }}
code {{ font-size: .85em }} img {{ max-width: 100% }}
</style>
<h1>The paper's claims, measured</h1>
<p>Held-out test songs of dataset <code>{first["dataset_hash"][:12]}</code>; mean over the seeds, ± half the distance of
their extremes.
<b>Bold</b>: best on average. <b>=</b>: the seeds do not tell it from the best (Welch's t-test, 0.05).</p>
<div><table class="wide"><tr><th></th>{head}</tr>{body}</table></div>
<h2>What the improved system has to reach</h2>
<table><tr><th>musae_gm</th><th>measured</th><th>at least</th><th></th></tr>{reached}</table>
{judge}
{findings}
{others}
<h2>Reconstruction against prior match</h2>
<p>One seed. Each point is one weight of the term that pulls the codes to the prior, as a multiple of the table's.</p>
<img alt="onset F1 over two-sample AUC" src="data:image/png;base64,{base64.b64encode(frontier(found)).decode()}">
<h2>Cells</h2>
<p>{html.escape(first["machine"])}; {html.escape(versions)}.</p>
<div><table class="wide"><tr><th>cell</th><th>steps</th><th>minutes of training, beside other work</th>
<th>million weights</th><th>configuration</th><th>command</th></tr>{cells}</table></div>
</html>
"""


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _cell(entry: Entry) -> str:
    kind = "best" if entry.best else "as-good" if entry.as_good else ""
    return f'<td class="{kind}">{entry.text}</td>'


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
