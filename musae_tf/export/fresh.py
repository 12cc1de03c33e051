"""Answer requests with a SavedModel as a stranger would: run as a script by `verify`, in a process of its own.

    python -I fresh.py FOLDER REQUESTS.npz

musae_tf cannot be imported here, so that nothing of it can be needed to load the model. The requests are answered
twice: through `tf.saved_model.load`, and through a TF1 session, the engine of TensorFlow Serving. Prints the first
answer that is not the expected one, and exits with 1. Prints a line for every right answer.
"""

import sys
from collections.abc import Callable
from typing import Any

ANSWERED = "."
"""The line for a right answer."""

FORBIDDEN = ("musae_tf", "tensorflow_probability")
TOLERANCE = 1e-5


class _Refuse:
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] in FORBIDDEN:
            raise ModuleNotFoundError(f"{name} is not to be imported here", name=name)


if __name__ == "__main__":
    sys.meta_path.insert(0, _Refuse())

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

Arrays = dict[str, np.ndarray]


def main(folder: str, path: str) -> int:
    """Answer all requests; 0 if every answer is the expected one."""
    with np.load(path) as archive:
        requests = _requests(dict(archive))
    for way, load in WAYS.items():
        call = load(folder)
        for signature, inputs, expected in requests:
            rows = len(next(iter(inputs.values())))
            try:
                wrong = _difference(call(signature, inputs), expected)
            except tf.errors.OpError as error:
                wrong = " ".join(error.message.split())[:500]
            if wrong:
                print(f"{signature} of {rows} rows through {way}: {wrong}")
                return 1
            print(ANSWERED, flush=True)
    return 0


def _requests(archive: Arrays) -> list[tuple[str, Arrays, Arrays]]:
    """Signature, inputs and outputs of each request, from arrays named "signatures" and "<number>.inputs.<name>"."""
    requests: list[tuple[str, Arrays, Arrays]] = [(str(name), {}, {}) for name in archive.pop("signatures")]
    for key, array in archive.items():
        number, side, name = key.split(".")
        _, inputs, outputs = requests[int(number)]
        {"inputs": inputs, "outputs": outputs}[side][name] = array
    return requests


def _loaded(folder: str) -> Callable[[str, Arrays], Arrays]:
    model = tf.saved_model.load(folder)

    def call(signature: str, inputs: Arrays) -> Arrays:
        tensors = {name: tf.constant(array) for name, array in inputs.items()}
        return {name: output.numpy() for name, output in model.signatures[signature](**tensors).items()}

    return call  # which holds the model, and so its variables


def _session(folder: str) -> Callable[[str, Arrays], Arrays]:
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        signatures = tf.compat.v1.saved_model.load(session, ["serve"], folder).signature_def

    def call(signature: str, inputs: Arrays) -> Arrays:
        names = signatures[signature]
        feeds = {names.inputs[name].name: array for name, array in inputs.items()}
        return session.run({name: info.name for name, info in names.outputs.items()}, feeds)

    return call


WAYS = {"tf.saved_model.load": _loaded, "a TF1 session": _session}


def _difference(answer: Arrays, expected: Arrays) -> str | None:
    """What is wrong with an answer: integers and strings must be equal, numbers near."""
    if set(answer) != set(expected):
        return f"outputs are {sorted(answer)}, must be {sorted(expected)}"
    for name, right in expected.items():
        found = np.asarray(answer[name])
        if right.dtype.kind == "S":
            found = found.astype("S")
        if (found.shape, found.dtype) != (right.shape, right.dtype):
            return f"{name} is {found.dtype} {found.shape}, must be {right.dtype} {right.shape}"
        if right.dtype.kind == "f":
            if not np.allclose(found, right, rtol=TOLERANCE, atol=TOLERANCE):
                return f"{name} is off by up to {np.max(np.abs(found - right)):.3g}"
        elif not np.array_equal(found, right):
            return f"{name} differs in {np.mean(found != right):.2%} of its elements"
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
