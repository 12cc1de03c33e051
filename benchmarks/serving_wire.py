"""Unary gRPC calls over plain sockets, one at a time: a client that leaves the cores to the server it measures.

grpcio's own client takes some 200 microseconds of CPU for a call, most of them between its threads. This one knows of
HTTP/2 (RFC 9113, RFC 7541) what such calls need: whole messages, and header blocks without a dynamic table, which it
asks the server not to use.
"""

import functools
import socket
import struct
from typing import NamedTuple

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD = struct.Struct(">BHBBL")  # length in 24 bits, kind, flags, stream
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
_END_STREAM = _ACK = 1
_END_HEADERS, _PADDED = 4, 8
_HEADER_TABLE_SIZE, _ENABLE_PUSH, _INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = 1, 2, 4, 5
_WINDOW = 2**31 - 1
PATIENCE = 30
"""Seconds that a call may take, and that the server has to greet."""


class Reply(NamedTuple):
    """What a call ended with.

    Attributes:
        status: the number of its grpc.StatusCode; 2, UNKNOWN, if the server sent none.
        message: the serialized answer; empty if there is none.
    """

    status: int
    message: bytes


class Connection:
    """A connection with at most one call under way.

    Attributes:
        socket: to wait for what comes in; None before `open` and after `close`.
    """

    def __init__(self, port: int, path: str):
        """Prepare calls of one method; `path` is /service/method."""
        self.socket: socket.socket | None = None
        self._address = ("127.0.0.1", port)
        self._headers = (
            b"\x83\x86"  # :method POST, :scheme http
            + b"\x04" + _text(path.encode()) + b"\x01" + _text(b"127.0.0.1:%d" % port)  # :path, :authority
            + b"\x0f\x10" + _text(b"application/grpc")  # content-type
            + b"\x00" + _text(b"te") + _text(b"trailers") + b"\x00" + _text(b"grpc-timeout") + _text(b"%dS" % PATIENCE)
        )  # fmt: skip

    def open(self) -> None:
        """Connect, and exchange settings.

        Raises:
            OSError: nobody is there, or what is there speaks something else.
        """
        self._received, self._stream, self._waiting = bytearray(), -1, False
        self._status, self._body, self._unsent = None, b"", b""
        self._window = self._stream_window = 65535
        self._frame_size, self._consumed, self._greeted = 16384, 0, False
        settings = {_HEADER_TABLE_SIZE: 0, _ENABLE_PUSH: 0, _INITIAL_WINDOW_SIZE: _WINDOW}
        self.socket = socket.create_connection(self._address, PATIENCE)
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._send(
                _PREFACE
                + _frame(_SETTINGS, 0, 0, b"".join(struct.pack(">HL", *setting) for setting in settings.items()))
                + _frame(_WINDOW_UPDATE, 0, 0, (_WINDOW - self._window).to_bytes(4, "big"))
            )
            while not self._greeted:
                self.read()
            self.socket.settimeout(None)  # with a timeout, every call of the socket would wait for it first
        except OSError:
            self.close()
            raise

    def ask(self, message: bytes) -> None:
        """Begin a call.

        Raises:
            OSError: the connection is broken.
            ValueError: a message larger than the server takes without pauses.
        """
        size = len(message) + 5
        if size > self._stream_window:
            raise ValueError(f"the message has {size} bytes, the server takes {self._stream_window} at once")
        self._stream += 2
        self._waiting, self._status, self._body = True, None, b""
        data = b"\0" + len(message).to_bytes(4, "big") + message
        frames = [_frame(_HEADERS, _END_HEADERS, self._stream, self._headers)]
        for start in range(0, size, self._frame_size):
            last = _END_STREAM if start + self._frame_size >= size else 0
            frames.append(_frame(_DATA, last, self._stream, data[start : start + self._frame_size]))
        self._window -= size
        if self._window >= 0:
            self._send(b"".join(frames))
        else:
            self._unsent = b"".join(frames)  # until the server has read what came before

    def read(self) -> Reply | None:
        """Take in what has come, which is waited for: the reply, once it is there.

        Raises:
            OSError: the connection or the call is broken.
        """
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionResetError("the server has closed the connection")
        received = self._received
        received += data
        reply, at = None, 0
        while len(received) - at >= _HEAD.size:
            high, low, kind, flags, stream = _HEAD.unpack_from(received, at)
            end = at + _HEAD.size + (high << 16 | low)
            if end > len(received):
                break
            reply = self._take(kind, flags, stream, bytes(received[at + _HEAD.size : end])) or reply
            at = end
        del received[:at]
        return reply

    def close(self) -> None:
        """Hang up."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> Reply | None:
        mine = self._waiting and stream == self._stream
        if kind == _DATA:
            self._consumed += len(payload)
            if self._consumed > _WINDOW // 2:
                self._send(_frame(_WINDOW_UPDATE, 0, 0, self._consumed.to_bytes(4, "big")))
                self._consumed = 0
            if mine:
                self._body += payload[1 : len(payload) - payload[0]] if flags & _PADDED else payload
        elif kind == _HEADERS:
            if flags & (_PADDED | _END_HEADERS) != _END_HEADERS:
                raise ConnectionError("the server sends header blocks in parts or padded; this client reads no such")
            if mine:
                self._status = _status(payload)
        elif kind == _SETTINGS and not flags & _ACK:
            settings = dict(struct.iter_unpack(">HL", payload))
            self._stream_window = settings.get(_INITIAL_WINDOW_SIZE, self._stream_window)
            self._frame_size = settings.get(_MAX_FRAME_SIZE, self._frame_size)
            self._greeted = True
            self._send(_frame(_SETTINGS, _ACK, 0))
        elif kind == _PING and not flags & _ACK:
            self._send(_frame(_PING, _ACK, 0, payload))
        elif kind == _WINDOW_UPDATE and not stream:
            self._window += int.from_bytes(payload, "big")
            if self._unsent and self._window >= 0:
                self._send(self._unsent)
                self._unsent = b""
        elif kind == _RST_STREAM and mine:
            raise ConnectionResetError("the server has cut the call")
        if mine and kind in (_DATA, _HEADERS) and flags & _END_STREAM:
            self._waiting = False
            return Reply(2 if self._status is None else self._status, self._message())
        return None

    def _message(self) -> bytes:
        body = self._body
        if body and (body[0] or int.from_bytes(body[1:5], "big") != len(body) - 5):
            raise ConnectionError("the server's answer is compressed or not one whole message")
        return body[5:]

    def _send(self, data: bytes) -> None:
        self.socket.sendall(data)


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    size = len(payload)
    return _HEAD.pack(size >> 16, size & 0xFFFF, kind, flags, stream) + payload


def _text(text: bytes) -> bytes:
    """A string of a header block, shorter than 127 bytes."""
    return bytes((len(text),)) + text


@functools.lru_cache(256)  # without a dynamic table, equal blocks mean the same
def _status(block: bytes) -> int | None:
    """The grpc-status that a header block holds."""
    at = 0
    while at < len(block):
        first = block[at]
        if first & 0x80:  # a whole entry of the static table, which has no grpc-status
            _, at = _number(block, at, 7)
        elif first & 0xE0 == 0x20:  # the size of the dynamic table
            _, at = _number(block, at, 5)
        else:
            index, at = _number(block, at, 6 if first & 0x40 else 4)
            name, at = (b"", at) if index else _read_text(block, at)
            value, at = _read_text(block, at)
            if name == b"grpc-status":
                return int(value)
    return None


def _number(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """An integer of which the first `bits` bits are in the first byte, and where it ends."""
    number, at = block[at] & (1 << bits) - 1, at + 1
    if number < (1 << bits) - 1:
        return number, at
    shift = 0
    while True:
        byte = block[at]
        number, at, shift = number + ((byte & 0x7F) << shift), at + 1, shift + 7
        if byte < 0x80:
            return number, at


def _read_text(block: bytes, at: int) -> tuple[bytes, int]:
    """A string, as it stands there: Huffman's code is left alone, gRPC's servers write none."""
    size, start = _number(block, at, 7)
    return block[start : start + size], start + size
