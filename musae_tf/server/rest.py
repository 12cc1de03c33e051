"""The REST API and the Prometheus metrics, on a port of their own."""

import json
import logging
import re
import socket
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from musae_tf.protocol.messages import (
    GetModelMetadataRequest,
    GetModelStatusRequest,
    ModelSpec,
    PredictRequest,
    SignatureDefMap,
)
from musae_tf.server.handlers import Handlers
from musae_tf.server.json_tensor import parse_body, read_inputs, signature_name, write_outputs
from musae_tf.server.options import Options
from musae_tf.server.signature import DEFAULT
from musae_tf.server.status import Code, StatusError, as_status, invalid

_log = logging.getLogger(__name__)

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
_IDLE_SECONDS = 60


class RestServer(ThreadingHTTPServer):
    """Listens on the REST port; every connection has a thread, a bounded number of them."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handlers: Handlers, options: Options):
        """Bind the port.

        Raises:
            OSError: it is taken, or not ours to take.
        """
        self.handlers, self.options = handlers, options
        self._places = threading.Semaphore(options.rest_connections)
        self._busy = 0
        self._idle = threading.Condition()
        if ":" in options.host:
            self.address_family = socket.AF_INET6
        super().__init__((options.host, options.rest_port), _Handler)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.server_address[1]

    def start(self) -> None:
        """Serve on a thread until `refuse`."""
        threading.Thread(target=self.serve_forever, args=(0.1,), name="musae-rest", daemon=True).start()

    def refuse(self) -> None:
        """Take no more connections."""
        self.shutdown()
        self.server_close()

    def drain(self, seconds: float) -> None:
        """Give the requests under way some time."""
        with self._idle:
            self._idle.wait_for(lambda: not self._busy, seconds)

    def working(self, change: int) -> None:
        """A request began (1) or ended (-1)."""
        with self._idle:
            self._busy += change
            self._idle.notify_all()

    def process_request(self, request, client_address) -> None:
        """Start a thread for a connection, if there is place for one more."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request, client_address) -> None:
        """The thread of a connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def server_close(self) -> None:
        """Close the port, without waiting for connections that are kept alive and idle."""
        self.socket.close()

    def handle_error(self, request, client_address) -> None:
        """A connection broke: the client has gone."""
        _log.debug("connection of %s broke", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: RestServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "musae-tf", ""
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def do_OPTIONS(self) -> None:
        self._answer(self._options)

    def log_message(self, format: str, *arguments: Any) -> None:
        _log.debug(format, *arguments)

    def _answer(self, function) -> None:
        self.server.working(1)
        try:
            self._written = False
            try:
                function()
            except StatusError as error:
                self._send_error(error)
            except OSError:
                raise
            except Exception as error:
                self._send_error(as_status(error))
        finally:
            self.server.working(-1)

    def _get(self) -> None:
        path = urllib.parse.urlsplit(self.path).path
        metrics = self.server.options.metrics_path
        if metrics is not None and path == metrics:
            text = self.server.handlers.core.metrics.text()
            self._send(200, text.encode(), "text/plain; version=0.0.4; charset=utf-8")
            return
        match = _LOOK.fullmatch(path)
        if match is None:
            raise self._malformed()
        if match["name"] is None:
            raise invalid("Missing model name in request.")
        spec = _spec(match)
        if match["metadata"]:
            self._send_json(self._metadata(spec))
        else:
            self._send_json(_document(self.server.handlers.status(GetModelStatusRequest(model_spec=spec))))

    def _metadata(self, spec: Message) -> dict[str, Any]:
        request = GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
        response = self.server.handlers.metadata(request)
        definitions = SignatureDefMap()
        response.metadata["signature_def"].Unpack(definitions)
        return {
            "model_spec": {"name": spec.name, "signature_name": "", "version": str(response.model_spec.version.value)},
            "metadata": {"signature_def": _document(definitions)},
        }

    def _post(self) -> None:
        body = self._body()
        match = _CALL.fullmatch(urllib.parse.urlsplit(self.path).path)
        if match is None:
            raise self._malformed()
        spec = _spec(match)
        method = match["method"].lower()
        if method != "predict":
            # Requests of examples: for models of another kind than this package makes.
            raise StatusError(Code.UNIMPLEMENTED, f"{method} is served over gRPC only")
        request = PredictRequest(model_spec=spec)
        with self.server.handlers.counted(request, method, "REST"):
            answer = self._predict(request, body)
        self._send_json(answer)

    def _predict(self, request: Message, body: bytes) -> dict[str, Any]:
        handlers = self.server.handlers
        document = parse_body(body)
        name = request.model_spec.signature_name = signature_name(document)
        with handlers.core.lease(request.model_spec) as lease:
            definitions = lease.loaded.definitions.signature_def
            if (name or DEFAULT) not in definitions:
                raise invalid(f'Serving signature name: "{name or DEFAULT}" not found in signature def')
            inputs = definitions[name or DEFAULT].inputs
            if not inputs:
                raise invalid(f"Failed to get input map for signature: {name or 'DEFAULT'}")
            tensors, rows = read_inputs(document, inputs)
        for alias, tensor in tensors.items():
            request.inputs[alias].CopyFrom(tensor)
        deadline = time.monotonic() + self.server.options.rest_timeout
        return write_outputs(handlers.predict_and_wait(request, deadline).outputs, rows)

    def _options(self) -> None:
        if not self.server.options.cors:
            raise self._malformed()
        self._send(200, b"", "text/plain")

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self.close_connection = True
            raise invalid("the request needs a Content-Length")
        most = self.server.options.max_request_bytes
        if int(length) > most:
            self.close_connection = True
            raise StatusError(
                Code.RESOURCE_EXHAUSTED, f"the request has {length} bytes, this server's maximum is {most}"
            )
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            raise ConnectionError("the client has gone")
        return body

    def _malformed(self) -> StatusError:
        return invalid(f"Malformed request: {self.command} {self.path[:1000]}")

    def _send_error(self, error: StatusError) -> None:
        self._send(_HTTP[error.code], json.dumps({"error": error.message}).encode(), "application/json")

    def _send_json(self, document: dict[str, Any]) -> None:
        self._send(200, json.dumps(document, indent=4).encode() + b"\n", "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.server.options.cors:
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
            self.send_header("Access-Control-Allow-Headers", "Content-Type")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _spec(match: re.Match[str]) -> Message:
    spec = ModelSpec(name=urllib.parse.unquote(match["name"]))
    if match["version"]:
        number = int(match["version"]) if len(match["version"]) < 20 else 2**63
        if number >= 2**63:
            raise invalid(f"Failed to convert version: {match['version'][:100]} to numeric.")
        spec.version.value = number
    elif match["label"]:
        spec.version_label = urllib.parse.unquote(match["label"])
    return spec


def _document(message: Message) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
