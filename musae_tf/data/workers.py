"""The engines that turn chunks of songs into part files on this machine: guarded processes, or none."""

from collections.abc import Callable, Sequence
from multiprocessing.connection import wait

from musae_tf.data.guard import Limits, Worker
from musae_tf.data.parts import Chunk, Reader, write_part
from musae_tf.data.source import TOO_LARGE, Rejection, place


def make_parts(
    chunks: Sequence[Chunk], reader: Reader, workers: int, done: Callable[[int], None], limits: Limits | None = None
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
    limits = limits or Limits()
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
