"""Strangers who mean harm: `python -m tests.fuzz.attacks PORT REST_PORT SEED` attacks a model server until its standard
input closes, and prints "attacking", and at the end, as JSON, how often which answer came to each attack."""

import contextlib
import itertools
import json
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable

import grpc
import numpy as np

from musae_tf.protocol import services
from musae_tf.server.wire import varint
from tests.fuzz.tensors import hostile, hostile_json

Random = np.random.Generator
_SMUGGLED = b"0\r\n\r\nGET /v1/models/SMUGGLED HTTP/1.1\r\nHost: a\r\n\r\n"
_HEAD = b"POST /v1/models/model:predict HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"


def _tiny_entries(megabytes: int) -> bytes:
    """A PredictRequest of nothing but empty strings."""
    strings = b"\x42\0" * (megabytes * 2**19)
    tensor = b"\x12" + varint(len(strings)) + strings
    return b"\x12" + varint(len(tensor)) + tensor


_LONG = _tiny_entries(15), _tiny_entries(20)


def tensors(call: grpc.UnaryUnaryMultiCallable, rng: Random) -> str:
    """A hostile PredictRequest."""
    return _code(call.future(hostile(rng), timeout=30))


def tiny_entries(call: grpc.UnaryUnaryMultiCallable, rng: Random) -> str:
    """A message of millions of empty strings."""
    return _code(call.future(_LONG[rng.integers(len(_LONG))], timeout=30))


def gone(call: grpc.UnaryUnaryMultiCallable, rng: Random) -> str:
    """A call that is given up at once."""
    future = call.future(hostile(rng), timeout=30)
    future.cancel()
    return _code(future)


def noise(port: int, rng: Random) -> str:
    """Bytes that are no HTTP/2, and a reset."""
    with socket.create_connection(("localhost", port), timeout=30) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[: int(rng.integers(0, 25))] + rng.bytes(500))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return "reset"


def json_tensors(port: int, rng: Random) -> str:
    """A hostile body."""
    body = hostile_json(rng)
    return _talk(port, _HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def long_json(port: int, rng: Random) -> str:
    """Megabytes of empty strings."""
    body = b'{"signature_name": "shout", "inputs": [[' + b'"",' * int(rng.integers(1, 2**20)) + b'""]]}'
    return _talk(port, _HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def smuggled(port: int, rng: Random) -> str:
    """A request that two readers would read differently."""
    lengths = [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"]
    rng.shuffle(lengths)
    return _talk(port, _HEAD + b"".join(lengths) + b"\r\n" + _SMUGGLED)


def idle(port: int, rng: Random) -> str:
    """Connections that never say all of it."""
    begun = (b"", b"GET /v1/mod", _HEAD, _HEAD + b"Content-Length: 1000000\r\n\r\n{")
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            connection = stack.enter_context(socket.create_connection(("localhost", port), timeout=30))
            with contextlib.suppress(OSError):
                connection.sendall(begun[rng.integers(len(begun))])
    return "left"


def _code(answer: grpc.Future) -> str:
    code = answer.code()
    # Without a text it is the answer to bytes that are no message.
    assert code is not grpc.StatusCode.INTERNAL or not answer.details(), answer.details()
    return code.name


def _talk(port: int, data: bytes) -> str:
    """The status of the answers to what is sent on a connection of its own."""
    answer = b""
    with socket.create_connection(("localhost", port), timeout=60) as connection:
        try:
            connection.sendall(data)
            while part := connection.recv(65536):
                answer += part
        except OSError:
            return "cut"
    assert b"SMUGGLED" not in answer
    codes = [line.split()[1].decode() for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert all(code < "500" for code in codes), answer
    return " ".join(codes) or "closed"


_GRPC = (tensors, tiny_entries, tensors, gone, tensors)
_REST = (json_tensors, smuggled, json_tensors, idle, long_json, json_tensors, noise)


def attack(port: int, rest_port: int, seed: int, ended: Callable[[], bool]) -> dict[str, dict[str, int]]:
    """Attack from four threads, in every way at least once, until it has ended.

    Returns:
        How often each answer came to each attack.
    """
    answers: dict[str, Counter] = {one.__name__: Counter() for one in (*_GRPC, *_REST)}
    failed: list[BaseException] = []
    lock = threading.Lock()

    def run(number: int) -> None:
        rng = np.random.default_rng([seed, number])
        try:
            with grpc.insecure_channel(f"localhost:{port}", [("grpc.use_local_subchannel_pool", 1)]) as channel:
                call = channel.unary_unary(services.PREDICT.path)
                for made in itertools.count():
                    if failed or (ended() and made >= max(len(_GRPC), len(_REST))):
                        return
                    if number % 2:
                        chosen = _GRPC[made % len(_GRPC)]
                        answer = chosen(call, rng)
                    else:
                        chosen = _REST[made % len(_REST)]
                        answer = chosen(port if chosen is noise else rest_port, rng)
                    with lock:
                        answers[chosen.__name__][answer] += 1
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return {name: dict(counts) for name, counts in answers.items()}


if __name__ == "__main__":
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    print("attacking", flush=True)
    print(json.dumps(attack(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), over.is_set)))
