"""TFRecord files: length, masked CRC-32C of the length, content, masked CRC-32C of the content."""

import struct
from collections.abc import Iterator
from pathlib import Path

from musae_tf.server.status import Code, StatusError

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_LONGEST = 2**31 - 1


def _table() -> list[int]:
    entries = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        entries.append(byte)
    return entries


_CRC = _table()


def masked_crc(data: bytes) -> int:
    """CRC-32C (Castagnoli) of some bytes, masked as TFRecord wants it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def read_records(path: Path) -> Iterator[bytes]:
    """The records of a TFRecord file.

    Raises:
        StatusError: DATA_LOSS, not such a file or a damaged one.
    """
    with path.open("rb") as file:
        while header := file.read(_HEADER.size):
            length, length_crc = _HEADER.unpack(header) if len(header) == _HEADER.size else (0, -1)
            if masked_crc(header[:8]) != length_crc or length > _LONGEST:
                raise _damaged(path)
            content, footer = file.read(length), file.read(_FOOTER.size)
            if len(content) != length or len(footer) != _FOOTER.size:
                raise _damaged(path)
            if masked_crc(content) != _FOOTER.unpack(footer)[0]:
                raise _damaged(path)
            yield content


def _damaged(path: Path) -> StatusError:
    return StatusError(
        Code.DATA_LOSS,
        f"corrupted record in {path}. Please verify your warmup data is in TFRecord format.",
    )
