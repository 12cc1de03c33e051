"""Errors meant for the person at the keyboard: one sentence, no traceback.

Each message names the file, key or field, what was found and what is allowed.
The command line prints it and leaves with the status of its class.
"""

from importlib import import_module
from types import ModuleType


class MusaeError(Exception):
    """Base of every error that a user can cause and mend."""

    exit_code = 2
    """Of the command that it ends; argparse uses the same."""


class ConfigError(MusaeError):
    """A configuration file or `--set` has an unknown key, a wrong type or an impossible value."""


class MusicError(MusaeError):
    """A music file or token array cannot be read, written or placed on the grid."""


class DatasetError(MusaeError):
    """A dataset folder is missing, damaged or cannot be built."""


class RunError(MusaeError):
    """A run folder is missing, incomplete or does not fit what was asked of it."""


class TrainingError(MusaeError):
    """Training cannot go on: the numbers blew up or the model is dead."""


class StudioError(MusaeError):
    """Something that the page of the studio was asked for is impossible, or the studio cannot start."""


class LiveError(MusaeError):
    """A performance cannot start or go on, or was asked for something impossible."""


class ExportError(MusaeError):
    """A model cannot be exported: the folder cannot be written, or the exported graph is not what the model is."""


class WorkerError(MusaeError):
    """Another worker of the job has gone. Nothing is to be mended: this one only has to be started again."""

    exit_code = 75
    """EX_TEMPFAIL of sysexits.h."""


class ClientError(MusaeError):
    """Base of all that a model can refuse, here or on a server, and of all that keeps a server from answering.

    Attributes:
        code: gRPC status that the server (or gRPC itself) gave, for instance "NOT_FOUND"; for a mistake that was found
            before a server was asked, the status that it would have given.
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
    """What answers is no model of musae-tf, or one that cannot be read, or has not what it is asked for."""

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


def require(module: str, purpose: str, package: str | None = None) -> ModuleType:
    """Import a module, or say what to install.

    Raises:
        MusicError: It is not installed.
    """
    try:
        return import_module(module)
    except ImportError as cause:
        raise MusicError(f"{purpose} needs {package or module}: run `pip install {package or module}`") from cause
