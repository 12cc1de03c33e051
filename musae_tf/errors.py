"""Errors meant for the person at the keyboard: one sentence, no traceback.

Each message names the file, key or field, what was found and what is allowed.
The command line prints it and leaves with the status of its class.
"""


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


class ExportError(MusaeError):
    """A model cannot be exported: the folder cannot be written, or the exported graph is not what the model is."""


class WorkerError(MusaeError):
    """Another worker of the job has gone. Nothing is to be mended: this one only has to be started again."""

    exit_code = 75
    """EX_TEMPFAIL of sysexits.h."""
