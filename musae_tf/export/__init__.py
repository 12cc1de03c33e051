"""A trained run as a SavedModel that TensorFlow Serving loads, published as the next version of a model folder."""

from musae_tf.errors import ExportError
from musae_tf.export.publish import Version, prune
from musae_tf.export.signatures import ModelSignatures
from musae_tf.export.version import export_run

__all__ = ["ExportError", "ModelSignatures", "Version", "export_run", "prune"]
