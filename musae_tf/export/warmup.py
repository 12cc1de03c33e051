"""Warm-up records: requests that TensorFlow Serving answers before it calls a version available.

Without them the first request of each signature waits until the graph is optimised. A record that fails keeps the
version from loading, so each is one that `verify` has had answered.
"""

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from musae_tf.export.errors import ExportError, reason
from musae_tf.export.examples import Request
from musae_tf.protocol.codec import to_proto
from musae_tf.protocol.messages import PredictionLog

FILE = Path("assets.extra") / "tf_serving_warmup_requests"
"""Where in a version folder TensorFlow Serving looks for them."""

MAXIMUM = 1000
"""TensorFlow Serving refuses a version with more."""


def write_warmup(folder: Path, name: str, requests: Sequence[Request]) -> None:
    """Write the records of a version: a TFRecord file of PredictionLog messages.

    Raises:
        ExportError: the file cannot be written.
    """
    path = folder / FILE
    try:
        path.parent.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(path)) as writer:
            for request in requests[:MAXIMUM]:
                writer.write(_record(name, request).SerializeToString(deterministic=True))
    except (OSError, tf.errors.OpError) as cause:
        raise ExportError(f"cannot write {path}: {reason(cause)}") from cause


def _record(name: str, request: Request):
    record = PredictionLog()
    predict = record.predict_log.request
    predict.model_spec.name = name
    predict.model_spec.signature_name = request.signature
    for key, array in request.inputs.items():
        predict.inputs[key].CopyFrom(to_proto(array))
    return record
