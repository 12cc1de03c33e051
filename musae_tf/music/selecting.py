"""What of a song somebody names: bars by their numbers, tracks by their names."""

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from musae_tf.errors import InvalidRequestError
from musae_tf.music.layouts import Layout
from musae_tf.music.placing import Placement
from musae_tf.music.song import Song

Bars: TypeAlias = str | int | Sequence[int]
"""Bars by their numbers, from 1: "5-6", "3,7-8", 5, [5, 6]."""

Tracks: TypeAlias = str | Sequence[str]
"""Tracks by their names: "alto,tenor", ["alto", "tenor"]."""

_RANGE = re.compile(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?")


def selected_bars(song: Song, bars: Bars) -> np.ndarray:
    """The bars of a song that are named, as it is notated: the first one is 1, an upbeat too.

    Returns:
        int64 [n], numbers from 0 in order, each once.

    Raises:
        InvalidRequestError: They are no bars, or the song has no such bar.
    """
    edges = song.bars()
    spans = _spans(bars)
    if not spans:
        raise InvalidRequestError("bars is empty: name at least one, such as 5-6")
    for first, last in spans:
        if not 1 <= first <= last <= len(edges):
            named = str(first) if first == last else f"{first}-{last}"
            raise InvalidRequestError(f"bars has {named}, but the song has bars 1 to {len(edges)}")
    return np.unique(np.concatenate([np.arange(first - 1, last) for first, last in spans]))


def _spans(bars: Bars) -> list[tuple[int, int]]:
    """First and last bar of each part of a selection."""
    wrong = InvalidRequestError(f"bars is {bars!r}, must be numbers of bars such as 5-6 or 3,7-8")
    if isinstance(bars, str):
        parts = [_RANGE.fullmatch(part) for part in bars.split(",")]
        if not all(parts):
            raise wrong
        return [(int(part[1]), int(part[2] or part[1])) for part in parts if part]
    try:
        numbers = [bars] if isinstance(bars, (int, np.integer)) else list(bars)
    except TypeError:
        raise wrong from None
    if any(isinstance(bar, bool) or not isinstance(bar, (int, np.integer)) for bar in numbers):
        raise wrong
    return [(int(bar), int(bar)) for bar in numbers]


def selected_tracks(layout: Layout, tracks: Tracks, names: Sequence[str] = ()) -> list[int]:
    """The tracks of a layout that are named, whatever the capitals.

    Args:
        layout: The layout.
        tracks: Their names.
        names: What a song calls them, which is understood too, as in `Grid.names`.

    Returns:
        Numbers in order, each once.

    Raises:
        InvalidRequestError: There is no such track; the message lists those there are.
    """
    if isinstance(tracks, str):
        tracks = tracks.split(",")
    if not isinstance(tracks, Sequence) or not all(isinstance(name, str) for name in tracks):
        raise InvalidRequestError(f"tracks is {tracks!r}, must be names of tracks such as {layout.names[0]}")
    own = {name.strip().casefold(): number for number, name in reversed(list(enumerate(names)))}
    own |= {name.casefold(): number for number, name in enumerate(layout.names)}
    found = set()
    for name in tracks:
        if name.strip().casefold() not in own:
            known = ", ".join(layout.names)
            raise InvalidRequestError(f"there is no track {name.strip()!r} in this model; it has: {known}")
        found.add(own[name.strip().casefold()])
    if not found:
        raise InvalidRequestError(f"tracks is empty: name at least one of {', '.join(layout.names)}")
    return sorted(found)


def steps_of_bars(song: Song, bars: np.ndarray, placement: Placement) -> np.ndarray:
    """The steps of a grid that lie in some bars of a song.

    Args:
        song: The song.
        bars: int [n], numbers of its bars, from 0.
        placement: Its bars that the grid takes.

    Returns:
        bool [bars of the grid * S].

    Raises:
        InvalidRequestError: The grid has not taken one of them.
    """
    time = placement.layout.time
    edges = song.bars()
    found = np.zeros(placement.bars * time.steps, bool)
    taken = np.zeros(len(edges), bool)
    length = round(time.quarters * song.ticks_per_quarter)  # whole, as of all bars that are taken
    for tick, first, count in placement.stretches.tolist():
        steps = np.arange(count * time.steps)
        bar = np.searchsorted(edges[:, 0], tick + steps * length // time.steps, side="right") - 1
        found[first * time.steps + steps] = np.isin(bar, bars)
        taken[bar] = True
    missing = bars[~taken[bars]]
    if len(missing):
        metre = f"{time.numerator}/{time.denominator}"
        raise InvalidRequestError(f"bar {missing[0] + 1} is not one in {metre}: the model cannot write it")
    return found


def every(layout: Layout, tracks: Sequence[int]) -> np.ndarray:
    """Which columns belong to some tracks, bool [C]."""
    return np.array([column.track in tracks for column in layout.columns])


def part(
    song: Song, layout: Layout, bars: np.ndarray | None, tracks: Sequence[int] | None
) -> Callable[[Placement], np.ndarray]:
    """Bars and tracks of a song as `hole.cut_hole` wants them: where both meet; None for all."""

    def wanted(placement: Placement) -> np.ndarray:
        steps = placement.bars * layout.bar_steps
        rows = np.ones(steps, bool) if bars is None else steps_of_bars(song, bars, placement)
        columns = np.ones(len(layout.columns), bool) if tracks is None else every(layout, tracks)
        return rows[:, np.newaxis] & columns

    return wanted
