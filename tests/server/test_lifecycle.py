"""Versions that come, go and fail, and configurations that change, under a running server."""

import itertools
import shutil
import struct
import threading

import grpc
import numpy as np
import pytest

from musae_tf.protocol import services
from musae_tf.protocol.messages import ModelServerConfig, PredictionLog, ReloadConfigRequest
from musae_tf.server import ModelServer, Options
from musae_tf.server.loader import masked_crc
from musae_tf.server.options import one_model, read_models
from musae_tf.server.status import ServeError
from tests.server.client import predict_request, rows
from tests.server.conftest import publish
from tests.server.oracle import Oracle
from tests.waiting import LIMIT, wait_for


def version_of(client) -> int:
    return int(client.predict(x=rows())["version"][0])


def config(base, policy: dict | None = None, labels: dict | None = None, name: str = "model") -> ModelServerConfig:
    model = {"name": name, "base_path": str(base), "model_platform": "tensorflow"}
    if policy:
        model["model_version_policy"] = policy
    return ModelServerConfig(model_config_list={"config": [{**model, "version_labels": labels or {}}]})


def reload(client, new: ModelServerConfig):
    return client.call(services.HANDLE_RELOAD_CONFIG_REQUEST, ReloadConfigRequest(config=new))


def test_a_new_version_takes_over_without_one_failed_request(serve, base, saved_models):
    _, client = serve(base)
    seen, stop = [], threading.Event()

    def ask():
        while not stop.is_set():
            seen.append(version_of(client))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for version in range(2, 8):
            publish(saved_models / ("one" if version % 2 else "two"), base, version)
            wait_for(lambda version=version: client.states().get(version, ("",))[0] == "AVAILABLE")
            wait_for(lambda version=version: client.states()[version - 1][0] == "END")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(seen) == {1, 2}
    assert sum(before != after for before, after in itertools.pairwise(seen)) >= 6
    with pytest.raises(grpc.RpcError, match=r"Servable not found for request: Specific\(model, 1\)"):
        client.call(services.PREDICT, predict_request(version=1, x=rows()))
    states = client.states()
    assert list(states) == [7, 6, 5, 4, 3, 2, 1]
    assert {state for state, code, _ in states.values() if code == "OK"} == {"AVAILABLE", "END"}


def test_a_request_keeps_its_version_until_it_is_answered(runs, serve, base, saved_models):
    _, client = serve(base)
    slow = client.stub(services.PREDICT).future(
        predict_request("slow", rounds=np.array([600], np.int32)), timeout=LIMIT
    )
    wait_for(lambda: runs.begun == 1)
    publish(saved_models / "two", base, 2)
    wait_for(lambda: client.states().get(2, ("",))[0] == "AVAILABLE")
    wait_for(lambda: client.states()[1][0] in ("UNLOADING", "END"))
    assert slow.result().model_spec.version.value == 1
    wait_for(lambda: client.states()[1][0] == "END")
    assert version_of(client) == 2


def test_policies(serve, base, saved_models):
    publish(saved_models / "two", base, 2)
    publish(saved_models / "two", base, "v3")
    publish(saved_models / "one", base, "00000004")
    _, client = serve(config(base, {"all": {}}))
    wait_for(lambda: [state for state, *_ in client.states().values()] == ["AVAILABLE"] * 3)
    assert list(client.states()) == [4, 2, 1]
    assert client.call(services.PREDICT, predict_request(version=2, x=rows())).model_spec.version.value == 2
    reload(client, config(base, {"specific": {"versions": [1]}}))
    wait_for(lambda: [state for state, *_ in client.states().values()] == ["END", "END", "AVAILABLE"])
    reload(client, config(base, {"latest": {"num_versions": 2}}))
    wait_for(lambda: [state for state, *_ in client.states().values()] == ["AVAILABLE", "AVAILABLE", "END"])


def test_labels_follow_the_configuration(serve, base, saved_models):
    publish(saved_models / "two", base, 2)
    _, client = serve(config(base, {"all": {}}))
    wait_for(lambda: [state for state, *_ in client.states().values()] == ["AVAILABLE"] * 2)

    def labelled(label: str) -> int:
        request = predict_request(x=rows())
        request.model_spec.version_label = label
        return client.call(services.PREDICT, request).model_spec.version.value

    reload(client, config(base, {"all": {}}, {"stable": 1, "canary": 2}))
    assert (labelled("stable"), labelled("canary")) == (1, 2)
    reload(client, config(base, {"all": {}}, {"stable": 2}))
    assert labelled("stable") == 2
    with pytest.raises(grpc.RpcError, match="Unrecognized servable version label: canary"):
        labelled("canary")


def test_labels_of_versions_that_are_not_loaded_yet(base):
    labelled = config(base, labels={"stable": 1})
    with (
        pytest.raises(ServeError, match="FAILED_PRECONDITION: Request to assign label to version 1 of model model"),
        ModelServer(Options(labelled, port=0, rest_port=None)),
    ):
        pass


def test_reload_adds_and_removes_models_and_counts(serve, base, saved_models, tmp_path):
    publish(saved_models / "two", tmp_path / "second", 5)
    _, client = serve(base)
    both = config(base)
    both.model_config_list.config.extend(config(tmp_path / "second", name="second").model_config_list.config)
    response = client.call(
        services.HANDLE_RELOAD_CONFIG_REQUEST,
        ReloadConfigRequest(config=both, metric_names=["/tensorflow/cc/saved_model/load_latency", "/no/such"]),
    )
    assert response.status.error_code == 0
    assert [metric.name for metric in response.metric] == ["/tensorflow/cc/saved_model/load_latency", "/no/such"]
    assert client.call(services.PREDICT, predict_request(model="second", x=rows())).model_spec.version.value == 5
    reload(client, config(tmp_path / "second", name="second"))
    wait_for(lambda: client.states()[1][0] == "END")
    with pytest.raises(grpc.RpcError, match=r"Servable not found for request: Latest\(model\)"):
        version_of(client)
    # It was here before: what became of it then must not count as an answer now.
    reload(client, both)
    assert version_of(client) == 1


def test_reload_of_a_model_that_does_not_load(serve, base, tmp_path):
    (tmp_path / "broken" / "1").mkdir(parents=True)
    _, client = serve(base)
    wrong = config(base)
    wrong.model_config_list.config.extend(config(tmp_path / "broken", name="broken").model_config_list.config)
    with pytest.raises(grpc.RpcError) as failed:
        reload(client, wrong)
    assert failed.value.code() is grpc.StatusCode.UNKNOWN
    message = r"1 model(s) did not become available: {{{name: broken version: 1} due to error: NOT_FOUND: "
    assert failed.value.details().startswith(message)
    assert version_of(client) == 1


def damage(folder, how: str) -> None:
    if how == "empty":
        shutil.rmtree(folder)
        folder.mkdir()
    elif how == "cut graph":
        file = folder / "saved_model.pb"
        file.write_bytes(file.read_bytes()[:5000])
    elif how == "cut variables":
        (file,) = (folder / "variables").glob("*.data*")
        file.write_bytes(file.read_bytes()[:3])
    elif how == "no data":
        (file,) = (folder / "variables").glob("*.data*")
        file.unlink()
    elif how == "a file":
        shutil.rmtree(folder)
        folder.write_text("not a folder")


@pytest.mark.parametrize("how", ["empty", "cut graph", "cut variables", "no data", "a file"])
def test_a_corrupt_version_ends_with_the_loaders_error_while_the_old_one_serves(looks, serve, base, saved_models, how):
    _, client = serve(base)
    folder = publish(saved_models / "two", base, ".hidden")
    damage(folder, how)
    folder.rename(base / "2")
    expected = Oracle(base / "2")
    assert expected.code
    wait_for(lambda: client.states().get(2, ("",))[0] == "END")
    _, code, message = client.states()[2]
    assert (grpc.StatusCode[code].value[0], message) == (expected.code, expected.message)
    assert version_of(client) == 1
    # Taken away and put right, the same number is tried again.
    (base / "2").rename(base / "away")
    looks()
    publish(saved_models / "two", base, 2)
    wait_for(lambda: version_of(client) == 2)


def test_a_half_copied_version_is_tried_again(serve, base, saved_models):
    _, client = serve(base, max_load_retries=50, load_retry_seconds=0.1)
    folder = base / "2"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes((saved_models / "two" / "saved_model.pb").read_bytes()[:4000])
    wait_for(lambda: client.states().get(2, ("",))[0] == "LOADING")
    assert version_of(client) == 1
    # The graph last: a graph without variables loads, and fails at every request.
    shutil.copytree(saved_models / "two" / "variables", folder / "variables")
    shutil.copyfile(saved_models / "two" / "saved_model.pb", folder / ".graph")
    (folder / ".graph").rename(folder / "saved_model.pb")
    wait_for(lambda: client.states()[2][0] == "AVAILABLE")
    assert version_of(client) == 2


def test_missing_variables_load_and_fail_as_in_the_container(serve, base, saved_models):
    _, client = serve(base)
    folder = publish(saved_models / "two", base, ".hidden")
    shutil.rmtree(folder / "variables")
    folder.rename(base / "2")
    wait_for(lambda: client.states().get(2, ("",))[0] == "AVAILABLE")
    with pytest.raises(grpc.RpcError) as failed:
        version_of(client)
    assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "Could not find variable" in failed.value.details()


def test_an_emptied_base_path_unloads_and_a_missing_one_does_not(looks, serve, base, saved_models):
    _, client = serve(base)
    base.rename(base.with_name("away"))
    looks()
    assert client.states()[1][0] == "AVAILABLE"
    base.with_name("away").rename(base)
    shutil.rmtree(base / "1")
    wait_for(lambda: client.states()[1][0] == "END")
    with pytest.raises(grpc.RpcError, match=r"Servable not found for request: Latest\(model\)"):
        version_of(client)
    publish(saved_models / "two", base, 1)
    wait_for(lambda: client.states()[1][0] == "AVAILABLE")
    assert version_of(client) == 2


def write_warmup(folder, requests, damaged: bool = False) -> None:
    (folder / "assets.extra").mkdir(exist_ok=True)
    with open(folder / "assets.extra" / "tf_serving_warmup_requests", "wb") as file:
        for request in requests:
            data = PredictionLog(predict_log={"request": request}).SerializeToString()
            size = struct.pack("<Q", len(data))
            crc = masked_crc(data) ^ damaged
            file.write(size + struct.pack("<I", masked_crc(size)) + data + struct.pack("<I", crc))


def test_warmup_runs_before_a_version_is_available(serve, base, saved_models):
    server, client = serve(base, metrics_path="/metrics")
    folder = publish(saved_models / "two", base, ".hidden")
    request = predict_request(x=rows())
    request.model_spec.name = "of no importance"
    write_warmup(folder, [request, predict_request("natural", x=np.array([1], np.int32))])
    folder.rename(base / "2")
    wait_for(lambda: client.states().get(2, ("",))[0] == "AVAILABLE")
    assert f'model_warmup_records_read{{model_path="{base}/2",status="OK"}} 2' in server.core.metrics.text()


@pytest.mark.parametrize(
    ("requests", "damaged", "code", "message"),
    [
        ([predict_request(x=rows())], True, "DATA_LOSS", "Please verify your warmup data is in TFRecord format."),
        ([predict_request("natural", x=np.array([-1], np.int32))], False, "INVALID_ARGUMENT", "negative number"),
        ([predict_request("S")], False, "FAILED_PRECONDITION", 'Serving signature key "S" not found.'),
        ([predict_request(x=rows())] * 1001, False, "INVALID_ARGUMENT", "exceeds the maximum (1000) at"),
    ],
    ids=["damaged", "failing", "no signature", "too many"],
)
def test_a_bad_warmup_record_fails_the_version(serve, base, saved_models, requests, damaged, code, message):
    _, client = serve(base)
    folder = publish(saved_models / "two", base, ".hidden")
    write_warmup(folder, requests, damaged)
    folder.rename(base / "2")
    wait_for(lambda: client.states().get(2, ("",))[0] == "END")
    assert client.states()[2][1] == code
    assert message in client.states()[2][2]
    assert version_of(client) == 1


def test_a_model_that_cannot_load_stops_the_start(tmp_path):
    (tmp_path / "model" / "1").mkdir(parents=True)
    options = Options(one_model("model", str(tmp_path / "model")), port=0, rest_port=None, max_load_retries=0)
    expected = r"Failed to start server\. Error: Unknown: 1 servable\(s\) did not become available: \{\{\{name: model "
    with pytest.raises(ServeError, match=expected), ModelServer(options):
        pass


def test_the_configuration_file_is_read_again(serve, base, saved_models, tmp_path):
    publish(saved_models / "two", base, 2)
    file = tmp_path / "models.config"
    pinned = 'model_config_list {{ config {{ name: "model" base_path: "{}" model_platform: "tensorflow" {} }} }}'
    file.write_text(pinned.format(base, "model_version_policy { specific { versions: 1 } }"))
    _, client = serve(read_models(file), config_file=file, config_poll_seconds=0.1)
    assert version_of(client) == 1
    file.write_text("this is not one")
    file.write_text(pinned.format(base, ""))
    wait_for(lambda: version_of(client) == 2)
