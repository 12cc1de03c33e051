"""Messages of millions of tiny entries: refused before they are parsed, and others are answered meanwhile."""

import json
import time
import urllib.error
import urllib.request

import grpc
import numpy as np
import pytest
from google.protobuf.message import DecodeError, Message

from musae_tf.protocol import services
from musae_tf.protocol.messages import PredictRequest
from musae_tf.server import wire
from musae_tf.server.status import Code, StatusError
from musae_tf.server.wire import check_entries, read_varint, varint
from tests.fuzz.mutate import ANY
from tests.server.client import Client, rows


def field(number: int, payload: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def tensor(payload: bytes) -> bytes:
    """A request to `shout` whose tensor holds these fields."""
    spec = field(1, field(1, b"model") + field(3, b"shout"))
    return spec + field(2, field(1, b"text") + field(2, b"\x08\x07" + payload))


TINY = {
    "strings": tensor(field(8, b"") * 2**17),
    "numbers one by one": tensor((varint(7 << 3) + b"\1") * 2**17),
    "packed numbers": tensor(field(7, b"\1" * (2**22 + 1))),
    "dimensions": tensor(field(2, field(2, b"") * 2**17)),
    "inputs": field(2, b"") * 2**17,
    "outputs": field(3, b"") * 2**17,
    "unknown": field(99, b"") * 2**17,
    "in a group": varint(99 << 3 | 3) + b"\x10\0" * 2**17 + varint(99 << 3 | 4),
}


@pytest.mark.parametrize("data", TINY.values(), ids=TINY)
def test_many_entries_are_refused_wherever_they_are(data):
    PredictRequest.FromString(data)  # it is a message
    with pytest.raises(StatusError, match="this server's maximum") as refused:
        check_entries(PredictRequest, data)
    assert refused.value.code is Code.RESOURCE_EXHAUSTED


def test_large_tensors_are_few_entries():
    for payload in (field(4, b"\2" * 2**24), field(5, b"\0" * 2**24), field(7, b"\1" * 2**22), field(8, b"\2" * 2**24)):
        check_entries(PredictRequest, tensor(payload))


def test_what_the_parser_takes_was_counted_whole(monkeypatch):
    monkeypatch.setattr(wire, "MOST_ENTRIES", 20)
    random = np.random.default_rng(3)
    garbage = varint(99 << 3 | 3) + field(2, b"\x0a\xff garbage") + varint(99 << 3 | 4)  # no message, and in no field
    seeds = [
        PredictRequest(model_spec={"name": "m"}, output_filter=["a"] * 15).SerializeToString(),
        garbage + tensor(field(8, b"a") * 18),
        tensor(field(2, field(2, b"\x08\2") * 9) + field(5, bytes(40))) + field(3, b"y") * 9,
    ]
    taken = refused = 0
    for number in range(3000):
        data = bytes(seeds[number % 3])
        for _ in range(number % 4):
            data = ANY[random.integers(len(ANY))](data or b"a", random)
        try:
            least = entries(PredictRequest.FromString(data))
        except DecodeError:
            continue
        try:
            check_entries(PredictRequest, data)
        except StatusError:
            refused += 1
        else:
            taken += 1
            assert least <= 20 or len(data) <= 40
    assert taken > 100
    assert refused > 100


def entries(message: Message) -> int:
    """Fields that are set in a message and in what it holds, unpacked ones at least once."""
    count = 0
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            texts = descriptor.type in (descriptor.TYPE_BYTES, descriptor.TYPE_STRING)
            count += len(value) if texts and not isinstance(value, (bytes, str)) else 1
        elif isinstance(value, Message):
            count += 1 + entries(value)
        else:
            held = value.values() if hasattr(value, "values") else value
            count += sum(1 + entries(one) for one in held)
    return count


def test_varints():
    for number in (0, 1, 127, 128, 300, 2**32, 2**64 - 1):
        assert read_varint(b"\xff" + varint(number), 1) == (number, 1 + len(varint(number)))
    with pytest.raises(ValueError, match="ten bytes"):
        read_varint(b"\xff" * 10 + b"\1", 0)
    with pytest.raises(IndexError):
        read_varint(b"\xff", 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("megabytes", "message"), [(100, "larger than max"), (15, "strings, unpacked numbers")], ids=["100 MB", "15 MB"]
)
@pytest.mark.parametrize("payload", [field(8, b""), field(2, field(2, b""))], ids=["strings", "dimensions"])
def test_tiny_entries_hold_up_nobody(served, client, payload, megabytes, message):
    data = tensor(payload * (megabytes * 2**20 // len(payload)))
    client.predict(x=rows())
    with Client(served.port) as other:
        hostile = [other.channel.unary_unary(services.PREDICT.path).future(data, timeout=60) for _ in range(3)]
        while not all(call.done() for call in hostile):
            before = time.process_time()
            assert client.predict(x=rows())["version"] == [1]
            assert time.process_time() - before < 1  # of work, on all cores
    for call in hostile:
        assert call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert message in call.details()


def test_other_methods_are_counted_too(client):
    for method in (services.CLASSIFY, services.MULTI_INFERENCE, services.GET_MODEL_METADATA):
        call = client.channel.unary_unary(method.path)
        with pytest.raises(grpc.RpcError, match="this server's maximum") as refused:
            call(field(2, b"") * 2**17, timeout=10)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_json_of_many_strings(served):
    body = json.dumps({"signature_name": "shout", "inputs": [[""] * 17] * 4096}).encode()
    url = f"http://127.0.0.1:{served.rest_port}/v1/models/model:predict"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url, body), timeout=30)
    assert refused.value.code == 429
    assert "this server's maximum" in json.load(refused.value)["error"]


def test_listed_numbers_arrive_whatever_their_count(client):
    for count in (1, 256, 257, 4000):
        x = np.arange(2.0 * count, dtype=np.float32).reshape(count, 2)
        request = PredictRequest(model_spec={"name": "model"})
        listed = request.inputs["x"]
        listed.dtype = 1
        listed.float_val.extend(x.ravel().tolist())
        for size in x.shape:
            listed.tensor_shape.dim.add(size=size)
        answer = client.call(services.PREDICT, request)
        assert answer.outputs["y"].float_val[-1] == 3 * x[-1, 1]
