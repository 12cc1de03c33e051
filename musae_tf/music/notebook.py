"""Songs in a notebook: a pianoroll and a player in one piece of HTML, which needs no network.

Text and lines have the colour of the text around them, so that they are seen on light and on dark pages.
"""

import base64
from collections.abc import Sequence
from html import escape

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music.audio import seconds, to_mp3, to_wav
from musae_tf.music.picture import COLOURS, bar_edges, note_rows, row_span
from musae_tf.music.song import Song, Track

LONGEST = 600.0
"""Seconds of the longest song that has a player: a notebook keeps the sound in itself, 5 kB a second."""

_LEFT, _GAP, _FOOT = 86, 8, 18  # pixels: names of tracks, between lanes, numbers of bars
_QUARTER, _NARROWEST, _WIDEST = 16, 320, 6000  # pixels of a quarter note and of all of them
_PITCH, _STROKE = 3, 6  # pixels of a semitone and of a row of a kit
_NAME = 13  # letters of a name that fit


class SideBySide:
    """Songs beside each other, which a notebook shows with a pianoroll and a player each."""

    def __init__(self, songs: Sequence[Song], titles: Sequence[str]):
        self.songs = list(songs)
        self.titles = list(titles)

    def _repr_html_(self) -> str:
        cells = "".join(
            f'<div style="flex:1 1 340px;min-width:0">{song_html(song, title)}</div>'
            for song, title in zip(self.songs, self.titles, strict=True)
        )
        return f'<div style="display:flex;flex-wrap:wrap;gap:16px">{cells}</div>'


def side_by_side(songs: Sequence[Song], titles: Sequence[str] | None = None) -> SideBySide:
    """What shows songs beside each other as the last value of a notebook's cell.

    Args:
        songs: for instance those of `Musae.interpolate` or `Musae.sweep`.
        titles: One a song; None for their names.

    Raises:
        ValueError: There are not as many titles as songs.
    """
    if titles is not None and len(titles) != len(songs):
        raise ValueError(f"side_by_side got {len(songs)} songs and {len(titles)} titles; each needs one, or none")
    return SideBySide(songs, [song.name for song in songs] if titles is None else titles)


def song_html(song: Song, title: str = "") -> str:
    """A song as HTML: title and length, pianoroll, and a player if a synthesiser is installed.

    Args:
        song: The song.
        title: Written above; the song's name when empty.
    """
    length = seconds(song)
    bars = len(bar_edges(song)) - 1
    tempo = f", {song.tempos[0].bpm:g} bpm" if song.tempos else ""
    heading = f"<b>{escape(title or song.name or 'song')}</b> {bars} bars{tempo}, {length:.0f} s"
    return (
        f'<div><div style="margin:4px 0">{heading}</div>'
        f'<div style="overflow-x:auto">{pianoroll_svg(song)}</div>{_player(song, length)}</div>'
    )


def pianoroll_svg(song: Song) -> str:
    """A pianoroll as SVG, one lane a track: bars as lines, kits as rows of pieces. Without matplotlib."""
    edges = bar_edges(song)
    width = min(max(round(edges[-1] / song.ticks_per_quarter * _QUARTER), _NARROWEST), _WIDEST)
    scale = width / max(int(edges[-1]), 1)
    lanes = []
    top = 0
    for number, track in enumerate(song.tracks or [Track("no tracks")]):
        low, high = row_span(track)
        row = _STROKE if track.is_drum else _PITCH
        height = row * (high - low + 1)
        name = track.name or f"program {track.program}"
        label = name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
        lanes.append(
            f'<text x="{_LEFT - 8}" y="{top + height // 2 + 4}" text-anchor="end">{escape(label)}'
            f"<title>{escape(name)}</title></text>"
            f'<rect x="{_LEFT}" y="{top}" width="{width}" height="{height}" opacity=".06"/>'
            f'<path fill="{COLOURS[number % (len(COLOURS) - 1)]}" d="{_boxes(track, top, high, row, scale)}"/>'
        )
        top += height + _GAP
    places = [_LEFT + round(edge * scale, 1) for edge in edges.tolist()]
    every = next(step for step in (1, 2, 4, 8, 16, 64, 256, 10**6) if step * width / len(places) >= 24)
    numbers = "".join(
        f'<text x="{place}" y="{top + 10}" text-anchor="middle">{bar + 1}</text>'
        for bar, place in enumerate(places[:-1])
        if bar % every == 0
    )
    lines = "".join(f"M{place} 0V{top - _GAP}" for place in places)
    name = escape(f"pianoroll of {song.name}" if song.name else "pianoroll", quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{name}" width="{_LEFT + width + 8}" '
        f'height="{top + _FOOT}" font-family="sans-serif" font-size="11" fill="currentColor">{"".join(lanes)}'
        f'<path d="{lines}" stroke="currentColor" opacity=".25"/><g opacity=".7">{numbers}</g></svg>'
    )


def _boxes(track: Track, top: int, high: int, row: int, scale: float) -> str:
    """The notes of a track as one path."""
    left = np.round(_LEFT + track.notes["start"] * scale, 1).tolist()
    # A gap shows where a pitch is repeated.
    width = np.round(np.maximum(track.notes["duration"] * scale - 1, 1.5), 1).tolist()
    above = (top + (high - note_rows(track)) * row).tolist()
    return "".join(f"M{x:g} {y}h{wide:g}v{row - 1}h{-wide:g}z" for x, y, wide in zip(left, above, width, strict=True))


def _player(song: Song, length: float) -> str:
    if length > LONGEST:
        return f"<small>no player: longer than {LONGEST:.0f} seconds</small>"
    try:
        try:
            sound, kind = to_mp3(song), "mpeg"
        except MusicError:
            sound, kind = to_wav(song, 22050), "wav"
    except MusicError as error:
        return f"<small>no player: {escape(str(error))}</small>"
    data = base64.b64encode(sound).decode()
    style = "width:100%;max-width:480px;color-scheme:light dark"
    return f'<audio controls style="{style}" src="data:audio/{kind};base64,{data}"></audio>'
