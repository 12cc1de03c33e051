"""TensorFlow without its start-up messages, which say nothing that a user of `musae` can act on."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def load_tensorflow() -> None:
    """Import TensorFlow and look for devices, quietly; with TF_CPP_MIN_LOG_LEVEL set by the user, as loud as that."""
    # The models are written for this backend; a user's choice for other programs must not reach them.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        _start()
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    # The level alone is not enough: TensorFlow's C++ side logs some lines before it has read it.
    with standard_error_held_back():
        _start()


def _start() -> None:
    import tensorflow as tf

    tf.config.list_physical_devices()


@contextmanager
def standard_error_held_back() -> Iterator[None]:
    """Collect what is written to file descriptor 2, and show it only if the block fails."""
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except Exception:
            kept.seek(0)
            os.write(original, kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
