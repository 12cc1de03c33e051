"""Proxies that the environment names: which connections go through one, and what to say when these fail.

This machine's own addresses are never asked for through a proxy, which would look for them on its own machine.
"""

import ipaddress
import os
import re
from typing import NamedTuple

GRPC = ("grpc_proxy", "https_proxy", "http_proxy")
"""Variables that gRPC looks at, in this order: the first that is set decides. It takes http:// proxies only."""
_EXEMPT = ("no_grpc_proxy", "no_proxy", "NO_PROXY")


class Proxy(NamedTuple):
    """A proxy, and the variable of the environment that names it; `url` without user and password."""

    variable: str
    url: str

    def __str__(self) -> str:
        return f"{self.variable}={self.url}"


def named() -> list[Proxy]:
    """All proxies of the environment."""
    variables = (name for name in os.environ if name.lower() in (*GRPC, "all_proxy"))
    return [Proxy(name, without_user(os.environ[name])) for name in sorted(variables) if os.environ[name]]


def exempt() -> str:
    """What the environment asks for without a proxy, as it is written there; empty for nothing."""
    return next((os.environ[name] for name in _EXEMPT if name in os.environ), "")


def grpc_proxy(target: str) -> Proxy | None:
    """The proxy that gRPC reaches a target through."""
    if _is_direct(target):
        return None
    variable = next((name for name in GRPC if name in os.environ), None)
    if variable is None or not re.match("(?i)http://.", os.environ[variable]):
        return None
    return Proxy(variable, without_user(os.environ[variable]))


def grpc_hint(target: str) -> str:
    """What to do about proxies if gRPC cannot reach a target; empty if they have no part in it."""
    if proxy := grpc_proxy(target):
        change = f"add {_host(target)} to" if exempt() else f"set no_proxy={_host(target)} in"
        way = f"{proxy} in the environment sends this through a proxy"
        return f"{way}: if the server is reached without it, {change} {'no_proxy' if exempt() else 'the environment'}"
    if _is_direct(target) or not named():
        return ""
    found = " and ".join(map(str, named()))
    return (
        f"no proxy is used, though the environment has {found}: for gRPC, grpc_proxy, https_proxy or http_proxy "
        "(in small letters) must be http://HOST:PORT"
    )


def download_proxy(url: str) -> Proxy | None:
    """The proxy that urllib asks for an address of the web through."""
    from urllib.request import getproxies, proxy_bypass  # slow to load, and clients need it not

    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0].rpartition("@")[2]
    address = getproxies().get(scheme.lower())
    if not address or is_here(_host(host)) or proxy_bypass(host):
        return None
    small = f"{scheme.lower()}_proxy"
    return Proxy(small if os.environ.get(small) else small.upper(), without_user(address))


def download_hint(url: str) -> str:
    """What to add to the message if an address of the web is not reached; empty if no proxy has a part in it."""
    proxy = download_proxy(url)
    return f" through the proxy of {proxy} (no_proxy=HOST in the environment asks HOST without it)" if proxy else ""


def place(url: str) -> tuple[str, int]:
    """Host and port of a proxy. Raises ValueError if the address has none."""
    found = re.fullmatch(r"(?:[A-Za-z][A-Za-z0-9+.-]*://)?(.+):(\d+)/*", url)
    if not found or int(found[2]) > 65535:
        raise ValueError("it is not http://HOST:PORT")
    return found[1].strip("[]"), int(found[2])


def is_here(host: str) -> bool:
    """Whether a name or an address is of this machine by itself: localhost, 127.0.0.1, ::1, 0.0.0.0."""
    if re.fullmatch(r"(?i)(.*\.)?localhost\.?", host):
        return True
    address = _address(host)
    return address is not None and (address.is_loopback or address.is_unspecified)


def without_user(url: str) -> str:
    """An address without user and password."""
    return re.sub(r"^([A-Za-z][A-Za-z0-9+.-]*://)?.*@", r"\1", url)


def _is_direct(target: str) -> bool:
    """Whether a target is reached without a proxy, whatever proxies there are."""
    host = _host(target)
    if re.match("(unix|unix-abstract|vsock|xds):", target) or is_here(host):
        return True
    return any(entry == "*" or _covers(entry, host) for entry in map(str.strip, exempt().split(",")) if entry)


def _covers(entry: str, host: str) -> bool:
    """Whether an entry of no_proxy is a host, the end of its name, or a range of addresses with it."""
    if "/" in entry:
        address = _address(host)
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    return host.lower().endswith(entry.lower().removeprefix("."))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _host(target: str) -> str:
    """The host of HOST:PORT, [HOST]:PORT or a target of gRPC such as dns:///HOST:PORT or ipv4:HOST:PORT."""
    place = re.sub(r"^(dns|ipv4|ipv6):(//[^/]*/)?", "", target)
    return re.sub(r":\d+$", "", place).strip("[]")
