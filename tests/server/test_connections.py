"""HTTP connections of strangers: smuggled requests, connections that only wait, bodies that never end or are bombs."""

import gzip
import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from musae_tf.server import connections
from tests.server.client import rows
from tests.waiting import wait_for

GOOD = b'{"instances": [[1, 2]]}'
ANSWERED = b"HTTP/1.1 200"


def head(*headers: str, method: str = "POST", path: str = "/v1/models/model:predict") -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: a", *headers, "", "")).encode()


class Connection:
    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)

    def send(self, data: bytes) -> "Connection":
        self.socket.sendall(data)
        return self

    def read(self, until: bytes = b"") -> bytes:
        """What comes until some bytes are in it, or until the server closes."""
        answer = b""
        while not until or until not in answer:
            try:
                part = self.socket.recv(65536)
            except ConnectionResetError:
                return answer
            if not part:
                return answer
            answer += part
        return answer

    def close(self) -> None:
        self.socket.close()


def takes_less_than(connection: Connection, data: bytes) -> bool:
    """Whether the server closes the connection before all of the data is there."""
    try:
        connection.send(data)
    except OSError:
        return True
    return False


@pytest.fixture
def connect(served) -> Iterator:
    with ExitStack() as stack:
        yield lambda port=served.rest_port: stack.enter_context(closing(Connection(port)))


SMUGGLED = b"GET /v1/models/SMUGGLED HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        head("Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n" + SMUGGLED,
        head("Transfer-Encoding: chunked", "Content-Length: 5") + b"0\r\n\r\n" + SMUGGLED,
        head(f"Content-Length: {len(GOOD)}", "Content-Length: 3") + GOOD,
        head("Content-Length: -5") + GOOD,
        head(f"Content-Length: +{len(GOOD)}") + GOOD,
        head("Content-Length : 3") + GOOD,
        head("Transfer-Encoding: chunked") + b"5;\r\nabc",
        head("Transfer-Encoding: chunked") + b"ffffffffffffffffff\r\nabc",
        head("Transfer-Encoding: identity, chunked ", "X:a\n b") + b"zz\r\n",
    ],
    ids=["length and chunked", "chunked and length", "two lengths", "negative", "plus", "space", "cut chunk",
         "endless chunk", "no chunk"],
)  # fmt: skip
def test_what_two_readers_could_read_differently_is_one_bad_request(connect, request_):
    connection = connect().send(request_)
    connection.socket.shutdown(socket.SHUT_WR)
    answer = connection.read()
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert ANSWERED not in answer
    assert b"SMUGGLED" not in answer


def test_the_body_of_a_get_is_not_the_next_request(connect):
    request = head(f"Content-Length: {len(SMUGGLED)}", method="GET", path="/v1/models/model") + SMUGGLED
    connection = connect().send(request + head("Connection: close", method="GET", path="/v1/models/model"))
    answer = connection.read()
    assert answer.count(ANSWERED) == 2
    assert b"SMUGGLED" not in answer


def test_requests_behind_one_another_are_answered_in_order(connect):
    paths = ["/v1/models/model", "/v1/models/nobody", "/v1/models/model/metadata"] * 3
    last = head("Connection: close", method="GET", path="/v1/models")
    answer = connect().send(b"".join(head(method="GET", path=path) for path in paths) + last).read()
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"200", b"404", b"200"] * 3 + [b"400"]


def test_chunked_and_compressed_bodies(connect):
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (GOOD[:7], GOOD[7:])) + b"0\r\n\r\n"
    assert ANSWERED in connect().send(head("Transfer-Encoding: chunked", "Connection: close") + chunks).read()
    packed = gzip.compress(GOOD)
    headers = (f"Content-Length: {len(packed)}", "Content-Encoding: gzip", "Connection: close")
    assert ANSWERED in connect().send(head(*headers) + packed).read()


def test_bombs_and_giants_take_no_memory(serve, base, connect):
    server, _ = serve(base, rest_port=0, max_rest_bytes=2**20)
    bomb = gzip.compress(b" " * 100 * 2**20)
    headers = (f"Content-Length: {len(bomb)}", "Content-Encoding: gzip")
    answer = connect(server.rest_port).send(head(*headers) + bomb).read(b"}")
    assert b"HTTP/1.1 429" in answer
    assert b"unpacks to more bytes, this server's maximum over REST is 1048576" in answer
    endless = connect(server.rest_port).send(head("Transfer-Encoding: chunked"))
    assert takes_less_than(endless, 1000 * (b"10000\r\n" + b" " * 65536 + b"\r\n"))


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (head(method="DELETE", path="/v1/models/model"), 400),
    ],
)
def test_other_methods_and_what_is_no_http(connect, request_, status):
    connection = connect().send(request_)
    connection.socket.shutdown(socket.SHUT_WR)
    assert connection.read().startswith(f"HTTP/1.1 {status} ".encode())


def test_headers_without_end_are_cut(connect):
    assert takes_less_than(connect().send(b"GET / HTTP/1.1\r\nX: "), b"a" * 64 * 2**20)


def test_answers_do_not_wait_for_the_client_to_acknowledge_their_heads(served, connect):
    connection = connect().send(head(method="GET", path="/v1/models/model"))
    connection.read(b"model_version_status")
    (ours,) = [each for each in list(served._rest.limits.open) if each.client == connection.socket.getsockname()]
    assert ours.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    "opening",
    [b"", b"GET /v1/mod", head("Content-Length: 1000000"), head(method="GET", path="/v1/models/model")],
    ids=["nothing", "half of the headers", "no body", "a request before"],
)
def test_connections_that_only_wait_lock_nobody_out(serve, base, connect, opening):
    server, _ = serve(base, rest_port=0, rest_connections=40, rest_connections_each=20)
    for _ in range(100):
        connection = connect(server.rest_port).send(opening)
        if opening.startswith(b"GET /v1/models/model "):
            connection.read(b"model_version_status")
    request = head(f"Content-Length: {len(GOOD)}", "Connection: close") + GOOD
    assert ANSWERED in connect(server.rest_port).send(request).read()


def test_a_connection_that_was_used_goes_after_those_that_were_not(serve, base, connect):
    server, _ = serve(base, rest_port=0, rest_connections_each=20)
    request = head(f"Content-Length: {len(GOOD)}") + GOOD
    used = connect(server.rest_port).send(request)
    assert ANSWERED in used.read(b"\n}")
    for _ in range(100):
        connect(server.rest_port).send(b"GET /v1/mod")
    assert ANSWERED in used.send(request).read(b"\n}")


def test_a_connection_that_is_answered_keeps_its_place(serve, base, connect):
    server, _ = serve(base, rest_port=0, rest_connections_each=2)
    body = json.dumps({"signature_name": "slow", "instances": [1500]}).encode()
    request = head(f"Content-Length: {len(body)}", "Connection: close") + body
    busy = [connect(server.rest_port).send(request) for _ in range(2)]
    waiting = server._rest.limits.open
    wait_for(lambda: [each.waits_for for each in waiting] == [connections.ANSWER] * 2)
    # An answer on a third connection would mean that one of the two had made room.
    assert connect(server.rest_port).read() == b""
    assert all(ANSWERED in connection.read() for connection in busy)


@pytest.mark.parametrize("opening", [b"", b"GET /v1/mod"], ids=["nothing", "half of the headers"])
def test_headers_that_do_not_come_are_given_up(connect, monkeypatch, opening):
    monkeypatch.setattr(connections, "_HEADER_SECONDS", 0.3)
    assert connect().send(opening).read().startswith(b"HTTP/1.1 408 ")


def test_a_body_that_drips_is_given_up(serve, base, connect):
    server, client = serve(base, rest_port=0, rest_timeout=0.5)
    connection = connect(server.rest_port).send(head("Content-Length: 1000000") + b"{")
    assert connection.read().startswith(b"HTTP/1.1 408 ")
    assert client.predict(x=rows())["version"] == [1]


def test_a_connection_without_a_further_request_is_closed(connect, monkeypatch):
    monkeypatch.setattr(connections, "_IDLE_SECONDS", 0.3)
    answer = connect().send(head(method="GET", path="/v1/models/model")).read()
    assert answer.startswith(ANSWERED)
