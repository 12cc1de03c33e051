"""Requests that a real tensorflow_model_server was sent, and its answers: those of this server are the same.

`recorded/` holds the SavedModels that were served, and for each request its bytes and what came back. The server was
built from tensorflow/serving at 9d981c5c with TensorFlow 2.21, with all versions of `model`, labelled stable (1) and
canary (2), and `defaults`.
"""

import base64
import json
import os
import re
import socket
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import NamedTuple

import grpc
import pytest
from google.protobuf import text_format

from musae_tf.protocol import services
from musae_tf.protocol.messages import ModelServerConfig, SignatureDefMap
from musae_tf.server import ModelServer, Options
from musae_tf.server.versions import AVAILABLE
from tests.server.conftest import ROOT
from tests.waiting import wait_for

RECORDED = Path(__file__).parent / "recorded"
METHODS = {method.path: method for service in (services.PREDICTION_SERVICE, services.MODEL_SERVICE)
           for method in services.methods(service).values()}  # fmt: skip

_STRICT = "what two readers can read differently lets requests be smuggled past a proxy: refused"
_RANK = "tensors of another rank than the signature's get to the graph up to rank 8 only"
DIFFERENT = {
    "path HEAD /v1/models/model": "HTTP wants no body in an answer to HEAD",
    "lf only": _STRICT,
    "dup CL": _STRICT,
    "plus CL": _STRICT,
    "tensor 254 dims": _RANK,
    "ragged tensor 254 dims": _RANK,
}
"""Requests whose answers differ, and why."""
FOR_EXAMPLES = {
    "body classify", "body classify ctx", "body classify str", "body classify notobj", "body classify int",
    "body classify mixed", "body classify b64", "body regress", "Classify sig classify noinput", "Regress sig regress",
    "Regress sig regress noinput", "multi", "multi noinput", "multi diff version",
}  # fmt: skip
"""Requests of examples to signatures that are for them: this package exports none, and they do not count."""


class Ports(NamedTuple):
    port: int
    rest_port: int


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Ports]:
    """A server in a process of its own: the recorded one was built without oneDNN, whose errors read otherwise."""
    folder = tmp_path_factory.mktemp("recorded")
    with tarfile.open(RECORDED / "models.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    command = [sys.executable, "-m", "tests.server.test_recorded", str(folder)]
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=PIPE, stdout=PIPE, text=True) as process:
        yield Ports(*map(int, process.stdout.readline().split()))
        process.stdin.close()


def serve(folder: Path) -> None:
    """Print the ports of a server of the recorded models, and serve until standard input closes."""
    config = ModelServerConfig()
    for name in ("model", "defaults"):
        config.model_config_list.config.add(name=name, base_path=str(folder / name), model_platform="tensorflow")
    model = config.model_config_list.config[0]
    model.model_version_policy.all.SetInParent()
    model.version_labels["stable"], model.version_labels["canary"] = 1, 2
    options = Options(
        config, port=0, rest_port=0, labels_for_unavailable=True, max_load_retries=0,
        metrics_path="/monitoring/prometheus/metrics",
    )  # fmt: skip
    with ModelServer(options) as started:
        wait_for(lambda: [entry.state for entry in started.core.versions("model").values()] == [AVAILABLE] * 2)
        print(started.port, started.rest_port, flush=True)
        sys.stdin.read()


def records(name: str) -> list[dict]:
    lines = (RECORDED / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [{**(record := json.loads(line)), "request": unpack(record["request"])} for line in lines]


def unpack(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


def without_marks(text: str) -> str:
    """A text without what is random in it."""
    return re.sub(r"goo\.gle/debug\w+ *\s*", "", text)


def parsed(body: str) -> object:
    try:
        document = json.loads(body)
    except ValueError:
        return re.sub(r"\s", "", without_marks(body))
    if isinstance(document, dict) and "error" in document:
        return json.dumps({**document, "error": without_marks(document["error"])})
    return json.dumps(document, sort_keys=True)


def ask_rest(port: int, request: bytes) -> tuple[str, dict[str, str], str]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer and (part := connection.recv(65536)):
            answer += part
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if first.endswith("100 Continue"):
            return ask_rest(port, request.replace(b"Expect: 100-continue\r\n", b""))
        length = 0 if request.startswith(b"HEAD") else int(headers.get("content-length", 0))
        while len(body) < length and (part := connection.recv(65536)):
            body += part
    return first, headers, body.decode("utf-8", "backslashreplace")


def rest_differences(server: Ports, record: dict) -> list[str]:
    status, headers, body = ask_rest(server.rest_port, record["request"])
    found = []
    if status.split(" ")[1:2] != record["status"].split(" ")[1:2]:
        found.append(f"{status!r} for {record['status']!r}")
    for name in ("content-type", "connection"):
        ours, theirs = (each.get(name, "").partition(";")[0] for each in (headers, record["headers"]))
        if ours != theirs:
            found.append(f"{name}: {ours!r} for {theirs!r}")
    cut = len(record["body"]) == 1500
    if not cut and parsed(body) != parsed(record["body"]):
        found.append(f"{body[:300]!r} for {record['body'][:300]!r}")
    return found


def grpc_differences(channel: grpc.Channel, record: dict) -> list[str]:
    method = METHODS.get(record["method"])
    try:
        answer = channel.unary_unary(record["method"])(record["request"], timeout=30)
        code, text = "OK", written(method, answer)
    except grpc.RpcError as error:
        code, text = error.code().name, error.details()
    found = []
    if code != record["code"]:
        found.append(f"{code} for {record['code']}")
    if without_marks(text) != without_marks(record["answer"]):
        found.append(f"{text[:300]!r} for {record['answer'][:300]!r}")
    return found


def written(method: services.Method, data: bytes) -> str:
    """An answer as it was written down."""
    message = method.response.FromString(data)
    if method is METHODS["/tensorflow.serving.PredictionService/GetModelMetadata"]:
        definitions = SignatureDefMap()
        message.metadata["signature_def"].Unpack(definitions)
        signatures = definitions.signature_def
        defaults = {name: list(definition.defaults) for name, definition in signatures.items() if definition.defaults}
        return f"meta {sorted(signatures)}{message.model_spec}defaults {defaults}"
    if method is METHODS["/tensorflow.serving.PredictionService/Predict"]:
        lines = {name: text_format.MessageToString(tensor, as_one_line=True)[:300]
                 for name, tensor in sorted(message.outputs.items())}  # fmt: skip
        return f"{json.dumps(lines)} {text_format.MessageToString(message.model_spec, as_one_line=True)}"
    return " ".join(sorted(text_format.MessageToString(message)[:3000].split("\n")))


def test_answers_are_those_of_the_real_server(server):
    different = {}
    listed = [*records("rest"), *records("grpc")]
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        for record in listed:
            found = rest_differences(server, record) if "status" in record else grpc_differences(channel, record)
            if found:
                different[record["name"]] = "; ".join(found)
    assert {name: what for name, what in different.items() if name not in {*DIFFERENT, *FOR_EXAMPLES}} == {}
    assert {*DIFFERENT, *FOR_EXAMPLES} - different.keys() == set()
    counted = [record for record in listed if record["name"] not in FOR_EXAMPLES]
    assert len(DIFFERENT) <= 0.03 * len(counted)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
