"""The thread that sends a performance to a MIDI port, and the port."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, Protocol

import mido

from musae_tf.errors import LiveError
from musae_tf.live.schedule import Loop
from musae_tf.live.transport import Position, T, Transport


class Port(Protocol):
    """Where messages go: an output port of mido."""

    def send(self, message: Any) -> None:
        """Send a message; OSError if the port has failed."""


class Clock(Protocol):
    """Seconds, and how to wait for one of them."""

    def now(self) -> float:
        """The time."""

    def wait(self, changed: threading.Condition, until: float | None) -> None:
        """Return at that time, or when something has changed; None waits for the latter alone."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Seconds, which never go back."""
        return time.monotonic()

    def wait(self, changed: threading.Condition, until: float | None) -> None:
        """As `Clock.wait`."""
        changed.wait(None if until is None else max(until - self.now(), 0.0))


class MidiPlayer(Generic[T]):
    """Sends a performance in time, from a thread of its own; a context manager, after which nothing sounds.

    Args:
        port: where to; not closed here.
        bpm: tempo of every piece; None for each piece's own until `set_tempo` is called.
        begun: called by the thread with the label of a piece when it begins.
        failed: called by the thread when it has ended by an error, which is in `failure`.
        clock: of all times.

    Attributes:
        failure: what has ended the thread; None as long as nothing has.
    """

    def __init__(
        self,
        port: Port,
        bpm: float | None,
        begun: Callable[[T], None],
        failed: Callable[[], None],
        clock: Clock | None = None,
    ):
        self.failure: Exception | None = None
        self._port, self._begun, self._failed = port, begun, failed
        self._clock: Clock = SystemClock() if clock is None else clock
        self._transport = Transport[T](bpm)
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="midi", daemon=True)

    def __enter__(self) -> "MidiPlayer[T]":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._transport.stop()
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def play(self, loop: Loop, label: T, instead_of: Loop | None = None) -> T | None:
        """As `Transport.play`, now."""
        with self._changed:
            self._changed.notify()
            return self._transport.play(loop, label, self._clock.now(), instead_of)

    def stop(self) -> T | None:
        """As `Transport.stop`."""
        with self._changed:
            self._changed.notify()
            return self._transport.stop()

    def set_tempo(self, bpm: float) -> None:
        """As `Transport.set_tempo`, now."""
        with self._changed:
            self._changed.notify()
            self._transport.set_tempo(bpm, self._clock.now())

    def position(self) -> Position:
        """As `Transport.position`, now."""
        with self._changed:
            return self._transport.position(self._clock.now())

    def _run(self) -> None:
        try:
            self._send_all()
        except Exception as cause:  # whatever a port raises; the command ends with it
            self.failure = cause
            with suppress(Exception):
                for message in self._transport.silence():
                    self._port.send(message)
            self._failed()

    def _send_all(self) -> None:
        while True:
            with self._changed:
                due = self._transport.due(self._clock.now())
                if not due.messages and not due.begun:
                    if self._closing:
                        return
                    self._clock.wait(self._changed, self._transport.next_time())
                    continue
            for message in due.messages:
                self._port.send(message)
            for label in due.begun:
                self._begun(label)


def open_port(name: str) -> Any:
    """An output port of mido: the one of this name if there is one, or else a virtual one, which others connect to.

    Raises:
        LiveError: it cannot be opened; the message lists the outputs that are there.
        ModuleNotFoundError: what mido asks for its ports is not installed.
    """
    there: list[str] = []
    try:
        there = mido.get_output_names()
        return mido.open_output(name, virtual=name not in there)
    except (OSError, ValueError, NotImplementedError) as cause:
        kind = "MIDI output" if name in there else "virtual MIDI port"
        outputs = f"outputs that are there, for --midi: {', '.join(there)}" if there else "no MIDI output is there"
        reason = str(cause).rstrip(".")
        raise LiveError(f"the {kind} {name!r} cannot be opened ({reason}); {outputs}") from cause
