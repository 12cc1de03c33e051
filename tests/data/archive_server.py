"""A web server on this machine that misbehaves as it is told."""

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.waiting import LIMIT


@dataclass
class Faults:
    """What the server does.

    Attributes:
        content: Path to bytes.
        ranges: Whether it knows ranges.
        drops: Bytes of the body after which each of the next answers ends; None for a whole one.
        codes: Codes that the next answers have instead of a body.
        headers: Sent with every answer.
        tag: ETag; None for none.
        modified: Last-Modified; None for none.
        length: Whether the length is announced.
        stalls: Whether the next whole answer falls silent after half of the body, until the client hangs up.
        requests: Path and Range of every request that came.
    """

    content: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    drops: list[int | None] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    tag: str | None = '"one"'
    modified: str | None = None
    length: bool = True
    stalls: bool = False
    requests: list[tuple[str, str | None]] = field(default_factory=list)


@contextmanager
def serving(faults: Faults):
    """Run the server; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            faults.requests.append((self.path, self.headers.get("Range")))
            if faults.codes:
                return self._answer(faults.codes.pop(0), b"")
            if self.path not in faults.content:
                return self._answer(404, b"")
            body = faults.content[self.path]
            span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            same = self.headers.get("If-Range") in (None, faults.tag, faults.modified)
            if faults.ranges and span and same:
                start = int(span[1])
                if start >= len(body):
                    return self._answer(416, b"")
                where = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
                return self._answer(206, body[start:], where)
            return self._answer(200, body)

        def _answer(self, code, body, headers=None):
            self.send_response(code)
            tags = {"ETag": faults.tag, "Last-Modified": faults.modified}
            length = {"Content-Length": str(len(body))} if faults.length else {}
            for name, value in {**faults.headers, **tags, **length, **(headers or {})}.items():
                if value is not None:
                    self.send_header(name, value)
            self.end_headers()
            cut = faults.drops.pop(0) if faults.drops and code in (200, 206) else None
            if faults.stalls and code == 200:
                faults.stalls = False
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                self.connection.settimeout(LIMIT)
                self.rfile.read(1)
                return
            self.wfile.write(body if cut is None else body[:cut])
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
