"""What can go wrong between a client and a server, by what the caller can do about it."""

import re

from musae_tf.errors import MusaeError


class ClientError(MusaeError):
    """Base of all errors of a client.

    Attributes:
        code: gRPC status that the server (or gRPC itself) gave, for instance "NOT_FOUND"; for a mistake that the
            client found before it asked, the status that the server would have given.
        details: the server's own words; empty if it was not asked.
        hint: what to do about it; empty if there is nothing to say.
    """

    code = "UNKNOWN"

    def __init__(self, sentence: str, code: str | None = None, details: str = "", hint: str = ""):
        super().__init__(f"{sentence}; {hint}" if hint else sentence)
        self.code = code or self.code
        self.details = details
        self.hint = hint


class UnavailableError(ClientError):
    """Nobody answers at the target, or the connection broke."""

    code = "UNAVAILABLE"


class OverloadedError(ClientError):
    """The server has more requests than it can queue."""

    code = "RESOURCE_EXHAUSTED"


class DeadlineExceededError(ClientError):
    """The answer was not there in time."""

    code = "DEADLINE_EXCEEDED"


class NotFoundError(ClientError):
    """The server does not serve this model, version or label. The message lists the versions that it has."""

    code = "NOT_FOUND"


class WrongModelError(ClientError):
    """What answers is no model of musae-tf, or one that this client cannot read."""

    code = "FAILED_PRECONDITION"


class InvalidRequestError(ClientError):
    """An argument has a value that the model does not take."""

    code = "INVALID_ARGUMENT"


class UnknownGenreError(InvalidRequestError):
    """The model has no such genre. The message lists those it has."""


class UnknownAttributeError(InvalidRequestError):
    """The model has no such attribute. The message lists those it has."""


class AccessDeniedError(ClientError):
    """The server does not let this client in."""

    code = "PERMISSION_DENIED"


class ServerFailedError(ClientError):
    """The server could not do what it was asked for, through no fault of the request."""

    code = "INTERNAL"


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
    # An operation's message is followed by where in the graph it is.
    words = details.partition("\n")[0].strip() or "no reason given"
    who = f"{_UNANSWERED[kind]} {target}" if kind in _UNANSWERED else f"{target} answered {code}"
    return kind(f"{who}: {words}", code, details, hint)
