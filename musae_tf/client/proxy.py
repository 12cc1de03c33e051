"""The proxy of the environment that gRPC sends a connection through.

gRPC core takes the first of `grpc_proxy`, `https_proxy` and `http_proxy`, in lower case, unless the host is named in
`no_grpc_proxy` or `no_proxy`: https://github.com/grpc/grpc/blob/master/doc/environment_variables.md.
"""

import ipaddress
import os
import re
from urllib.parse import urlsplit

PROXIES, EXCEPTIONS = ("grpc_proxy", "https_proxy", "http_proxy"), ("no_grpc_proxy", "no_proxy")


def proxies() -> dict[str, str]:
    """The variables that name a proxy, with its address; a password in it is not shown."""
    found = {name: os.environ.get(name, "") for name in PROXIES}
    return {name: _shown(value) for name, value in found.items() if value}


def is_local(target: str) -> bool:
    """Whether a target is on this machine, where no proxy can be on the way."""
    name = host(target)
    if target.startswith(("unix:", "unix-abstract:")) or name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def proxy_of(target: str) -> tuple[str, str] | None:
    """The variable and the proxy that a connection to a target goes through, if there is one."""
    found = proxies()
    if not found or is_local(target):
        return None
    exceptions = next((os.environ[name] for name in EXCEPTIONS if os.environ.get(name)), "")
    name = host(target)
    if any(name.endswith(ending) for ending in filter(None, map(str.strip, exceptions.split(",")))):
        return None
    return next(iter(found.items()))


def host(target: str) -> str:
    """The host of a target such as HOST:PORT or dns:///HOST:PORT."""
    return re.sub(r"^(dns|ipv4|ipv6|passthrough):(//[^/]*/)?", "", target).rpartition(":")[0].strip("[]").lower()


def _shown(address: str) -> str:
    try:
        parts = urlsplit(address)
        user = f"{parts.username}:***@" if parts.username else ""
        return f"{parts.scheme}://{user}{parts.hostname}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        return "a proxy whose address cannot be read"
