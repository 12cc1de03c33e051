"""Check an export before anybody sees it: a fresh process must give the answers of the live model."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from musae_tf.export.errors import ExportError
from musae_tf.export.examples import Request
from musae_tf.export.fresh import ANSWERED, WAYS
from musae_tf.progress import progress

SCRIPT = Path(__file__).with_name("fresh.py")


def verify(folder: Path, live: Callable[[str, dict[str, Any]], dict[str, Any]], requests: Sequence[Request]) -> None:
    """Have a SavedModel loaded by a process that has no musae_tf, and answer requests as the live model does.

    Args:
        folder: of the SavedModel.
        live: the live model: name of a signature and inputs to outputs.
        requests: what to ask.

    Raises:
        ExportError: it does not load, a request fails, or an answer is not the live model's.
    """
    with (
        progress(total=len(requests) * (1 + len(WAYS)), title="checking", unit="answers") as bar,
        tempfile.TemporaryDirectory() as temporary,
    ):
        arrays = {"signatures": np.array([request.signature for request in requests])}
        for number, request in enumerate(requests):
            for side, tensors in (("inputs", request.inputs), ("outputs", live(*request))):
                for name, array in tensors.items():
                    # An array of objects, as strings are, would need pickle.
                    arrays[f"{number}.{side}.{name}"] = array.astype("S") if array.dtype == object else array
            bar.update()
        path = Path(temporary) / "requests.npz"
        np.savez(path, **arrays)
        wrong = _ask(folder, path, bar.update)
    if wrong:
        raise ExportError(f"the exported model failed its check in a fresh process: {wrong}")


def _ask(folder: Path, requests: Path, answered: Callable[[], Any]) -> str | None:
    """Run the script; None if all is well, else what is wrong."""
    # The graph must do without a GPU, and the GPU may be busy with a training.
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [sys.executable, "-I", str(SCRIPT), str(folder), str(requests)]
    said = ""
    with open(requests.with_name("errors"), "w+", encoding="utf-8", errors="replace") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        try:
            for line in process.stdout:
                if line.strip() == ANSWERED:
                    answered()
                else:
                    said = line.strip()
            process.wait()
        finally:
            process.kill()  # after an interruption; one that has ended does not mind
            process.wait()
        if not process.returncode:
            return None
        errors.seek(0)
        return said or (errors.read().strip() or f"it ended with {process.returncode}").splitlines()[-1]
