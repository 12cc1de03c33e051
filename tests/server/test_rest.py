"""The REST API and the metrics: paths, bodies and statuses of the container."""

import http.client
import json
import os
import re
import signal

import numpy as np
import pytest

from musae_tf.server.prometheus import Histogram, Metrics
from tests.server.client import Client, predict_request, rows
from tests.waiting import wait_for

NAN = float("nan")


class Rest:
    def __init__(self, port: int):
        self.connection = http.client.HTTPConnection("localhost", port, timeout=30)

    def __call__(self, method: str, path: str, body: object = None, headers: dict | None = None):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        self.connection.request(method, path, data, headers or {})
        response = self.connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if "json" in response.headers["Content-Type"] else text.decode()

    def predict(self, body: object, version: str = ""):
        return self("POST", f"/v1/models/model{version}:predict", body)


@pytest.fixture
def rest(served) -> Rest:
    return Rest(served.rest_port)


@pytest.mark.parametrize("path", ["", "/versions/1", "/labels/stable"])
def test_status(rest, path):
    assert rest("GET", f"/v1/models/model{path}") == (
        200,
        {
            "model_version_status": [
                {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
            ]
        },
    )


def test_metadata(rest):
    status, answer = rest("GET", "/v1/models/model/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "model", "signature_name": "", "version": "1"}
    default = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert default["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert default["inputs"]["x"]["tensor_shape"] == {
        "dim": [{"size": "-1", "name": ""}, {"size": "2", "name": ""}], "unknown_rank": False
    }  # fmt: skip
    assert default["method_name"] == "tensorflow/serving/predict"


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"instances": [[1.0, 2], [0.1, 0]]},
         {"predictions": [{"y": [2.0, 6.0], "version": 1}, {"y": [0.2, 0.0], "version": 1}]}),
        ({"inputs": {"x": [[1, 2]]}}, {"outputs": {"y": [[2.0, 6.0]], "version": [1]}}),
        ({"inputs": [[1, 2]]}, {"outputs": {"y": [[2.0, 6.0]], "version": [1]}}),
        ({"signature_name": "natural", "instances": [1, 2]}, {"predictions": [1, 2]}),
        ({"signature_name": "scalar", "inputs": 2}, {"outputs": 4.0}),
        ({"signature_name": "add", "instances": [{"a": [1, 2], "b": [3, 4]}]}, {"predictions": [[4.0, 6.0]]}),
        ({"signature_name": "shout", "instances": ["a", {"b64": "Yg=="}]},
         {"predictions": [{"loud": "A", "raw_bytes": {"b64": "YQ=="}}, {"loud": "B", "raw_bytes": {"b64": "Yg=="}}]}),
        ({"signature_name": "shout", "inputs": {"text": [{"b64": "Yg=="}]}},
         {"outputs": {"loud": ["B"], "raw_bytes": [{"b64": "Yg=="}]}}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", ["", "/versions/1", "/labels/stable"])
def test_predict(rest, body, answer, version):
    assert rest.predict(body, version) == (200, answer)


def test_whole_numbers_are_taken_for_floats(rest):
    assert rest.predict({"instances": [[2**24 + 1, 2**64]]})[1]["predictions"][0]["y"] == [33554432.0, 5.53402322e19]


def test_a_version_that_is_no_number_gets_no_words(served):
    connection = http.client.HTTPConnection("localhost", served.rest_port, timeout=30)
    connection.request("GET", f"/v1/models/model/versions/{10**30}")
    response = connection.getresponse()
    assert (response.status, response.read()) == (400, b"")


def test_floats_are_written_short_and_exact(rest):
    numbers = [0.1, 1 / 3, 1e-20, 16777215.0, NAN]
    status, answer = rest.predict({"signature_name": "ragged", "instances": [numbers]})
    assert status == 200
    np.testing.assert_array_equal(np.float32(answer["predictions"]), np.float32([numbers]))
    assert answer["predictions"][0][0] == 0.1


MALFORMED = [
    (b"", "JSON Parse error: The document is empty"),
    (b"{", "JSON Parse error: .*"),
    (b"[" * 100_000, "tensor parsing error: .*"),
    (b"\xff", "JSON Parse error: .*"),
    ([1], r"JSON Value: \[1\] Is not object"),
    ({}, "Missing 'inputs' or 'instances' key"),
    ({"inputs": [[1, 2]], "instances": [[1, 2]]}, ".*expecting only one of 'inputs' or 'instances' keys to exist .*"),
    ({"signature_name": 1, "instances": [1]}, ".*'signature_name' key must be a string value."),
    ({"instances": 1}, ".*Expecting 'instances' to be an list/array"),
    ({"instances": []}, ".*No values in 'instances' array"),
    ({"signature_name": "add", "instances": [[1]]}, "instances is a plain list, but expecting list of objects.*"),
    ({"signature_name": "add", "inputs": [[1]]}, "inputs is a plain value/list, but expecting an object.*"),
    ({"signature_name": "add", "inputs": {"a": [[1, 2]]}}, "Missing named input: b in 'inputs' object."),
    ({"signature_name": "add", "instances": [{"a": [1, 2]}]}, ".*keys must be equal to: a,b"),
    ({"instances": [[1, 2], {"x": [1, 2]}]}, "Expecting value/list but got object at item 1 of input list"),
    ({"instances": [[1, 2], [1, 2, 3]]}, ".*Expecting tensor size: 2 but got: 3"),
    ({"instances": [[1, [2]]]}, ".*Encountered list at unexpected level: 1 expected < 1"),
    ({"instances": [["1", 2]]}, '.*JSON Value: "1" Type: String is not of expected type: float'),
    ({"instances": [[True, 2]]}, ".*JSON Value: true Type: True is not of expected type: float"),
    ({"signature_name": "natural", "instances": [1.5]}, ".*JSON Value: 1.5 Type: Number .*expected type: int32"),
    ({"signature_name": "natural", "instances": [2**40]}, ".*JSON Value: 1099511627776 Type: Number .*type: int32"),
    ({"signature_name": "shout", "instances": [{"b64": "!"}]}, ".*Unable to base64 decode"),
    ({"signature_name": "S", "instances": [1]}, 'Serving signature name: "S" not found in signature def'),
    ({"instances": [[1, 2, 3]]}, "Matrix size-incompatible.*"),
    ({"instances": [[1, 2]] * 10_000}, "input x has 10000 rows, larger than this server's maximum of 4096"),
    ({"signature_name": "total", "instances": [1]}, "Tensor name: total has no shape information "),
]


@pytest.mark.parametrize(("body", "message"), MALFORMED, ids=[message[:40] for _, message in MALFORMED])
def test_malformed_bodies(rest, body, message):
    status, answer = rest.predict(body)
    assert status == 400
    assert re.fullmatch(message, answer["error"], re.DOTALL), answer["error"]


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v1/models", 400, r"Missing model name in request\."),
        ("GET", "/v1/models/nobody", 404, "Could not find any versions of model nobody"),
        ("GET", "/v1/models/model/versions/7", 404, "Could not find version 7 of model model"),
        ("GET", "/v1/models/nobody/metadata", 404, r"Servable not found for request: Latest\(nobody\)"),
        ("GET", "/v1/models/model:predict", 400, "Malformed request: GET /v1/models/model:predict"),
        ("GET", "/v1/models/../../etc/passwd", 400, "Malformed request: GET .*"),
        ("GET", "/v1/models/..%2F..%2Fetc%2Fpasswd", 404, "Could not find any versions of model ../../etc/passwd"),
        ("GET", "/v1/models/model/labels/..%2F1/metadata", 400, "Unrecognized servable version label: ../1"),
        ("POST", "/v1/models/..%2F..%2Fetc%2Fpasswd:predict", 404, r"Servable not found .*\(\.\./\.\./etc/passwd\)"),
        ("POST", "/v1/models/model%2F1:predict", 404, r"Servable not found for request: Latest\(model/1\)"),
        ("POST", "/v1/models/model/labels/..%2F..%2F1:predict", 400, "Unrecognized servable version label: .*"),
        ("GET", "/v1/models/%00/metadata", 404, "Servable not found .*"),
        ("GET", "/v1/models/model/versions/..%2F1", 400, ".*"),
        ("POST", "/v1/models/model", 400, "Malformed request: POST /v1/models/model"),
        ("POST", "/v1/models/nobody:predict", 404, r"Servable not found for request: Latest\(nobody\)"),
        ("POST", "/v1/models/model/labels/nightly:predict", 400, "Unrecognized servable version label: nightly"),
        ("OPTIONS", "/v1/models/model", 400, "Malformed request: .*"),
    ],
)
def test_wrong_paths(rest, method, path, status, message):
    answered, body = rest(method, path, {"instances": [[1, 2]]} if method == "POST" else None)
    assert (answered, bool(re.fullmatch(message, body["error"]))) == (status, True), body


@pytest.mark.parametrize("path", ["/", "/v1", "//v1/models/model", "/monitoring/prometheus/metrics"])
def test_paths_of_nothing(rest, path):
    status, page = rest("GET", path)
    assert status == 404
    assert "<TITLE>404 Not Found</TITLE>" in page


def test_bodies_without_length_or_too_long(served, rest):
    rest.connection.putrequest("POST", "/v1/models/model:predict")
    rest.connection.endheaders()
    assert rest.connection.getresponse().status == 400
    other = Rest(served.rest_port)
    other.connection.putrequest("POST", "/v1/models/model:predict")
    other.connection.putheader("Content-Length", str(10**12))
    other.connection.endheaders()
    assert other.connection.getresponse().status == 429


def test_a_slow_request_is_given_up(serve, base):
    server, _ = serve(base, rest_port=0, rest_timeout=0.3)
    status, answer = Rest(server.rest_port).predict({"signature_name": "slow", "instances": [100_000]})
    assert status == 504, answer


def test_cross_origin_requests_if_asked(serve, base):
    server, _ = serve(base, rest_port=0, cors=True)
    connection = http.client.HTTPConnection("localhost", server.rest_port)
    connection.request("OPTIONS", "/v1/models/model:predict")
    response = connection.getresponse()
    assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (200, "*")


def test_metrics_under_the_containers_names(served, rest):
    def numbers() -> dict[str, float]:
        status, text = rest("GET", "/metrics")
        assert status == 200
        return {name: float(value) for name, value in re.findall(r"^(:\S+) (\S+)$", text, re.MULTILINE)}

    before = numbers()
    with Client(served.port) as client:
        client.predict(x=rows())
        for model, signature in (("nobody", ""), ("model", "S")):
            with pytest.raises(Exception, match="not found"):
                client.predict(signature, model, x=rows())
    rest.predict({"instances": [[1, 2]]})
    counted = ":tensorflow:serving:request_count"

    def requests(found: dict[str, float]) -> float:
        return sum(value for name, value in found.items() if name.startswith(counted))

    # A request is counted when its answer has left, which the client may have by then.
    after = wait_for(lambda: found if requests(found := numbers()) >= requests(before) + 4 else None)

    def growth(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert growth(f'{counted}{{model_name="model",status="OK"}}') == 2
    assert growth(f'{counted}{{model_name="model",status="FAILED_PRECONDITION"}}') == 1
    assert growth(f'{counted}{{model_name="nobody",status="NOT_FOUND"}}') == 1
    latency = ":tensorflow:serving:request_latency"
    for api, entrypoint in (("Predict", "GRPC"), ("predict", "REST")):
        labels = f'model_name="model",API="{api}",entrypoint="{entrypoint}"'
        assert growth(f"{latency}_count{{{labels}}}") == 1
        assert growth(f'{latency}_bucket{{{labels},le="+Inf"}}') == 1
    runtime = ':tensorflow:serving:runtime_latency_count{model_name="model",API="Predict",runtime="TF1"}'
    assert growth(runtime) == 2


def test_buckets_are_cumulative_and_labels_bounded():
    histogram = Histogram("/a", ("name",), [1, 10])
    for value in (1, 5, 50):
        histogram.observe(value, 'q"\\\n')
    quoted = r'name="q\"\\\n"'
    assert list(histogram.lines()) == [
        f':a_bucket{{{quoted},le="1"}} 1', f':a_bucket{{{quoted},le="10"}} 2', f':a_bucket{{{quoted},le="+Inf"}} 3',
        f":a_sum{{{quoted}}} 56", f":a_count{{{quoted}}} 3",
    ]  # fmt: skip
    metrics = Metrics()
    for number in range(5000):
        metrics.request_count.add(f"model {number}", "NOT_FOUND")
    lines = list(metrics.request_count.lines())
    assert len(lines) == 1001
    assert lines[-1].endswith('{model_name="(other)",status="(other)"} 4000')


def test_deep_nesting_and_huge_numbers_do_no_harm(rest):
    deep = b'{"instances": ' + b"[" * 900 + b"1" + b"]" * 900 + b"}"
    assert rest("POST", "/v1/models/model:predict", deep)[0] == 400
    assert rest("POST", "/v1/models/model:predict", b'{"instances": [[' + b"9" * 5000 + b", 1]]}")[0] == 400
    assert rest.predict({"instances": [[1, 2]]})[0] == 200
    assert predict_request(x=rows()).inputs["x"].dtype == 1


def test_long_bodies_and_answers_are_read_and_written_by_another_process(served, rest):
    x = np.arange(4000 * 50, dtype=np.float32).reshape(4000, 50)
    status, answer = rest.predict({"signature_name": "ragged", "instances": x.tolist()})
    assert status == 200
    np.testing.assert_array_equal(np.float32(answer["predictions"]), x)
    process = served._api._json_process._process
    assert process.returncode is None
    status, answer = rest("POST", "/v1/models/model:predict", b'{"instances": ' + b"[" * 100_000)
    assert (status, answer["error"][:20]) == (400, "tensor parsing error")
    os.kill(process.pid, signal.SIGKILL)
    status, answer = rest.predict({"signature_name": "ragged", "instances": x.tolist()})
    assert status in (200, 429)  # what it was doing is lost, if it was doing something
    status, answer = rest.predict({"signature_name": "ragged", "instances": x.tolist()})
    assert status == 200
