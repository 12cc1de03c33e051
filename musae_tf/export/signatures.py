"""The graph that is served: one function a signature, with its inputs checked and its rows independent of each other.

B rows, T steps, K tracks, D latent axes, G genres. Every input and output has the rows in dimension 0, so that a server
can join requests and split their answers.

Rows pass through the networks in blocks of BLOCK rows, the last one filled up with copies of the last row. Matrix
products of another shape add in another order, and a difference in the last bit is enough to turn an even choice
between two symbols; with one shape for all, a row has the same numbers, bit for bit, whatever it was batched with.
Memory too is bounded by the block and not by the request.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from musae_tf.errors import ExportError
from musae_tf.export.form import FormDraws
from musae_tf.export.limits import Limits, checked, limits_of
from musae_tf.latent import AttributeVectors
from musae_tf.latent.form import Form
from musae_tf.models import MusAE
from musae_tf.models.autoregressive import AutoregressiveDecoder
from musae_tf.models.filling import TRUST
from musae_tf.models.layers import recurrences_of
from musae_tf.models.symbols import Known
from musae_tf.verbs.description import LatentMap

BLOCK = 16
"""Rows that go through the networks together. On a CPU 16 cost per row what 64 do; 1 row costs what 16 do."""

SERVING_DEFAULT, DEFAULT = "serving_default", "reconstruct"
"""Name of the signature that a request without a signature name gets, and which one it is."""

ARC = "interpolate_spherical"
"""The signature that is `interpolate` on great arcs."""

Tensors = dict[str, tf.Tensor]


class SignatureFunction(NamedTuple):
    """One served function.

    Attributes:
        inputs: names, dtypes and shapes; dimension 0 is None, the rows.
        outputs: the same of what it returns.
        function: makes the outputs of the inputs, which are its keyword arguments.
        in_blocks: whether it is given BLOCK rows at a time, or all at once.
        limits: of inputs that may be something else than those of the same name elsewhere.
    """

    inputs: dict[str, tf.TensorSpec]
    outputs: dict[str, tf.TensorSpec]
    function: Callable[..., Tensors]
    in_blocks: bool = True
    limits: Mapping[str, Limits] = {}

    def to_dict(self) -> dict[str, Any]:
        """As JSON: {"inputs": {name: {"dtype", "shape"}}, "outputs": ...}."""
        return {
            side: {name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()} for name, spec in specs.items()}
            for side, specs in (("inputs", self.inputs), ("outputs", self.outputs))
        }


class ModelSignatures:
    """A model as the functions that are served.

    Args:
        model: the live model. Its LSTMs or GRUs are told to leave cuDNN alone from now on: a graph with cuDNN's ops
            cannot run on a CPU.
        describe: makes the text that the signature `describe` returns from the signatures as JSON; without it there is
            no such signature.
        latent_map: what the signature `map` answers with; without it there is no such signature.
        attributes: the vectors that `change` moves along; without them there is no such signature.
        form: what the signature `form` draws the codes of a piece from; without it there is no such signature.

    Attributes:
        signatures: by name.
        metadata: the text of `describe`.
    """

    def __init__(
        self,
        model: MusAE,
        describe: Callable[[Mapping[str, Any]], str] | None = None,
        latent_map: LatentMap | None = None,
        attributes: AttributeVectors | None = None,
        form: Form | None = None,
    ):
        leave_cudnn(model)
        self._model = model
        self._traced: dict[str, Callable[..., Tensors]] = {}
        self._limits = limits_of(model)
        self._tokens = _rows(tf.int32, model.steps, len(model.vocabulary_sizes))
        self._code, self._number, self._genre = _rows(tf.float32, model.latent), _rows(tf.float32), _rows(tf.int32)
        self._sampling = {"temperature": self._number, "seed": _rows(tf.int32, 2)}
        self._music = {"tokens": self._tokens, "latent": self._code}
        # Functions of their own, so that the graph holds each network once and not once a signature.
        seeds = self._sampling["seed"]
        self._encode_block = _of_block(model.encode, self._tokens)
        decoded = (self._code, self._number, seeds, self._number)
        self._decode_block = _of_block(model.decode, *decoded)
        if model.config.model.hidden_parts:
            # A graph of its own: it is larger, and what a signature has to hold costs time until it is warm.
            self._decode_known_block = _of_block(
                lambda latent, temperature, seed, trust, *known: model.decode(
                    latent, temperature, seed, trust, Known(*known)
                ),
                *(*decoded, self._tokens, self._tokens),
            )
            self._fill_block = _of_block(
                lambda tokens, known, *how: model.fill_latent(Known(tokens, known), *how),
                *(self._tokens, self._tokens, self._genre, seeds),
            )
        self._sample_block = _of_block(model.sample_latent, self._genre, seeds)
        self._scores_block = _of_block(model.prior.genre_scores, self._code)
        self.metadata = ""
        self.signatures = self._signatures()
        if attributes is not None:
            self.add_attributes(attributes)
        if form is not None:
            self.add_form(form)
        if latent_map is not None:
            self.add_map(latent_map)
        if describe is not None:
            self.add_description(describe)

    def _signatures(self) -> dict[str, SignatureFunction]:
        """Those of every model, `decode_trusted` if its decoder knows trust, and those that fill hidden parts."""
        tokens, code, number, genre, sampling = self._tokens, self._code, self._number, self._genre, self._sampling
        posterior = {"mean": code, "log_variance": code, "genre_scores": _rows(tf.float32, len(self._model.genres))}
        drawn = {"tokens": tokens, "log_probability": number}
        ends = {"start": tokens, "end": tokens, "position": number, **sampling}
        moved = {"tokens": tokens, "source": genre, "target": genre, "strength": number, **sampling}
        signatures = {
            "encode": SignatureFunction({"tokens": tokens}, posterior, self._encode),
            "decode": SignatureFunction({"latent": code, **sampling}, drawn, self._decode),
            "sample": SignatureFunction({"genre": genre, **sampling}, self._music, self._sample),
            "reconstruct": SignatureFunction({"tokens": tokens, **sampling}, self._music, self._reconstruct),
            "interpolate": SignatureFunction(ends, self._music, partial(self._interpolate, "linear")),
            ARC: SignatureFunction(ends, self._music, partial(self._interpolate, "spherical")),
            "transfer": SignatureFunction(moved, self._music, self._transfer),
        }
        if isinstance(self._model.decoder, AutoregressiveDecoder):
            # Not an input of the others: a server wants every input of a signature, and their callers know none.
            trusted = {"latent": code, "trust": number, **sampling}
            signatures["decode_trusted"] = SignatureFunction(trusted, drawn, self._decode)
        if self._model.config.model.hidden_parts:
            # In `known` are the levels of `musae_tf.music.known`, in `genre` is -1 where none is asked for.
            parts = {"tokens": tokens, "known": tokens}
            around = {**parts, "latent": code, "trust": number, **sampling}
            signatures["decode_known"] = SignatureFunction(around, drawn, self._decode)
            signatures["fill"] = SignatureFunction(
                {**parts, "genre": genre, **sampling},
                {**self._music, "log_probability": number},
                self._fill,
                limits={"genre": self._limits["asked genre"]},
            )
        return signatures

    def add_attributes(self, attributes: AttributeVectors) -> None:
        """Add the signature `change`, which moves along these vectors."""
        inputs = {"tokens": self._tokens, "amounts": _rows(tf.float32, len(attributes.names)), **self._sampling}
        self.signatures["change"] = SignatureFunction(inputs, self._music, partial(self._change, attributes.directions))

    def add_form(self, form: Form) -> None:
        """Add the signature `form`, which draws the codes of a piece's windows from this."""
        draws = FormDraws(form, self._model.prior)
        block = _of_block(draws, self._genre, self._genre, self._genre, self._sampling["seed"])
        self.signatures["form"] = form_signature(
            self._model.latent, lambda **asked: dict(zip(_FORM_OUTPUTS, block(**asked), strict=True))
        )

    def add_map(self, latent_map: LatentMap) -> None:
        """Add the signature `map`, which answers with these points."""
        columns = {
            "position": latent_map.position,
            "genre": latent_map.genre,
            "title": np.array([title.encode() for title in latent_map.title], object),
            "latent": latent_map.latent,
        }
        last = len(latent_map.title) - 1
        self._limits["point"] = Limits(0, last, f"from 0 to {last}")
        outputs = {"position": _rows(tf.float32, 2), "genre": self._genre, "title": _rows(tf.string),
                   "latent": self._code}  # fmt: skip
        self.signatures["map"] = SignatureFunction(
            {"point": self._genre}, outputs, partial(self._points, columns), False
        )

    def add_description(self, describe: Callable[[Mapping[str, Any]], str]) -> None:
        """Add the signature `describe`, with the text that is made of all signatures as JSON, its own included."""
        request, text = {"request": _rows(tf.int32)}, {"metadata": _rows(tf.string)}
        self.signatures["describe"] = SignatureFunction(request, text, self._describe, False)
        self.metadata = describe({name: signature.to_dict() for name, signature in self.signatures.items()})

    @property
    def functions(self) -> dict[str, Callable[..., Tensors]]:
        """All signatures as functions of tensors; the one without a name too."""
        traced = {name: self._function(name) for name in self.signatures}
        return {**traced, SERVING_DEFAULT: traced[DEFAULT]}

    def __call__(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Run a signature in this process: arrays in, numpy arrays out.

        Raises:
            tf.errors.InvalidArgumentError: a value, or the number of rows, is outside what is allowed.
        """
        tensors = {name: tf.constant(array) for name, array in inputs.items()}
        function = self._function(DEFAULT if signature == SERVING_DEFAULT else signature)
        return {name: output.numpy() for name, output in function(**tensors).items()}

    def save(self, folder: Path) -> None:
        """Write the SavedModel.

        Raises:
            ExportError: it cannot be written.
        """
        root = tf.Module()
        root.weights = [weight.value for weight in self._model.music_variables]  # the critic is for training only
        try:
            tf.saved_model.save(root, str(folder), self.functions)
        except (OSError, tf.errors.OpError) as cause:
            raise ExportError(f"cannot write {folder}: {reason(cause)}") from cause

    def _function(self, name: str) -> Callable[..., Tensors]:
        """The graph of a signature, traced when it is first wanted: in this process few of them are."""
        if name not in self._traced:
            signature = self.signatures[name]

            def function(**arguments: tf.Tensor) -> Tensors:
                found = checked(arguments, signature.inputs, {**self._limits, **signature.limits})
                return _in_blocks(signature, found) if signature.in_blocks else signature.function(**found)

            specs = {key: tf.TensorSpec(spec.shape, spec.dtype, key) for key, spec in signature.inputs.items()}
            self._traced[name] = tf.function(function, autograph=False).get_concrete_function(**specs)
        return self._traced[name]

    # The functions of the signatures, most of them on one block.

    def _encode(self, tokens: tf.Tensor) -> Tensors:
        mean, deviation = self._encode_block(tokens)
        return {
            "mean": mean,
            "log_variance": 2.0 * tf.math.log(deviation),
            "genre_scores": self._scores_block(mean),
        }

    def _decode(
        self,
        latent: tf.Tensor,
        temperature: tf.Tensor,
        seed: tf.Tensor,
        trust: tf.Tensor | None = None,
        tokens: tf.Tensor | None = None,
        known: tf.Tensor | None = None,
    ) -> Tensors:
        how = (latent, temperature, seed, tf.ones_like(temperature) if trust is None else trust)
        drawn, log_probability = (
            self._decode_block(*how) if tokens is None else self._decode_known_block(*how, tokens, known)
        )
        return {"tokens": drawn, "log_probability": log_probability}

    def _fill(self, tokens: tf.Tensor, known: tf.Tensor, genre: tf.Tensor, **sampling: tf.Tensor) -> Tensors:
        latent = self._fill_block(tokens, known, genre, sampling["seed"])
        trust = tf.fill(tf.shape(genre), TRUST)
        return {**self._decode(latent, **sampling, trust=trust, tokens=tokens, known=known), "latent": latent}

    def _sample(self, genre: tf.Tensor, **sampling: tf.Tensor) -> Tensors:
        # The prior's draws and those of the symbols are unrelated though their seed is one: each folds it its own way.
        return self._made(self._sample_block(genre, sampling["seed"]), sampling)

    def _reconstruct(self, tokens: tf.Tensor, **sampling: tf.Tensor) -> Tensors:
        return self._made(self._encode_block(tokens)[0], sampling)

    def _interpolate(
        self, path: str, start: tf.Tensor, end: tf.Tensor, position: tf.Tensor, **sampling: tf.Tensor
    ) -> Tensors:
        first, last = (self._encode_block(tokens)[0] for tokens in (start, end))
        latent = self._model.interpolate_latent(first, last, position, path)
        return self._made(latent, sampling, self._model.interpolation_trust(position))

    def _transfer(
        self, tokens: tf.Tensor, source: tf.Tensor, target: tf.Tensor, strength: tf.Tensor, **sampling: tf.Tensor
    ) -> Tensors:
        moved = self._model.transfer_latent(self._encode_block(tokens)[0], source, target, strength)
        return self._made(moved, sampling, self._model.transfer_trust(strength))

    def _change(self, directions: np.ndarray, tokens: tf.Tensor, amounts: tf.Tensor, **sampling: tf.Tensor) -> Tensors:
        latent = self._encode_block(tokens)[0]
        # One after the other, as `AttributeVectors.move` adds them.
        for number, direction in enumerate(directions):
            latent += amounts[:, number, tf.newaxis] * direction
        return self._made(latent, sampling)

    def _describe(self, request: tf.Tensor) -> Tensors:
        return {"metadata": tf.fill(tf.shape(request), self.metadata)}

    def _points(self, columns: Mapping[str, np.ndarray], point: tf.Tensor) -> Tensors:
        return {name: tf.gather(tf.constant(column), point) for name, column in columns.items()}

    def _made(self, latent: tf.Tensor, sampling: Tensors, trust: tf.Tensor | None = None) -> Tensors:
        return {"tokens": self._decode(latent, **sampling, trust=trust)["tokens"], "latent": latent}


_FORM_OUTPUTS = ("latent", "repeats")


def _not_fitted(**asked: tf.Tensor) -> Tensors:
    raise ValueError("the form is not fitted yet")


def form_signature(latent: int, function: Callable[..., Tensors] = _not_fitted) -> SignatureFunction:
    """The signature `form` of a model with `latent` axes; without a function, to know its inputs and outputs."""
    number = _rows(tf.int32)
    return SignatureFunction(
        {"genre": number, "window": number, "windows": number, "seed": _rows(tf.int32, 2)},
        {"latent": _rows(tf.float32, latent), "repeats": number},
        function,
    )


def _rows(dtype: tf.DType, *shape: int) -> tf.TensorSpec:
    return tf.TensorSpec([None, *shape], dtype)


def _of_block(function: Callable[..., Any], *specs: tf.TensorSpec) -> Callable[..., Any]:
    return tf.function(function, [_block(spec) for spec in specs], autograph=False)


def _in_blocks(signature: SignatureFunction, inputs: Tensors) -> Tensors:
    rows = tf.shape(next(iter(inputs.values())))[0]
    blocks = (rows + BLOCK - 1) // BLOCK
    index = tf.minimum(tf.range(blocks * BLOCK), rows - 1)
    blocked = {
        name: tf.reshape(tf.gather(tensor, index), [blocks, BLOCK, *tensor.shape[1:]])
        for name, tensor in inputs.items()
    }
    answers = tf.map_fn(
        lambda block: signature.function(**block),
        blocked,
        fn_output_signature={name: _block(spec) for name, spec in signature.outputs.items()},
    )
    return {name: tf.reshape(answers[name], [-1, *spec.shape[1:]])[:rows] for name, spec in signature.outputs.items()}


def _block(spec: tf.TensorSpec) -> tf.TensorSpec:
    return tf.TensorSpec([BLOCK, *spec.shape[1:]], spec.dtype)


def leave_cudnn(model: MusAE) -> None:
    """Have a model's recurrences do without cuDNN."""
    for layer in [*model.encoder.layers, *model.decoder.layers]:
        for recurrence in recurrences_of(layer):
            recurrence.use_cudnn = False


def reason(cause: Exception) -> str:
    """What an OSError, or an error of a TensorFlow op, says of a file, without where in TensorFlow it happened."""
    if isinstance(cause, OSError):
        return cause.strerror or str(cause)
    words = re.sub(r"\{\{.*?\}\}|\[Op:\w+\]", "", getattr(cause, "message", str(cause)))
    # The name of a temporary file stands before the reason.
    return words.rpartition("; ")[2].strip()
