"""How to reach a server: address, TLS, token, the options of the channel; and what its statuses mean."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from musae_tf import __version__, proxies
from musae_tf.errors import (
    AccessDeniedError,
    ClientError,
    DeadlineExceededError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    ServerFailedError,
    UnavailableError,
    WrongModelError,
)

OPTIONS: dict[str, int | str] = {
    "grpc.max_send_message_length": -1,
    "grpc.max_receive_message_length": -1,  # gRPC's default of 4 MB is too little for long songs
    # An idle connection is kept through proxies that forget one after some minutes. More often than every 5 minutes
    # counts as abuse: servers that know no better cut the connection.
    "grpc.keepalive_time_ms": 300_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.keepalive_permit_without_calls": 1,
    # A server that restarts is found again soon; gRPC's defaults are 1 s and 2 min.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 5_000,
    "grpc.primary_user_agent": f"musae-tf/{__version__}",
}
"""Options of every channel, unless others are given."""


@dataclass(frozen=True)
class Tls:
    """Files in PEM format for TLS.

    Attributes:
        authority: certificates that vouch for the server's; None for those that come with gRPC.
        certificate: the client's own, for a server that asks for it (mutual TLS); `key` belongs to it.
        key: private key of `certificate`.
        server_name: name in the server's certificate, if it is another than the target's.
    """

    authority: str | os.PathLike | None = None
    certificate: str | os.PathLike | None = None
    key: str | os.PathLike | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ClientError("a client's certificate and its key belong together: give both or none")


@dataclass(frozen=True)
class Connection:
    """Everything that a channel is made from.

    Attributes:
        target: HOST:PORT, or another name that gRPC resolves, such as unix:/run/musae.sock or dns:///musae:8500.
        tls: None for a plain connection, True for TLS as browsers do it, or `Tls`.
        token: sent with every request as `authorization: Bearer TOKEN`. Without `tls` anyone on the way can read it.
        options: of the gRPC channel, beside `OPTIONS`.
    """

    target: str
    tls: bool | Tls | None = None
    token: str | None = field(default=None, repr=False)
    options: Mapping[str, int | str] | None = None

    def __post_init__(self) -> None:
        web = not isinstance(self.target, str) or re.match("(?i)https?:", self.target)
        if web or not re.search(r".:\d+$|^(unix|unix-abstract|xds):.", self.target):
            raise ClientError(f"target is {self.target!r}, must be HOST:PORT, for instance localhost:8500")
        if self.token is not None and not re.fullmatch(r"[!-~]+", self.token):
            raise ClientError("the token has characters that a header cannot carry")  # not shown: it is a secret

    def credentials(self) -> grpc.ChannelCredentials | None:
        """For a secure channel; None for a plain one.

        Raises:
            ClientError: a file cannot be read.
        """
        if not self.tls:
            return None
        files = Tls() if self.tls is True else self.tls
        return grpc.ssl_channel_credentials(_read(files.authority), _read(files.key), _read(files.certificate))

    def arguments(self) -> list[tuple[str, int | str]]:
        """Channel options as gRPC takes them."""
        direct = {} if proxies.grpc_proxy(self.target) else {"grpc.enable_http_proxy": 0}
        options = {**OPTIONS, **direct, **(self.options or {})}
        if isinstance(self.tls, Tls) and self.tls.server_name:
            options["grpc.ssl_target_name_override"] = self.tls.server_name
        return list(options.items())

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with every request."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()


def _read(path: str | os.PathLike | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as cause:
        raise ClientError(f"cannot read {path}: {cause.strerror or cause}") from cause


_CERTIFICATES = "check the certificates, and that the name in the server's is the one of the target"
_ACCESS = "check the token and the client's certificate"
NO_THREAD = "Server Threadpool Exhausted"
"""What a container answers to a call beyond its grpc_max_threads."""
# Status, pattern in the details, what it is, what to do. The first that fits is taken.
_RULES: tuple[tuple[str, str, type[ClientError], str], ...] = (
    ("UNAVAILABLE", "queue", OverloadedError, "try again later, or raise max_enqueued_batches on the server"),
    ("UNAVAILABLE", "(?i)certificate|handshake|ssl|verification", UnavailableError, _CERTIFICATES),
    (
        "UNAVAILABLE",
        "(?i)socket closed|connection reset|broken pipe",
        UnavailableError,
        "the connection was cut: does the server want TLS, or a certificate of the client?",
    ),
    ("UNAVAILABLE", "", UnavailableError, "is the server running, and is this its gRPC port and not the REST port?"),
    ("DEADLINE_EXCEEDED", "", DeadlineExceededError, "allow a longer deadline, or ask for less at a time"),
    ("RESOURCE_EXHAUSTED", "larger than max", InvalidRequestError, "something on the way limits the size of messages"),
    ("RESOURCE_EXHAUSTED", NO_THREAD, OverloadedError, "try again later, or raise grpc_max_threads on the server"),
    ("RESOURCE_EXHAUSTED", "", OverloadedError, "try again later"),
    ("INVALID_ARGUMENT", "servable version label", NotFoundError, ""),
    ("INVALID_ARGUMENT", "", InvalidRequestError, ""),
    ("NOT_FOUND", "", NotFoundError, ""),
    ("FAILED_PRECONDITION", "(?i)signature", WrongModelError, "is this the name of a model that musae export made?"),
    ("UNIMPLEMENTED", "", WrongModelError, "is there a TensorFlow Serving or musae serve at this port?"),
    ("UNAUTHENTICATED", "", AccessDeniedError, _ACCESS),
    ("PERMISSION_DENIED", "", AccessDeniedError, _ACCESS),
    ("", "", ServerFailedError, ""),
)
# Of statuses that gRPC itself gives when no server did.
_UNANSWERED = {UnavailableError: "cannot reach", DeadlineExceededError: "no answer in time from"}


def from_status(code: str, details: str, target: str) -> ClientError:
    """The error for a gRPC status.

    Args:
        code: name of the status, not "OK".
        details: the text that came with it.
        target: who was asked.
    """
    kind, hint = next(
        (kind, hint) for status, pattern, kind, hint in _RULES if status in (code, "") and re.search(pattern, details)
    )
    if kind in _UNANSWERED and (proxy := proxies.grpc_hint(target)):
        hint = f"{proxy}; {hint}"
    # An operation's message is followed by where in the graph it is.
    words = details.partition("\n")[0].strip() or "no reason given"
    who = f"{_UNANSWERED[kind]} {target}" if kind in _UNANSWERED else f"{target} answered {code}"
    return kind(f"{who}: {words}", code, details, hint)
