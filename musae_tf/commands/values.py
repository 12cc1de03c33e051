"""What stands for a value on the command line: functions that argparse takes as types."""

import argparse
import math
from collections.abc import Callable


def integer(low: int, high: int = 2**31 - 1) -> Callable[[str], int]:
    """A whole number from `low` to `high`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return value

    return read


def number(low: float, high: float) -> Callable[[str], float]:
    """A number from `low` to `high`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
        return value

    return read


def boolean(text: str) -> bool:
    """True or false."""
    if text.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f"{text!r} is not true or false (an argument of the command goes before it)")
    return text.lower() in ("true", "1")


def pairs(text: str) -> tuple[tuple[str, str | int], ...]:
    """KEY=VALUE,KEY=VALUE: keys and values, whole numbers as such."""
    found = []
    for entry in text.split(","):
        key, separator, value = entry.partition("=")
        if not key or not separator:
            raise argparse.ArgumentTypeError(f"{entry!r} is not of the form KEY=VALUE")
        found.append((key, int(value) if value.lstrip("-").isdecimal() else value))
    return tuple(found)
