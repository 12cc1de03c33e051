"""Requests that an export must answer: checked in a fresh process before anybody sees it, and kept as its warm-up.

Without warm-up records the first request of each signature waits until TensorFlow Serving has optimised the graph. A
record that fails keeps the version from loading, so each is one that `verify` has had answered.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from musae_tf.errors import ExportError
from musae_tf.export.fresh import ANSWERED, WAYS
from musae_tf.export.signatures import DEFAULT, SERVING_DEFAULT, SignatureFunction, reason
from musae_tf.models import MusAE
from musae_tf.music.known import FREE, PITCH
from musae_tf.progress import progress
from musae_tf.protocol.codec import to_proto
from musae_tf.protocol.messages import PredictionLog

SCRIPT = Path(__file__).with_name("fresh.py")

BATCH_SIZES = (1, 8, 32)
"""Rows of the requests: one phrase, a song, a busy server."""

WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"
"""Where in a version folder TensorFlow Serving looks for them."""

MAXIMUM = 1000
"""TensorFlow Serving refuses a version with more."""


class Request(NamedTuple):
    """One call of a signature."""

    signature: str
    inputs: dict[str, np.ndarray]


def requests(model: MusAE, signatures: Mapping[str, SignatureFunction]) -> list[Request]:
    """Requests of every signature, the default one included, at all BATCH_SIZES; the same for the same shapes."""
    random = np.random.default_rng(1)
    signatures = {**signatures, SERVING_DEFAULT: signatures[DEFAULT]}
    return [
        Request(name, example(model, signature, rows, random))
        for name, signature in signatures.items()
        for rows in BATCH_SIZES
    ]


def example(
    model: MusAE, signature: SignatureFunction, rows: int, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Random inputs of a signature, all of them allowed; half of the rows are greedy."""
    genres = len(model.genres)
    integers: dict[str, tuple[int, Any]] = {
        "genre": (0, genres),
        "target": (0, genres),
        "source": (-1, genres),
        "request": (0, 1),
        "point": (0, 1),  # the only one that every map has
        "known": (FREE, PITCH + 1),
        "window": (0, 16),
        "windows": (1, 17),
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


def verify(folder: Path, live: Callable[[str, dict[str, Any]], dict[str, Any]], requests: Sequence[Request]) -> None:
    """Have a SavedModel loaded by a process that has no musae_tf, and answer requests as the live model does.

    Args:
        folder: of the SavedModel.
        live: the live model: name of a signature and inputs to outputs.
        requests: what to ask.

    Raises:
        ExportError: it does not load, a request fails, or an answer is not the live model's.
    """
    with (
        progress(total=len(requests) * (1 + len(WAYS)), title="checking", unit="answers") as bar,
        tempfile.TemporaryDirectory() as temporary,
    ):
        arrays = {"signatures": np.array([request.signature for request in requests])}
        for number, request in enumerate(requests):
            for side, tensors in (("inputs", request.inputs), ("outputs", live(*request))):
                for name, array in tensors.items():
                    # An array of objects, as strings are, would need pickle.
                    arrays[f"{number}.{side}.{name}"] = array.astype("S") if array.dtype == object else array
            bar.update()
        path = Path(temporary) / "requests.npz"
        np.savez(path, allow_pickle=False, **arrays)
        wrong = _ask(folder, path, bar.update)
    if wrong:
        raise ExportError(f"the exported model failed its check in a fresh process: {wrong}")


def _ask(folder: Path, requests: Path, answered: Callable[[], Any]) -> str | None:
    """Run the script; None if all is well, else what is wrong."""
    # The graph must do without a GPU, and the GPU may be busy with a training.
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [sys.executable, "-I", str(SCRIPT), str(folder), str(requests)]
    said = ""
    with open(requests.with_name("errors"), "w+", encoding="utf-8", errors="replace") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.strip() == ANSWERED:
                    answered()
                else:
                    said = line.strip()
            process.wait()
        finally:
            process.kill()  # after an interruption; one that has ended does not mind
            process.wait()
        if not process.returncode:
            return None
        errors.seek(0)
        return said or (errors.read().strip() or f"it ended with {process.returncode}").splitlines()[-1]


def write_warmup(folder: Path, name: str, requests: Sequence[Request]) -> None:
    """Write the records of a version: a TFRecord file of PredictionLog messages.

    Raises:
        ExportError: the file cannot be written.
    """
    path = folder / WARMUP
    try:
        path.parent.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(path)) as writer:
            for request in requests[:MAXIMUM]:
                writer.write(_record(name, request).SerializeToString(deterministic=True))
    except (OSError, tf.errors.OpError) as cause:
        raise ExportError(f"cannot write {path}: {reason(cause)}") from cause


def _record(name: str, request: Request) -> PredictionLog:
    record = PredictionLog()
    predict = record.predict_log.request
    predict.model_spec.name = name
    predict.model_spec.signature_name = request.signature
    for key, array in request.inputs.items():
        predict.inputs[key].CopyFrom(to_proto(array))
    return record
