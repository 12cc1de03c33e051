"""The embedded server: the TF Serving API on the engine that the container uses, without the container.

It needs TensorFlow's shared library, but never imports TensorFlow's Python package.
"""

from musae_tf.server.options import Options
from musae_tf.server.server import ModelServer

__all__ = ["ModelServer", "Options"]
