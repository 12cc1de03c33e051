"""Bars of a new piece that repeat earlier ones, because a window of it repeats an earlier window."""

from collections.abc import Sequence

import numpy as np

from musae_tf.music.grid import heads
from musae_tf.music.layouts import Layout
from musae_tf.music.windows import Window

SECTION = 256
"""The form of a piece spans at most so many windows; what is longer is made of several, one after the other."""

# A note that sounds at a border began at most so many bars before it, or is begun anew.
_LONGEST = 32


def hop_of(bars: int) -> int:
    """Bars from the start of one window of `bars` bars to that of the next: one bar is in both, if there are two."""
    return max(bars - 1, 1)


def new_bars(windows: Sequence[Window], length: int) -> list[range]:
    """Of each window of a piece without known bars, those that no window before it has."""
    until, found = 0, []
    for window in windows:
        found.append(range(max(until, window.first), window.first + length))
        until = window.first + length
    return found


def bars_repeated(windows: Sequence[Window], repeats: np.ndarray, length: int) -> np.ndarray:
    """Which bar each bar repeats, or itself.

    All bars of a window that repeats another are the other's, those too that it shares with the window before, unless
    that one repeats a window, too. What would be written later than it is repeated is not repeated.

    Args:
        windows: of the whole piece.
        repeats: int [n], the window that each window repeats, or itself.
        length: bars of a window.

    Returns:
        int64 [bars].
    """
    new = new_bars(windows, length)
    turns = np.concatenate([np.full(len(bars), window.turn) for window, bars in zip(windows, new, strict=True)])
    sources = np.arange(len(turns))
    for number in np.flatnonzero(repeats != np.arange(len(repeats))).tolist():
        bars = windows[number].first + np.arange(length)
        others = windows[repeats[number]].first + np.arange(length)
        free = (sources[bars] == bars) & (others < bars) & (turns[others] <= turns[bars])
        sources[bars] = np.where(free, others, sources[bars])
    return sources


def repeated_bar(bars: np.ndarray, source: int, bar: int, layout: Layout) -> np.ndarray:
    """What bar `bar` of bars [n, S, C] is if it repeats an earlier one, [S, C].

    A note that rings into the earlier one begins here, unless it rings here, too.
    """
    copy = bars[source].copy()
    there = _head(bars[: source + 1], layout)
    here = _head(np.concatenate([bars[max(bar - _LONGEST, 0) : bar], copy[np.newaxis]]), layout)
    copy[0] = np.where(here == there, copy[0], there)
    return copy


def _head(bars: np.ndarray, layout: Layout) -> np.ndarray:
    """The first symbols of the last of bars [n, S, C], with holds as the onsets of what they hold, [C]."""
    last = bars[-_LONGEST:]
    return heads(last, [(0, len(last))], layout)[-1]
