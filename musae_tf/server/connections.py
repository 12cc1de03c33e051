"""HTTP connections with limits: uvicorn's protocol, which reads with httptools, and what strangers may not do to it.

A connection must send a request's headers and body in time, and take the answer. When there are too many, of one
address or in all, the one that has waited longest without a complete request makes room for the new one, first of all
one that never sent any: idle connections, of whatever number, lock nobody out.
"""

import asyncio
import re
import socket
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEADER_SECONDS, _IDLE_SECONDS, _TAKE_SECONDS = 10.0, 60.0, 30.0
_HEADER_BYTES = 128 * 1024
_METHOD = re.compile(rb"[A-Z]+ \S+ HTTP/1\.[01]\r?\n")
_PATH = re.compile(rb"/(?:[!-$&-~]|%[0-9A-Fa-f]{2})*")
_IMPLEMENTED = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"))
_PAGE = "<HTML><HEAD>\n<TITLE>{0} {1}</TITLE>\n</HEAD><BODY>\n<H1>{1}</H1>\n</BODY></HTML>\n"

IDLE, HEADERS, BODY, ANSWER = range(4)
"""What a connection waits for: a request, the rest of its headers, the rest of its body, or the server."""


def error_page(status: int) -> bytes:
    """The page of the container for a request that it does not understand."""
    return _PAGE.format(status, HTTPStatus(status).phrase).encode()


class HttpServer:
    """Serves an ASGI application on a thread with a loop of its own."""

    def __init__(
        self,
        application: Any,
        closing: Callable[[], Awaitable[None]],
        host: str,
        port: int,
        connections: int,
        for_each: int,
        seconds: float,
    ):
        """Bind the port; connections wait from here on.

        Args:
            application: ASGI.
            closing: called on the loop when the last request is answered.
            host: address to listen on.
            port: 0 takes a free one.
            connections: open at once.
            for_each: connections of one address.
            seconds: time for a body to arrive, and for an answer to be made; to be taken it has 30 more.

        Raises:
            OSError: the port is taken, or not ours to take.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # With the protocol named, or asyncio does not turn off the 40 ms wait between head and body of an answer.
        self._socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((host, port))
            self._socket.listen(128)
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        self.limits = Limits(connections, for_each, seconds)
        config = uvicorn.Config(
            application, loop="asyncio", ws="none", lifespan="off", interface="asgi3", log_config=None,
            log_level="critical", access_log=False, proxy_headers=False, server_header=False, date_header=False,
            timeout_keep_alive=int(2 * _IDLE_SECONDS),  # ours comes before
            http=lambda **settings: LimitedProtocol(self.limits, **settings),  # type: ignore[arg-type]
        )  # fmt: skip
        self._server, self._closing = uvicorn.Server(config), closing
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), name="musae-rest", daemon=True)
        self._thread.start()

    async def _serve(self) -> None:
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            await self._closing()

    def refuse(self) -> None:
        """Take no more connections; close those that wait for nothing."""
        self._server.should_exit = True

    def drain(self, seconds: float) -> None:
        """Give the requests under way some time, and end."""
        self._thread.join(seconds)
        self._server.force_exit = True
        self._thread.join()


class Limits:
    """The connections of one server. Only its loop changes it.

    Attributes:
        open: them and their addresses.
    """

    def __init__(self, connections: int, for_each: int, seconds: float):
        self.connections, self.for_each, self.seconds = connections, for_each, seconds
        self.open: dict[LimitedProtocol, str] = {}
        self._counts: Counter[str] = Counter()

    def admit(self, connection: "LimitedProtocol", address: str) -> bool:
        """Count a new connection, and close an old one for it if there are too many; False if none can be closed."""
        crowded = address if self._counts[address] >= self.for_each else None
        if crowded is None and len(self.open) >= self.connections:
            crowded = self._counts.most_common(1)[0][0]
        if crowded is not None:
            waiting = [other for other, whose in self.open.items() if whose == crowded and other.waits_for != ANSWER]
            if not waiting:
                return False
            oldest = min(waiting, key=lambda other: (other.answered, other.since))
            self.leave(oldest)
            oldest.transport.abort()
        self.open[connection] = address
        self._counts[address] += 1
        return True

    def leave(self, connection: "LimitedProtocol") -> None:
        """A connection is closed."""
        address = self.open.pop(connection, None)
        if address is not None:
            self._counts[address] -= 1
            if not self._counts[address]:
                del self._counts[address]


class LimitedProtocol(HttpToolsProtocol):
    """One connection.

    Attributes:
        waits_for: what it waits for.
        since: since when, by the loop's clock.
        answered: whether it has sent a complete request and was answered.
    """

    def __init__(self, limits: Limits, **settings: Any):
        super().__init__(**settings)
        self.waits_for, self.since, self.answered = IDLE, self.loop.time(), False
        self._limits = limits
        self._timer: asyncio.TimerHandle | None = None
        self._unread, self._last = 0, b""
        self._status = 400

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or another's place, or end it."""
        super().connection_made(transport)
        if self._limits.admit(self, self.client[0] if self.client else ""):
            # Not the time of an idle connection: who connects has something to ask.
            self._wait(HEADERS, _HEADER_SECONDS)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._limits.leave(self)
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and stop at headers without end."""
        if self.transport.is_closing():
            return
        if self.waits_for == IDLE:
            self._wait(HEADERS, _HEADER_SECONDS)
        self._unread += len(data)
        self._last = data
        try:
            super().data_received(data)
        finally:
            if self.waits_for == HEADERS and self._unread > _HEADER_BYTES and not self.transport.is_closing():
                self._refuse(431)

    def on_headers_complete(self) -> None:
        """Check method and path, and wait for the body."""
        self._unread = 0
        if self.parser.get_method() not in _IMPLEMENTED:
            self._status = 501
            raise ValueError
        url = re.sub(rb"^http://[^/]*", b"", self.url)
        if not _PATH.fullmatch(url) or self.parser.get_http_version() not in ("1.0", "1.1"):
            raise ValueError
        self._wait(BODY, self._limits.seconds)
        self.url = (
            b"/"  # what uvicorn parses; ours goes on as it came, with what would be a query: so has the container
        )
        super().on_headers_complete()
        self.cycle.keep_alive = self.parser.should_keep_alive()  # also with HTTP/1.0
        self.scope["path"], self.scope["raw_path"] = url.decode("ascii"), url

    def on_message_complete(self) -> None:
        """Wait for the answer to a complete request."""
        self._unread = 0
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait(ANSWER, self._limits.seconds + _TAKE_SECONDS)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for another request, unless there is one."""
        more = bool(self.pipeline)
        super().on_response_complete()
        if more or self.transport.is_closing():
            return
        if self.waits_for == BODY:
            # Answered before all of the body was there: what comes of it is not read as another request.
            self.transport.close()
        else:
            self.answered = True
            self._wait(IDLE, _IDLE_SECONDS)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request: here the parser has failed."""
        found = sys.exc_info()[1]
        if isinstance(found, httptools.HttpParserInvalidMethodError) and _METHOD.match(self._last):
            self._status = 501
        self._refuse(self._status)

    def _wait(self, what: int, seconds: float) -> None:
        self._stop_timer()
        self.waits_for, self.since = what, self.loop.time()
        self._timer = self.loop.call_later(seconds, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if self.waits_for in (HEADERS, BODY) and (self.cycle is None or not self.cycle.response_started):
            self._refuse(408)
        else:
            self.transport.abort()

    def _refuse(self, status: int) -> None:
        page = error_page(status)
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: text/html\r\n"
            f"content-length: {len(page)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + page)
        self.transport.close()
