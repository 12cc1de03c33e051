"""Bars that are to be written, window by window: each as long as a phrase, and sees what stands before it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from musae_tf.music.grid import heads
from musae_tf.music.known import FREE, KNOWN, ONSET, PITCH
from musae_tf.music.layouts import Layout
from musae_tf.music.vocabulary import HOLD, MELODIC, REST

MOST_TURNS = 64
"""Windows that wait for each other, one after the other. A longer stretch goes on with one that waits for none, so that
the time for a song is bounded: those of one turn are computed together."""


class Window(NamedTuple):
    """A phrase's length of bars.

    Attributes:
        first: its first bar.
        turn: 0, or one more than that of the window whose music it goes on from.
    """

    first: int
    turn: int


def windows(free: np.ndarray, runs: Sequence[tuple[int, int]], length: int) -> list[Window]:
    """Windows that hold all bars with something to write.

    Each begins one bar before the first bar that no window has written yet, if there is such a bar and a window has
    room for two; at the end of a run it is moved back so that it fits. In a run shorter than a window it begins with
    the run and ends after it.

    Args:
        free: bool [bars], where something is to be written.
        runs: (first bar, bars) of the stretches of bars that are neighbours, as in `Grid`.
        length: bars of a window.
    """
    found: list[Window] = []
    for start, count in runs:
        before: Window | None = None
        for bar in (start + np.flatnonzero(free[start : start + count])).tolist():
            until = start if before is None else before.first + length
            if bar < until:
                continue
            alone = length == 1 or (before is not None and before.turn == MOST_TURNS - 1)
            first = max(start, min(bar if alone else bar - 1, start + count - length))
            waits = before is not None and bool(free[first:until].any())
            before = Window(first, before.turn + 1 if before is not None and waits else 0)
            found.append(before)
    return found


class Writing:
    """Music in the making: tokens of which some are known, and the windows in which the others are written.

    Args:
        tokens: int [bars, S, C].
        levels: int [bars, S, C], those of `musae_tf.music.known`.
        runs: (first bar, bars) of the stretches of bars that are neighbours.
        length: bars of a window.
        layout: of the tokens.

    Attributes:
        tokens: int32 [bars, S, C], with what was written so far.
        windows: in order.
        turns: numbers of the windows that can be written together, turn by turn.
    """

    def __init__(
        self, tokens: np.ndarray, levels: np.ndarray, runs: Sequence[tuple[int, int]], length: int, layout: Layout
    ):
        self.tokens = np.array(tokens, np.int32)
        self.windows = windows((levels != KNOWN).any(axis=(1, 2)), runs, length)
        numbers = range(len(self.windows))
        last = max((window.turn for window in self.windows), default=-1)
        self.turns = [[n for n in numbers if self.windows[n].turn == turn] for turn in range(last + 1)]
        self._asked, self._levels = np.array(levels, np.int32), np.array(levels, np.int32)
        self._runs, self._length, self._layout = list(runs), length, layout
        # Of each window, how many of its bars lie in its run.
        ends = {bar: start + count for start, count in runs for bar in range(start, start + count)}
        self._bars = [min(length, ends[window.first] - window.first) for window in self.windows]
        self._rests = np.array([column.vocabulary.rest for column in layout.columns], np.int32)
        self._melodic = layout.columns_of(MELODIC)

    def views(self, numbers: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """What some windows see: tokens and levels, int32 [n, T, C] each.

        A window that begins inside a note begins with its onset. The last note of a voice before the bars that come new
        is written again from where it begins, if a window has written it: as it is, it could not be held over the bar
        line. What would lie behind the end of a run is free.
        """
        steps, columns = self.tokens.shape[1:]
        tokens = np.broadcast_to(self._rests, (len(numbers), self._length * steps, columns)).copy()
        levels = np.full(tokens.shape, FREE, np.int32)
        begin = heads(self.tokens, self._runs, self._layout)
        for row, number in enumerate(numbers):
            first, bars = self.windows[number].first, self._bars[number]
            here = slice(first, first + bars)
            tokens[row, : bars * steps] = self.tokens[here].reshape(-1, columns)
            levels[row, : bars * steps] = self._levels[here].reshape(-1, columns)
            self._open(tokens[row], levels[row], self._asked[here].reshape(-1, columns))
            # What is not known there is no place of a note that goes on.
            tokens[row, 0] = np.where(levels[row, 0] == KNOWN, begin[first], tokens[row, 0])
        return tokens, levels

    def write(self, numbers: Sequence[int], levels: np.ndarray, made: np.ndarray) -> None:
        """Take what was made of the windows' views: where their levels int32 [n, T, C] say that it is not known."""
        steps, columns = self.tokens.shape[1:]
        for number, level, symbols in zip(numbers, levels, made, strict=True):
            first, bars = self.windows[number].first, self._bars[number]
            here = slice(first, first + bars)
            # There is nothing that a window could hold from before it.
            head = symbols[0, self._melodic]
            symbols = symbols.copy()
            symbols[0, self._melodic] = np.where(head == HOLD, REST, head)
            symbols, level = (part[: bars * steps].reshape(bars, steps, columns) for part in (symbols, level))
            self.tokens[here] = np.where(level == KNOWN, self.tokens[here], symbols)
            self._levels[here] = KNOWN

    def put(self, bar: int, tokens: np.ndarray) -> None:
        """Take a bar int [S, C] as it is; no window will change it."""
        self.tokens[bar] = tokens
        self._asked[bar] = self._levels[bar] = KNOWN

    def _open(self, tokens: np.ndarray, levels: np.ndarray, asked: np.ndarray) -> None:
        """Have the last notes that were written before what comes new written again, in levels int32 [T, C].

        Args:
            tokens: int32 [T, C], as they are.
            levels: what is known by now.
            asked: int [at most T, C], what was known in the beginning.
        """
        for column in self._melodic:
            new = np.flatnonzero(np.isin(levels[: len(asked), column], (FREE, PITCH)))
            if not len(new) or new[0] == 0 or asked[new[0] - 1, column] == KNOWN:
                continue
            begin = int(new[0]) - 1
            while begin > 0 and tokens[begin, column] == HOLD:
                begin -= 1
            own = slice(begin, int(new[0]))
            level = asked[begin, column]
            if tokens[begin, column] < REST and level in (FREE, PITCH) and (asked[own, column] == level).all():
                levels[own, column] = level
                if level == FREE:
                    levels[begin, column] = ONSET
