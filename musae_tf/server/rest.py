"""The REST API and the Prometheus metrics, on a port of their own."""

import asyncio
import contextlib
import json
import re
import time
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from musae_tf.protocol.messages import (
    GetModelMetadataRequest,
    GetModelStatusRequest,
    ModelSpec,
    PredictRequest,
    SignatureDefMap,
)
from musae_tf.server.connections import error_page
from musae_tf.server.handlers import CLASSIFY_METHOD, REGRESS_METHOD, Handlers, Prediction
from musae_tf.server.json_process import JsonProcess
from musae_tf.server.json_tensor import parse_body, signature_name, text_of
from musae_tf.server.options import Options
from musae_tf.server.status import Code, StatusError, as_status, invalid
from musae_tf.server.tasks import Task

T = TypeVar("T")

_BODIES_AT_ONCE = 8
_EXAMPLES = ("classify", "regress")
_CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-allow-headers": "Content-Type",
}
# A name or label holds no slash and no colon, and is looked up in a table, never joined to a path.
_VERSION = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_CALL = re.compile(rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<method>classify|regress|predict)", re.IGNORECASE)
_LOOK = re.compile(rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?P<metadata>/metadata)?", re.IGNORECASE)

_HTTP = {
    Code.OK: 200, Code.INVALID_ARGUMENT: 400, Code.FAILED_PRECONDITION: 400, Code.OUT_OF_RANGE: 400,
    Code.UNAUTHENTICATED: 401, Code.PERMISSION_DENIED: 403, Code.NOT_FOUND: 404, Code.ALREADY_EXISTS: 409,
    Code.ABORTED: 409, Code.RESOURCE_EXHAUSTED: 429, Code.CANCELLED: 499, Code.INTERNAL: 500, Code.UNKNOWN: 500,
    Code.DATA_LOSS: 500, Code.UNIMPLEMENTED: 501, Code.UNAVAILABLE: 503, Code.DEADLINE_EXCEEDED: 504,
}  # fmt: skip
_DISPATCHED = re.compile(r"/v1/.*", re.IGNORECASE)


class RestApi:
    """The REST API as an ASGI application. Nothing that grows with a request runs on the loop."""

    def __init__(self, handlers: Handlers, options: Options):
        self._handlers, self._options = handlers, options
        self._threads = ThreadPoolExecutor(2, "musae-rest-call")
        self._json_process = JsonProcess()
        self._held = 0  # bytes of bodies that are not answered yet

    async def close(self) -> None:
        """End threads and process. No request may be under way."""
        self._threads.shutdown()
        await self._json_process.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        body = bytearray()
        with contextlib.suppress(ClientDisconnect):
            try:
                await self._read_body(request, body)
                response = await self._response(request, bytes(body))
            except ClientDisconnect:
                raise
            except Exception as error:
                failure = as_status(error)
                text = json.dumps({"error": failure.message}, indent=4, ensure_ascii=False) if failure.message else ""
                response = self._json(text.encode(errors="surrogateescape"), _HTTP[failure.code])
            finally:
                self._held -= len(body)
            if scope["http_version"] == "1.0" and request.headers.get("connection", "").lower() == "keep-alive":
                response.headers["connection"] = "keep-alive"
            await response(scope, receive, send)

    async def _read_body(self, request: Request, body: bytearray) -> None:
        """Read the body into `body`.

        Raises:
            StatusError: RESOURCE_EXHAUSTED, it is too long, or too much is under way.
        """
        most = self._options.max_rest_bytes
        declared = request.headers.get("content-length", "0")
        if int(declared) > most:
            raise StatusError(
                Code.RESOURCE_EXHAUSTED, f"the request has {declared} bytes, this server's maximum over REST is {most}"
            )
        async for chunk in request.stream():
            body += chunk
            self._held += len(chunk)
            if len(body) > most:
                raise _too_long("has more", most)
            if self._held > _BODIES_AT_ONCE * most:
                raise StatusError(Code.UNAVAILABLE, "too many long requests are under way")

    async def _response(self, request: Request, body: bytes) -> Response:
        path, options = request.scope["path"], self._options
        if options.metrics_path is not None and path == options.metrics_path:
            text = await self._run(self._handlers.core.metrics.text)
            return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
        if not _DISPATCHED.fullmatch(path):
            return Response(error_page(404), 404, {"connection": "close"}, "text/html")
        if request.method == "OPTIONS" and options.cors:
            return Response(b"", 200, _CORS, "text/plain")
        if request.method == "GET" and (match := _LOOK.fullmatch(path)):
            return self._json(await self._run(self._look, match))
        if request.method == "POST" and (match := _CALL.fullmatch(path)) and match["method"] in ("predict", *_EXAMPLES):
            packed = "gzip" in request.headers.get("content-encoding", "")
            return self._json(await self._call(match, body, packed))
        raise invalid(f"Malformed request: {request.method} {path}")

    def _look(self, match: re.Match[str]) -> bytes:
        if match["name"] is None:
            raise invalid("Missing model name in request.")
        spec = _spec(match)
        if match["metadata"] != "/metadata":
            return text_of(_document(self._handlers.status(GetModelStatusRequest(model_spec=spec))), 1)
        response = self._handlers.metadata(GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"]))
        definitions = SignatureDefMap()
        response.metadata["signature_def"].Unpack(definitions)
        version = str(response.model_spec.version.value)
        return text_of(
            {
                "model_spec": {"name": spec.name, "version": version, "signature_name": ""},
                "metadata": {"signature_def": _document(definitions)},
            },
            1,
        )

    async def _call(self, match: re.Match[str], body: bytes, packed: bool) -> bytes:
        spec, method = _spec(match), match["method"]
        request = PredictRequest(model_spec=spec)
        with self._handlers.counted(request, method, "REST"):
            if method != "predict":
                name = signature_name(parse_body(body))
                request.model_spec.signature_name = name.encode(errors="replace").decode()
                self._handlers.refuse_examples(request, CLASSIFY_METHOD if method == "classify" else REGRESS_METHOD)
            deadline = time.monotonic() + self._options.rest_timeout
            with self._handlers.core.lease(spec) as lease:
                definitions = lease.loaded.definitions.SerializeToString()
            limits = self._handlers.core.limits
            data, in_rows = await self._json_process.read(
                deadline - time.monotonic(), body, packed, definitions, limits.rows, self._options.max_rest_bytes
            )
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[Prediction] = loop.create_future()

            def settle(prediction: Prediction | None, error: StatusError | None) -> None:
                if answer.done():
                    return
                if prediction is not None:
                    answer.set_result(prediction)
                elif error is not None:
                    answer.set_exception(error)

            def done(*result: Any) -> None:
                with contextlib.suppress(RuntimeError):  # the loop has ended, and so nobody waits
                    loop.call_soon_threadsafe(settle, *result)

            task = await self._run(self._start, request, data, deadline, done)
            try:
                prediction = await answer
            except asyncio.CancelledError:
                task.abandon()
                raise
            return await self._json_process.write(deadline - time.monotonic(), prediction.outputs, in_rows)

    def _start(self, request: PredictRequest, data: bytes, deadline: float, done: Callable[..., None]) -> Task:
        request.MergeFromString(data)
        return self._handlers.predict(request, deadline, done)

    async def _run(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def _json(self, text: bytes, status: int = 200) -> Response:
        return Response(text, status, _CORS if self._options.cors else None, "application/json")


def _too_long(what: str, most: int) -> StatusError:
    return StatusError(Code.RESOURCE_EXHAUSTED, f"the request {what} bytes, this server's maximum over REST is {most}")


def _spec(match: re.Match[str]) -> ModelSpec:
    spec = ModelSpec(name=urllib.parse.unquote(match["name"]))
    if match["version"]:
        number = int(match["version"]) if len(match["version"]) < 20 else 2**63
        if number >= 2**63:
            raise invalid("")  # the container's words, or none
        spec.version.value = number
    elif match["label"]:
        spec.version_label = urllib.parse.unquote(match["label"])
    return spec


def _document(message: Message) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
