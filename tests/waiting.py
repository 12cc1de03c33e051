"""Waiting for what other threads and processes do: for the event itself, however long a busy machine takes for it."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")

LIMIT = 600.0
"""Seconds after which a test takes it that what it waits for never comes."""


def wait_for(condition: Callable[[], Found], seconds: float = LIMIT, process: subprocess.Popen | None = None) -> Found:
    """What a condition gives, once that is true; fail if it never is, or if the process that should do it has ended."""
    end = time.monotonic() + seconds
    while True:
        over = process is not None and process.poll() is not None
        if found := condition():
            return found
        if over:
            said = [pipe.read() for pipe in (process.stdout, process.stderr) if pipe]
            raise AssertionError(f"the process ended first, with code {process.returncode}: {said}")
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)  # between two looks


def children(process: int) -> list[int]:
    """Processes that a process has started and not yet buried (Linux)."""
    return [int(number) for number in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def has_ended(process: int) -> bool:
    """Whether a process is no more, or only waits to be buried (Linux)."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
