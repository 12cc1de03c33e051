"""A model for LiteRT, on phones and in other programs without TensorFlow: three files and what they are, in model.json.

encode.tflite  tokens int32 [1, T, K] to mean and log_variance float32 [1, D]
draw.tflite    genre int32 [1] and normal float32 [1, D], standard normal numbers, to latent float32 [1, D]
decode.tflite  latent, temperature float32 [1] and chances float32 [1, T, C], uniform numbers, to tokens and
               log_probability float32 [1]

Randomness comes from the caller, since LiteRT has no generator that gives TensorFlow's numbers. Only LiteRT's own
operations are used.
"""

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from musae_tf.errors import ExportError
from musae_tf.export.signatures import leave_cudnn
from musae_tf.files import check_place
from musae_tf.models import MusAE
from musae_tf.models.autoregressive import AutoregressiveDecoder
from musae_tf.models.tokens import chances_of

if TYPE_CHECKING:
    from musae_tf.training import Run

_TRIED = 16
"""Requests that every file must answer as the live model does."""
_TOLERANCE = 1e-3


class _Function(NamedTuple):
    inputs: tuple[tf.TensorSpec, ...]
    outputs: tuple[str, ...]
    function: Callable[..., tuple[tf.Tensor, ...]]


def export_litert(
    run: "Run", to: str | os.PathLike, log: Callable[[str], None] = print, model: MusAE | None = None
) -> Path:
    """Write the files into a new folder.

    Args:
        run: any run with a checkpoint and an autoregressive decoder.
        to: the folder.
        log: takes the sentences for the user.
        model: what to export instead of the newest checkpoint.

    Returns:
        The folder.

    Raises:
        RunError: the run has no checkpoint.
        ExportError: the decoder is another one, LiteRT is not installed, the folder is there or cannot be written, or
            a file does not answer as the live model does. Then nothing was written.
    """
    target = Path(to)
    check_place(target, True, ExportError)
    if target.exists():
        raise ExportError(f"{target} is already there: name another folder")
    _litert()  # before the long work
    model = run.load_model() if model is None else model
    if not isinstance(model.decoder, AutoregressiveDecoder):
        raise ExportError(f"model.decoder is {run.config.model.decoder!r}; allowed for LiteRT: 'autoregressive'")
    leave_cudnn(model)
    functions = _functions(model)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as draft:
            folder = Path(draft, "new")
            folder.mkdir()
            for name, function in functions.items():
                content = _converted(function)
                same = _check(name, function, content, model)
                (folder / f"{name}.tflite").write_bytes(content)
                log(f"{target / name}.tflite: {len(content) / 1e6:.1f} MB, the same on {same} of {_TRIED} requests")
            (folder / "model.json").write_text(json.dumps(_facts(run, model), indent=1) + "\n", encoding="utf-8")
            folder.rename(target)
    except OSError as cause:
        raise ExportError(f"cannot write {target}: {cause.strerror or cause}") from cause
    return target


def _functions(model: MusAE) -> dict[str, _Function]:
    tokens = tf.TensorSpec([1, model.steps, len(model.vocabulary_sizes)], tf.int32, "tokens")
    latent, normal = (tf.TensorSpec([1, model.latent], tf.float32, name) for name in ("latent", "normal"))
    genre, temperature = tf.TensorSpec([1], tf.int32, "genre"), tf.TensorSpec([1], tf.float32, "temperature")
    chances = tf.TensorSpec([1, model.steps, _chances(model)], tf.float32, "chances")
    drawn = model.prior.drawn(tf.range(len(model.genres)))
    means, covariance = (np.asarray(part, np.float64) for part in (drawn.mean(), drawn.covariance()))
    scales = np.linalg.cholesky(np.broadcast_to(covariance, (*means.shape, model.latent))).astype(np.float32)
    means = means.astype(np.float32)

    def encode(tokens: tf.Tensor) -> tuple[tf.Tensor, ...]:
        mean, deviation = model.encode(tokens)
        return mean, 2.0 * tf.math.log(deviation)

    def draw(genre: tf.Tensor, normal: tf.Tensor) -> tuple[tf.Tensor, ...]:
        moved = tf.linalg.matmul(tf.gather(scales, genre), normal[..., tf.newaxis])
        return (tf.gather(means, genre) + moved[..., 0],)

    def decode(latent: tf.Tensor, temperature: tf.Tensor, chances: tf.Tensor) -> tuple[tf.Tensor, ...]:
        seed = tf.zeros([1, 2], tf.int32)
        tokens, log_probability = model.decoder.generate(latent, temperature, seed, chances=chances)
        # LiteRT's CompiledModel, and LiteRT.js with it, cannot have a loop write into the memory of the caller. Other
        # operations can, and these change nothing.
        return tf.maximum(tokens, 0), tf.minimum(log_probability, 0.0)

    return {
        "encode": _Function((tokens,), ("mean", "log_variance"), encode),
        "draw": _Function((genre, normal), ("latent",), draw),
        "decode": _Function((latent, temperature, chances), ("tokens", "log_probability"), decode),
    }


def _chances(model: MusAE) -> int:
    return sum(chances_of(size) for size in model.vocabulary_sizes)


def _converted(function: _Function) -> bytes:
    """The function as a flatbuffer, weights included: the converter loses variables of Keras that are not constants."""

    def named(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        # Outputs keep their order, and no names: that of their numbers.
        return {str(number): output for number, output in enumerate(function.function(*inputs))}

    traced = tf.function(named, autograph=False).get_concrete_function(*function.inputs)
    constant = convert_variables_to_constants_v2(traced, lower_control_flow=False)
    try:
        return bytes(tf.lite.TFLiteConverter.from_concrete_functions([constant]).convert())
    except Exception as cause:  # the converter's own class has no public name
        raise ExportError(f"LiteRT does not take this model: {str(cause).splitlines()[0]}") from cause


def _check(name: str, function: _Function, content: bytes, model: MusAE) -> int:
    """On how many requests a file answers as the live model does."""
    interpreter = _litert()(model_content=content)
    interpreter.allocate_tensors()
    places = {spec["name"].split(":")[0]: spec["index"] for spec in interpreter.get_input_details()}
    outputs = [spec["index"] for spec in interpreter.get_output_details()]
    random, different = np.random.default_rng(1), 0
    for _ in range(_TRIED):
        inputs = _example(function, model, random)
        for key, value in inputs.items():
            interpreter.set_tensor(places[key], value)
        interpreter.invoke()
        found = [interpreter.get_tensor(index) for index in outputs]
        wanted = [output.numpy() for output in function.function(*map(tf.constant, inputs.values()))]
        different += not all(
            np.allclose(one, other, _TOLERANCE, _TOLERANCE) for one, other in zip(found, wanted, strict=True)
        )
    # An even choice between two symbols may fall otherwise, and then all that follows.
    if different > _TRIED // 8:
        raise ExportError(f"{name} in LiteRT does not answer as the model does: {different} of {_TRIED} differ")
    return _TRIED - different


def _litert() -> Any:
    """LiteRT's interpreter."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        raise ExportError("files for LiteRT are tried by it: pip install 'musae-tf[litert]'") from None
    return Interpreter


def _example(function: _Function, model: MusAE, random: np.random.Generator) -> dict[str, np.ndarray]:
    limits: Mapping[str, Any] = {"tokens": model.vocabulary_sizes, "genre": len(model.genres)}
    inputs = {}
    for spec in function.inputs:
        shape = spec.shape.as_list()
        if spec.name in limits:
            inputs[spec.name] = random.integers(0, limits[spec.name], shape).astype(np.int32)
        elif spec.name == "temperature":
            inputs[spec.name] = random.choice([0.0, 0.9], shape).astype(np.float32)
        else:
            draw = random.random if spec.name == "chances" else random.standard_normal
            inputs[spec.name] = np.asarray(draw(shape)).astype(np.float32)
    return inputs


def _facts(run: "Run", model: MusAE) -> dict[str, Any]:
    """What a program needs to use the files."""
    return {
        "layout": run.layout.to_dict(),
        "grid": run.config.music.grid,
        "bars": run.config.music.bars,
        "genres": list(run.genres),
        "tempos": run.facts.get("tempos", {}),
        "steps": model.steps,
        "latent": model.latent,
        "vocabulary_sizes": list(model.vocabulary_sizes),
        "chances": _chances(model),
        "files": {
            name: {
                "inputs": [
                    {"name": s.name, "dtype": s.dtype.name, "shape": s.shape.as_list()} for s in function.inputs
                ],
                "outputs": list(function.outputs),
            }
            for name, function in _functions(model).items()
        },
    }
