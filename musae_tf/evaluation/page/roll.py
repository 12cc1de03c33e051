"""A pianoroll as SVG inside the page: small, sharp on any screen, in the colours of the page."""

from html import escape

import numpy as np

from musae_tf.music import STEPS_PER_BAR, Layout
from musae_tf.music.sounding import SILENT, onsets, sounding_pitch
from musae_tf.music.vocabulary import KIT, KIT_PIECES

_STEP, _ROW = 6, 3


def roll(tokens: np.ndarray, layout: Layout, low: int, high: int, title: str) -> str:
    """All tracks of tokens int [T, K] in one picture from pitch `low` to `high`, kits in rows of their own below."""
    kits = [track for track, spec in enumerate(layout.tracks) if spec.vocabulary == KIT]
    floor = (high - low + 1) * _ROW
    width, height = len(tokens) * _STEP, floor + len(kits) * len(KIT_PIECES) * _ROW
    edges = range(STEPS_PER_BAR, len(tokens), STEPS_PER_BAR)
    bars = "".join(f'<path class="bar" d="M{edge * _STEP} 0V{height}"/>' for edge in edges)
    notes = []
    pitch, begins = sounding_pitch(tokens, layout), onsets(tokens, layout)
    for track in range(len(layout.tracks)):
        if track in kits:
            boxes = _strokes(tokens[:, track], floor + kits.index(track) * len(KIT_PIECES) * _ROW)
        else:
            boxes = _notes(pitch[:, track], begins[:, track], high)
        notes.append(f'<path class="t{track}" d="{"".join(boxes)}"/>')
    shown = "".join(notes)
    label = escape(f"pianoroll of {title}", quote=True)
    return (
        f'<svg class="roll" role="img" aria-label="{label}" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}">{bars}{shown}</svg>'
    )


def _notes(pitch: np.ndarray, begins: np.ndarray, high: int) -> list[str]:
    boxes = []
    for start in np.flatnonzero(begins):
        stop = start + 1
        while stop < len(pitch) and pitch[stop] != SILENT and not begins[stop]:
            stop += 1
        boxes.append(_box(int(start) * _STEP, (high - int(pitch[start])) * _ROW, int(stop - start) * _STEP - 1))
    return boxes


def _strokes(symbols: np.ndarray, top: int) -> list[str]:
    struck = (symbols[:, np.newaxis] >> np.arange(len(KIT_PIECES))) & 1
    return [_box(int(step) * _STEP, top + int(piece) * _ROW, _STEP - 2) for step, piece in np.argwhere(struck)]


def _box(x: int, y: int, width: int) -> str:
    return f"M{x} {y}h{width}v{_ROW - 1}h-{width}z"
