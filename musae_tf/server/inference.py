"""Classify, Regress and MultiInference on a loaded version: requests of tf.Examples.

Signatures of TF2 say `predict` whatever they are for, so what counts is, as in the container, the names of their
tensors: `inputs` to `classes` and `scores`, or to `outputs`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from google.protobuf.message import Message

from musae_tf.protocol.messages import DataType, MultiInferenceResponse, message_class
from musae_tf.server.servable import Servable
from musae_tf.server.signature import DEFAULT
from musae_tf.server.status import Code, StatusError, invalid
from musae_tf.server.tensor import Tensor

ClassificationResult = message_class("tensorflow.serving.ClassificationResult")
RegressionResult = message_class("tensorflow.serving.RegressionResult")

CLASSIFY_METHOD = "tensorflow/serving/classify"
REGRESS_METHOD = "tensorflow/serving/regress"


class _Need(NamedTuple):
    """Tensors of the graph that an answer needs: the one fed, and those fetched by output name."""

    feed: str
    fetches: dict[str, str]


def classify(servable: Servable, signature: str, examples: Message, deadline: float | None = None) -> Message:
    """The ClassificationResult of an Input message.

    Raises:
        StatusError: the model has no such signature, or the run fails.
    """
    need = _classification_need(_definition(servable, signature, "No signature was found with the name: {}"))
    return _classification(*_run(servable, need, examples, deadline))


def regress(servable: Servable, signature: str, examples: Message, deadline: float | None = None) -> Message:
    """The RegressionResult of an Input message.

    Raises:
        StatusError: the model has no such signature, or the run fails.
    """
    need = _regression_need(_definition(servable, signature, "No signature was found with the name: {}"))
    return _regression(*_run(servable, need, examples, deadline))


def multi_infer(
    servable: Servable, tasks: Sequence[Message], examples: Message, deadline: float | None = None
) -> Message:
    """The MultiInferenceResponse to several InferenceTask messages on one Input; model versions are left to the caller.

    Raises:
        StatusError: the tasks do not fit together or the model, or the run fails.
    """
    seen: set[str] = set()
    needs = []
    for task in tasks:
        if not task.model_spec.name:
            raise invalid("Found ModelSpec with an empty model name.")
        if task.model_spec.name != tasks[0].model_spec.name:
            raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        name = task.model_spec.signature_name or DEFAULT
        if name in seen:
            raise invalid(f"Duplicate evaluation of signature: {name}")
        seen.add(name)
        definition = _definition(servable, name, "Requested signature not found in model graph: {}")
        if task.method_name == CLASSIFY_METHOD:
            needs.append(_classification_need(definition))
        elif task.method_name == REGRESS_METHOD:
            needs.append(_regression_need(definition))
        else:
            raise StatusError(Code.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}")
        if needs[-1].feed != needs[0].feed:
            raise invalid("Input tensor must be the same for all Signatures.")
    fetches = {tensor: tensor for need in needs for tensor in need.fetches.values()}
    values, count = _run(servable, _Need(needs[0].feed, fetches), examples, deadline)
    response = MultiInferenceResponse()
    for task, need in zip(tasks, needs, strict=True):
        result = response.results.add()
        outputs = {name: values[tensor] for name, tensor in need.fetches.items()}
        if task.method_name == CLASSIFY_METHOD:
            result.classification_result.CopyFrom(_classification(outputs, count))
        else:
            result.regression_result.CopyFrom(_regression(outputs, count))
        result.model_spec.name = task.model_spec.name
        result.model_spec.signature_name = task.model_spec.signature_name or DEFAULT
    return response


def _definition(servable: Servable, name: str, missing: str) -> Message:
    name = name or DEFAULT
    if name not in servable.signatures:
        raise invalid(missing.format(name))
    return servable.signatures[name].definition


def _classification_need(definition: Message) -> _Need:
    if len(definition.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if len(definition.outputs) not in (1, 2):
        raise invalid(f"Expected one or two output Tensors, found {len(definition.outputs)}")
    if "inputs" not in definition.inputs:
        raise invalid(f"No classification inputs found in SignatureDef: {definition}")
    fetches = {name: definition.outputs[name].name for name in ("classes", "scores") if name in definition.outputs}
    if not fetches:
        raise invalid(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". Signature '
            f"was: {definition}"
        )
    return _Need(definition.inputs["inputs"].name, fetches)


def _regression_need(definition: Message) -> _Need:
    if len(definition.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if len(definition.outputs) != 1:
        raise invalid("Expected one output Tensor.")
    if "inputs" not in definition.inputs:
        raise invalid(f"No regression inputs found in SignatureDef: {definition}")
    if "outputs" not in definition.outputs:
        raise invalid(f"No regression outputs found in SignatureDef: {definition}")
    return _Need(definition.inputs["inputs"].name, {"outputs": definition.outputs["outputs"].name})


def _run(
    servable: Servable, need: _Need, examples: Message, deadline: float | None
) -> tuple[dict[str, np.ndarray], int]:
    """The outputs by name, and how many examples there were."""
    kind = examples.WhichOneof("kind")
    listed = getattr(examples, kind).examples if kind else ()
    if not listed:
        raise invalid("Input is empty.")
    context = examples.example_list_with_context.context.SerializeToString() if kind != "example_list" else b""
    texts = np.empty(len(listed), object)
    # Two messages in a row are, by the wire format, one message merged of both.
    texts[:] = [context + example.SerializeToString() for example in listed]
    names = list(need.fetches)
    arrays = servable.run([need.feed], [need.fetches[name] for name in names], [Tensor.joined([texts])], deadline)
    return dict(zip(names, arrays, strict=True)), len(listed)


def _classification(outputs: dict[str, np.ndarray], count: int) -> Message:
    for name, dtype, wanted in (("classes", np.dtype(object), "DT_STRING"), ("scores", np.dtype("f4"), "DT_FLOAT")):
        array = outputs.get(name)
        if array is None:
            continue
        if array.ndim != 2:
            raise invalid(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(array)}")
        if array.dtype != dtype:
            raise invalid(f"Expected {name} Tensor of {wanted}. Got: {_dtype(array)}")
        if len(array) != count:
            raise invalid(f"Expected {name} output batch size of {count}. Got: {len(array)}")
    labels, scores = outputs.get("classes"), outputs.get("scores")
    if labels is not None and scores is not None and labels.shape[1] != scores.shape[1]:
        raise invalid(
            f"Tensors class and score should match in dim_size(1). Got {labels.shape[1]} vs. {scores.shape[1]}"
        )
    result = ClassificationResult()
    for row in range(count):
        classes = result.classifications.add().classes
        for column in range((labels if labels is not None else scores).shape[1]):
            entry = classes.add()
            if labels is not None:
                entry.label = labels[row, column].decode(errors="replace")
            if scores is not None:
                entry.score = scores[row, column]
    return result


def _regression(outputs: dict[str, np.ndarray], count: int) -> Message:
    values = outputs["outputs"]
    if values.ndim != 1 and (values.ndim != 2 or values.shape[1] != 1):
        raise invalid(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(values)}"
        )
    if len(values) != count:
        raise invalid(f"Expected output batch size to be {count}. Got: {len(values)}")
    if values.dtype != np.float32:
        raise invalid(f"Expected output Tensor of DT_FLOAT. Got: {_dtype(values)}")
    result = RegressionResult()
    for value in values.ravel().tolist():
        result.regressions.add(value=value)
    return result


def _shape(array: np.ndarray) -> str:
    return f"[{','.join(map(str, array.shape))}]"


def _dtype(array: np.ndarray) -> str:
    return DataType.Name(Tensor.joined([array.reshape(-1)[:0]]).dtype)
