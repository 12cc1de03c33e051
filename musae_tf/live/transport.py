"""Where a performance is: which messages are due at a time. It knows no clock and no port; times are given to it."""

import math
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from mido import Message

from musae_tf.live.schedule import Loop
from musae_tf.music.grid import DEFAULT_TEMPO

T = TypeVar("T")

LATEST = 0.5
"""Seconds: messages that are later than this, after the machine has slept, are not made up for in a rush."""

ALL_NOTES_OFF = 123
"""Of MIDI's channel mode messages."""


class Position(NamedTuple):
    """Where a performance is: bar from 1, how many bars the piece has (both 0 in silence), quarter notes a minute."""

    bar: int
    bars: int
    bpm: float


class Due(NamedTuple, Generic[T]):
    """Messages to be sent now, and the labels of the pieces that begin with them."""

    messages: list[Message]
    begun: list[T]


@dataclass
class _Waiting(Generic[T]):
    loop: Loop
    label: T
    instead_of: Loop | None


class Transport(Generic[T]):
    """A loop that plays, and one that waits for the next bar line. All times are seconds of one clock.

    Args:
        bpm: tempo of every piece; None for each piece's own until `set_tempo` is called.
    """

    def __init__(self, bpm: float | None = None):
        self._fixed = bpm
        self._bpm = DEFAULT_TEMPO if bpm is None else bpm
        self._loop: Loop | None = None
        self._waiting: _Waiting[T] | None = None
        self._origin = 0.0  # when quarter 0 of this pass of the loop was, at the tempo of now
        self._index = 0  # of the message that comes next
        self._switch = 0.0  # quarter of this pass at which the waiting loop begins
        self._stopping = False
        self._sounding: set[tuple[int, int]] = set()
        self._channels: set[int] = set()

    def play(self, loop: Loop, label: T, now: float, instead_of: Loop | None = None) -> T | None:
        """Have a loop begin at the next bar line, or at once if nothing plays.

        Args:
            loop: what is to be played.
            label: given back by `due` when it begins.
            now: the time.
            instead_of: if this loop still plays then, the new one goes on at that bar of it; else it begins with its
                first bar, as it does without.

        Returns:
            The label of the loop that has waited and will not be played.
        """
        replaced = self._waiting.label if self._waiting else None
        self._waiting = _Waiting(loop, label, instead_of)
        if self._loop is not None:
            # A bar line whose messages were sent is over, whatever the rounding of times says.
            sent = self._loop.messages[self._index - 1].quarter if self._index else -1.0
            self._switch = self._loop.next_bar(max(self._quarter(now), math.nextafter(sent, math.inf)))
        return replaced

    def stop(self) -> T | None:
        """Fall silent. Returns the label of the loop that has waited."""
        replaced = self._waiting.label if self._waiting else None
        self._loop = self._waiting = None
        self._stopping = True
        return replaced

    def set_tempo(self, bpm: float, now: float) -> None:
        """Go on at another tempo, which is that of all that follows, too."""
        quarter = self._quarter(now)
        self._fixed = self._bpm = bpm
        self._origin = now - quarter * 60 / bpm

    def position(self, now: float) -> Position:
        """Where the performance is."""
        if self._loop is None:
            return Position(0, 0, self._bpm)
        quarter = self._quarter(now)
        bar = sum(line <= quarter for line in self._loop.bars[:-1])
        return Position(max(bar, 1), len(self._loop.bars) - 1, self._bpm)

    def next_time(self) -> float | None:
        """When something is due: in the past if at once, None for never."""
        if self._stopping or (self._loop is None and self._waiting is not None):
            return -math.inf
        return None if self._loop is None else self._time(self._next_quarter(self._loop))

    def due(self, now: float) -> Due[T]:
        """All that is due by now and was not given before."""
        due = Due[T]([], [])
        if self._stopping:
            self._stopping = False
            due.messages.extend(self.silence())
        if self._loop is None:
            if self._waiting is not None:
                self._begin(self._waiting, now, due)
        else:
            late = now - self._time(self._next_quarter(self._loop))
            if late > LATEST:
                self._origin += late
        while self._loop is not None and self._time(quarter := self._next_quarter(self._loop)) <= now:
            self._step(self._loop, quarter, due)
        return due

    def silence(self) -> list[Message]:
        """What ends all notes that sound, once more by channel for instruments that have missed one."""
        messages = [_off(*note) for note in sorted(self._sounding)]
        messages += [
            Message("control_change", channel=channel, control=ALL_NOTES_OFF, value=0)
            for channel in sorted(self._channels)
        ]
        self._sounding.clear()
        self._channels.clear()
        return messages

    def _step(self, loop: Loop, quarter: float, due: Due[T]) -> None:
        """The one thing that comes next."""
        if self._waiting is not None and self._switch <= quarter:
            self._begin(self._waiting, self._time(self._switch), due)
        elif self._index < len(loop.messages):
            message = loop.messages[self._index].message
            self._index += 1
            self._send(message, due)
        else:
            self._origin, self._index = self._time(loop.length), 0

    def _begin(self, waiting: _Waiting[T], time: float, due: Due[T]) -> None:
        before, loop = self._loop, waiting.loop
        self._loop, self._waiting = loop, None
        due.begun.append(waiting.label)
        if before is not None and before is waiting.instead_of and before.bars == loop.bars:
            at = self._switch
            for timed in loop.messages[: loop.index(at)]:
                if timed.message.type == "program_change":
                    self._send(timed.message, due)
            staying = loop.sounding(at)
            self._index = loop.index(at)
        else:
            staying = set()
            self._bpm = self._fixed or loop.bpm
            self._origin, self._index = time, 0
        for note in sorted(self._sounding - staying):
            self._send(_off(*note), due)

    def _send(self, message: Message, due: Due[T]) -> None:
        if message.type == "note_on":
            self._sounding.add((message.channel, message.note))
            self._channels.add(message.channel)
        elif message.type == "note_off":
            note = (message.channel, message.note)
            if note not in self._sounding:  # it began before this loop was entered
                return
            self._sounding.remove(note)
        due.messages.append(message)

    def _next_quarter(self, loop: Loop) -> float:
        """When the next message is due, the waiting loop or the end, whatever is first."""
        following = loop.messages[self._index].quarter if self._index < len(loop.messages) else loop.length
        return following if self._waiting is None else min(following, self._switch)

    def _quarter(self, time: float) -> float:
        return (time - self._origin) * self._bpm / 60

    def _time(self, quarter: float) -> float:
        return self._origin + quarter * 60 / self._bpm


def _off(channel: int, note: int) -> Message:
    return Message("note_off", channel=channel, note=note, velocity=0)
