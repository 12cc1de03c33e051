"""Pictures of music: pianorolls with one lane a track, and sheets of phrases for TensorBoard.

Drawn with matplotlib's objects on the Agg canvas, without pyplot: no display, no global state, any thread.
"""

import io
import os
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from musae_tf.errors import MusicError, require
from musae_tf.files import write_bytes
from musae_tf.music.grid import detokenize
from musae_tf.music.layouts import Layout
from musae_tf.music.song import Song, Track
from musae_tf.music.vocabulary import KIT_BITS, KIT_PIECES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by colour-blind eyes as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_BLACK_KEYS = (1, 3, 6, 8, 10)
_DPI = 110
_MAX_WIDTH = 60.0  # inches: a picture of a symphony stays a file that viewers open
_BARS_WITH_BEATS = 64
_OTHER_ROW = len(KIT_PIECES)


def pianoroll(music: Song | np.ndarray, layout: Layout | None = None, title: str = "") -> bytes:
    """A pianoroll, one lane a track: bars as vertical lines, pitches by name, kits as rows of pieces.

    Args:
        music: Song, or int tokens [bars * S, C] or [bars, S, C].
        layout: Layout of the tokens; not used for a song.
        title: Written above; a song's name when empty.

    Returns:
        PNG file.

    Raises:
        MusicError: matplotlib is missing, tokens come without a layout or do not fit it.
    """
    song = _song(music, layout)
    tracks = song.tracks or [Track("no tracks")]
    edges = bar_edges(song)
    spans = [row_span(track) for track in tracks]
    heights = [max(0.9, 0.09 * (high - low + 1)) for low, high in spans]
    width = min(_MAX_WIDTH, max(7.0, 1.5 + 1.4 * (len(edges) - 1)))
    figure = _figure(width, sum(heights) + 0.25 * len(tracks) + 0.9)
    lanes = figure.subplots(len(tracks), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for index, (axes, track, (low, high)) in enumerate(zip(lanes, tracks, spans, strict=True)):
        _draw_background(axes, track.is_drum, low, high, edges, song.ticks_per_quarter)
        _draw_notes(axes, track, note_rows(track), COLOURS[index % len(COLOURS)])
        axes.set_ylim(low - 0.5, high + 0.5)
        if track.is_drum:
            names = [piece.name for piece in KIT_PIECES] + ["other"]
            axes.set_yticks(range(low, high + 1), names[low : high + 1], fontsize=7)
        else:
            every = 12 if high - low > 18 else 6 if high - low > 9 else 3
            ticks = [pitch for pitch in range(low, high + 1) if pitch % every == 0] or [low]
            axes.set_yticks(ticks, [_pitch_name(pitch) for pitch in ticks], fontsize=7)
        axes.set_ylabel(track.name or f"program {track.program}", fontsize=9)
        axes.tick_params(length=2)
    figure.align_ylabels(lanes)
    _label_bars(lanes[-1], edges)
    heading = title or song.name
    if heading:
        figure.suptitle(heading, fontsize=11)
    return _png(figure)


def write_png(music: Song | np.ndarray, path: str | os.PathLike, layout: Layout | None = None, title: str = "") -> None:
    """Write `pianoroll` to a file in one atomic step."""
    write_bytes(path, pianoroll(music, layout, title), MusicError)


def picture_grid(
    phrases: np.ndarray, layout: Layout, titles: Sequence[str] | None = None, columns: int = 4
) -> np.ndarray:
    """Many phrases on one sheet, each in one small pianoroll with all tracks in their colours, drums below.

    Args:
        phrases: int tokens [n, T, K] with n of at least 1.
        layout: Layout of the tokens.
        titles: One a phrase, or None.
        columns: Pictures side by side.

    Returns:
        uint8 [height, width, 3], as TensorBoard's image summaries take it.

    Raises:
        MusicError: matplotlib is missing or the phrases do not fit the layout.
        ValueError: No phrases, no columns, or as many titles as phrases were not given.
    """
    if len(phrases) == 0 or columns < 1 or (titles is not None and len(titles) != len(phrases)):
        raise ValueError(
            f"picture_grid got {len(phrases)} phrases, {columns} columns and "
            f"{'no' if titles is None else len(titles)} titles; needs phrases, columns and a title each or none"
        )
    songs = [detokenize(phrase, layout) for phrase in phrases]
    spans = [row_span(track) for song in songs for track in song.tracks if not track.is_drum and len(track.notes)]
    low = min((span[0] for span in spans), default=60)
    high = max((span[1] for span in spans), default=72)
    columns = min(columns, len(songs))
    rows = -(-len(songs) // columns)
    figure = _figure(3.4 * columns + 0.8, 2.5 * rows + 0.5)
    sheet = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes in sheet[len(songs) :]:
        axes.set_visible(False)
    drums = any(spec.is_drum for spec in layout.tracks)
    # Drum rows lie under the lowest pitch, with one row of air.
    floor = low - len(KIT_PIECES) - 1 if drums else low
    ticks = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0] or [low]
    for index, (axes, song) in enumerate(zip(sheet, songs, strict=False)):
        _draw_background(axes, False, low, high, bar_edges(song), song.ticks_per_quarter)
        for number, track in enumerate(song.tracks):
            place = note_rows(track) + floor if track.is_drum else note_rows(track)
            _draw_notes(axes, track, place, COLOURS[number % len(COLOURS)], border=0.2)
        axes.set_ylim(floor - 0.5, high + 0.5)
        axes.set_yticks(ticks, [_pitch_name(pitch) for pitch in ticks], fontsize=7)
        if titles is not None:
            axes.set_title(titles[index], fontsize=9)
        _label_bars(axes, bar_edges(song))
        axes.set_xlabel("")
    _legend(figure, layout)
    return _pixels(figure)


def _song(music: Song | np.ndarray, layout: Layout | None) -> Song:
    if isinstance(music, Song):
        return music
    if layout is None:
        raise MusicError("tokens need a layout to become a picture")
    return detokenize(music, layout)


def bar_edges(song: Song) -> np.ndarray:
    """Ticks of the bar lines, the one at the end too."""
    bars = song.bars()
    return np.append(bars[:, 0], bars[-1].sum()) if len(bars) else np.array([0, 4 * song.ticks_per_quarter])


def note_rows(track: Track) -> np.ndarray:
    """Vertical place of every note: its pitch, in a drum track the row of its kit piece."""
    pitch = track.notes["pitch"].astype(np.int64)
    if not track.is_drum:
        return pitch
    bits = KIT_BITS[pitch]
    return np.where(bits > 0, np.log2(np.maximum(bits, 1)).astype(np.int64), _OTHER_ROW)


def row_span(track: Track) -> tuple[int, int]:
    """Lowest and highest row of a lane, inclusive."""
    rows = note_rows(track)
    if track.is_drum:
        return 0, max(_OTHER_ROW - 1, int(rows.max(initial=0)))
    if len(rows) == 0:
        return 60, 72
    low, high = int(rows.min()), int(rows.max())
    air = max(1, (9 - (high - low)) // 2)
    return max(0, low - air), min(127, high + air)


def _draw_background(axes: "Axes", is_drum: bool, low: int, high: int, edges: np.ndarray, quarter: int) -> None:
    for row in range(low, high + 1):
        if row % 2 if is_drum else row % 12 in _BLACK_KEYS:
            axes.axhspan(row - 0.5, row + 0.5, color="#F1F1F1", linewidth=0, zorder=0)
    across = axes.get_xaxis_transform()
    axes.vlines(edges, 0, 1, transform=across, color="#9A9A9A", linewidth=0.8, zorder=1)
    if len(edges) <= _BARS_WITH_BEATS:
        beats = [beat for start, stop in pairwise(edges) for beat in range(start, stop, quarter)]
        axes.vlines(beats, 0, 1, transform=across, color="#E0E0E0", linewidth=0.5, zorder=0.5)
    axes.set_xlim(edges[0], edges[-1])
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _draw_notes(axes: "Axes", track: Track, rows: np.ndarray, colour: str, border: float = 0.7) -> None:
    collections = require("matplotlib.collections", "drawing", "matplotlib")
    start = track.notes["start"].astype(float)
    stop = start + track.notes["duration"]
    low, high = rows - 0.42, rows + 0.42
    corners = np.stack([start, low, stop, low, stop, high, start, high], axis=1).reshape(-1, 4, 2)
    # The pale edge parts a note from one of the same pitch right after it.
    boxes = collections.PolyCollection(corners, facecolors=colour, edgecolors="white", linewidths=border, zorder=2)
    axes.add_collection(boxes, autolim=False)


def _label_bars(axes: "Axes", edges: np.ndarray) -> None:
    every = max(1, (len(edges) - 1) // 32)
    axes.set_xticks(edges[:-1:every], [str(bar + 1) for bar in range(0, len(edges) - 1, every)], fontsize=7)
    axes.set_xlabel("bar", fontsize=8)


def _legend(figure: "Figure", layout: Layout) -> None:
    patches = require("matplotlib.patches", "drawing", "matplotlib")
    handles = [
        patches.Patch(color=COLOURS[index % len(COLOURS)], label=name) for index, name in enumerate(layout.names)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8, frameon=False)


def _pitch_name(pitch: int) -> str:
    """Scientific pitch name, 60 is C4."""
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


def _figure(width: float, height: float) -> "Figure":
    figures = require("matplotlib.figure", "drawing", "matplotlib")
    figure = figures.Figure((width, height), dpi=_DPI, layout="constrained")
    require("matplotlib.backends.backend_agg", "drawing", "matplotlib").FigureCanvasAgg(figure)
    return figure


def _png(figure: "Figure") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _pixels(figure: "Figure") -> np.ndarray:
    canvas: Any = figure.canvas  # of Agg
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
