"""Hostile requests to a model server: tensors of any type, shape, content and length, over gRPC and as JSON.

The server is a process of its own: what is looked for ends it. `python -m tests.fuzz.tensors BASE [--batching]` is that
process; it prints its ports and serves until its standard input closes.
"""

import base64
import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np

from musae_tf.protocol import services
from musae_tf.protocol.codec import to_array
from musae_tf.protocol.messages import PredictRequest, TensorProto
from tests.fuzz.mutate import ANY

ROOT = Path(__file__).parent.parent.parent
Random = np.random.Generator

_INPUTS = {
    "": {"x": ("f4", 2)}, "add": {"a": ("f4", 2), "b": ("f4", 2)}, "shout": {"text": ("O", 1)},
    "natural": {"x": ("i4", 1)}, "scalar": {"x": ("f4", 0)}, "total": {"x": ("f4", 1)}, "ragged": {"x": ("f4", 2)},
}  # fmt: skip
"""Signatures of tests/server/models.py: type and rank of their inputs."""
_FIELDS = ("float_val", "double_val", "int_val", "string_val", "int64_val", "bool_val", "half_val", "uint32_val",
           "uint64_val", "scomplex_val", "dcomplex_val")  # fmt: skip
_DTYPE_NUMBERS = {"f4": 1, "i4": 3, "O": 7}
_IN_FLIGHT = 64
_MOST_JSON = 8 * 2**20


def fuzz_tensors(base: Path, count: int, seed: int = 0) -> Iterator[tuple[str, dict]]:
    """Send `count` hostile requests, half of them to a server that batches, and a good one after every 500.

    Args:
        base: a base path with the model of tests/server/models.py.
        count: requests in all.
        seed: of the requests.

    Yields:
        "gRPC" or "REST" with or without batching, and how many requests got which code.

    Raises:
        AssertionError: a server has ended, has grown by more than 500 MB, answers with an unforeseen
            error, or a good request is not answered right.
    """
    for batching in (False, True):
        with running_server(base, batching) as (process, port, rest_port):
            name = "with batching" if batching else "without"
            before = megabytes(process.pid)
            for kind, send, to, share in (("gRPC", _send_grpc, port, 3), ("REST", _send_rest, rest_port, 1)):
                began = time.monotonic()
                codes = send(to, count * share // 8, np.random.default_rng([seed, batching, share]))
                assert process.poll() is None, f"the server ended with {process.returncode}"
                grown = megabytes(process.pid) - before
                assert grown < 500, f"the server has grown by {grown} MB"
                seconds = round(time.monotonic() - began, 1)
                yield f"{kind} {name}", {"requests": sum(codes.values()), "seconds": seconds, **codes}


def hostile(rng: Random) -> bytes:
    """A PredictRequest with something wrong, or nothing."""
    signature = str(rng.choice([*_INPUTS]))
    request = PredictRequest(model_spec={"name": "model", "signature_name": signature})
    rows = int(rng.choice([0, 1, 1, 2, 3, 17]))
    for name, (dtype, rank) in _INPUTS[signature].items():
        request.inputs[name].CopyFrom(_tensor(dtype, rank, rows, rng))
    if rng.random() < 0.1:
        request.inputs[str(rng.choice(["x", "y", "a" * 300]))].CopyFrom(_tensor("f4", 2, rows, rng))
    data = request.SerializeToString()
    return ANY[rng.integers(len(ANY))](data, rng) if rng.random() < 0.15 else data


def _tensor(dtype: str, rank: int, rows: int, rng: Random) -> TensorProto:
    tensor = TensorProto(dtype=_DTYPE_NUMBERS[dtype])
    shape = [rows, *[2] * rank][:rank]
    if rng.random() < 0.15:
        tensor.dtype = int(rng.choice([*range(24), 101, 103, 120, 999]))
    if rng.random() < 0.4:
        sizes = [0, 0, 1, 2, 3, 4, 64, 4096, -1, 2**20, 2**31, 2**40, 2**62, 2**63 - 1]
        odds = np.array([8, 8, 8, 8, 8, 4, 2, 1, 1, 1, 1, 1, 1, 1])
        shape = [int(rng.choice(sizes, p=odds / odds.sum())) for _ in range(int(rng.choice([0, 1, 2, 2, 3, 8, 9, 70])))]
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    if rng.random() < 0.03:
        tensor.tensor_shape.unknown_rank = True
    field = {"f4": "float_val", "i4": "int_val", "O": "string_val"}[dtype]
    if rng.random() < 0.1:
        field = str(rng.choice(_FIELDS))
    count = int(np.prod([float(size) for size in shape]))
    if rng.random() < 0.3 or not 0 <= count <= 5000:
        count = int(rng.choice([0, 1, 2, 7, 1000]))
    if rng.random() < 0.3 and dtype != "O":
        tensor.tensor_content = rng.bytes(4 * count + int(rng.choice([0, 0, 0, 1, 4])))
    elif field == "string_val":
        tensor.string_val.extend([rng.bytes(int(rng.choice([0, 1, 3, 300]))) for _ in range(count)])
    else:
        values = rng.integers(0, 2, count).tolist() if "bool" in field else rng.integers(0, 200, count).tolist()
        getattr(tensor, field).extend(values)
    return tensor


def hostile_json(rng: Random) -> bytes:
    """A body of a predict request with something wrong, or nothing."""
    signature = str(rng.choice([*_INPUTS]))
    rows = int(rng.choice([0, 1, 2, 17]))
    columns = {name: _values(dtype, rank, rows, rng) for name, (dtype, rank) in _INPUTS[signature].items()}
    body: dict = {"signature_name": signature} if signature else {}
    if rng.random() < 0.5:
        body["inputs"] = columns if rng.random() < 0.7 else next(iter(columns.values()))
    else:
        body["instances"] = next(iter(columns.values())) if len(columns) == 1 else [columns]
    data = json.dumps(body).encode()
    return ANY[rng.integers(len(ANY))](data, rng) if rng.random() < 0.15 else data


def _values(dtype: str, rank: int, rows: int, rng: Random):
    def leaf():
        odd: tuple = (None, True, "a", 1e39, 2**63, -(2**70), {"b64": "AA"}, {"b64": 3}, {}, [], float("nan"))
        if rng.random() < 0.05:
            return odd[rng.integers(len(odd))]
        if dtype == "O":
            return {"b64": base64.b64encode(rng.bytes(3)).decode()} if rng.random() < 0.3 else "text"
        return int(rng.integers(0, 100))

    shape = [rows, *[2] * rank][:rank]
    if rng.random() < 0.3:
        shape = [int(rng.choice([0, 1, 2, 3, 100])) for _ in range(int(rng.choice([0, 1, 2, 3])))]
        if rng.random() < 0.1:
            shape = [1] * int(rng.choice([9, 63, 64, 65, 300]))

    def nested(sizes: list[int]):
        return [nested(sizes[1:]) for _ in range(sizes[0])] if sizes else leaf()

    return nested(shape)


def _send_grpc(port: int, count: int, rng: Random) -> Counter:
    codes: Counter = Counter()
    waiting: deque = deque()
    with grpc.insecure_channel(f"localhost:{port}", [("grpc.max_receive_message_length", -1)]) as channel:
        call = channel.unary_unary(services.PREDICT.path)

        def finish(most: int) -> None:
            while len(waiting) > most:
                answer = waiting.popleft()
                codes[answer.code().name] += 1
                # Without a text it is the answer to bytes that are no message.
                assert answer.code() is not grpc.StatusCode.INTERNAL or not answer.details(), answer.details()

        for number in range(count):
            waiting.append(call.future(hostile(rng), timeout=30))
            finish(_IN_FLIGHT)
            if number % 500 == 499 or number == count - 1:
                finish(0)
                _check_good(call, number)
    return codes


def _check_good(call: grpc.UnaryUnaryMultiCallable, number: int) -> None:
    request = PredictRequest(model_spec={"name": "model"})
    x = request.inputs["x"]
    x.dtype, x.tensor_content = 1, np.float32([[number, 1]]).tobytes()
    for size in (1, 2):
        x.tensor_shape.dim.add(size=size)
    answer = services.PREDICT.response.FromString(call(request.SerializeToString(), timeout=30))
    assert to_array(answer.outputs["y"]).tolist() == [[2.0 * number, 3.0]]


def _send_rest(port: int, count: int, rng: Random) -> Counter:
    codes: Counter = Counter()
    connection = http.client.HTTPConnection("localhost", port, timeout=30)
    for number in range(count):
        body = hostile_json(rng)
        try:
            status, answer = post(connection, body)
        except OSError:  # a body that is too long is refused before all of it is there
            assert len(body) > _MOST_JSON, len(body)
            connection.close()
            codes["cut"] += 1
            continue
        codes[str(status)] += 1
        assert status < 500, answer
        if number % 500 == 499 or number == count - 1:
            status, answer = post(connection, json.dumps({"instances": [[number, 1]]}).encode())
            assert (status, json.loads(answer)["predictions"][0]["y"]) == (200, [2.0 * number, 3.0])
    connection.close()
    return codes


def post(connection: http.client.HTTPConnection, body: bytes) -> tuple[int, bytes]:
    if connection.sock is None:
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # head and body go in two parts
    connection.request("POST", "/v1/models/model:predict", body)
    response = connection.getresponse()
    return response.status, response.read()


@contextlib.contextmanager
def running_server(base: Path, batching: bool) -> Iterator[tuple[subprocess.Popen, int, int]]:
    command = [sys.executable, "-m", "tests.fuzz.tensors", str(base), *(["--batching"] if batching else [])]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as process:  # fmt: skip
        port, rest_port = map(int, process.stdout.readline().split())
        yield process, port, rest_port
        process.stdin.close()


def megabytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) // 1024


def _serve(base: str, batching: bool) -> None:
    from musae_tf.protocol.messages import BatchingParameters
    from musae_tf.server import ModelServer, Options
    from musae_tf.server.options import Batching, one_model

    parameters = BatchingParameters(enable_large_batch_splitting={"value": True}, allowed_batch_sizes=[2, 8])
    for name, value in (("max_batch_size", 64), ("max_execution_batch_size", 8), ("batch_timeout_micros", 200),
                        ("max_enqueued_batches", 1000)):  # fmt: skip
        getattr(parameters, name).value = value
    settings = {"batching": Batching(parameters)} if batching else {}
    with ModelServer(Options(one_model("model", base), port=0, rest_port=0, poll_seconds=0.2, **settings)) as server:
        print(server.port, server.rest_port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _serve(sys.argv[1], "--batching" in sys.argv)
