"""What the waiting and the awaiting client have in common, beside `exchange` and `songs`."""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from musae_tf.client.connection import Connection, Tls
from musae_tf.client.errors import ClientError, from_status
from musae_tf.client.exchange import Call, Session


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

    Raises:
        ClientError: an argument is impossible, or a file for TLS cannot be read.
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
    ):
        self._session = Session(target, model, version, label, deadline, retries)
        self._connection = Connection(target, tls, token, options)
        self._credentials = self._connection.credentials()
        self._metadata = self._connection.metadata()
        self._stubs: dict[str, Callable] = {}
        self._closed = False
        self._channel: Any = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._session.target!r}, model={self._session.model!r})"

    def _open(self, library: ModuleType) -> Any:
        """A channel of `grpc` or `grpc.aio`."""
        target, options = self._connection.target, self._connection.arguments()
        if self._credentials is None:
            return library.insecure_channel(target, options)
        return library.secure_channel(target, self._credentials, options)

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
