"""Status codes and the error that carries one from the engine to the wire."""

import enum
import logging

from musae_tf.errors import MusaeError

_log = logging.getLogger(__name__)


class ServeError(MusaeError):
    """The server cannot start: a configuration file, a port or a model is at fault."""


class Code(enum.IntEnum):
    """Status codes; TensorFlow, gRPC and absl number them alike."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class StatusError(Exception):
    """What a request, a load or a run failed with: `code` and `message` go over the wire as they are."""

    def __init__(self, code: Code | int, message: str):
        super().__init__(message)
        self.code = Code(code)
        self.message = message

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"


def invalid(message: str) -> StatusError:
    """An INVALID_ARGUMENT, the commonest of all."""
    return StatusError(Code.INVALID_ARGUMENT, message)


def as_status(error: Exception) -> StatusError:
    """Any exception as one that goes over the wire; what is not foreseen is logged and becomes INTERNAL."""
    if isinstance(error, StatusError):
        return error
    if isinstance(error, MemoryError):
        return StatusError(Code.RESOURCE_EXHAUSTED, "the server has not enough memory for this request")
    _log.error("unforeseen error", exc_info=error)
    return StatusError(Code.INTERNAL, f"{type(error).__name__}: {error}")


_LONGEST = 1024


def wire_message(message: str) -> str:
    """A message as the container sends it: cut to 1024 bytes."""
    data = message.encode()
    if len(data) <= _LONGEST:
        return message
    return data[:_LONGEST].decode(errors="ignore") + "...TRUNCATED"
