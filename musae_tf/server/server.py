"""The server: opens the ports once all models are loaded, and closes them without losing a request."""

import asyncio
import concurrent.futures
import contextlib
import gc
import logging
import threading
import time
from collections.abc import Coroutine
from typing import Any

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer

from musae_tf.protocol import services
from musae_tf.server.connections import HttpServer
from musae_tf.server.core import ServerCore
from musae_tf.server.grpc_service import PredictionService, UnknownMethods
from musae_tf.server.handlers import Handlers
from musae_tf.server.options import Options
from musae_tf.server.rest import RestApi
from musae_tf.server.standard_services import HEALTH_SERVICE, health_handler, reflection_handlers
from musae_tf.server.status import ServeError
from musae_tf.server.telemetry import grpc_interceptors, traced
from musae_tf.server.tensorflow_c import library

_log = logging.getLogger(__name__)


class ModelServer:
    """An embedded TensorFlow Serving; a context manager that stops it at the end.

    Attributes:
        core: the models.
        port: the gRPC port, once started; None if there is none.
        rest_port: the REST port, once started; None if there is none.
    """

    def __init__(self, options: Options):
        """Prepare; nothing is loaded or opened before `start`.

        Raises:
            ServeError: TensorFlow is not installed.
        """
        library()
        self.options = options
        self.core = ServerCore(options)
        self.port: int | None = None
        self.rest_port: int | None = None
        self._handlers = Handlers(self.core)
        self._executor = concurrent.futures.ThreadPoolExecutor(options.threads, "musae-call")
        self._huge = concurrent.futures.ThreadPoolExecutor(1, "musae-huge")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="musae-grpc", daemon=True)
        self._server: Any = None
        self._health = HealthServicer()  # serving from the first moment, whatever the models do, until the server stops
        self._api: RestApi | None = None
        self._rest: HttpServer | None = None
        self._stopped = False

    def start(self) -> "ModelServer":
        """Load the models, then open the ports: an open port means that every model was loaded.

        Raises:
            ServeError: a model did not load, or a port cannot be opened.
        """
        self._thread.start()
        try:
            self.core.start()
            if self.options.port is not None or self.options.socket_path:
                self._on_loop(self._open())
            if self.options.rest_port is not None:
                self._open_rest()
        except BaseException:
            self.stop(0)
            raise
        return self

    def stop(self, seconds: float | None = None) -> None:
        """Take no new requests, let those under way finish for some time, and unload everything.

        Args:
            seconds: the time; None takes that of the options. Requests that take longer are cut.
        """
        if self._stopped:
            return
        self._stopped = True
        seconds = self.options.drain_seconds if seconds is None else seconds
        end = time.monotonic() + seconds
        self.core.stop_waiting()
        if self._rest is not None:
            self._rest.refuse()
        if self._server is not None:
            self._on_loop(self._close(seconds))
        if self._rest is not None:
            self._rest.drain(max(0.0, end - time.monotonic()))
        self.core.close()
        self._executor.shutdown()
        self._huge.shutdown()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> "ModelServer":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _on_loop(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _open(self) -> None:
        options, provider = self.options, self.options.tracer_provider
        server = grpc.aio.server(
            interceptors=() if provider is None else grpc_interceptors(provider),
            options=[
                ("grpc.max_receive_message_length", options.max_request_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),  # a second server on this port must fail, not take half of the requests
                # Requests that a busy machine lets wait are answered late or refused, not cut as CANCELLED after 30 s.
                ("grpc.server_max_unrequested_time_in_server", 3600),
                *options.channel_arguments,
            ],
        )
        service = PredictionService(self._handlers, self._executor, self._huge, options.as_content)
        names = [services.PREDICTION_SERVICE, services.MODEL_SERVICE]
        server.add_generic_rpc_handlers(service.generic_handlers())
        if options.health:
            names.append(HEALTH_SERVICE)
            for name in ("ModelService", "PredictionService"):  # what can be asked for, as in the container
                await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
            server.add_generic_rpc_handlers([health_handler(self._health)])
        server.add_generic_rpc_handlers([*reflection_handlers(names), UnknownMethods()])
        if options.port is not None:
            self.port = self._bind(server, f"{_bracketed(options.host)}:{options.port}")
        if options.socket_path:
            self._bind(server, f"unix:{options.socket_path}")
        await server.start()
        self._server = server

    def _bind(self, server: grpc.aio.Server, address: str) -> int:
        tls = self.options.tls
        try:
            if tls is None:
                return server.add_insecure_port(address)
            try:
                credentials = grpc.ssl_server_credentials(
                    [(tls.key, tls.certificate)], tls.client_ca, tls.client_verify
                )
                return server.add_secure_port(address, credentials)
            except RuntimeError:
                # The library says the same for a taken port and for keys that do not fit.
                with contextlib.suppress(RuntimeError):
                    server.add_insecure_port(address)
                    raise ServeError("the ssl config file holds a server_key and server_cert that do not fit") from None
                raise
        except RuntimeError:
            raise ServeError(f"cannot listen on {address}: is the port taken? --port takes another") from None

    def _open_rest(self) -> None:
        options = self.options
        api = self._api = RestApi(self._handlers, options)
        provider = options.tracer_provider
        application = api if provider is None else traced(api, provider, options.metrics_path)
        try:
            self._rest = HttpServer(
                application, api.close, options.host, options.rest_port or 0, options.rest_connections,
                options.rest_connections_each, options.rest_timeout,
            )  # fmt: skip
        except OSError as error:
            where = f"{_bracketed(options.host)}:{options.rest_port}"
            raise ServeError(
                f"cannot listen on {where}: {error.strerror}; --rest-api-port takes another, 0 none"
            ) from None
        self.rest_port = self._rest.port

    async def _close(self, seconds: float) -> None:
        await self._health.enter_graceful_shutdown()
        await self._server.stop(seconds)


def collect_seldom() -> None:
    """Look for cycles of objects less often, and not among what is loaded already.

    For a process that does nothing but serve: there it takes a tenth of the time that Python has for a request.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, *gc.get_threshold()[1:])


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
