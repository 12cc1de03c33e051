"""The TensorFlow Serving protocol without TensorFlow: messages, services and tensors as numpy arrays.

Needs numpy and protobuf only, and works in a process that has TensorFlow loaded too.
"""

from pathlib import Path

COMPILED = Path(__file__).with_name("descriptors.binpb")
"""Descriptors of the files in proto/: what `python -m musae_tf.protocol.compile` makes of them."""
