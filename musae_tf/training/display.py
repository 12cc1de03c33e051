"""What people see of a training: sentences and a bar and, in a terminal, a small curve of the onset F1 below it."""

import math
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from tqdm import tqdm

from musae_tf.progress import progress

MEASURE = "onset_f1"
"""Which number of the evaluations on validation songs the curve shows."""

_HEIGHT, _WIDEST = 4, 60
_LEAST_COLUMNS, _LEAST_LINES = 30, 10
_BLOCKS, _ASCII = " ▁▂▃▄▅▆▇█", " .:#"


class Display:
    """Sentences of a training and, between `open` and `close`, its bar, below which the curve is if there is room.

    Args:
        write: takes the sentences.
        hidden: whether nothing is to be seen, as on all workers but one.
    """

    def __init__(self, write: Callable[[str], None], hidden: bool):
        self._write, self._hidden = write, hidden
        self._bar: Any = None  # of tqdm, while it trains
        self._curve: LiveCurve | None = None

    def open(self, title: str, first: int, steps: int, log: Iterable[dict]) -> None:
        """Show the bar, from step `first` of `steps`, and what `log`, lines of log.jsonl, has of the curve."""
        self._bar = progress(total=steps, initial=first, title=title, unit="steps", hidden=self._hidden)
        if not self._hidden and has_room():
            lines = [line for line in log if line["kind"] == "evaluation" and MEASURE in line]
            self._curve = LiveCurve(steps, [(line["step"], line[MEASURE]) for line in lines])

    def close(self) -> None:
        """Leave bar and curve as they are; what is said from now on stands below them."""
        drawing = self._curve.close() if self._curve else ""
        self._bar.close()
        if drawing:
            print(drawing, file=sys.stderr, flush=True)
        self._bar = self._curve = None

    def say(self, text: str) -> None:
        """Tell the user a sentence, above the bar if there is one."""
        if self._hidden:
            return
        if self._bar is None:
            self._write(text)
            return
        with self._bar.external_write_mode():
            self._write(text)

    def step(self) -> None:
        """One more step is done."""
        self._bar.update()

    def numbers(self, text: str) -> None:
        """Show the newest numbers of training behind the bar."""
        self._bar.set_postfix_str(text)

    def evaluated(self, step: int, numbers: dict[str, float]) -> None:
        """Put what was measured after a step on the curve."""
        if self._curve is not None and MEASURE in numbers:
            self._curve.add(step, numbers[MEASURE])


def has_room() -> bool:
    """Whether standard error is a terminal that a curve fits into, and that can move its cursor up."""
    columns, lines = _size()
    roomy = columns >= _LEAST_COLUMNS and lines >= _LEAST_LINES
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and roomy


class LiveCurve:
    """Lines below the bar that hold the drawing of a curve; without colours, and as wide as the terminal is by then.

    Args:
        steps: of the whole training, as wide as the drawing is.
        points: steps and values that are known already.
    """

    def __init__(self, steps: int, points: Iterable[tuple[int, float]] = ()):
        self._steps, self._points = steps, [point for point in points if math.isfinite(point[1])]
        self._lines = [_Line(self._line, number) for number in range(_HEIGHT + 1)] if self._points else []

    def add(self, step: int, value: float) -> None:
        """Draw one more point."""
        if not math.isfinite(value):
            return
        self._points.append((step, value))
        if not self._lines:
            self._lines = [_Line(self._line, number) for number in range(_HEIGHT + 1)]
        for line in self._lines:
            line.refresh()

    def close(self) -> str:
        """Take the lines away.

        Returns:
            The drawing, to be left where they were; empty if there was none.
        """
        for line in self._lines:
            line.close()
        return "\n".join(self._line(number) for number in range(len(self._lines)))

    def _line(self, number: int) -> str:
        lines = draw(self._points, self._steps, _size()[0] - 1, _can_show(_BLOCKS))
        return lines[number] if lines else ""


class _Line(tqdm):
    """A line below the bar, with a text that is asked for whenever it is drawn."""

    def __init__(self, text: Callable[[int], str], number: int):
        self._text, self._number = text, number
        super().__init__(position=number + 1, file=sys.stderr, dynamic_ncols=True, leave=False)

    def __str__(self) -> str:
        return self._text(self._number)


def draw(points: list[tuple[int, float]], steps: int, width: int, blocks: bool = True) -> list[str]:
    """A curve from 0 to a tenth above its best value, and from step 0 to the last, as lines of text.

    Args:
        points: steps, in order, and values of at least 0.
        steps: of the whole training.
        width: characters that a line may have.
        blocks: whether they may be of Unicode.

    Returns:
        Four lines of drawing and one with the last and the best value; nothing if they do not fit.
    """
    if width < _LEAST_COLUMNS - 1:
        return []
    at, values = (np.array(numbers, float) for numbers in zip(*points, strict=True))
    best = int(values.argmax())
    top = max(math.ceil(10 * values[best]) / 10, 0.1)
    columns = min(width - 5, _WIDEST)
    # The step in the middle of each column; beside the ends of what was measured there is nothing.
    places = (np.arange(columns) + 0.5) * steps / columns
    half = steps / columns / 2
    known = (places >= at[0] - half) & (places <= at[-1] + half)
    heights = np.where(known, np.interp(places, at, values) / top * _HEIGHT, 0.0)
    glyphs = _BLOCKS if blocks else _ASCII
    lines = []
    for row in reversed(range(_HEIGHT)):
        filled = np.rint(np.clip(heights - row, 0, 1) * (len(glyphs) - 1)).astype(int)
        label = {_HEIGHT - 1: f"{top:.1f}", 0: "0.0"}.get(row, "")
        lines.append(f"{label:>3} |{''.join(glyphs[level] for level in filled)}".rstrip())
    told = f"onset F1 {values[-1]:.3f}"
    more = f", best {values[best]:.3f} at step {int(at[best])}"
    return [*lines, told + more if len(told + more) <= width else told]


def _size() -> tuple[int, int]:
    """Columns and lines of the terminal that standard error is."""
    try:
        size = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):  # no terminal, or no file at all
        size = shutil.get_terminal_size()
    return size.columns, size.lines


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stderr.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
