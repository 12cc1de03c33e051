"""Requests on their way to the session: alone, on a thread of their own, or joined into batches (see `batching`)."""

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from musae_tf.server.engine import Plan, Session
from musae_tf.server.status import Code, StatusError, as_status, invalid
from musae_tf.server.tensorflow_c import Tensor

Done = Callable[[list[np.ndarray] | None, StatusError | None], None]
"""Called once with the outputs or with the error, on any thread."""


def remaining_ms(deadline: float | None) -> int:
    """Milliseconds until a time of the monotonic clock, at least 1; 0 for no deadline."""
    return 0 if deadline is None or deadline == math.inf else max(1, int((deadline - time.monotonic()) * 1000))


class Task:
    """One request on its way to the session.

    Attributes:
        inputs: a tensor for each feed.
        deadline: when the answer is of no use any more, by the monotonic clock; None for never.
        done: takes the answer.
        settled: called after `done`, if it is given, and once for tasks that share it and are answered together: what
            costs as much for one answer as for many has its place there.
        created: when the task was made, by the monotonic clock.
        rows: size of dimension 0 of the inputs, once they were checked for batching; of a piece, its share of them.
        start: the first row of a piece.
    """

    __slots__ = (
        "_arrays", "_gave_up", "_parent", "created", "deadline", "done", "inputs", "rows", "settled", "start",
    )  # fmt: skip

    def __init__(
        self,
        inputs: Sequence[Tensor],
        deadline: float | None,
        done: Done,
        settled: Callable[[], None] | None = None,
        parent: "Task | None" = None,
    ):
        self.inputs, self.deadline, self.done, self.settled = inputs, deadline, done, settled
        self.created = time.monotonic()
        self.start = self.rows = 0
        self._arrays: list[np.ndarray] | None = None
        self._gave_up = False
        self._parent = parent

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for the answer any more."""
        return self._gave_up or (self._parent is not None and self._parent.abandoned)

    def abandon(self) -> None:
        """Tell that nobody waits for the answer any more; a task that has not started then ends as cancelled."""
        self._gave_up = True

    def arrays(self) -> list[np.ndarray]:
        """The values of this task's rows, of each input."""
        whole = self if self._parent is None else self._parent
        if whole._arrays is None:  # two threads that both find it so make the same
            whole._arrays = [tensor.array() for tensor in whole.inputs]
        return [array[self.start : self.start + self.rows] for array in whole._arrays]

    def is_piece(self) -> bool:
        """Whether the task is some of the rows of another."""
        return self._parent is not None

    def cancel(self) -> None:
        """Answer an abandoned task without running it."""
        self.done(None, StatusError(Code.CANCELLED, "the client has gone"))

    def pieces(self, rows: int) -> "list[Task]":
        """Tasks of at most `rows` rows that together are this one; `done` is called when all are.

        Nothing is copied: the thread that runs a piece takes its rows with `arrays`.
        """
        starts = range(0, self.rows, rows)
        results: list[list[np.ndarray] | None] = [None] * len(starts)
        lock, left = threading.Lock(), len(starts)
        failed = False

        def part_done(number: int, outputs: list[np.ndarray] | None, error: StatusError | None) -> None:
            nonlocal left, failed
            with lock:
                left -= 1
                if failed:
                    return
                failed = error is not None
                results[number] = outputs
                if left and not failed:
                    return
            if error is not None:
                self.done(None, error)
            else:
                self.done([np.concatenate(parts) for parts in zip(*results, strict=True)], None)

        made = []
        for number, start in enumerate(starts):

            def done(outputs: list[np.ndarray] | None, error: StatusError | None, number: int = number) -> None:
                part_done(number, outputs, error)

            piece = Task(self.inputs, self.deadline, done, self.settled, self)
            piece.start, piece.rows = start, min(rows, self.rows - start)
            made.append(piece)
        return made


def settle(tasks: Iterable[Task]) -> None:
    """Say of tasks that they all are answered."""
    for settled in {task.settled for task in tasks}:
        if settled is not None:
            settled()


class DirectRunner:
    """Runs every request alone, a bounded number side by side."""

    def __init__(self, threads: int, max_waiting: int):
        """Start the threads; more than `max_waiting` tasks that wait for one are refused."""
        self._threads = ThreadPoolExecutor(threads, "musae-run")
        self._places = threading.Semaphore(threads + max_waiting)
        self._max_waiting = max_waiting

    def submit(self, session: Session, plan: Plan, task: Task) -> None:
        """Run a task as soon as a thread is free.

        Raises:
            StatusError: UNAVAILABLE, too many are waiting.
        """
        if not self._places.acquire(blocking=False):
            raise StatusError(
                Code.UNAVAILABLE, f"too many requests are waiting for a thread; the server queues {self._max_waiting}"
            )
        self._threads.submit(self._run, session, plan, task)

    def close(self) -> None:
        """Run what is queued, then end the threads."""
        self._threads.shutdown()

    def _run(self, session: Session, plan: Plan, task: Task) -> None:
        try:
            if task.abandoned:
                task.cancel()
                return
            if task.deadline is not None and time.monotonic() >= task.deadline:
                raise StatusError(Code.DEADLINE_EXCEEDED, "deadline exceeded before the request was run")
            outputs = [tensor.array() for tensor in session.run(plan, task.inputs, remaining_ms(task.deadline))]
        except Exception as error:
            task.done(None, as_status(error))
        else:
            task.done(outputs, None)
        finally:
            self._places.release()
            settle([task])


def rows_of(inputs: Sequence[Tensor]) -> int:
    """The size that dimension 0 of all inputs has.

    Raises:
        StatusError: INVALID_ARGUMENT, a scalar, different sizes, or no input at all.
    """
    if not inputs:
        raise invalid("Batching session Run() must have at least one input tensor")
    if not all(tensor.shape for tensor in inputs):
        raise invalid("Batching session Run() input tensors must have at least one dimension")
    if len({tensor.shape[0] for tensor in inputs}) > 1:
        raise invalid("Batching session Run() input tensors must have equal 0th-dimension size")
    return inputs[0].shape[0]


def merge(tasks: Sequence[Task], padding: int, feeds: Sequence[str], pad_inputs: bool) -> list[Tensor]:
    """The inputs of several requests below one another.

    Args:
        tasks: requests, all of one form, whose rows were counted.
        padding: rows to add at the end: copies of the first row of the last request that has one.
        feeds: names of the inputs, for messages.
        pad_inputs: whether row shapes may differ; they are padded with the first element of their tensor.

    Returns:
        A tensor for each input.
    """
    if len(tasks) == 1 and not padding and not tasks[0].is_piece():
        return list(tasks[0].inputs)
    merged = []
    for name, *parts in zip(feeds, *(task.arrays() for task in tasks), strict=True):
        if pad_inputs:
            parts = _padded(name, parts)
        if padding:
            model = next(part for part in reversed(parts) if len(part))
            parts.append(np.repeat(model[:1], padding, axis=0))
        merged.append(Tensor.joined(parts))
    return merged


def split(outputs: Sequence[Tensor], rows: Sequence[int], total: int) -> list[list[np.ndarray]]:
    """The outputs of a batch by request.

    Args:
        outputs: what the session returned.
        rows: rows of each request.
        total: rows that were fed, padding included.

    Raises:
        StatusError: FAILED_PRECONDITION, an output is not batched.
    """
    for tensor in outputs:
        if not tensor.shape:
            raise StatusError(Code.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions")
        if tensor.shape[0] != total:
            raise StatusError(
                Code.FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
                "tensors",
            )
    arrays = [tensor.array() for tensor in outputs]
    ends = list(itertools.accumulate(rows))
    return [[array[end - count : end] for array in arrays] for end, count in zip(ends, rows, strict=True)]


def _padded(name: str, parts: list[np.ndarray]) -> list[np.ndarray]:
    if not 1 <= parts[0].ndim <= 6:
        raise invalid(f"Only tensors with rank from 1 to 6 can be padded; {name} has rank {parts[0].ndim}")
    shape = tuple(max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True))
    padded = []
    for part in parts:
        if part.shape[1:] == shape:
            whole = part
        elif not part.size:  # no first element: zeros, or empty strings
            whole = np.full((len(part), *shape), b"" if part.dtype == object else 0, part.dtype)
        else:
            whole = np.full((len(part), *shape), part.flat[0], part.dtype)
            place = (slice(None), *map(slice, part.shape[1:]))
            whole[place] = part
        padded.append(whole)
    return padded
