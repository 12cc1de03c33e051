"""The check of an export: what it lets through and what it finds."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from musae_tf.export import ExportError, fresh
from musae_tf.export.verify import SCRIPT, requests, verify


@pytest.fixture
def asked(model, signatures):
    return [request for request in requests(model, signatures) if request.signature == "transfer"]


def test_an_answer_that_is_not_the_live_models_is_found(exported, servable, asked):
    def moved(name, inputs):
        answer = servable(name, inputs)
        return {**answer, "latent": answer["latent"] + np.float32(1e-3)}

    with pytest.raises(ExportError, match=r"fresh process: transfer of 1 rows .*: latent is off by up to 0\.001"):
        verify(exported.folder, moved, asked[:1])


def test_a_damaged_version_is_found(exported, servable, asked, tmp_path):
    shutil.copytree(exported.folder, tmp_path / "model")
    (tmp_path / "model" / "variables" / "variables.index").unlink()
    with pytest.raises(ExportError, match="failed its check in a fresh process"):
        verify(tmp_path / "model", servable, asked[:1])


RIGHT = {
    "tokens": np.arange(8, dtype=np.int32).reshape(2, 4),
    "latent": np.float32([[0.5, -200.0], [0.0, 3.0]]),
    "metadata": np.array([b"a", b"b"]),
}


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("tokens", lambda tokens: tokens + (tokens == 7), "tokens differs in 12.50% of its elements"),
        ("tokens", lambda tokens: tokens.astype(np.int64), "tokens is int64 (2, 4), must be int32 (2, 4)"),
        ("latent", lambda latent: latent + np.float32(0.01), "latent is off by up to 0.01"),
        ("latent", lambda latent: latent * np.nan, "latent is off by up to nan"),
        ("latent", lambda latent: latent[:, :1], "latent is float32 (2, 1), must be float32 (2, 2)"),
        ("metadata", lambda text: np.array([b"a", b"c"], object), "metadata differs in 50.00% of its elements"),
        ("latent", lambda latent: latent * np.float32(1 + 5e-6) + np.float32(5e-6), None),
        ("metadata", lambda text: text.astype(object), None),
    ],
)
def test_integers_and_strings_must_be_equal_and_numbers_near(name, change, says):
    assert fresh._difference({**RIGHT, name: change(RIGHT[name])}, RIGHT) == says


def test_outputs_must_be_those_of_the_signature():
    assert "outputs are ['latent']" in fresh._difference({"latent": RIGHT["latent"]}, RIGHT)


def test_the_fresh_process_cannot_import_musae():
    # A stand-in for TensorFlow saves the time of importing it.
    code = f"""
import runpy, sys, types
sys.modules["tensorflow"] = types.ModuleType("tensorflow")
sys.argv = ["fresh.py"]
try:
    runpy.run_path({str(SCRIPT)!r}, run_name="__main__")
except TypeError:  # it misses its arguments
    import musae_tf
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "ModuleNotFoundError: musae_tf is not to be imported here" in done.stderr
