"""Protobuf's wire format, read a little at a time: what a message costs to parse is known before it is parsed.

The parser keeps the interpreter from start to end, and two bytes can make it build an object: 16 MB of empty map
entries take it 2.5 seconds. Here other threads go on, and no more is read than a message may hold.
"""

import functools
from typing import Any, TypeAlias

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from musae_tf.server.status import Code, StatusError

MOST_ENTRIES = 2**16
"""Fields of a message and of all messages in it, each string by itself: 16 for each of 4096 rows."""
MOST_VARINTS = 2**22
"""Bytes of packed numbers of variable length: at least a byte for each value."""
_DEPTH = 200
"""More than any parser goes."""
_VARINTS = frozenset(
    (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64,
     FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SINT64, FieldDescriptor.TYPE_BOOL, FieldDescriptor.TYPE_ENUM)
)  # fmt: skip

Descriptor: TypeAlias = Any  # google.protobuf.descriptor.Descriptor, or the same of the library in C


def check_entries(kind: type[Message], data: bytes) -> None:
    """Refuse a serialized message of a type if it has too many entries; one that is none is left to the parser.

    Raises:
        StatusError: RESOURCE_EXHAUSTED.
    """
    if len(data) > 2 * MOST_ENTRIES:  # an entry has two bytes or more
        try:
            _Count().message(kind.DESCRIPTOR, data, 0, len(data), 0)
        except (IndexError, ValueError):
            return  # it breaks off, and so does the parser there


class _Count:
    def __init__(self) -> None:
        self.entries = self.varints = 0

    def message(self, kind: Descriptor, data: bytes, at: int, end: int, depth: int) -> None:
        """Count the entries from `at` to `end`.

        Raises:
            IndexError: the data ends within a field.
            ValueError: not a message.
        """
        if depth > _DEPTH:
            raise ValueError("too deep")
        messages, varints = _fields_of(kind)
        groups = 0  # what is in a group is in no field that is known, and may look like one
        while at < end:
            self.entries += 1
            if self.entries > MOST_ENTRIES:
                raise _too_many(f"{MOST_ENTRIES} strings, unpacked numbers and other entries")
            key, at = read_varint(data, at)
            number, wire_type = key >> 3, key & 7
            if wire_type == 2:
                length, at = read_varint(data, at)
                if at + length > end:
                    raise ValueError("longer than what it is in")
                if groups:
                    pass
                elif number in messages:
                    self.message(messages[number], data, at, at + length, depth + 1)
                elif number in varints:
                    self.varints += length
                    if self.varints > MOST_VARINTS:
                        raise _too_many(f"{MOST_VARINTS} bytes of numbers of variable length")
                at += length
            elif wire_type == 0:
                _, at = read_varint(data, at)
            elif wire_type in (1, 5):
                at += 8 if wire_type == 1 else 4
            elif wire_type == 3:
                groups += 1
            elif wire_type == 4 and groups:
                groups -= 1
            else:
                raise ValueError("no such type, or the end of nothing")


@functools.cache
def _fields_of(kind: Descriptor) -> tuple[dict[int, Descriptor], frozenset[int]]:
    """The fields of a message that hold messages, and those of numbers of variable length."""
    fields = kind.fields_by_number.values()
    messages = {field.number: field.message_type for field in fields if field.message_type is not None}
    return messages, frozenset(field.number for field in fields if field.type in _VARINTS)


def _too_many(what: str) -> StatusError:
    return StatusError(
        Code.RESOURCE_EXHAUSTED,
        f"the request has more than {what}, this server's maximum; many numbers are to be sent in tensor_content",
    )


def varint(number: int) -> bytes:
    """A number as a varint."""
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The varint at a place, and the place after it.

    Raises:
        IndexError: the data ends within it.
        ValueError: it has more than ten bytes.
    """
    byte = data[at]
    if byte < 0x80:
        return byte, at + 1
    number, shift = byte & 0x7F, 7
    for place in range(at + 1, at + 10):
        byte = data[place]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place + 1
        shift += 7
    raise ValueError("a varint of more than ten bytes")
