"""Clients that others wrote, each in a process or environment of its own, against the server with the tiny model."""

import fcntl
import importlib.util
import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest

from musae_tf.client import MusaeClient
from musae_tf.protocol.messages import PredictRequest
from musae_tf.protocol.services import PREDICT
from musae_tf.server import ModelServer, Options
from musae_tf.server.options import one_model
from tests.corpus import four_voice_song
from tests.server.client import Client, model_inputs


@pytest.fixture(scope="module")
def server(model_folder) -> Iterator[ModelServer]:
    options = Options(one_model("tunes", str(model_folder)), port=0, rest_port=None, warm_up=False)
    with ModelServer(options) as started:
        yield started


@pytest.fixture(scope="module")
def facts(model_folder) -> dict:
    return json.loads((model_folder / "1" / "assets.extra" / "musae.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def ovmsclient(request) -> str:
    """Python of an environment with ovmsclient, which is made once and kept in pytest's cache folder."""
    folder = Path(request.config.cache.mkdir("ovmsclient"))
    python = folder / "bin" / "python"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            venv.create(folder, symlinks=True, with_pip=False)
            command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "install"]
            done = subprocess.run([*command, "ovmsclient==2023.1"], capture_output=True, text=True, timeout=600)
            if done.returncode:
                pytest.skip(f"ovmsclient cannot be installed: {done.stderr.strip().splitlines()[-1]}")
            (folder / "installed").touch()
    done = subprocess.run([python, "-c", "import ovmsclient"], capture_output=True, text=True, env=environment())
    if done.returncode:
        pytest.skip(f"ovmsclient does not go with what it was installed with: {done.stderr.strip().splitlines()[-1]}")
    return str(python)


def environment() -> dict[str, str]:
    """Of a process that must not find what this one finds."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}


OVMS = """
import sys
import numpy as np
from ovmsclient import make_grpc_client
from ovmsclient.tfs_compat.base.errors import ModelNotFoundError
assert not {"tensorflow", "musae_tf"} & set(sys.modules)
address, inputs, outputs = sys.argv[1:]
client = make_grpc_client(address)
found = client.predict(dict(np.load(inputs)), "tunes", 1, timeout=60.0)
assert client.get_model_status("tunes", 1, timeout=60.0)[1]["state"] == "AVAILABLE"
metadata = client.get_model_metadata("tunes", 1, timeout=60.0)
assert sorted(metadata["inputs"]) == ["seed", "temperature", "tokens"], metadata
try:
    client.predict(dict(np.load(inputs)), "tunes", timeout=60.0)  # which asks for version 0
except ModelNotFoundError as error:
    assert "Specific(tunes, 0)" in str(error), error
else:
    raise AssertionError("version 0 was found")
np.savez(outputs, **found)
"""


def test_ovmsclient_gets_the_same_answers_and_no_version_0(server, facts, ovmsclient, tmp_path):
    inputs = model_inputs(facts, "reconstruct", 3)
    np.savez(tmp_path / "inputs.npz", **inputs)
    address, files = f"localhost:{server.port}", [str(tmp_path / name) for name in ("inputs.npz", "outputs.npz")]
    done = subprocess.run(
        [ovmsclient, "-c", OVMS, address, *files], capture_output=True, text=True, timeout=120, env=environment()
    )
    assert done.returncode == 0, done.stderr
    with Client(server.port) as client:
        ours = client.predict("reconstruct", "tunes", 1, timeout=60, **inputs)
    theirs = np.load(files[1])
    assert set(theirs) == set(ours) == {"tokens", "latent"}
    for name, array in ours.items():
        np.testing.assert_array_equal(theirs[name], array, strict=True)


class Recorder:
    """Stands before a server, and keeps the bytes of every Predict and of its answer."""

    def __init__(self, port: int):
        self.calls: list[tuple[bytes, bytes]] = []
        self._channel = grpc.insecure_channel(f"localhost:{port}")
        forward = self._channel.unary_unary(PREDICT.path)

        def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
            answer = forward(request, timeout=60)
            self.calls.append((request, answer))
            return answer

        handler = {PREDICT.name: grpc.unary_unary_rpc_method_handler(handle)}
        self._server = grpc.server(ThreadPoolExecutor(2))
        self._server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(PREDICT.service, handler)])
        self.port = self._server.add_insecure_port("localhost:0")

    def __enter__(self) -> "Recorder":
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.stop(0).wait()
        self._channel.close()


def client_of(recorder: Recorder) -> MusaeClient:
    return MusaeClient(f"localhost:{recorder.port}", "tunes", version=1, deadline=120)


OFFICIAL = """
import sys
import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

address, calls = sys.argv[1:]
calls = np.load(calls)
stub = PredictionServiceStub(grpc.insecure_channel(address))
for number in range(len(calls.files) // 2):
    sent, answered = (calls[f"{side}{number}"].tobytes() for side in ("request", "answer"))
    theirs = PredictRequest.FromString(sent)
    # The same request, made from its arrays by the official package alone.
    made = PredictRequest(output_filter=theirs.output_filter)
    made.model_spec.CopyFrom(theirs.model_spec)
    for name, tensor in theirs.inputs.items():
        array = tf.make_ndarray(tensor)
        made.inputs[name].CopyFrom(tf.make_tensor_proto(array, tensor.dtype, array.shape))
    assert made.SerializeToString(deterministic=True) == sent, f"{theirs.model_spec.signature_name}: other bytes"
    reply, expected = stub.Predict(made, 60), PredictResponse.FromString(answered)
    assert reply.model_spec == expected.model_spec and reply.model_spec.version.value == 1
    assert set(reply.outputs) == set(made.output_filter)
    for name, tensor in expected.outputs.items():
        assert np.array_equal(tf.make_ndarray(reply.outputs[name]), tf.make_ndarray(tensor)), name
    print(theirs.model_spec.signature_name)
"""


@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_serving") is None, reason="the package tensorflow-serving-api is not installed"
)
def test_our_clients_requests_are_byte_for_byte_those_of_tensorflow_serving_api_and_so_are_the_answers(
    server, facts, tmp_path
):
    one, other = four_voice_song(3, seed=1), four_voice_song(5, seed=2)
    with Recorder(server.port) as recorder, client_of(recorder) as musae:
        musae.sample("hymns", bars=1)  # one row, of which the values are listed
        musae.sample("dances", bars=5, temperature=0.9, seed=3)  # several, in tensor_content
        musae.reconstruct(one, temperature=0.5, seed=2)
        musae.interpolate(one, other, points=3)
        musae.interpolate(one, other, points=3, path="spherical")
        musae.change(one, {"notes": 1.0})
        musae.transfer(one, "dances", strength=0.5)
        encoding = musae.encode(other)
        musae.decode(encoding.mean)
        musae.map()
    assert recorder.calls
    arrays = {}
    for number, (request, answer) in enumerate(recorder.calls):
        # The order of a map's entries is free; this is the order that makes bytes comparable.
        ordered = PredictRequest.FromString(request).SerializeToString(deterministic=True)
        assert len(ordered) == len(request)
        arrays |= {f"request{number}": np.frombuffer(ordered, "u1"), f"answer{number}": np.frombuffer(answer, "u1")}
    np.savez(tmp_path / "calls.npz", **arrays)
    command = [sys.executable, "-c", OFFICIAL, f"localhost:{server.port}", str(tmp_path / "calls.npz")]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    )
    assert done.returncode == 0, done.stderr
    asked = done.stdout.split()
    assert len(asked) == len(recorder.calls)
    assert set(asked) == set(facts["signatures"])
