"""Requests that a model must answer: for the check of an export and for its warm-up."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from musae_tf.export.signatures import DEFAULT, SERVING_DEFAULT, Signature
from musae_tf.models import MusAE

BATCH_SIZES = (1, 8, 32)
"""Rows of the requests: one phrase, a song, a busy server."""


class Request(NamedTuple):
    """One call of a signature."""

    signature: str
    inputs: dict[str, np.ndarray]


def requests(model: MusAE, signatures: Mapping[str, Signature]) -> list[Request]:
    """Requests of every signature, the default one included, at all BATCH_SIZES; the same for the same shapes."""
    random = np.random.default_rng(1)
    signatures = {**signatures, SERVING_DEFAULT: signatures[DEFAULT]}
    return [
        Request(name, example(model, signature, rows, random))
        for name, signature in signatures.items()
        for rows in BATCH_SIZES
    ]


def example(model: MusAE, signature: Signature, rows: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Random inputs of a signature, all of them allowed; half of the rows are greedy."""
    genres = len(model.genres)
    integers = {
        "genre": (0, genres),
        "target": (0, genres),
        "source": (-1, genres),
        "request": (0, 1),
        "point": (0, 1),  # the only one that every map has
        "seed": (-(2**31), 2**31),
        **dict.fromkeys(("tokens", "start", "end"), (0, model.vocabulary_sizes)),
    }
    inputs = {}
    for name, spec in signature.inputs.items():
        shape = (rows, *spec.shape[1:])
        if name in integers:
            inputs[name] = random.integers(*integers[name], size=shape)
        elif name == "latent":
            inputs[name] = random.normal(size=shape)
        elif name == "temperature":
            inputs[name] = random.permutation(np.arange(rows) % 2) * 0.9
        else:
            inputs[name] = random.uniform(size=shape)
        inputs[name] = inputs[name].astype(spec.dtype.as_numpy_dtype)
    return inputs
