"""Right requests over a real socket: answers as the container gives them."""

import grpc
import pytest

from musae_tf.protocol import services
from musae_tf.protocol.messages import SignatureDefMap
from tests.server.client import asked, multi, predict_request, rows
from tests.server.conftest import publish

PREDICT, CLASSIFY, REGRESS = services.PREDICT, services.CLASSIFY, services.REGRESS
MULTI, METADATA, STATUS = services.MULTI_INFERENCE, services.GET_MODEL_METADATA, services.GET_MODEL_STATUS


def test_predict_answers_with_the_effective_spec_and_typed_fields(client):
    for spec in ({"name": "model"}, {"name": "model", "version": {"value": 1}},
                 {"name": "model", "version_label": "stable", "signature_name": "serving_default"}):  # fmt: skip
        request = predict_request(x=rows(2))
        request.model_spec.CopyFrom(type(request.model_spec)(**spec))
        response = client.call(PREDICT, request)
        assert response.model_spec.name == "model"
        assert response.model_spec.version.value == 1
        assert response.model_spec.signature_name == "serving_default"
        assert response.model_spec.WhichOneof("version_choice") == "version"
        assert set(response.outputs) == {"version", "y"}
        assert list(response.outputs["y"].float_val) == [0, 3, 4, 9]
        assert list(response.outputs["version"].int_val) == [1, 1]
        assert not response.outputs["y"].tensor_content


def test_output_filter_leaves_the_others_out(client):
    request = predict_request(x=rows(2))
    request.output_filter.append("version")
    assert set(client.call(PREDICT, request).outputs) == {"version"}


def test_metadata_holds_every_signature_and_no_signature_name(client):
    response = client.call(METADATA, asked(METADATA, {"name": "model"}))
    assert (response.model_spec.name, response.model_spec.version.value) == ("model", 1)
    assert response.model_spec.signature_name == ""
    packed = response.metadata["signature_def"]
    assert packed.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    signatures = SignatureDefMap()
    assert packed.Unpack(signatures)
    assert {"serving_default", "__saved_model_init_op", "echo"} <= set(signatures.signature_def)
    assert signatures.signature_def["serving_default"].inputs["x"].dtype == 1


def test_status_ignores_the_label_and_takes_the_version(client):
    by_label = client.call(services.GET_MODEL_STATUS, asked(STATUS, {"name": "model", "version_label": "nonsense"}))
    by_version = client.call(services.GET_MODEL_STATUS, asked(STATUS, {"name": "model", "version": {"value": 1}}))
    for response in (by_label, by_version):
        (entry,) = response.model_version_status
        assert (entry.version, entry.state, entry.status.error_code) == (1, 30, 0)


@pytest.mark.parametrize(("method", "signature"), [(CLASSIFY, "classify"), (REGRESS, "regress")])
def test_requests_of_examples_are_for_the_container(client, method, signature):
    with pytest.raises(grpc.RpcError, match="this server answers Predict") as failed:
        client.call(method, asked(method, {"name": "model", "signature_name": signature}))
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
    with pytest.raises(grpc.RpcError, match="this server answers Predict"):
        client.call(MULTI, multi({"model_spec": {"name": "model", "signature_name": "classify"}}))


def test_the_default_of_a_signature_stands_in_for_a_missing_input(serve, tmp_path, saved_models):
    publish(saved_models / "defaults", tmp_path / "model", 1)
    _, client = serve(tmp_path / "model")
    assert client.predict("add", a=rows(1))["sum"].tolist() == [[7, 9]]
    assert client.predict("add", a=rows(1), b=rows(1) * 2)["sum"].tolist() == [[0, 3]]
    wrong = r"Inputs contains invalid name\. Used request inputs: a, request input: a,c"
    with pytest.raises(grpc.RpcError, match=wrong):
        client.predict("add", a=rows(1), c=rows(1))
