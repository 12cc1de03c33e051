"""A trained run as a SavedModel that TensorFlow Serving loads, published as the next version of a model folder."""

from musae_tf.errors import ExportError
from musae_tf.export.export import check_folder, export_run
from musae_tf.export.publish import Version, prune
from musae_tf.export.signatures import Servable

__all__ = ["ExportError", "Servable", "Version", "check_folder", "export_run", "prune"]
