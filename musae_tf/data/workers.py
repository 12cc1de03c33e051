"""Processes that turn chunks of songs into part files, and survive files that kill the reader."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import NamedTuple

from musae_tf.data.parts import measure, write_part
from musae_tf.data.source import Source, place
from musae_tf.errors import DatasetError
from musae_tf.music.layouts import Layout


class Chunk(NamedTuple):
    """Items that go to one part file."""

    path: Path
    items: Sequence[Hashable]


def make_parts(
    chunks: Sequence[Chunk], source: Source, layout: Layout, workers: int, done: Callable[[int], None]
) -> None:
    """Write the part file of every chunk and call `done` with its number of items.

    One worker means this process. More are fresh processes ("spawn": safe whatever libraries and threads the caller
    has). If one dies, the chunks that were being read are searched for the file that kills it, which is recorded.

    Raises:
        DatasetError: A part cannot be written, or processes do not start or keep dying.
    """
    if workers == 1:
        for chunk in chunks:
            write_part(chunk.path, source, layout, chunk.items)
            done(len(chunk.items))
        return
    waiting = list(reversed(chunks))
    while waiting:
        with _pool(workers, source, layout) as pool:
            running: dict = {}
            try:
                while waiting or running:
                    # A short queue keeps all workers busy and tells which chunks a dead one may have had.
                    while waiting and len(running) < 2 * workers:
                        chunk = waiting.pop()
                        running[pool.submit(_write, *chunk)] = chunk
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        future.result()
                        done(len(running.pop(future).items))
            except BrokenProcessPool:
                suspects = list(running.values())
            except BaseException:
                pool.shutdown(cancel_futures=True)  # what is being written is finished first
                raise
            else:
                return
        for chunk in suspects:
            if not chunk.path.exists():
                _write_carefully(chunk, source, layout)
            done(len(chunk.items))


def _write_carefully(chunk: Chunk, source: Source, layout: Layout) -> None:
    """Write a chunk that was being read when a process died, without the items that kill a process on their own."""
    try:
        with _pool(1, source, layout) as pool:
            return pool.submit(_write, *chunk).result()
    except BrokenProcessPool:
        crashed = _find_crashing(chunk, source, layout)
    try:
        with _pool(1, source, layout) as pool:
            return pool.submit(_write, *chunk, crashed).result()
    except BrokenProcessPool as cause:
        raise DatasetError("a worker process was killed, but by no single file (out of memory?)") from cause


def _find_crashing(chunk: Chunk, source: Source, layout: Layout) -> dict[int, str]:
    crashed: dict[int, str] = {}
    untried = list(range(len(chunk.items)))
    while untried:
        try:
            with _pool(1, source, layout) as pool:
                while untried:
                    pool.submit(_try, chunk.items[untried[0]]).result()
                    del untried[0]
        except BrokenProcessPool:
            position = untried.pop(0)
            crashed[position] = f"{place(chunk.items[position])}: the process that read it died"
    return crashed


def _pool(workers: int, source: Source, layout: Layout) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _start, (source, layout))
    try:
        pool.submit(os.getpid).result()
    except BrokenProcessPool as cause:
        pool.shutdown(wait=False)
        raise DatasetError(
            "worker processes do not start; a script that builds a dataset with several workers must do so under "
            '`if __name__ == "__main__":`'
        ) from cause
    return pool


_state: tuple[Source, Layout]


def _start(source: Source, layout: Layout) -> None:
    global _state
    _state = source, layout
    # Control-C is the parent's to handle, and a worker whose parent was killed must not wait for work for ever.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    wait_for([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _write(path: Path, items: Sequence[Hashable], crashed: dict[int, str] | None = None) -> None:
    write_part(path, *_state, items, crashed)


def _try(item: Hashable) -> None:
    source, layout = _state
    with suppress(Exception):  # what can be raised can be recorded: only a death matters here
        measure(source.load(item), layout)
