"""Progress bars with time left, readable in a terminal and in a log file."""

import sys
from collections.abc import Iterable
from typing import TextIO

from tqdm.auto import tqdm

# As tqdm's own, without the bar.
_LINE = "{desc}: {percentage:3.0f}% {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"


class _Lines:
    """A stream for tqdm on which each state of the bar is a line of its own, without carriage returns."""

    encoding = "utf-8"

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> None:
        for line in text.replace("\n", "\r").split("\r"):
            if line.strip():
                self._stream.write(f"{line.strip()}\n")

    def flush(self) -> None:
        self._stream.flush()


def progress(
    iterable: Iterable | None = None,
    *,
    total: int | None = None,
    title: str,
    unit: str,
    initial: int = 0,
    hidden: bool = False,
) -> tqdm:
    """A tqdm bar on standard error: rate, time spent, time left.

    In a terminal it redraws in place; in a pipe or a log file it writes a plain line every ten seconds,
    so that a log of a long job stays short. `hidden` shows nothing.
    """
    live = sys.stderr.isatty()
    return tqdm(
        iterable,
        total=total,
        desc=title,
        unit=f" {unit}",
        initial=initial,
        mininterval=0.2 if live else 10.0,
        dynamic_ncols=live,
        ncols=None if live else 110,
        bar_format=None if live else _LINE,
        file=sys.stderr if live else _Lines(sys.stderr),
        leave=True,
        disable=hidden,
    )
