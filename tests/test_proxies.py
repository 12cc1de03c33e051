"""Which addresses are asked for through a proxy of the environment."""

import pytest

from musae_tf.proxies import Proxy, download_hint, download_proxy, grpc_hint, grpc_proxy, is_here, place, without_user

PROXY = "http://proxy.example:3128"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """`environment(**variables)`: the only proxies of the environment."""
    for name in ("grpc_proxy", "https_proxy", "http_proxy", "all_proxy", "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return lambda **variables: [monkeypatch.setenv(*item) for item in variables.items()]


@pytest.mark.parametrize(
    "target", ["host:1", "dns:///host:1", "dns://8.8.8.8/host:1", "ipv4:192.0.2.1:1", "[2001:db8::1]:1"]
)
def test_targets_elsewhere_go_through_it(environment, target):
    assert grpc_proxy(target) is None
    environment(http_proxy=PROXY)
    assert grpc_proxy(target) == Proxy("http_proxy", PROXY)


@pytest.mark.parametrize(
    "target",
    [
        "localhost:1", "LOCALHOST:1", "a.localhost:1", "127.0.0.1:1", "127.9.9.9:1", "0.0.0.0:1", "[::1]:1",
        "unix:/run/s", "dns:///localhost:1", "ipv4:127.0.0.1:1",
    ],
)  # fmt: skip
def test_targets_of_this_machine_do_not(environment, target):
    environment(http_proxy=PROXY)
    assert grpc_proxy(target) is None
    assert grpc_hint(target) == ""


@pytest.mark.parametrize(
    ("entries", "direct"),
    [
        ("musae.example", True), ("example", True), (".example", True), ("Musae.Example", True),
        ("a, musae.example ,b", True), ("*", True), ("other.example", False), ("", False), ("musae.example/8", False),
    ],
)  # fmt: skip
def test_no_proxy(environment, entries, direct):
    environment(http_proxy=PROXY, no_proxy=entries)
    assert (grpc_proxy("musae.example:8500") is None) is direct


def test_no_proxy_may_be_a_range_of_addresses(environment):
    environment(http_proxy=PROXY, no_proxy="192.0.2.0/24,2001:db8::/32")
    assert grpc_proxy("192.0.2.7:1") is grpc_proxy("[2001:db8::5]:1") is None
    assert grpc_proxy("192.0.3.7:1") is not None


def test_the_first_variable_decides(environment):
    environment(http_proxy=PROXY, https_proxy="http://second:1", no_proxy="host")
    assert grpc_proxy("other:1") == Proxy("https_proxy", "http://second:1")
    environment(grpc_proxy="")
    assert grpc_proxy("other:1") is None
    environment(grpc_proxy="http://first:1", no_grpc_proxy="")
    assert grpc_proxy("host:1") == Proxy("grpc_proxy", "http://first:1")


def test_what_grpc_cannot_use_is_said(environment):
    environment(https_proxy="https://me:pw@proxy:1", HTTP_PROXY=PROXY)
    assert grpc_proxy("host:1") is None
    assert f"HTTP_PROXY={PROXY} and https_proxy=https://proxy:1" in grpc_hint("host:1")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://me:pw@proxy:1", "http://proxy:1"), ("http://me:p@w/x@proxy:1", "http://proxy:1"),
        ("me:pw@proxy:1", "proxy:1"), ("http://token@proxy:1/", "http://proxy:1/"), (PROXY, PROXY),
    ],
)  # fmt: skip
def test_users_and_passwords_are_not_shown(url, shown):
    assert without_user(url) == shown


def test_downloads(environment):
    environment(http_proxy=PROXY, HTTPS_PROXY="http://me:pw@second:1", no_proxy="music.example")
    assert download_proxy("http://files.example/a") == Proxy("http_proxy", PROXY)
    assert download_proxy("https://files.example:8443/a") == Proxy("HTTPS_PROXY", "http://second:1")
    assert "HTTPS_PROXY=http://second:1" in download_hint("https://files.example/a")
    for url in ("http://music.example/a", "http://127.0.0.1:80/a", "http://[::1]/a", "https://localhost/a"):
        assert download_proxy(url) is None
        assert download_hint(url) == ""


def test_places():
    assert place("http://proxy:3128/") == ("proxy", 3128)
    assert place("socks5://[::1]:1080") == ("::1", 1080)
    for url in ("http://proxy", "proxy", "http://proxy:99999"):
        with pytest.raises(ValueError, match="HOST:PORT"):
            place(url)
    assert not is_here("localhost.example")


@pytest.mark.parametrize("address", ["no address", "http://[", "http://host:port", "://", "http://"])
def test_strange_addresses_are_no_traceback(environment, address):
    environment(http_proxy=address)
    assert f"http_proxy={address}" in grpc_hint("musae:1")
    with pytest.raises(ValueError, match="HOST:PORT"):
        place(address)
