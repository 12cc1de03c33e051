"""What a caller gives a verb, checked before anything is computed or sent: one sentence for each mistake."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from musae_tf.errors import InvalidRequestError

MOST_BARS, MOST_POINTS = 4096, 256
"""The longest piece, and the most pieces, that one call makes."""


def whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """A whole number.

    Raises:
        InvalidRequestError: it is none, or below `least`, or above `most`.
    """
    allowed = f"{least} or more" if most is None else f"from {least} to {most}"
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InvalidRequestError(f"{name} is {value!r}, must be a whole number, {allowed}")
    if value < least or (most is not None and value > most):
        raise InvalidRequestError(f"{name} is {value}, must be {allowed}")
    return int(value)


def number(name: str, value: Any, least: float = -math.inf, most: float = math.inf) -> float:
    """A finite number.

    Raises:
        InvalidRequestError: it is none, or not from `least` to `most`.
    """
    allowed = f"a number from {least:g} to {most:g}" if least > -math.inf else "a finite number"
    known = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not (known and math.isfinite(value) and least <= value <= most):
        raise InvalidRequestError(f"{name} is {value!r}, must be {allowed}")
    return float(value)


def choice(name: str, value: Any, allowed: Sequence[str]) -> str:
    """One of some words.

    Raises:
        InvalidRequestError: it is none of them.
    """
    if value not in allowed:
        raise InvalidRequestError(f"{name} is {value!r}, must be one of {', '.join(allowed)}")
    return str(value)


def tempo(value: Any) -> float:
    """Quarter notes a minute.

    Raises:
        InvalidRequestError: it is no number from 1 to 1000.
    """
    return number("tempo", value, 1, 1000)


def changes(value: Any) -> dict[str, float]:
    """Amounts of attributes by name.

    Raises:
        InvalidRequestError: it is no mapping, or an amount is no finite number.
    """
    if not isinstance(value, Mapping):
        raise InvalidRequestError(f"changes is {value!r}, must be a mapping of names of attributes to amounts")
    return {name: number(f"the amount of {name}", amount) for name, amount in value.items()}


def codes(value: Any, axes: int) -> np.ndarray:
    """Codes of phrases, float32 [n, axes].

    Raises:
        InvalidRequestError: it is another kind of thing, of another shape, or not finite.
    """
    wanted = f"[n, {axes}] with n of 1 or more"
    try:
        array = np.asarray(value, np.float32)
    except (TypeError, ValueError):
        hint = "; take the mean of what encode gives" if hasattr(value, "mean") else ""
        sentence = f"latent is of the type {type(value).__name__}, must be an array of numbers {wanted}{hint}"
        raise InvalidRequestError(sentence) from None
    if array.ndim != 2 or len(array) == 0 or array.shape[1] != axes:
        raise InvalidRequestError(f"latent has shape {list(array.shape)}, must be {wanted}")
    if not np.isfinite(array).all():
        raise InvalidRequestError("latent has values that are not finite numbers")
    return array
