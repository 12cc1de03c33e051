"""Packets of Open Sound Control: messages of strangers in, replies out.

python-osc reads a message; what stands around it, bundles and types, is looked at here first, since a packet can keep
that library busy for ever.
"""

import re
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from pythonosc.osc_message import OscMessage, ParseError
from pythonosc.osc_message_builder import OscMessageBuilder

from musae_tf.errors import LiveError

Argument: TypeAlias = int | float | str
Reply: TypeAlias = Callable[..., None]
"""Called with an address and arguments, for the sender of a message; raises nothing."""

MAX_BYTES = 1024
"""Largest packet that is read."""

_LONGEST = 400
"""Characters of text that are sent or shown."""

_BUNDLE = b"#bundle\0"
_MESSAGE = re.compile(rb"/[^\0]*\0{1,4}(?:,[ifhds]*\0.*)?", re.DOTALL)
"""An address, and the types of arguments: whole numbers, numbers and text."""


def read(packet: bytes) -> list[tuple[str, list[Argument]]]:
    """The messages of a packet, address and arguments. Those of a bundle are for now, whatever its time is.

    Raises:
        LiveError: it is too large, damaged, or has arguments of other types.
    """
    if len(packet) > MAX_BYTES:
        raise LiveError(f"a packet is larger than {MAX_BYTES} bytes, the most that is read")
    parts, found = [packet], []
    while parts:
        part = parts.pop()
        if part.startswith(_BUNDLE):
            parts.extend(reversed(_elements(part)))
        else:
            found.append(_message(part))
    return found


def _elements(bundle: bytes) -> list[bytes]:
    at, found = len(_BUNDLE) + 8, []  # after its time
    while at < len(bundle):
        size = int.from_bytes(bundle[at : at + 4], "big")
        at += 4
        if not 0 < size <= len(bundle) - at:
            raise LiveError("a packet is damaged: a part of its bundle goes beyond its end")
        found.append(bundle[at : at + size])
        at += size
    return found


def _message(part: bytes) -> tuple[str, list[Argument]]:
    if not _MESSAGE.fullmatch(part):
        raise LiveError("a packet is no OSC message of an address, numbers and text")
    try:
        message = OscMessage(part)
    except (ParseError, UnicodeDecodeError) as cause:
        raise LiveError("a packet is damaged: it is no whole OSC message") from cause
    return message.address, message.params


def write(address: str, *arguments: Argument) -> bytes:
    """A message as a packet; texts are cut where they are very long."""
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument[:_LONGEST] if isinstance(argument, str) else argument)
    return builder.build().dgram


def printable(text: str) -> str:
    """Text of a stranger for a terminal, which would obey control characters, cut where it is very long."""
    return "".join(character if character.isprintable() else "?" for character in text[:_LONGEST])


def open_socket(host: str, port: int) -> socket.socket:
    """A UDP socket that receives at an address.

    Raises:
        LiveError: it cannot; the message says what to do.
    """
    receiving = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        receiving = socket.socket(family, kind, protocol)
        receiving.bind(address)
    except OSError as cause:
        if receiving is not None:
            receiving.close()
        raise LiveError(
            f"cannot listen on {host}:{port}: {cause.strerror or cause}; --osc names another port"
        ) from cause
    return receiving


def listen(
    receiving: socket.socket, wakeup: int, ended: Callable[[], bool], receive: Callable[[bytes, Reply], None]
) -> None:
    """Receive packets until it has ended, which is looked at whenever the pipe `wakeup` has a byte."""
    receiving.setblocking(False)
    while not ended():
        readable, _, _ = select.select([receiving.fileno(), wakeup], [], [])
        if receiving.fileno() not in readable:
            continue
        try:
            packet, sender = receiving.recvfrom(MAX_BYTES + 1)
        except OSError:  # nothing there after all, or an answer that could not be delivered
            continue

        def reply(address: str, *given: Argument, sender: tuple = sender) -> None:
            with suppress(OSError):
                receiving.sendto(write(address, *given), sender)

        receive(packet, reply)
