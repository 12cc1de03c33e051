"""Mutations of files: of any bytes, and of MIDI files by what hurts their readers."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence

import numpy as np

from tests.corpus import END_OF_TRACK, metre_event, midi_file, tempo_event, variable_length

NOTE = b"\x00\x90\x3c\x40\x83\x60\x80\x3c\x00"
FAR = variable_length(2**28 - 1)
Random = np.random.Generator


def flip_bits(data: bytes, rng: Random) -> bytes:
    out = bytearray(data or b"\0")
    for place in rng.integers(0, len(out), int(rng.choice([1, 1, 2, 4, 32]))):
        out[place : place + 1] = bytes([out[place] ^ 1 << int(rng.integers(0, 8))])
    return bytes(out)


def set_bytes(data: bytes, rng: Random) -> bytes:
    out = bytearray(data)
    for place in rng.integers(0, max(len(out), 1), int(rng.integers(1, 9))):
        out[place : place + 1] = bytes([int(rng.choice([0, 1, 0x7F, 0x80, 0xF0, 0xFF]))])
    return bytes(out)


def cut(data: bytes, rng: Random) -> bytes:
    return data[: int(rng.integers(0, len(data) + 1))]


def leave_out(data: bytes, rng: Random) -> bytes:
    start, end = np.sort(rng.integers(0, len(data) + 1, 2)).tolist()
    return data[:start] + data[min(end, start + 64) :]


def repeat(data: bytes, rng: Random) -> bytes:
    start, end = np.sort(rng.integers(0, len(data) + 1, 2)).tolist()
    return data[:end] + data[start:end] * int(rng.integers(1, 200)) + data[end:]


def insert(data: bytes, rng: Random) -> bytes:
    place = int(rng.integers(0, len(data) + 1))
    return data[:place] + rng.bytes(int(rng.integers(1, 64))) + data[place:]


ANY = (flip_bits, set_bytes, cut, leave_out, repeat, insert)


def absurd_length(data: bytes, rng: Random) -> bytes:
    """The length of the header or of a track is anything."""
    places = [4] + [place + 4 for place in range(len(data) - 8) if data[place : place + 4] == b"MTrk"]
    place = places[int(rng.integers(0, len(places)))]
    length = int(rng.choice([0, 1, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1]))
    return data[:place] + struct.pack(">I", length) + data[place + 4 :]


def absurd_event(data: bytes, rng: Random) -> bytes:
    """A text or system message that announces up to 256 MB, in the first track."""
    kind = (b"\x00\xff\x01", b"\x00\xf0", b"\x00\xf7", b"\x00\xff\x51")[int(rng.integers(0, 4))]
    return data[:22] + kind + variable_length(int(rng.choice([2**7, 2**14, 2**21, 2**28 - 1]))) + data[22:]


def header(data: bytes, rng: Random) -> bytes:
    """Type, number of tracks and division are anything: SMPTE time and resolution 0 among them."""
    fields = [int(rng.choice([0, 1, 2, 3, 0xE728, 0xE250, 0x8000, 0x7FFF, 0xFFFF])) for _ in range(3)]
    fields = [
        new if rng.random() < 0.5 else old for new, old in zip(fields, struct.unpack(">HHH", data[8:14]), strict=True)
    ]
    return data[:8] + struct.pack(">HHH", *fields) + data[14:]


def without_status(data: bytes, rng: Random) -> bytes:
    """Status bytes are left out here and there, so that events run on under the wrong one."""
    return bytes(byte for byte in data if byte < 0x80 or rng.random() < 0.9)


def many_tracks(data: bytes, rng: Random) -> bytes:
    return midi_file(1, 480, *[NOTE + END_OF_TRACK] * int(rng.integers(100, 2000)))


def many_notes(data: bytes, rng: Random) -> bytes:
    """Up to a million notes, one after the other, at once, or never ended."""
    count = int(rng.choice([10_000, 100_000, 1_000_000], p=[0.6, 0.3, 0.1]))
    event = (b"\x00\x90\x3c\x40\x10\x80\x3c\x40", b"\x00\x90\x3c\x40", b"\x01\x3c\x40")[int(rng.integers(0, 3))]
    return midi_file(0, 480, b"\x00\x90\x3c\x40" + event * count + b"\x00\x80\x3c\x40" + END_OF_TRACK)


def many_changes(data: bytes, rng: Random) -> bytes:
    """Tempos and metres by the thousand."""
    events = [b"\x01" + tempo_event(int(rng.integers(0, 2**24))), b"\x01" + metre_event(int(rng.integers(0, 256)), 2)]
    return midi_file(0, 480, b"".join(events) * int(rng.integers(1, 20_000)) + NOTE + END_OF_TRACK)


def impossible_values(data: bytes, rng: Random) -> bytes:
    """Tempo 0, metre 0/4, a beat of 2^-255."""
    events = (tempo_event(0), tempo_event(1), metre_event(0, 2), metre_event(1, 255), metre_event(255, 7))
    return data[:22] + b"\x00" + events[int(rng.integers(0, len(events)))] + data[22:]


def far_away(data: bytes, rng: Random) -> bytes:
    """Notes in a million years, at any resolution."""
    count, division = int(rng.integers(1, 12)), int(rng.choice([1, 24, 480, 32767]))
    metre = b"\x00" + metre_event(1, int(rng.integers(0, 8)))
    return midi_file(0, division, metre + NOTE + (FAR + b"\x91\x3c\x40") * count + END_OF_TRACK)


MIDI = (absurd_length, absurd_event, header, without_status, many_tracks, many_notes, many_changes, impossible_values,
        far_away)  # fmt: skip


def zip_bomb(data: bytes, rng: Random) -> bytes:
    """An archive of zeros, honest about its size or not."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        new.writestr(f"zeros {len(old.namelist())}.npy", bytes(int(rng.choice([2**20, 2**24, 2**28]))))
    packed = bytearray(out.getvalue())
    if rng.random() < 0.5:  # the directory says 16 bytes
        entry = packed.rindex(b"PK\x01\x02")
        packed[entry + 24 : entry + 28] = struct.pack("<I", 16)
    return bytes(packed)


def huge_arrays(data: bytes, rng: Random) -> bytes:
    """Shapes that would fill any memory."""
    out = io.BytesIO()
    shape = ((2**40, 128), (128, 2**40), (2**18, 128), (2**62, 2**62), (-1, 128))[int(rng.integers(0, 5))]
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            member = old.read(name)
            if name.endswith("_shape.npy") and rng.random() < 0.5:
                buffer = io.BytesIO()
                np.save(buffer, np.array(shape))
                member = buffer.getvalue()
            elif name.endswith(".npy") and rng.random() < 0.3:
                length = b"(%d,)" % int(rng.choice([2**33, 2**50]))
                member = member.replace(b"(", b"(" + length[1:-2] + b",", 1)
            new.writestr(name, member)
    return out.getvalue()


NPZ = (zip_bomb, huge_arrays)


def mutate(data: bytes, others: Sequence[Callable[[bytes, Random], bytes]], rng: Random) -> bytes:
    """One to three mutations, half of them of bytes and half of them `others`."""
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        family = others if others and rng.random() < 0.5 else ANY
        mutation = family[int(rng.integers(0, len(family)))]
        try:
            data = mutation(data, rng)
        except (struct.error, ValueError, IndexError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
            data = flip_bits(data, rng)  # what is mutated already may no longer have the place to mutate
        if len(data) > 2**24:
            break
    return data
