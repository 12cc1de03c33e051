"""A proxy in the environment: no way to this machine goes through it, and an error of another way names it."""

import pytest

from musae_tf.cli import main
from musae_tf.client import UnavailableError
from musae_tf.client.proxy import EXCEPTIONS, PROXIES, is_local, proxies, proxy_of

DEAD = "http://ann:secret@127.0.0.1:9"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in (*PROXIES, *EXCEPTIONS):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("variable", PROXIES)
def test_a_server_on_this_machine_is_reached_past_a_proxy(scripted, ask, monkeypatch, variable):
    monkeypatch.setenv(variable, DEAD)
    scripted.answer = scripted.failing(0, "INTERNAL", "")
    assert ask(scripted.target, "describe", retries=0).genres


@pytest.mark.parametrize("variable", PROXIES)
def test_an_error_names_the_proxy_without_its_password(ask, monkeypatch, variable):
    monkeypatch.setenv(variable, DEAD)
    with pytest.raises(UnavailableError) as caught:
        ask("musae.invalid:8500", "describe", retries=0, deadline=5)
    assert f"{variable} sends the connection through http://ann:***@127.0.0.1:9" in str(caught.value)
    assert "no_proxy=musae.invalid" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_doctor_shows_the_proxy(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MUSAE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("http_proxy", DEAD)
    main(["doctor"])
    shown = capsys.readouterr().out
    assert "http_proxy=http://ann:***@127.0.0.1:9" in shown
    assert f"{tmp_path / 'cache'} can be written when needed" in shown
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("target", "local"),
    [
        ("localhost:1", True),
        ("127.0.0.1:1", True),
        ("127.8.9.1:1", True),
        ("[::1]:1", True),
        ("unix:/run/musae.sock", True),
        ("dns:///localhost:1", True),
        ("10.0.0.1:1", False),
        ("musae:1", False),
        ("localhost.example.com:1", False),
    ],
)
def test_what_is_on_this_machine(target, local):
    assert is_local(target) is local


def test_the_first_variable_counts_and_exceptions_are_endings_of_hosts(monkeypatch):
    assert proxy_of("musae:1") is None
    for number, variable in enumerate(reversed(PROXIES)):
        monkeypatch.setenv(variable, f"http://proxy{number}:3128")
    assert proxy_of("musae.example.com:1") == ("grpc_proxy", "http://proxy2:3128")
    assert len(proxies()) == 3
    monkeypatch.setenv("no_proxy", "other, example.com")
    assert proxy_of("musae.example.com:1") is None
    assert proxy_of("musae.example.org:1") is not None
    monkeypatch.setenv("no_grpc_proxy", "another")  # then the other one is not asked
    assert proxy_of("musae.example.com:1") is not None


@pytest.mark.parametrize("address", ["", "no address", "http://[", "http://host:port", "://"])
def test_strange_addresses_are_no_traceback(monkeypatch, address):
    monkeypatch.setenv("http_proxy", address)
    assert (proxy_of("musae:1") is None) == (address == "")
