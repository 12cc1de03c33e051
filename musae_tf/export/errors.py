"""The error of this package, and why TensorFlow could not write a file."""

import re

from musae_tf.errors import MusaeError


class ExportError(MusaeError):
    """A model cannot be exported: the folder cannot be written, or the exported graph is not what the model is."""


def reason(cause: Exception) -> str:
    """What an OSError, or an error of a TensorFlow op, says of a file, without where in TensorFlow it happened."""
    if isinstance(cause, OSError):
        return cause.strerror or str(cause)
    words = re.sub(r"\{\{.*?\}\}|\[Op:\w+\]", "", getattr(cause, "message", str(cause)))
    # The name of a temporary file stands before the reason.
    return words.rpartition("; ")[2].strip()
