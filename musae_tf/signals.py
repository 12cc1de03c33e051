"""Signals that stop a process which has something to put in order first."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def signals_kept() -> Iterator[list[int]]:
    """Have signals that stop the process do nothing but be listed; the first is raised again after the block.

    The command's own handlers raise an exception wherever the main thread is, which breaks an event loop that has not
    yet handlers of its own.
    """
    caught: list[int] = []
    before = {number: signal.signal(number, lambda number, _: caught.append(number)) for number in STOPPING}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if caught:
        signal.raise_signal(caught[0])


@contextmanager
def wakeup_pipe() -> Iterator[tuple[int, int]]:
    """A pipe, both ends, into which the interpreter writes a byte as soon as a signal is caught.

    One that is caught right before a thread blocks, on an Event or a socket, would run its handler after the next
    signal only, which may never come; so block on this pipe, too.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading, writing
    finally:
        signal.set_wakeup_fd(woken)
        os.close(reading)
        os.close(writing)
