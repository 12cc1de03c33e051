"""MIDI files as the reader of notes needs them: what others say loosely is said where it belongs.

symusic reads fast and strictly: it drops notes without an end, program changes and names that stand in another track
than the notes, and refuses a file for one value out of range. Notes get an end by `with_all_notes_off`; for the rest
`repair` writes a file anew, event by event. Most files do not need that, and it is slow: `has_names_elsewhere` and
`has_programs_elsewhere` find out.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TypeAlias

Event: TypeAlias = tuple[int, bytes]
"""Tick from the beginning, and the event with its status byte."""

_ON, _PROGRAM, _META = 0x90, 0xC0, 0xFF
_END = b"\xff\x2f\x00"
_NAME, _INSTRUMENT, _CHANNEL = 3, 4, 0x20  # kinds of meta events
_MELODIC_CHANNELS = tuple(channel for channel in range(16) if channel != 9)
_COMMON = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # data bytes of messages that no file should hold; the others have none


def chunks(data: bytes) -> tuple[bytes, list[bytes]]:
    """The header of a MIDI file, with its length, and the contents of its tracks; other chunks are left out.

    Of data that end within a chunk, or begin otherwise, no tracks are given.
    """
    if data[:4] != b"MThd":
        return data, []
    at = 8 + int.from_bytes(data[4:8], "big")
    header, tracks = data[:at], []
    while at + 8 <= len(data):
        start, at = at + 8, at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        if data[start - 8 : start - 4] == b"MTrk":
            tracks.append(data[start:at])
    return header, tracks if at <= len(data) else []


def joined(header: bytes, tracks: Sequence[bytes]) -> bytes:
    """What `chunks` takes apart."""
    return b"".join([header, *(b"MTrk" + len(track).to_bytes(4, "big") + track for track in tracks)])


ENDLESS = 2**27
"""Ticks: a note that lasts so long after `with_all_notes_off` has no end of its own. Music is far shorter."""

# An empty event, which takes the wait that stands before the end of a track, and a wait of ENDLESS ticks.
_LATER = b"\xff\x7f\x00" + b"\xc0\x80\x80\x00"


def _offs(pitches: Sequence[int], times: int) -> bytes:
    return b"".join(bytes([pitch, 0, 0]) * times for pitch in pitches)  # each with the wait for the next


_ALL_OFF = _offs(range(128), 1)


def with_all_notes_off(tracks: Sequence[bytes], pitches: Sequence[int] | None = None, times: int = 1) -> list[bytes]:
    """Tracks that end one sounding note of each pitch, or so many of these, `ENDLESS` ticks after their own end."""
    offs = _ALL_OFF if pitches is None else _offs(pitches, times)
    ended = []
    for track in tracks:
        channels = [bytes([_ON | channel]) for channel in range(16) if _ON | channel in track]
        if channels and track.endswith(_END):
            track = b"".join([track[:-3], _LATER, *(status + offs for status in channels), _END])
        ended.append(track)
    return ended


def has_names_elsewhere(tracks: Sequence[bytes]) -> bool:
    """Whether names may stand in another place than the first of the track that they mean: too often, if anything."""
    return any(b"\xff\x20\x01" in track or (b"\xff\x04" in track and b"\xff\x03" not in track) for track in tracks)


def has_programs_elsewhere(tracks: Sequence[bytes], pianos: int) -> bool:
    """Whether a track that sets no program has notes of a channel whose program another sets: too often, if anything.

    The drums' channel is left out: the program of a kit is not used.

    Args:
        tracks: As in the file.
        pianos: How many parts have program 0, as those have that set none; where as many set it, no other track does.
    """
    told: set[int] = set()
    asking: set[int] = set()
    for track in tracks if pianos else ():
        playing, programs = (
            {channel for channel in _MELODIC_CHANNELS if kind | channel in track} for kind in (_ON, _PROGRAM)
        )
        told |= programs
        if not playing & programs:
            asking |= playing
        pianos -= any(bytes([_PROGRAM | channel, 0]) in track for channel in playing & programs)
    return pianos > 0 and bool(told & asking)


def repair(data: bytes) -> tuple[bytes, Counter[str]]:
    """A file with the same music, written so that every reader finds all of it, and counts of what was mended.

    - `values_above_127` are 127, but a pitch stays wrong;
    - `unknown_events`, which a file cannot hold, are left out;
    - a program is set, and a name stands, in the track that has the notes of its channel.

    A file that cannot be followed to its end, event by event, is given back as it is.
    """
    header, tracks = chunks(data)
    counts: Counter[str] = Counter()
    if not tracks:
        return data, counts
    try:
        events = _with_programs(_with_names([list(_events(track, counts)) for track in tracks]))
    except ValueError:
        return data, Counter()
    if len(events) > 1:  # of type 1, also where a track of type 0 was taken apart
        header = header[:8] + b"\0\1" + len(events).to_bytes(2, "big") + header[12:]
    return joined(header, [_written(track) for track in events]), +counts


def _events(track: bytes, counts: Counter[str]) -> Iterator[Event]:
    """The events of a track to the one that ends it. Raises ValueError where they cannot be followed."""
    at = tick = running = 0
    while at < len(track):
        wait, at = _number(track, at)
        tick += wait
        if at == len(track):
            break
        status = track[at] if track[at] >= 0x80 else running  # many go on with a status across other events
        at += track[at] >= 0x80
        if status in (_META, 0xF0, 0xF7):
            start, at = at, at + (status == _META)
            size, at = _number(track, at)
            at += size
            if at > len(track):
                raise ValueError("an event is longer than its track")
            if status == _META and track[start] == 0x2F:
                break
            yield tick, bytes([status]) + track[start:at]
        elif status > 0xF0:
            counts["unknown_events"] += 1
            at += _COMMON.get(status, 0)
        elif status:
            running, size = status, 1 if 0xC0 <= status < 0xE0 else 2
            values = bytearray(track[at : at + size])
            if len(values) < size:
                raise ValueError("an event is longer than its track")
            for place in range(status < 0xA0, size):
                if values[place] > 127:
                    values[place] = 127
                    counts["values_above_127"] += 1
            at += size
            yield tick, bytes([status]) + values
        else:
            raise ValueError("an event without a status")
    yield tick, _END


def _number(track: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and the place after it."""
    value = 0
    for place in range(at, min(at + 4, len(track))):
        value = value << 7 | track[place] & 127
        if track[place] < 128:
            return value, place + 1
    raise ValueError("a number does not end")


def _with_names(tracks: list[list[Event]]) -> list[list[Event]]:
    """Tracks with the names that they have by their instrument, or that another track gives to their channel."""
    named: dict[int, bytes] = {}
    for track in tracks:
        channel = None
        for _, event in track:
            if event[0] != _META:
                channel = None
            elif event[1] == _CHANNEL:
                channel = event[-1] & 15
            elif event[1] in (_NAME, _INSTRUMENT) and channel is not None:
                named.setdefault(channel, bytes([_META, _NAME]) + event[2:])
    result = []
    for track in tracks:
        channels = sorted({_channel(event) for _, event in track if _is_note(event)})
        if named.keys() & set(channels) and len(channels) > 1:
            result.append([(tick, event) for tick, event in track if _channel(event) not in channels])
            for channel in channels:
                part = [(tick, event) for tick, event in track if _channel(event) == channel or event == _END]
                result.append([(0, named[channel]), *part] if channel in named else part)
            continue
        own = [event for _, event in track if event[:2] == bytes([_META, _NAME])]
        instrument = [event for _, event in track if event[:2] == bytes([_META, _INSTRUMENT])]
        if channels and not own:
            name_event = named.get(channels[0]) or (bytes([_META, _NAME]) + instrument[0][2:] if instrument else b"")
            track = [(0, name_event), *track] if name_event else track
        result.append(track)
    return result


def _with_programs(tracks: list[list[Event]]) -> list[list[Event]]:
    """Tracks with the program changes of their channels, where they have none of their own and others have."""
    changes: dict[int, list[Event]] = defaultdict(list)
    for track in tracks:
        for tick, event in track:
            if event[0] & 0xF0 == _PROGRAM:
                changes[_channel(event)].append((tick, event))
    result = []
    for track in tracks:
        playing = {_channel(event) for _, event in track if _is_note(event)}
        lacking = playing - {_channel(event) for _, event in track if event[0] & 0xF0 == _PROGRAM}
        added = [change for channel in sorted(lacking) for change in changes[channel]]
        # A stable sort: what is set elsewhere at the tick of a note holds for that note.
        result.append(sorted(added + track, key=_tick) if added else track)
    return result


def _tick(event: Event) -> int:
    return event[0]


def _channel(event: bytes) -> int:
    return event[0] & 15 if event[0] < 0xF0 else -1


def _is_note(event: bytes) -> bool:
    return event[0] & 0xF0 == _ON and event[2] > 0


def _written(track: Sequence[Event]) -> bytes:
    before, parts = 0, []
    for tick, event in track:
        parts += [_variable(tick - before), event]
        before = tick
    return b"".join(parts)


def _variable(value: int) -> bytes:
    digits = [value & 127]
    while value := value >> 7:
        digits.append(value & 127 | 128)
    return bytes(reversed(digits))
