"""How to reach a server: address, TLS, token and the options of the channel."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from musae_tf import __version__
from musae_tf.client.errors import ClientError

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
        if not re.search(r".:\d+$|^(unix|unix-abstract|xds):.", self.target):
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
        options = {**OPTIONS, **(self.options or {})}
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
