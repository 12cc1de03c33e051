"""The sources that come with the package, by name."""

import inspect
from importlib import import_module

from musae_tf.data.source import Source
from musae_tf.errors import DatasetError

SOURCES = {
    "band": "musae_tf.data.band:BandSource",
    "corpus": "musae_tf.data.corpus:CorpusSource",
    "folder": "musae_tf.data.folder:FolderSource",
    "lmd": "musae_tf.data.lmd:LmdSource",
    "lpd": "musae_tf.data.lpd:LpdSource",
}


def get_source(name: str, **options: object) -> Source:
    """Make the source called `name` with its own options.

    The module behind it is imported only now. Raises DatasetError if there is no such source or option.
    """
    if name not in SOURCES:
        raise DatasetError(f"unknown source {name!r}; known sources: {', '.join(sorted(SOURCES))}")
    module, attribute = SOURCES[name].split(":")
    factory = getattr(import_module(module), attribute)
    try:
        inspect.signature(factory).bind(**options)
    except TypeError as cause:
        known = ", ".join(inspect.signature(factory).parameters) or "none"
        raise DatasetError(f"source {name!r}: {cause}; its options: {known}") from cause
    return factory(**options)
