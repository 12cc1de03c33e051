"""A real gRPC server that answers as a test tells it, and remembers what it was asked."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
from google.protobuf.message import Message

from musae_tf.music import get_layout
from musae_tf.protocol.codec import to_array, to_proto
from musae_tf.protocol.messages import GetModelStatusResponse, PredictResponse
from musae_tf.protocol.services import GET_MODEL_STATUS, PREDICT, Method

DESCRIPTION = {
    "format": 1, "name": "echo", "version": 1, "layout": get_layout("voices").to_dict(), "genres": ["loud", "soft"],
    "tempos": {"loud": 90.0}, "steps": 16, "bars": 1, "tracks": 4, "latent": 3,
    "vocabulary_sizes": [130] * 4, "created": "2026-01-01T00:00:00+00:00", "dataset_hash": "0" * 64, "signatures": {},
}  # fmt: skip


class StatusError(Exception):
    """Raised by an answer: the status that the client gets."""

    def __init__(self, code: str, details: str):
        self.code, self.details = grpc.StatusCode[code], details


class ScriptedServer:
    """A server on a free port.

    Attributes:
        port: where it is.
        asked: (name of the method, request, metadata) of all calls.
        version: the version that `answer` puts into replies.
        answer: makes the reply to a request; by default that of a model that echoes tokens.
    """

    def __init__(self, port: int = 0):
        self.asked: list[tuple[str, Message, dict[str, str]]] = []
        self.version = 1
        self.answer: Callable[[Message], Message] = self.echo
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        handlers = {method.name: self._handler(method) for method in (PREDICT, GET_MODEL_STATUS)}
        for method in (PREDICT, GET_MODEL_STATUS):
            self._server.add_generic_rpc_handlers(
                [grpc.method_handlers_generic_handler(method.service, {method.name: handlers[method.name]})]
            )
        self.port = self._server.add_insecure_port(f"localhost:{port}")

    @property
    def target(self) -> str:
        return f"localhost:{self.port}"

    @property
    def signatures(self) -> list[str]:
        """Signatures of all Predict calls, "status" for the others."""
        names = (request.model_spec.signature_name or "status" for _, request, _ in self.asked)
        return list(names)

    def __enter__(self) -> "ScriptedServer":
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.stop(0).wait()

    def echo(self, request: Message) -> Message:
        """The answer of a model that changes nothing, or of the model service."""
        if request.DESCRIPTOR.name == "GetModelStatusRequest":
            reply = GetModelStatusResponse()
            reply.model_version_status.add(version=self.version, state="AVAILABLE")
            return reply
        signature = request.model_spec.signature_name
        inputs = {name: to_array(proto) for name, proto in request.inputs.items()}
        rows = len(next(iter(inputs.values())))
        if signature == "describe":
            outputs = {"metadata": np.full(rows, json.dumps(DESCRIPTION).encode(), object)}
        elif signature == "sample":
            outputs = {"latent": np.zeros((rows, 3), np.float32)}
        else:
            outputs = {"tokens": inputs.get("tokens", np.full((rows, 16, 4), 128, np.int32))}
        return self.reply(**outputs)

    def reply(self, **outputs: np.ndarray) -> Message:
        reply = PredictResponse()
        reply.model_spec.version.value = self.version
        for name, array in outputs.items():
            reply.outputs[name].CopyFrom(to_proto(array, typed=True))
        return reply

    def failing(self, times: int, code: str, details: str = "no") -> Callable[[Message], Message]:
        """An answer that fails some times and is then that of `echo`."""
        left = [times]

        def answer(request: Message) -> Message:
            if left[0] > 0:
                left[0] -= 1
                raise StatusError(code, details)
            return self.echo(request)

        return answer

    def _handler(self, method: Method) -> grpc.RpcMethodHandler:
        def handle(request: Message, context: grpc.ServicerContext) -> Message:
            self.asked.append((method.name, request, dict(context.invocation_metadata())))
            try:
                return self.answer(request)
            except StatusError as error:
                context.abort(error.code, error.details)

        return grpc.unary_unary_rpc_method_handler(handle, method.request.FromString, method.response.SerializeToString)
