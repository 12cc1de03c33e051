"""Wrong requests over a real socket: status codes exactly, messages by pattern, as the container answers.

Where a row is about running a graph, code and message come from the C API of the installed TensorFlow.
"""

import re

import grpc
import numpy as np
import pytest

from musae_tf.protocol import services
from musae_tf.protocol.messages import GetModelMetadataRequest, PredictRequest, ReloadConfigRequest
from tests.server.client import asked, multi, predict_request, rows
from tests.server.oracle import Oracle

PREDICT, CLASSIFY, REGRESS = services.PREDICT, services.CLASSIFY, services.REGRESS
MULTI, METADATA, STATUS = services.MULTI_INFERENCE, services.GET_MODEL_METADATA, services.GET_MODEL_STATUS
RELOAD = services.HANDLE_RELOAD_CONFIG_REQUEST
INVALID, MISSING = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
NAMES = {PREDICT: "Predict", CLASSIFY: "Classify", REGRESS: "Regress", MULTI: "MultiInference", METADATA: "Metadata",
         STATUS: "Status", RELOAD: "Reload"}  # fmt: skip


def spec_rows():
    """Everything that can be wrong with a ModelSpec."""
    unknown, version = {"name": "nobody"}, {"name": "model", "version": {"value": 7}}
    label = {"name": "model", "version_label": "nightly"}
    for method in (PREDICT, CLASSIFY, REGRESS, METADATA):
        yield method, asked(method, None), INVALID, "Missing ModelSpec"
        yield method, asked(method, {}), INVALID, r"ModelSpec has no name specified\."
        yield method, asked(method, unknown), MISSING, r"Servable not found for request: Latest\(nobody\)"
        yield method, asked(method, version), MISSING, r"Servable not found for request: Specific\(model, 7\)"
        yield method, asked(method, label), INVALID, "Unrecognized servable version label: nightly"
        zero = {"name": "model", "version": {}}  # its presence decides: this is version 0, not the latest
        yield method, asked(method, zero), MISSING, r"Servable not found for request: Specific\(model, 0\)"
    yield MULTI, multi(), INVALID, r"ModelSpec has no name specified\."
    yield MULTI, multi({}), INVALID, r"ModelSpec has no name specified\."
    yield MULTI, multi({"model_spec": unknown}), MISSING, r"Servable not found for request: Latest\(nobody\)"
    yield MULTI, multi({"model_spec": version}), MISSING, r"Servable not found for request: Specific\(model, 7\)"
    yield MULTI, multi({"model_spec": label}), INVALID, "Unrecognized servable version label: nightly"
    yield STATUS, asked(STATUS, None), INVALID, "Missing ModelSpec"
    yield STATUS, asked(STATUS, {}), MISSING, "Could not find any versions of model "
    yield STATUS, asked(STATUS, unknown), MISSING, "Could not find any versions of model nobody"
    yield STATUS, asked(STATUS, version), MISSING, "Could not find version 7 of model model"


def signature_rows():
    """Unknown signatures, and signatures that are not for the method."""
    spec = {"name": "model", "signature_name": "S"}
    sound = {"name": "model", "signature_name": "classify"}
    yield PREDICT, asked(PREDICT, spec), grpc.StatusCode.FAILED_PRECONDITION, 'Serving signature key "S" not found.'
    for method in (CLASSIFY, REGRESS):
        yield method, asked(method, spec), INVALID, "No signature was found with the name: S"
        two = asked(method, {"name": "model", "signature_name": "add"})
        yield method, two, INVALID, r"Expected one input Tensor\."
    other = {"name": "model", "signature_name": "natural"}
    yield CLASSIFY, asked(CLASSIFY, other), INVALID, "No classification inputs found in SignatureDef: .*"
    yield REGRESS, asked(REGRESS, other), INVALID, "No regression inputs found in SignatureDef: .*"
    yield (
        CLASSIFY,
        asked(CLASSIFY, {"name": "model", "signature_name": "regress"}),
        INVALID,
        ('Expected classification signature outputs to contain at least one of "classes" or "scores".*'),
    )
    yield REGRESS, asked(REGRESS, sound), INVALID, r"Expected one output Tensor\."
    default = {"name": "model"}
    yield CLASSIFY, asked(CLASSIFY, default), INVALID, "No classification inputs found in SignatureDef: .*"
    yield REGRESS, asked(REGRESS, default), INVALID, r"Expected one output Tensor\."
    yield MULTI, multi({"model_spec": spec}), INVALID, "Requested signature not found in model graph: S"
    nameless = multi({"model_spec": sound}, {"model_spec": {}})
    yield MULTI, nameless, INVALID, r"Found ModelSpec with an empty model name\."
    yield (
        MULTI,
        multi({"model_spec": sound}, {"model_spec": {"name": "other"}}),
        INVALID,
        (r"All ModelSpecs in a MultiInferenceRequest must access the same model name\."),
    )
    yield (
        MULTI,
        multi({"model_spec": sound}, {"model_spec": sound}),
        INVALID,
        ("Duplicate evaluation of signature: classify"),
    )
    yield (
        MULTI,
        multi({"model_spec": sound, "method_name": "M"}),
        grpc.StatusCode.UNIMPLEMENTED,
        ("Unsupported signature method_name: M"),
    )


def input_rows():
    """Inputs and outputs that do not fit the signature."""
    good = predict_request("add", a=rows(), b=rows())
    few, many, named = PredictRequest(), PredictRequest(), PredictRequest()
    for request in (few, many, named):
        request.CopyFrom(good)
    del few.inputs["b"]
    yield (
        few,
        INVALID,
        re.escape(
            "input size does not match signature: 1!=2 len({a}) != len({a,b}). Sent extra: {}. Missing but required: "
            "{b}."
        ),
    )
    many.inputs["c"].CopyFrom(good.inputs["a"])
    yield (
        many,
        INVALID,
        re.escape(
            "input size does not match signature: 3!=2 len({a,b,c}) != len({a,b}). Sent extra: {c}. "
            "Missing but required: {}."
        ),
    )
    named.inputs["c"].CopyFrom(named.inputs.pop("b"))
    yield (
        named,
        INVALID,
        re.escape(
            "Signature input alias: b(feed name: add_b:0) not found in request and no default value provided. "
            "Inputs expected to be in the request {a,c}, or default input alias set: "
        ),
    )
    broken = predict_request("add", a=rows(), b=rows())
    broken.inputs["b"].tensor_content = b"abc"
    yield broken, INVALID, "tensor parsing error: b"
    unknown = predict_request("add", a=rows(), b=rows())
    unknown.output_filter.append("A")
    yield (
        unknown,
        INVALID,
        re.escape("output tensor alias not found in signature: A Outputs expected to be in the set {sum}."),
    )
    twice = predict_request("add", a=rows(), b=rows())
    twice.output_filter.extend(["sum", "sum"])
    yield twice, INVALID, "duplicate output tensor alias: sum"


def config(*models: dict) -> ReloadConfigRequest:
    return ReloadConfigRequest(config={"model_config_list": {"config": list(models)}})


def reload_rows():
    sound = {"name": "model", "base_path": "/nowhere", "model_platform": "tensorflow"}
    unsupported = (
        r"ServerModelConfig type not supported by HandleReloadConfigRequest\. Only ModelConfigList is currently "
        "supported"
    )
    yield ReloadConfigRequest(), INVALID, unsupported
    yield ReloadConfigRequest(config={"custom_model_config": {}}), INVALID, unsupported
    yield config(sound, sound), INVALID, "Illegal to list model model multiple times in config list"
    yield (
        config({**sound, "base_path": "here"}),
        INVALID,
        (r"Expected model model to have an absolute path or URI; got base_path\(\)=here"),
    )
    yield config({**sound, "model_platform": ""}), INVALID, "Illegal setting neither ModelServerConfig::model_type.*"
    yield config({**sound, "model_platform": "torch"}), INVALID, "Illegal to change a model's platform.*"
    yield (
        config({**sound, "name": "new", "model_platform": "torch"}),
        INVALID,
        ("Model new requests unsupported platform torch"),
    )
    yield (
        config({**sound, "version_labels": {"canary": 9}}),
        grpc.StatusCode.FAILED_PRECONDITION,
        ("Request to assign label to version 9 of model model, which is not currently available for inference"),
    )


def metadata_rows():
    for spec in ({"name": "model"}, {"name": "nobody"}):  # checked before the model is looked up
        none, other = GetModelMetadataRequest(model_spec=spec), GetModelMetadataRequest(model_spec=spec)
        other.metadata_field.append("X")
        yield none, INVALID, "GetModelMetadataRequest must specify at least one metadata_field"
        yield other, INVALID, "Metadata field X is not supported"


ROWS = [
    *spec_rows(),
    *signature_rows(),
    *((PREDICT, *row) for row in input_rows()),
    *((METADATA, *row) for row in metadata_rows()),
]


@pytest.mark.parametrize(
    ("method", "request_", "code", "message"),
    ROWS,
    ids=[f"{NAMES[row[0]]}-{number}-{row[3][:40]}" for number, row in enumerate(ROWS)],
)
def test_a_wrong_request_gets_the_containers_code_and_message(client, method, request_, code, message):
    with pytest.raises(grpc.RpcError) as failed:
        client.call(method, request_)
    assert failed.value.code() is code
    assert re.fullmatch(message, failed.value.details(), re.DOTALL), failed.value.details()


@pytest.mark.parametrize(("request_", "code", "message"), list(reload_rows()))
def test_a_wrong_configuration_is_refused_and_the_model_stays(serve, base, request_, code, message):
    _, client = serve(base)
    with pytest.raises(grpc.RpcError) as failed:
        client.call(RELOAD, request_)
    assert failed.value.code() is code
    assert re.fullmatch(message, failed.value.details()), failed.value.details()
    assert client.predict(x=rows())["version"] == [1]


GRAPH_ROWS = {
    "wrong dtype": ("serving_default", {"x": np.ones((1, 2))}),
    "wrong rank": ("serving_default", {"x": np.ones(2, np.float32)}),
    "wrong shape": ("serving_default", {"x": np.ones((1, 3), np.float32)}),
    "two batch sizes": ("add", {"a": rows(2), "b": rows(3)}),
    "failing assertion": ("natural", {"x": np.array([1, -1], np.int32)}),
    "no rows": ("serving_default", {"x": rows(0)}),
    "broadcast": ("add", {"a": rows(1), "b": rows(3)}),
}


@pytest.fixture(scope="module")
def oracle(base_of_all) -> Oracle:
    return Oracle(base_of_all / "1")


@pytest.mark.parametrize(("signature", "inputs"), GRAPH_ROWS.values(), ids=GRAPH_ROWS)
def test_the_graph_decides_what_else_is_wrong(served, client, oracle, signature, inputs):
    with served.core.lease(predict_request().model_spec) as lease:
        definition = lease.loaded.signatures[signature].definition
    feeds = {definition.inputs[name].name: array for name, array in inputs.items()}
    expected, message = oracle.run(feeds, definition.outputs[min(definition.outputs)].name)
    # One output, as the session of the oracle fetches one: which operation fails first may depend on it.
    request = predict_request(signature, **inputs)
    request.output_filter.append(min(definition.outputs))
    if expected == 0:
        assert client.call(PREDICT, request).outputs
        return
    with pytest.raises(grpc.RpcError) as failed:
        client.call(PREDICT, request)
    assert (failed.value.code().value[0], failed.value.details()) == (expected, message)


def several_faults():
    """Requests with two faults each: the first one in the container's order is what the answer is about."""

    def request(model="model", signature="add", inputs=("a", "b"), broken=(), output="sum"):
        made = PredictRequest(model_spec={"name": model, "signature_name": signature}, output_filter=[output])
        for name in inputs:
            made.inputs[name].CopyFrom(predict_request(x=rows()).inputs["x"])
            if name in broken:
                made.inputs[name].tensor_content = b"abc"
        return made

    yield request(model="", signature="S"), "ModelSpec has no name specified."
    yield request(model="nobody", signature="S"), "Servable not found"
    yield request(signature="S", inputs=("a",)), 'Serving signature key "S" not found.'
    yield request(inputs=("a",), broken=("a",)), "input size does not match signature"
    yield request(inputs=("a", "c"), broken=("a",)), "tensor parsing error: a"
    yield request(inputs=("a", "c"), output="A"), "Signature input alias: b"
    yield request(broken=("b",), output="A"), "tensor parsing error: b"
    wrong_shape = request(output="A")
    wrong_shape.inputs["a"].CopyFrom(predict_request(x=rows(3)[:, :1]).inputs["x"])
    yield wrong_shape, "output tensor alias not found in signature: A"


@pytest.mark.parametrize(("request_", "message"), list(several_faults()))
def test_of_several_faults_the_first_is_named(client, request_, message):
    with pytest.raises(grpc.RpcError) as failed:
        client.call(PREDICT, request_)
    assert failed.value.details().startswith(message)


def test_an_unforeseen_error_is_internal(served, client, monkeypatch, caplog):
    def fail(name):
        raise ZeroDivisionError("of no importance")

    monkeypatch.setattr(served.core, "versions", fail)
    with pytest.raises(grpc.RpcError) as failed:
        client.call(STATUS, asked(STATUS, {"name": "model"}))
    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert failed.value.details() == "ZeroDivisionError: of no importance"
    assert "Traceback" in caplog.text


def test_undecodable_bytes_and_unknown_methods(client):
    raw = client.channel.unary_unary(PREDICT.path)
    with pytest.raises(grpc.RpcError) as failed:
        raw(b"\xff\xff\xff", timeout=10)
    assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.INTERNAL, "")
    with pytest.raises(grpc.RpcError) as failed:
        client.channel.unary_unary("/tensorflow.serving.PredictionService/PredictStreamed")(b"", timeout=10)
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_long_message_is_cut(client):
    with pytest.raises(grpc.RpcError) as failed:
        client.predict("x" * 5000, x=rows())
    assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert failed.value.details().endswith("x...TRUNCATED")
    assert len(failed.value.details()) == 1024 + len("...TRUNCATED")
