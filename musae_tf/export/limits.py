"""What the inputs of signatures may be, and the checks of it in the graph."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from musae_tf.models import MusAE
from musae_tf.music.known import FREE, PITCH
from musae_tf.music.repeats import SECTION

MAXIMUM_TEMPERATURE = 100.0


class Limits(NamedTuple):
    """Least and greatest allowed value (numbers, or one a track), and how to say it."""

    least: Any
    greatest: Any
    allowed: str


def limits_of(model: MusAE) -> dict[str, Limits]:
    """What each input may be; those that are missing here may be anything."""
    genres, sizes = len(model.genres), model.vocabulary_sizes
    last = [size - 1 for size in sizes]
    tokens = Limits(0, last, f"from 0 to {last[0]}" if len(set(last)) == 1 else f"from 0 to {last}, track by track")
    genre = Limits(0, genres - 1, f"from 0 to {genres - 1}")
    finite = Limits(-tf.float32.max, tf.float32.max, "a finite number")
    return {
        **dict.fromkeys(("tokens", "start", "end"), tokens),
        **dict.fromkeys(("genre", "target"), genre),
        "source": Limits(-1, genres - 1, f"from 0 to {genres - 1}, or -1 for the likeliest"),
        **dict.fromkeys(("latent", "position", "strength", "amounts"), finite),
        "temperature": Limits(0.0, MAXIMUM_TEMPERATURE, f"from 0 to {MAXIMUM_TEMPERATURE:g}"),
        "trust": Limits(0.0, 1.0, "from 0 to 1"),
        "window": Limits(0, SECTION - 1, f"from 0 to {SECTION - 1}"),
        "windows": Limits(1, tf.int32.max, "1 or more"),
        "known": Limits(FREE, PITCH, f"from {FREE} to {PITCH}: free, kept, an onset, a pitch"),
        "asked genre": Limits(-1, genres - 1, f"from 0 to {genres - 1}, or -1 for none"),
    }


def checked(
    inputs: Mapping[str, tf.Tensor], specs: Mapping[str, tf.TensorSpec], limits: Mapping[str, Limits]
) -> dict[str, tf.Tensor]:
    """The inputs, which fail with INVALID_ARGUMENT unless shapes, numbers of rows and values are as they must be.

    A session does not hold a request's shapes against the signature, so the graph has to.
    """
    shaped = {name: tf.ensure_shape(inputs[name], spec.shape) for name, spec in specs.items()}
    first = next(iter(shaped))
    rows, checks = tf.shape(shaped[first])[0], []
    for name, tensor in shaped.items():
        count = tf.shape(tensor)[0]
        words = f"{first} and {name} must have as many rows as each other; found"
        checks.append(tf.debugging.Assert(tf.equal(count, rows), [words, rows, count]))
        if name in limits:
            least, greatest, allowed = limits[name]
            # NaN compares false.
            within = tf.reduce_all((tensor >= least) & (tensor <= greatest))
            found = [tf.reduce_min(tensor), tf.reduce_max(tensor)]
            checks.append(tf.debugging.Assert(within, [f"{name} must be {allowed}; least and greatest found:", *found]))
    with tf.control_dependencies(checks):
        return {name: tf.identity(tensor) for name, tensor in shaped.items()}
