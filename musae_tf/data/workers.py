"""Processes that read chunks of songs within limits of time and memory, and say which song they died of."""

import ctypes
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Hashable, MutableSequence, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

from musae_tf.data.reader import Chunk, Reader, write_part
from musae_tf.data.source import TOO_LARGE, Rejection, place
from musae_tf.errors import DatasetError, MusaeError

CRASHED = "crashed the reader"
TOO_SLOW = "too slow"
_OUT_OF_MEMORY = "out of memory"
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt in the GNU C library


@dataclass(frozen=True)
class FileLimits:
    """What one file may take.

    Attributes:
        seconds: Of work. On a machine that is busy with other things a file may take longer by the clock, up to
            `patience` times as long, so that the same files are refused there.
        memory: Bytes of resident memory of the process that reads it.
        patience: See `seconds`.
    """

    seconds: float = 10.0
    memory: int = 10**9
    patience: float = 6.0


class Worker:
    """A guarded process. `start` gives it a chunk; when `connection` is ready or time is up, `finish` says what came.

    Attributes:
        connection: Becomes readable when the chunk is written or the process has died.

    Raises:
        DatasetError: The process does not start.
    """

    def __init__(self, reader: Reader, limits: FileLimits) -> None:
        self._reader, self._limits = reader, limits
        self._chunk: Chunk | None = None
        self._harmful: dict[int, Rejection] = {}
        self._deaths: dict[int, int] = {}
        self._launch()

    @property
    def busy(self) -> bool:
        """Whether it has a chunk."""
        return self._chunk is not None

    def start(self, chunk: Chunk) -> None:
        """Give it a chunk to write."""
        self._chunk, self._harmful, self._deaths = chunk, {}, {}
        self._send()

    def time_left(self) -> float:
        """Seconds until the item that is being read may have taken too long; all of them if none is."""
        position, began, worked = self._state
        limits = self._limits
        if position < 0:
            return limits.seconds
        waited = time.monotonic() - began
        if waited < limits.seconds:
            return limits.seconds - waited
        return min(limits.seconds - (self._work_time() - worked), limits.patience * limits.seconds - waited)

    def finish(self, timeout: float | None = 0.0) -> int | None:
        """See whether the chunk is done. An item that killed the process is recorded and the rest read again.

        Args:
            timeout: Seconds to wait for news; None until the chunk is done.

        Returns:
            Number of items of the chunk, once it is written; None if it is not yet.

        Raises:
            DatasetError: The part cannot be written, or the process keeps dying without a song.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = self.time_left()
            if deadline is not None:
                left = min(left, deadline - time.monotonic())
            if self.connection.poll(max(left, 0.0)):
                if self._receive():
                    items = len(self._items)
                    self._chunk = None
                    return items
            elif self.time_left() <= 0:
                late = tuple(self._state)
                self.close()
                if tuple(self._state) == late:  # it did not get to the next item in between
                    self._blame(f"takes more than {self._limits.seconds:g} seconds to read", TOO_SLOW)
                self._restart()
            elif deadline is not None and time.monotonic() >= deadline:
                return None

    def close(self) -> None:
        """End the process at once. Parts are renamed into place when they are whole, so nothing is left half."""
        self._process.kill()
        self._process.join()

    @property
    def _items(self) -> Sequence[Hashable]:
        return self._chunk.items if self._chunk else ()

    def _launch(self) -> None:
        # "spawn" is safe whatever libraries and threads the caller has.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        # Without a lock, which a process that is killed would never give back.
        self._state = context.RawArray(ctypes.c_double, (-1.0, 0.0, 0.0))
        arguments = (theirs, self._state, self._reader, self._limits.memory)
        self._process = context.Process(target=_work, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self._ready = False

    def _send(self) -> None:
        if not self._ready:
            try:
                self.connection.recv()
            except EOFError as cause:
                self._process.join()
                raise DatasetError(
                    "worker processes do not start; a script that builds a dataset with several workers must do so "
                    'under `if __name__ == "__main__":`'
                ) from cause
            self._ready = True
        with suppress(BrokenPipeError):  # it has just died: the next look at the connection says so
            self.connection.send((self._chunk, self._harmful))

    def _receive(self) -> bool:
        """Whether the chunk is written; a process that died is replaced."""
        try:
            answer = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            position = int(self._state[0])
            self._deaths[position] = self._deaths.get(position, 0) + 1
            if self._deaths[position] > 1:  # once may be chance: something else on the machine took all memory
                if position < 0:
                    raise DatasetError("a worker process keeps dying, but of no file (out of memory?)") from None
                self._blame("the process that read it died", CRASHED)
            self._restart()
            return False
        if answer == _OUT_OF_MEMORY:
            self._process.join()
            self._blame(f"needs more than {self._limits.memory / 1e6:,.0f} MB of memory to read", TOO_LARGE)
            self._restart()
            return False
        if isinstance(answer, MusaeError):
            raise answer
        return True

    def _blame(self, reason: str, kind: str) -> None:
        position = int(self._state[0])
        where = place(self._items[position])
        self._harmful[position] = Rejection(where, f"{where}: {reason}", kind)

    def _restart(self) -> None:
        self.connection.close()
        self._launch()
        self._send()

    def _work_time(self) -> float:
        """Seconds of processor time that the process has had; endless where the system does not tell."""
        try:
            with open(f"/proc/{self._process.pid}/stat") as file:
                user, system = file.read().rsplit(")", 1)[1].split()[11:13]
        except OSError:
            return float("inf")
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _work(connection: Connection, state: MutableSequence[float], reader: Reader, memory: int) -> None:
    # Control-C is the parent's to handle, and a worker whose parent was killed must not go on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    _keep_freed_memory()
    warm_up = getattr(reader.source, "warm_up", None)
    if warm_up is not None:
        warm_up()
    _limit_memory(memory)

    def begin(position: int) -> None:
        # The times first: a new item is never seen with those of the one before.
        state[1], state[2] = time.monotonic(), time.process_time()
        state[0] = position

    connection.send("ready")
    while True:
        try:
            chunk, harmful = connection.recv()
        except EOFError:
            return
        try:
            write_part(chunk, reader, harmful, begin)
        except MemoryError:
            # What a failed allocation leaves behind is unknown: a fresh process reads what comes next.
            connection.send(_OUT_OF_MEMORY)
            os._exit(1)
        except MusaeError as cause:
            connection.send(cause)
        else:
            connection.send(len(chunk.items))


def _keep_freed_memory() -> None:
    """Let the C library keep what a file took for the next one: giving it back and asking again takes half the time."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, 2**26)
        mallopt(_MMAP_THRESHOLD, 2**25)


def _limit_memory(most: int) -> None:
    """Let this process grow to `most` bytes of resident memory; an allocation beyond them fails."""
    try:
        with open("/proc/self/statm") as file:
            size, resident = (int(pages) * resource.getpagesize() for pages in file.read().split()[:2])
    except OSError:  # only Linux tells, and elsewhere the limit does not hold anyway
        return
    # Much of the address space is reserved and never touched, so the limit counts from what there is now.
    limit = size + max(most - resident, 0)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
    os._exit(1)


def make_parts(
    chunks: Sequence[Chunk], reader: Reader, workers: int, done: Callable[[int], None], limits: FileLimits | None = None
) -> None:
    """Write the part file of every chunk and call `done` with its number of items.

    Args:
        chunks: What to write.
        reader: The per-file function.
        workers: Guarded processes; 0 to work in this one, which a file that crashes or hangs the reader takes along.
        done: Told of progress.
        limits: Of one file.

    Raises:
        DatasetError: A part cannot be written, or processes do not start or keep dying.
    """
    limits = limits or FileLimits()
    if workers == 0:
        for chunk in chunks:
            _write_here(chunk, reader)
            done(len(chunk.items))
        return
    waiting = list(reversed(chunks))
    crew: list[Worker] = []
    try:
        crew += [Worker(reader, limits) for _ in range(min(workers, len(chunks)))]
        while True:
            for worker in crew:
                if waiting and not worker.busy:
                    worker.start(waiting.pop())
            busy = [worker for worker in crew if worker.busy]
            if not busy:
                return
            wait([worker.connection for worker in busy], max(0.0, min(worker.time_left() for worker in busy)))
            for worker in busy:
                items = worker.finish()
                if items is not None:
                    done(items)
    finally:
        for worker in crew:
            worker.close()


def _write_here(chunk: Chunk, reader: Reader) -> None:
    harmful: dict[int, Rejection] = {}
    reached = [-1]

    def begin(position: int) -> None:
        reached[0] = position

    while True:
        try:
            return write_part(chunk, reader, harmful, begin)
        except MemoryError:
            if reached[0] < 0:
                raise
            where = place(chunk.items[reached[0]])
            harmful[reached[0]] = Rejection(where, f"{where}: needs more memory than there is", TOO_LARGE)
