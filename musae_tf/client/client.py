"""The model on a server: a client that waits, and its twin that awaits."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import grpc

from musae_tf.client import exchange
from musae_tf.client.connection import Connection, Tls, from_status
from musae_tf.client.exchange import Call, Calls, ClientSession, Pause, VersionStatus
from musae_tf.errors import ClientError
from musae_tf.verbs.description import Description
from musae_tf.verbs.methods import AsyncVerbs, Verbs
from musae_tf.verbs.steps import Steps

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from musae_tf.client.telemetry import ClientTraces

P = ParamSpec("P")
T = TypeVar("T")


class BaseClient:
    """A model of musae-tf on a server that speaks the protocol of TensorFlow Serving.

    Args:
        target: HOST:PORT of the server's gRPC port.
        model: name of the model.
        version: a version of it; None for the newest.
        label: label of a version, instead of its number.
        tls: None for a plain connection, True for TLS, or `Tls` with the files for it.
        token: sent with every request as `authorization: Bearer TOKEN`; use it with `tls`.
        deadline: seconds that a method may take, all its requests and retries together; None for no limit.
        retries: how often a request is sent again when the server is not to be reached.
        options: of the gRPC channel, beside the client's own (keep-alive, messages of any size).
        tracer_provider: of OpenTelemetry, where spans go; the server is told of them. None for no traces.

    Raises:
        ClientError: an argument is impossible, a file for TLS cannot be read, or OpenTelemetry is not installed.
    """

    def __init__(
        self,
        target: str,
        model: str = "musae",
        version: int | None = None,
        label: str | None = None,
        tls: bool | Tls | None = None,
        token: str | None = None,
        deadline: float | None = 30.0,
        retries: int = 4,
        options: Mapping[str, int | str] | None = None,
        tracer_provider: "TracerProvider | None" = None,
    ):
        self._session = ClientSession(target, model, version, label, deadline, retries)
        self._connection = Connection(target, tls, token, options)
        self._credentials = self._connection.credentials()
        self._metadata = self._connection.metadata()
        self._traces = None if tracer_provider is None else _traces(tracer_provider, target, model)
        self._stubs: dict[str, Callable] = {}
        self._closed = False
        self._channel: Any = None
        self._start()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._session.target!r}, model={self._session.model!r})"

    def _start(self) -> None:
        """Open what does not have to wait for an event loop."""

    def _open(self, library: ModuleType, **more: Any) -> Any:
        """A channel of `grpc` or `grpc.aio`, which takes more."""
        target, options = self._connection.target, self._connection.arguments()
        if self._credentials is None:
            return library.insecure_channel(target, options, **more)
        return library.secure_channel(target, self._credentials, options, **more)

    def _span(self, verb: Callable) -> AbstractContextManager[Any]:
        """A span around a verb, if there are traces."""
        return nullcontext() if self._traces is None else self._traces.span(verb.__name__)

    def _send(self, call: Call) -> Any:
        """What gRPC gives for a call: the reply, or something to await."""
        if self._closed:
            raise ClientError("this client is closed")
        method = call.method
        if method.path not in self._stubs:
            self._stubs[method.path] = self._channel.unary_unary(
                method.path, method.request.SerializeToString, method.response.FromString
            )
        return self._stubs[method.path](call.request, timeout=call.timeout, metadata=self._metadata)

    def _error(self, failure: Any) -> ClientError:
        """A failed call of gRPC as an error of this package."""
        return from_status(failure.code().name, failure.details() or "", self._session.target)


def _traces(provider: "TracerProvider", target: str, model: str) -> "ClientTraces":
    from musae_tf.client.telemetry import ClientTraces

    return ClientTraces(provider, target, model)


class MusaeClient(BaseClient, Verbs):
    """A model of musae-tf on a server that speaks the protocol of TensorFlow Serving.

        with MusaeClient("localhost:8500") as musae:
            musae.sample("bach", bars=8, seed=7).write("bach.mid")

    It has all methods of `Verbs`, and some for the server. One client can be used by many threads. All methods raise
    `ClientError` when the server cannot be reached or does not do what it is asked for, and `MusicError` for music that
    the model cannot take.

    The arguments are those of `BaseClient`.
    """

    def _start(self) -> None:
        channel = self._open(grpc)
        self._channel = channel if self._traces is None else self._traces.watched(channel)

    def status(self) -> list[VersionStatus]:
        """The versions of the model that the server knows of and their states, newest first."""
        return self._drive(exchange.status(self._session))

    def ready(self) -> bool:
        """Whether the model answers now. No retries."""
        return self._drive(exchange.ready(self._session))

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Return as soon as the model answers.

        Raises:
            ClientError: it does not within `timeout` seconds, or never will; the message says why.
        """
        self._drive(exchange.wait_until_ready(self._session, timeout))

    def close(self) -> None:
        """Close the connection."""
        self._closed = True
        self._channel.close()

    def _carry_out(
        self, verb: Callable[Concatenate[Description, P], Steps[T]], *arguments: P.args, **named: P.kwargs
    ) -> T:
        with self._span(verb):
            return self._drive(exchange.carry_out(self._session, verb, *arguments, **named))

    def _drive(self, calls: Calls[T]) -> T:
        try:
            action = next(calls)
            while True:
                reply, error = None, None
                if isinstance(action, Pause):
                    time.sleep(action.seconds)
                else:
                    try:
                        reply = self._send(action)
                    except grpc.RpcError as failure:
                        error = self._error(failure)
                action = calls.throw(error) if error else calls.send(reply)
        except StopIteration as stop:
            return stop.value


class AsyncMusaeClient(BaseClient, AsyncVerbs):
    """`MusaeClient` for asyncio, with the same names and arguments.

        async with AsyncMusaeClient("localhost:8500") as musae:
            song = await musae.sample("bach", bars=8, seed=7)

    A client belongs to the event loop that it is first used in; any number of tasks can share it there. The arguments
    are those of `BaseClient`.
    """

    async def status(self) -> list[VersionStatus]:
        """As `MusaeClient.status`."""
        return await self._drive(exchange.status(self._session))

    async def ready(self) -> bool:
        """As `MusaeClient.ready`."""
        return await self._drive(exchange.ready(self._session))

    async def wait_until_ready(self, timeout: float = 60.0) -> None:
        """As `MusaeClient.wait_until_ready`."""
        await self._drive(exchange.wait_until_ready(self._session, timeout))

    async def close(self) -> None:
        """Close the connection."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    async def __aenter__(self) -> "AsyncMusaeClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _carry_out(
        self, verb: Callable[Concatenate[Description, P], Steps[T]], *arguments: P.args, **named: P.kwargs
    ) -> T:
        with self._span(verb):
            return await self._drive(exchange.carry_out(self._session, verb, *arguments, **named))

    async def _drive(self, calls: Calls[T]) -> T:
        if self._channel is None:
            more = {} if self._traces is None else {"interceptors": self._traces.interceptors()}
            self._channel = self._open(grpc.aio, **more)  # here, since it takes hold of the running event loop
        try:
            action = next(calls)
            while True:
                reply, error = None, None
                if isinstance(action, Pause):
                    await asyncio.sleep(action.seconds)
                else:
                    try:
                        reply = await self._send(action)
                    except grpc.RpcError as failure:
                        error = self._error(failure)
                action = calls.throw(error) if error else calls.send(reply)
        except StopIteration as stop:
            return stop.value
