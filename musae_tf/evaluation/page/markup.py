"""Pieces of HTML: tables, strips of music, sound."""

import base64
from collections.abc import Sequence
from html import escape

import numpy as np

from musae_tf.evaluation.context import Clip
from musae_tf.evaluation.page.roll import roll
from musae_tf.evaluation.page.sound import mp3
from musae_tf.music import Layout
from musae_tf.music.sounding import SILENT, sounding_pitch

NONE = "&ndash;"
"""Stands where there is no number."""


def number(value: float | None, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    return NONE if value is None else f"{value:.{digits}f}"


def limits(row: dict[str, float]) -> str:
    """An interval in small print; nothing if there is none."""
    if row.get("low") is None:
        return ""
    return f' <small class="limits">{number(row["low"])} to {number(row["high"])}</small>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """A table; the first cell of each row is its heading. Cells are HTML already, headings of columns are text."""
    caption = f"<caption>{escape(caption)}</caption>" if caption else ""
    columns = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    return f'<div class="scroll"><table>{caption}<thead><tr>{columns}</tr></thead><tbody>{lines}</tbody></table></div>'


def shade(value: float | None, text: str) -> str:
    """Text on a ground that is the darker the nearer a share is to 1."""
    strength = 0 if value is None else round(100 * min(max(value, 0.0), 1.0))
    return f'<span class="shade" style="--share:{strength}%">{text}</span>'


def picture(png: bytes, description: str) -> str:
    """A PNG file in the page."""
    data = base64.b64encode(png).decode("ascii")
    return f'<img src="data:image/png;base64,{data}" alt="{escape(description, quote=True)}">'


def strip(clips: Sequence[Clip], layout: Layout) -> str:
    """Clips side by side, each as pianoroll with a button that plays it; pitches have one scale in all of them."""
    pitches = np.concatenate([sounding_pitch(clip.tokens, layout).ravel() for clip in clips])
    heard = pitches[pitches != SILENT]
    low, high = (int(heard.min()) - 1, int(heard.max()) + 1) if len(heard) else (60, 72)
    return f'<div class="strip">{"".join(_figure(clip, layout, low, high) for clip in clips)}</div>'


def _figure(clip: Clip, layout: Layout, low: int, high: int) -> str:
    title = escape(clip.title)
    data = base64.b64encode(mp3(clip.tokens, layout, clip.tempo)).decode("ascii")
    label = escape(f"play {clip.title}", quote=True)
    return (
        f"<figure>{roll(clip.tokens, layout, low, high, clip.title)}<figcaption>"
        f'<button type="button" aria-label="{label}">&#9654;</button> {title}'
        f'<audio preload="metadata" src="data:audio/mpeg;base64,{data}"></audio></figcaption></figure>'
    )


def legend(layout: Layout) -> str:
    """Which colour is which track."""
    marks = "".join(f'<span><i class="t{index}"></i>{escape(name)}</span>' for index, name in enumerate(layout.names))
    return f'<p class="legend">{marks}</p>'
