"""Predict on a loaded version: from a request to tensors, and from outputs to a response."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from google.protobuf.message import Message

from musae_tf.protocol.codec import fill_proto
from musae_tf.protocol.messages import PredictResponse
from musae_tf.server.servable import Servable
from musae_tf.server.signature import UNLIMITED, RequestLimits, find_signature
from musae_tf.server.tensor import Tensor


class Prepared(NamedTuple):
    """A checked Predict request.

    Attributes:
        signature: effective name of the signature.
        outputs: names of the outputs to answer with.
        feeds: tensors of the graph to feed.
        fetches: tensors of the graph to fetch, one for each output.
        inputs: a tensor for each feed.
    """

    signature: str
    outputs: tuple[str, ...]
    feeds: Sequence[str]
    fetches: Sequence[str]
    inputs: list[Tensor]


def prepare(servable: Servable, request: Message, limits: RequestLimits = UNLIMITED) -> Prepared:
    """Check a PredictRequest against the model, in the container's order.

    Raises:
        StatusError: what is wrong with it.
    """
    name, signature = find_signature(servable.signatures, request.model_spec.signature_name)
    checked = signature.check(request.inputs)
    outputs = signature.outputs(request.output_filter)
    inputs = signature.tensors(checked, request.inputs, limits)
    fetches = tuple(signature.fetches[alias] for alias in outputs)
    return Prepared(name, outputs, signature.feeds, fetches, inputs)


def run_predict(servable: Servable, request: Message) -> None:
    """Run a PredictRequest and forget the outputs: for warm-up.

    Raises:
        StatusError: it fails.
    """
    prepared = prepare(servable, request)
    servable.run(prepared.feeds, prepared.fetches, prepared.inputs)


class Prediction(NamedTuple):
    """The answer to a Predict request.

    Attributes:
        model: name of the model, as requested.
        version: the version that answered.
        signature: the effective signature.
        outputs: arrays by name; strings as objects of type bytes.
    """

    model: str
    version: int
    signature: str
    outputs: dict[str, np.ndarray]

    def response(self, as_content: bool = False) -> Message:
        """The PredictResponse: values in typed fields, or, if asked for, in `tensor_content`."""
        response = PredictResponse()
        spec = response.model_spec
        spec.name, spec.version.value, spec.signature_name = self.model, self.version, self.signature
        for alias, array in self.outputs.items():
            fill_proto(response.outputs[alias], array, typed=not as_content)
        return response
