"""Progress bars with time left, readable in a terminal and in a log file."""

import sys
from collections.abc import Iterable

from tqdm.auto import tqdm


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

    In a terminal it redraws in place; in a log file it writes a line every ten seconds,
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
        file=sys.stderr,
        leave=True,
        disable=hidden,
    )
