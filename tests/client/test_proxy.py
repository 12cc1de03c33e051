"""A client where the environment names proxies: servers of this machine are reached, and failures name the proxy."""

import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from musae_tf.cli import main
from musae_tf.client import MusaeClient, UnavailableError

VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy", "all_proxy", "no_grpc_proxy", "no_proxy")
ELSEWHERE = "musae.example:8500"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def dead(free_port) -> str:
    """Where a proxy should be, but nobody listens."""
    return f"127.0.0.1:{free_port}"


class _Tunnel(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        asked = self.rfile.readline().decode()
        while self.rfile.readline().strip():
            pass
        self.server.asked.append(asked.split()[1])
        if self.server.to is None:
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with socket.create_connection(self.server.to) as there:
            back = threading.Thread(target=_copy, args=(there, self.connection))
            back.start()
            _copy(self.connection, there)
            back.join()


def _copy(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:  # the other side was quicker to close
        pass


@pytest.fixture
def proxy() -> Iterator[socketserver.ThreadingTCPServer]:
    """A proxy: `asked` has the places it was asked for, `to` is where it leads, None for refusing."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Tunnel) as server:
        server.daemon_threads = True
        server.asked, server.to = [], None
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("variable", ["grpc_proxy", "https_proxy", "http_proxy", "all_proxy"])
def test_a_server_of_this_machine_is_reached_whatever_proxy_there_is(scripted, ask, dead, monkeypatch, variable):
    monkeypatch.setenv(variable, f"http://{dead}")
    for host in ("localhost", "127.0.0.1"):
        assert ask(f"{host}:{scripted.port}", "describe", retries=0).name == "echo"


def test_a_server_elsewhere_is_reached_through_the_proxy(scripted, ask, proxy, monkeypatch):
    proxy.to = ("localhost", scripted.port)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_address[1]}")
    assert ask(ELSEWHERE, "describe").name == "echo"
    assert proxy.asked == [ELSEWHERE]


def test_an_option_of_the_channel_has_the_last_word(scripted, ask, proxy, monkeypatch):
    proxy.to = ("localhost", scripted.port)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_address[1]}")
    assert ask(scripted.target, "describe", options={"grpc.enable_http_proxy": 1}).name == "echo"
    assert proxy.asked == [scripted.target]


@pytest.mark.parametrize("variable", ["grpc_proxy", "https_proxy", "http_proxy"])
def test_a_dead_proxy_is_named_without_its_password(ask, dead, monkeypatch, variable):
    monkeypatch.setenv(variable, f"http://me:secret@{dead}")
    with pytest.raises(UnavailableError) as caught:
        ask(ELSEWHERE, "describe", retries=0)
    said = str(caught.value)
    assert f"{variable}=http://{dead} in the environment sends this through a proxy" in said
    assert "set no_proxy=musae.example in the environment" in said
    assert "secret" not in said
    monkeypatch.setenv("no_proxy", "localhost")
    with pytest.raises(UnavailableError, match=r"add musae\.example to no_proxy"):
        ask(ELSEWHERE, "describe", retries=0)


def test_a_proxy_that_refuses_is_named(ask, proxy, monkeypatch):
    address = f"http://127.0.0.1:{proxy.server_address[1]}"
    monkeypatch.setenv("https_proxy", address)
    with pytest.raises(UnavailableError, match="403") as caught:
        ask(ELSEWHERE, "describe", retries=0)
    assert f"https_proxy={address}" in str(caught.value)


def test_proxies_that_grpc_takes_no_notice_of_are_named_as_that(monkeypatch, free_port):
    monkeypatch.setenv("ALL_PROXY", "socks5://me:secret@proxy.example:1080")
    with MusaeClient("nowhere.invalid:8500", retries=0) as musae, pytest.raises(UnavailableError) as caught:
        musae.describe()
    said = str(caught.value)
    assert "no proxy is used, though the environment has ALL_PROXY=socks5://proxy.example:1080" in said
    assert "secret" not in said
    # Here they have no part in it.
    with MusaeClient(f"localhost:{free_port}", retries=0) as musae, pytest.raises(UnavailableError) as caught:
        musae.describe()
    assert "proxy" not in str(caught.value).lower()


def test_the_command_line_names_it_too(dead, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("http_proxy", f"http://{dead}")
    assert main(["request", "sample", "--server", ELSEWHERE, "--deadline", "1"]) == 2
    said = capsys.readouterr().err
    assert f"http_proxy=http://{dead} in the environment sends this through a proxy" in said
    assert said.count("\n") == 1
