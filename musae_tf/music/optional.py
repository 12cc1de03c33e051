"""Loading of libraries that only part of the package needs."""

from importlib import import_module
from types import ModuleType

from musae_tf.errors import MusicError


def require(module: str, purpose: str, package: str | None = None) -> ModuleType:
    """Import a module, or say what to install.

    Raises:
        MusicError: It is not installed.
    """
    try:
        return import_module(module)
    except ImportError as cause:
        raise MusicError(f"{purpose} needs {package or module}: run `pip install {package or module}`") from cause
