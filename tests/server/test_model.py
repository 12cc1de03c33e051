"""The tiny model itself behind the server: a phrase is the same alone, among others, and joined with other requests."""

import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from musae_tf.protocol import services
from musae_tf.protocol.codec import to_array
from musae_tf.protocol.messages import ModelServerConfig
from musae_tf.server import ModelServer, Options
from musae_tf.server.options import one_model, read_batching
from tests.server.client import Client, model_inputs, predict_request
from tests.server.conftest import ROOT

ROWS = 32
BATCHING = ROOT / "serving" / "config" / "batching.config"
SIGNATURES = ("encode", "decode", "sample", "reconstruct", "interpolate", "interpolate_spherical", "transfer", "change")
ASKED = [("tunes", name) for name in SIGNATURES] + [("listener", "decode_trusted"), ("listener", "transfer")]
"""Models and their signatures; the second one hears what it has written."""


def facts_of(folder: Path) -> dict:
    return json.loads((folder / "1" / "assets.extra" / "musae.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def facts(model_folder) -> dict:
    return facts_of(model_folder)


@pytest.fixture(scope="module")
def models(model_folder, autoregressive_folder) -> ModelServerConfig:
    config = one_model("tunes", str(model_folder))
    config.model_config_list.config.extend(one_model("listener", str(autoregressive_folder)).model_config_list.config)
    return config


@pytest.fixture(scope="module")
def batched(models) -> Iterator[ModelServer]:
    """With the batching of serving/config."""
    batching = read_batching(BATCHING, False)
    with ModelServer(Options(models, port=0, rest_port=None, warm_up=False, batching=batching)) as server:
        yield server


@pytest.fixture(scope="module")
def plain(models, batched) -> Iterator[Client]:
    """A client of a server without batching, whose engine has as many threads: its sums add in the same order."""
    threads = batched.options.engine_threads
    options = Options(models, port=0, rest_port=None, warm_up=False, intra_op_threads=threads)
    with ModelServer(options) as server, Client(server.port) as client:
        yield client


@pytest.mark.parametrize("temperature", [0.0, 0.9])
@pytest.mark.parametrize(("model", "signature"), ASKED)
def test_a_row_is_the_same_alone_in_a_batch_and_through_the_batching_server(
    plain, batched, model_folder, autoregressive_folder, model, signature, temperature
):
    folder = autoregressive_folder if model == "listener" else model_folder
    inputs = model_inputs(facts_of(folder), signature, ROWS, temperature)

    def row(number: int) -> dict[str, np.ndarray]:
        return {name: array[number : number + 1] for name, array in inputs.items()}

    together = plain.predict(signature, model, timeout=120, **inputs)
    runs = batched.core.metrics.wrapped_run_count.first()
    with Client(batched.port) as client:
        stub = client.stub(services.PREDICT)
        calls = [stub.future(predict_request(signature, model, **row(number)), timeout=120) for number in range(ROWS)]
        joined = [{name: to_array(tensor) for name, tensor in call.result().outputs.items()} for call in calls]
    assert batched.core.metrics.wrapped_run_count.first() - runs < ROWS, "no two requests were joined"
    alone = [plain.predict(signature, model, timeout=120, **row(number)) for number in (0, 17, ROWS - 1)]
    for name, array in together.items():
        # To the last bit, log-probabilities too: the graph computes in blocks of one size whatever the batch is.
        np.testing.assert_array_equal(np.concatenate([answer[name] for answer in joined]), array)
        np.testing.assert_array_equal(np.concatenate([answer[name] for answer in alone]), array[[0, 17, ROWS - 1]])


def test_wrong_values_are_refused_by_the_graph_and_hurt_nobody_in_the_batch(batched, facts):
    good = model_inputs(facts, "sample", 1)
    bad = {**good, "genre": np.array([99], np.int32)}
    with Client(batched.port) as client:
        expected = client.predict("sample", "tunes", **good)["tokens"]
        stub = client.stub(services.PREDICT)
        calls = [stub.future(predict_request("sample", "tunes", **inputs), timeout=120) for inputs in (good, bad, good)]
        assert calls[1].code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "genre must be from 0 to 1" in calls[1].details()
        for call in (calls[0], calls[2]):
            np.testing.assert_array_equal(to_array(call.result().outputs["tokens"]), expected)


def test_a_request_of_ten_thousand_phrases_is_refused(batched, facts):
    with Client(batched.port) as client, pytest.raises(grpc.RpcError, match="10000 rows, larger than") as failed:
        client.predict("reconstruct", "tunes", **model_inputs(facts, "reconstruct", 10_000))
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
