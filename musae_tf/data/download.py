"""One file over HTTP: taken up where it stopped, tried again when the line drops, and checked."""

import hashlib
import json
import os
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import asdict, dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from musae_tf import __version__
from musae_tf.errors import DatasetError
from musae_tf.files import write_text
from musae_tf.progress import progress
from musae_tf.proxies import download_hint, download_proxy

CHUNK = 1 << 18
MEGABYTE = 1_000_000
WORTH_TRYING_AGAIN = {408, 425, 429, 500, 502, 503, 504}
LONGEST_PAUSE = 60.0


@dataclass
class _State:
    """What is known of a file that is not complete: where it is from, and how the server tells its versions apart."""

    url: str
    validator: str | None = None
    total: int | None = None


class _InterruptedError(Exception):
    """A failure that may pass: why, and how many seconds the server asks to wait."""

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


def download(
    url: str,
    target: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    tries: int = 6,
    pause: float = 1.0,
    timeout: float = 30.0,
) -> str:
    """Download `url` to `target`, which appears by one rename when it is complete and checked.

    What has come is kept in `<target>.part`, and the same call goes on from there, even in another process, as long as
    the server says that the file is still the same (ETag or Last-Modified, sent as If-Range). A server without ranges
    sends all of it again.

    Args:
        url: http or https.
        target: The file. Its folder exists.
        size: Bytes that it must have, if known.
        sha256: Its checksum in hexadecimal digits, if known.
        tries: Failures in a row, without a byte between them, before giving up.
        pause: Seconds before the second try; doubled each time, a minute at most.
        timeout: Seconds without a byte after which the line counts as dead.

    Returns:
        The checksum.

    Raises:
        DatasetError: The server refuses, the line stays dead, the disk is full, or the file is not the expected one.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise DatasetError(f"{url!r} is not an address that begins with http:// or https://")
    transfer = _Transfer(url, target, size, timeout)
    failures = 0
    while True:
        before = transfer.have
        try:
            transfer.run()
            found, resumed = checksum(transfer.part), transfer.resumed
            if sha256 is None or found == sha256.lower():
                os.replace(transfer.part, target)
                transfer.forget()
                return found
            transfer.forget()
            # A file put together from two visits may be a mixture; one that came in one piece is another file.
            if not resumed:
                raise DatasetError(f"{url}: the file that came has the SHA-256 {found}, expected was {sha256}")
        except _InterruptedError as stop:
            failures = 1 if transfer.have > before else failures + 1
            if failures >= tries:
                kept = f"; {transfer.have:,} bytes are kept and the same command goes on from them"
                raise DatasetError(f"{url}: {stop}, {tries} times in a row{kept if transfer.have else ''}") from stop
            time.sleep(min(max(stop.pause, pause * 2 ** (failures - 1)), LONGEST_PAUSE))
        except OSError as cause:
            raise DatasetError(f"cannot write {transfer.part}: {cause.strerror or cause}") from cause


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(CHUNK):
            digest.update(chunk)
        return digest.hexdigest()


class _Transfer:
    """The state of one download, over as many requests as it takes."""

    def __init__(self, url: str, target: Path, size: int | None, timeout: float) -> None:
        self.target, self.size, self.timeout = target, size, timeout
        self.part = target.with_name(f"{target.name}.part")
        self.notes = target.with_name(f"{target.name}.part.json")
        self.resumed = False
        self.state = self._read(url)
        # Some file services set a cookie on the way and ask for it at the end.
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self.opener = urllib.request.build_opener(cookies, _Proxies())

    @property
    def expected(self) -> int | None:
        """Bytes that the whole file has, if anybody has said."""
        return self.size if self.state.total is None else self.state.total

    @property
    def have(self) -> int:
        """Bytes that have come."""
        try:
            return self.part.stat().st_size
        except FileNotFoundError:
            return 0

    def forget(self) -> None:
        """Begin anew."""
        self.part.unlink(missing_ok=True)
        self.notes.unlink(missing_ok=True)
        self.state = _State(self.state.url)
        self.resumed = False

    def run(self) -> None:
        """Get what is missing. Raises _InterruptedError if it is worth another try, DatasetError if not."""
        if self.have and self.expected == self.have:
            return
        if self.have and self.state.validator is None:
            self.forget()  # nothing tells whether the rest would be of the same file
        try:
            response = self.opener.open(self._request(), timeout=self.timeout)
        except urllib.error.HTTPError as error:
            self._refused(error)
        except urllib.error.URLError as error:
            raise _InterruptedError(f"no connection ({error.reason}){download_hint(self.state.url)}") from error
        except (HTTPException, OSError) as error:
            raise _lost(error) from error
        with response:
            self._take(response)
        if self.expected is not None and self.have < self.expected:
            raise _InterruptedError(f"the connection ended after {self.have:,} of {self.expected:,} bytes")

    def _request(self) -> urllib.request.Request:
        headers = {"User-Agent": f"musae-tf/{__version__}", "Accept-Encoding": "identity"}
        if self.have and self.state.validator:
            headers |= {"Range": f"bytes={self.have}-", "If-Range": self.state.validator}
        return urllib.request.Request(self.state.url, headers=headers)

    def _take(self, response: HTTPResponse) -> None:
        have = self.have
        if response.status == 206:
            start, total = _content_range(response.headers.get("Content-Range", ""))
            by_tag = (self.state.validator or "").startswith('"')
            other = by_tag and response.headers.get("ETag") not in (None, self.state.validator)
            if start != have or total not in (None, self.state.total) or other:
                self.forget()
                raise _InterruptedError("the server sent another part than was asked for")
            self.resumed = True
        else:
            self.forget()
            have = 0
            length = response.headers.get("Content-Length")
            total = int(length) if length and length.isdigit() else None
            self.state = _State(self.state.url, _validator(response.headers), total)
            if None not in (total, self.size) and total != self.size:
                raise DatasetError(f"{self.state.url}: the file has {total:,} bytes, expected were {self.size:,}")
            write_text(self.notes, json.dumps(asdict(self.state)), DatasetError)
        self._write(response, have)

    def _write(self, response: HTTPResponse, have: int) -> None:
        limit = self.expected
        whole = None if limit is None else max(limit // MEGABYTE, 1)
        with (
            open(self.part, "ab") as file,
            progress(total=whole, initial=have // MEGABYTE, title=self.target.name, unit="MB") as bar,
        ):
            while chunk := _read(response):
                file.write(chunk)
                bar.update((have + len(chunk)) // MEGABYTE - have // MEGABYTE)
                have += len(chunk)
                if limit is not None and have > limit:
                    file.close()
                    self.forget()
                    raise DatasetError(f"{self.state.url}: more came than the {limit:,} bytes that were announced")

    def _refused(self, error: urllib.error.HTTPError) -> NoReturn:
        proxy = download_hint(self.state.url)
        with error:
            if error.code == 416:  # the file has become shorter
                self.forget()
                raise _InterruptedError("the file on the server has changed") from error
            if error.code in WORTH_TRYING_AGAIN:
                wait = error.headers.get("Retry-After", "")
                pause = float(wait) if wait.isdigit() else 0.0
                raise _InterruptedError(f"the server answers {error.code} {error.reason}{proxy}", pause) from error
            raise DatasetError(f"{self.state.url}: the server answers {error.code} {error.reason}{proxy}") from error

    def _read(self, url: str) -> _State:
        with suppress(OSError, ValueError, TypeError):
            state = _State(**json.loads(self.notes.read_text(encoding="utf-8")))
            if state.url == url:
                return state
        self.part.unlink(missing_ok=True)
        return _State(url)


class _Proxies(urllib.request.ProxyHandler):
    """The proxies of the environment, but for addresses of this machine."""

    def proxy_open(self, req: urllib.request.Request, proxy: str, type: str) -> Any:
        return None if download_proxy(req.full_url) is None else super().proxy_open(req, proxy, type)


def _read(response: HTTPResponse) -> bytes:
    try:
        # read1: what is there, so that the progress bar moves on a slow line; a short body shows by its length later.
        return response.read1(CHUNK)
    except (HTTPException, OSError) as error:
        raise _lost(error) from error


def _lost(error: Exception) -> _InterruptedError:
    return _InterruptedError(f"the connection was lost ({str(error) or type(error).__name__})")


def _validator(headers: Message) -> str | None:
    """What tells the versions of a file apart: a strong ETag, or else the time of the last change."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified")


def _content_range(value: str) -> tuple[int | None, int | None]:
    """First byte and whole length of a Content-Range; None where it does not say."""
    unit, _, rest = value.partition(" ")
    span, _, total = rest.partition("/")
    first = span.partition("-")[0]
    if unit != "bytes" or not first.isdigit():
        return None, None
    return int(first), int(total) if total.isdigit() else None
