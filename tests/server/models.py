"""SavedModels for the server tests. `python -m tests.server.models DIR` writes them; the tests run that once.

DIR/one, DIR/two    the same model with the version number 1 and 2 in its outputs
DIR/defaults        the first with a default for the input `b` of `add`: [[7, 8]]
"""

import os
import shutil
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
DTYPES = ("float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "bool", "complex64", "complex128", "string")  # fmt: skip


def build(folder: Path) -> None:
    """Write both models."""
    import tensorflow as tf

    def spec(shape, dtype, name):
        return tf.TensorSpec(shape, dtype, name)

    class Model(tf.Module):
        def __init__(self, number: int):
            self.number = number
            self.weights = tf.Variable([[2.0, 0.0], [0.0, 3.0]])

        @tf.function(input_signature=[spec([None, 2], tf.float32, "x")])
        def scale(self, x):
            """Matrix product; says which version it is."""
            return {"y": tf.matmul(x, self.weights), "version": tf.fill(tf.shape(x)[:1], self.number)}

        @tf.function(input_signature=[spec([None, 2], tf.float32, "a"), spec([None, 2], tf.float32, "b")])
        def add(self, a, b):
            return {"sum": a + b}

        @tf.function(input_signature=[spec([None], tf.string, "text")])
        def shout(self, text):
            return {"loud": tf.strings.upper(text), "raw_bytes": text}

        @tf.function(input_signature=[spec([None], tf.int32, "x")])
        def natural(self, x):
            """Fails for negative numbers."""
            with tf.control_dependencies([tf.debugging.assert_non_negative(x, "negative number")]):
                return {"x": tf.identity(x)}

        @tf.function(input_signature=[spec([None], tf.int32, "rounds")])
        def slow(self, rounds):
            """Takes about a millisecond for each round of the row with most of them."""
            square = tf.random.stateless_uniform([256, 256], [1, 2])
            left = tf.reduce_max(rounds)

            def body(number, value):
                return number + 1, tf.math.l2_normalize(tf.matmul(value, square), axis=1)

            _, value = tf.while_loop(lambda number, value: number < left, body, [tf.constant(0), square])
            return {"rounds": rounds + tf.cast(tf.math.is_nan(value[0, 0]), tf.int32)}

        @tf.function(input_signature=[spec([], tf.float32, "x")])
        def scalar(self, x):
            return {"x": x * 2.0}

        @tf.function(input_signature=[spec([None], tf.float32, "x")])
        def total(self, x):
            """An output without rows."""
            return {"total": tf.reduce_sum(x)}

        @tf.function(input_signature=[spec([None, None], tf.float32, "x")])
        def ragged(self, x):
            return {"x": x + 0.0}

        @tf.function(input_signature=[spec([None], dtype, f"in_{dtype}") for dtype in DTYPES])
        def echo(self, *values):
            return {f"out_{dtype}": tf.identity(value) for dtype, value in zip(DTYPES, values, strict=True)}

        def _parsed(self, inputs):
            return tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([], tf.float32, 0.0)})["x"]

        @tf.function(input_signature=[spec([None], tf.string, "inputs")])
        def classify(self, inputs):
            x = self._parsed(inputs)
            labels = tf.tile(tf.constant([["low", "high"]]), [tf.size(x), 1])
            return {"classes": labels, "scores": tf.stack([-x, x], axis=1)}

        @tf.function(input_signature=[spec([None], tf.string, "inputs")])
        def regress(self, inputs):
            return {"outputs": self._parsed(inputs) * 2.0}

    for number, name in ((1, "one"), (2, "two")):
        model = Model(number)
        signatures = {
            name: getattr(model, name)
            for name in ("add", "shout", "natural", "slow", "scalar", "total", "ragged", "echo", "classify", "regress")
        }
        tf.saved_model.save(model, str(folder / name), signatures={"serving_default": model.scale, **signatures})
    _write_default(folder)


def _write_default(folder: Path) -> None:
    import tensorflow as tf
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    shutil.copytree(folder / "one", folder / "defaults")
    file = folder / "defaults" / "saved_model.pb"
    model = SavedModel.FromString(file.read_bytes())
    default = tf.make_tensor_proto([[7.0, 8.0]])
    model.meta_graphs[0].signature_def["add"].defaults["b"].CopyFrom(default)
    file.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    build(Path(sys.argv[1]))
