"""Music on a page: pianorolls as SVG paths, sharp on any screen, and sound small enough to sit beside them."""

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import soundfile

from musae_tf.music import KIT_PIECES, STEPS_PER_BAR, Layout, detokenize
from musae_tf.music.audio import render
from musae_tf.music.grid import SILENT, onsets, sounding_pitch
from musae_tf.music.vocabulary import KIT, STRUCK

_STEP, _ROW = 6, 3
_RATE = 22050
# 0 is the best and largest, 1 the smallest.
_COMPRESSION = 0.8


class Clip(NamedTuple):
    """Music to show: tokens int [T, K] at a tempo, with a title."""

    title: str
    tokens: np.ndarray
    tempo: float


class Drawn(NamedTuple):
    """A clip as the page has it.

    Attributes:
        title: of the clip.
        width: of the picture, in pixels.
        height: of the picture.
        bars: where bars begin, but for the first.
        tracks: for each track the boxes of its notes, as the data of an SVG path.
        sound: an MP3 file.
    """

    title: str
    width: int
    height: int
    bars: list[int]
    tracks: list[str]
    sound: bytes


def draw_strip(clips: Sequence[Clip], layout: Layout) -> list[Drawn]:
    """Clips that stand side by side: pitches have one scale in all of them, kits rows of their own below.

    Raises:
        MusicError: the synthesiser is not installed.
    """
    pitches = np.concatenate([sounding_pitch(clip.tokens, layout).ravel() for clip in clips])
    heard = pitches[pitches != SILENT]
    low, high = (int(heard.min()) - 1, int(heard.max()) + 1) if len(heard) else (60, 72)
    return [_draw(clip, layout, low, high) for clip in clips]


def _draw(clip: Clip, layout: Layout, low: int, high: int) -> Drawn:
    tokens = clip.tokens
    kits = [track for track, spec in enumerate(layout.tracks) if spec.vocabulary == KIT]
    floor = (high - low + 1) * _ROW
    width, height = len(tokens) * _STEP, floor + len(kits) * len(KIT_PIECES) * _ROW
    bars = [edge * _STEP for edge in range(STEPS_PER_BAR, len(tokens), STEPS_PER_BAR)]
    pitch, begins = sounding_pitch(tokens, layout), onsets(tokens, layout)
    tracks = []
    for track in range(len(layout.tracks)):
        if track in kits:
            boxes = _strokes(tokens[:, track], floor + kits.index(track) * len(KIT_PIECES) * _ROW)
        else:
            boxes = _notes(pitch[:, track], begins[:, track], high)
        tracks.append("".join(boxes))
    return Drawn(clip.title, width, height, bars, tracks, _mp3(clip, layout))


def _notes(pitch: np.ndarray, begins: np.ndarray, high: int) -> list[str]:
    boxes = []
    for start in np.flatnonzero(begins):
        stop = start + 1
        while stop < len(pitch) and pitch[stop] != SILENT and not begins[stop]:
            stop += 1
        boxes.append(_box(int(start) * _STEP, (high - int(pitch[start])) * _ROW, int(stop - start) * _STEP - 1))
    return boxes


def _strokes(symbols: np.ndarray, top: int) -> list[str]:
    struck = np.argwhere(STRUCK[symbols])
    return [_box(int(step) * _STEP, top + int(piece) * _ROW, _STEP - 2) for step, piece in struck]


def _box(x: int, y: int, width: int) -> str:
    return f"M{x} {y}h{width}v{_ROW - 1}h-{width}z"


def _mp3(clip: Clip, layout: Layout) -> bytes:
    """Mono, about 5 kB a second."""
    sound = render(detokenize(clip.tokens, layout, clip.tempo), _RATE).mean(axis=1)
    file = io.BytesIO()
    soundfile.write(
        file, sound, _RATE, format="MP3", subtype="MPEG_LAYER_III", compression_level=_COMPRESSION,
        bitrate_mode="VARIABLE",
    )  # fmt: skip
    return file.getvalue()
