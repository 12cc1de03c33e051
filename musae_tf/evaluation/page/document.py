"""The whole page, section by section."""

from collections.abc import Callable
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from musae_tf.evaluation.compare import Comparison
from musae_tf.evaluation.context import EvaluationContext
from musae_tf.evaluation.headlines import HEADLINES
from musae_tf.evaluation.page import sections
from musae_tf.evaluation.page.markup import NONE, limits, number, table

# Nothing but what the page itself holds may be shown or run: no request leaves the machine.
_POLICY = (
    "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)

_SECTIONS: tuple[tuple[str, str, Callable[[EvaluationContext, dict[str, Any]], str]], ...] = (
    ("reconstruction", "Reconstruction", sections.reconstruction),
    ("prior", "Match of prior and posterior", sections.prior),
    ("genre", "Genre: in the code, in samples", sections.genre),
    ("transfer", "Transfer to another genre", sections.transfer),
    ("interpolation", "Interpolation", sections.interpolation),
    ("order", "Order in the latent space", sections.order),
    ("attributes", "Attribute vectors", sections.attributes),
    ("statistics", "Samples beside real music", sections.statistics),
    ("originality", "Composed or copied?", sections.originality),
    ("training", "Training", sections.training),
)


def evaluation_page(context: EvaluationContext, result: dict[str, Any], comparison: Comparison) -> str:
    """HTML of one evaluation.

    Args:
        context: what was measured.
        result: what evaluation.json holds.
        comparison: of this run, which comes first, with others; or of this run alone.
    """
    name = escape(context.run.path.name)
    parts = [(anchor, title, body(context, result)) for anchor, title, body in _SECTIONS]
    parts = [part for part in parts if part[2]]
    links = "".join(f'<a href="#{anchor}">{title}</a>' for anchor, title, _ in parts)
    bodies = "".join(f'<section id="{anchor}"><h2>{title}</h2>{text}</section>' for anchor, title, text in parts)
    style, script = ((files(__package__) / file).read_text(encoding="utf-8") for file in ("style.css", "play.js"))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{name}: evaluation</title><style>{style}</style></head><body>"
        f"<h1>{name}: evaluation</h1>{_introduction(result)}<nav>{links}</nav>"
        f'<section id="summary"><h2>In short</h2>{summary(result, comparison)}</section>{bodies}'
        f"<script>{script}</script></body></html>\n"
    )


def _introduction(result: dict[str, Any]) -> str:
    songs = ", ".join(
        f"{escape(genre)} {count} phrases of {result['songs_by_genre'][genre]} songs"
        for genre, count in result["phrases"].items()
    )
    dataset = result["dataset"]
    return (
        f"<p>Configuration {escape(result['config'])}, seed {result['seed']}, {result['steps']} steps. Measured on "
        f"{sum(result['phrases'].values())} phrases of {result['songs']} test songs that training never saw ({songs}); "
        f"dataset {escape(dataset['name'])}, <code>{dataset['hash'][:12]}</code>. Decoding is {result['decoding']}. "
        "Intervals are 95 %, from resampling songs. Genres with few songs have wide ones.</p>"
    )


def summary(result: dict[str, Any], comparison: Comparison) -> str:
    """The headlines of all runs, with what they are to be read against."""
    alone = len(comparison.runs) == 1
    head = ["", *comparison.runs, "better", "read against"]
    rows = []
    for headline in HEADLINES:
        cells = comparison.cells(headline)
        if not any(cells):
            continue
        best = comparison.best(headline)
        shown = [_cell(cell, not alone and index in best) for index, cell in enumerate(cells)]
        for index in range(1, len(cells)):
            shown[index] += _difference(comparison, headline.key, index)
        known = result["references"].get(headline.key, {})
        against = [f"{escape(what)} {number(value)}" for what, value in known.items()]
        note = f"<small>{escape(headline.note)}</small>" if headline.note else ""
        beside = "".join(f'<span class="beside">{words}</span> ' for words in against)
        rows.append([escape(headline.title) + note, *shown, headline.better, beside])
    key = "" if alone else (
        "<p>Under the values of the other runs: their difference to the first one, with its 95 % interval over songs "
        "that are resampled together; * where it does not hold 0.</p>"
    )  # fmt: skip
    return table(head, rows) + key


def _cell(cell: dict[str, float] | None, best: bool) -> str:
    if cell is None:
        return NONE
    value = number(cell["value"])
    return (f'<span class="best">{value}</span>' if best else value) + limits(cell)


def _difference(comparison: Comparison, key: str, index: int) -> str:
    found = comparison.differences.get((key, index))
    if found is None or np.isnan(found.low):
        return ""
    sure = "*" if found.low > 0 or found.high < 0 else ""
    return f'<small class="limits">{found.value:+.3f}{sure}, {found.low:+.3f} to {found.high:+.3f}</small>'
