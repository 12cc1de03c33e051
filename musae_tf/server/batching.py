"""Joins requests that arrive together into one run of the session and splits the results again.

The rules are those of the container's batching session, with two differences for the sake of the other requests in a
batch: requests whose rows differ in dtype or shape get batches of their own, and when a batch fails, each of its
requests is run again alone, so that a bad request fails alone.
"""

import collections
import itertools
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from musae_tf.protocol.messages import BatchingParameters
from musae_tf.server.engine import Plan, Session
from musae_tf.server.prometheus import Metrics
from musae_tf.server.status import Code, StatusError, as_status, invalid
from musae_tf.server.tasks import Task, merge, remaining_ms, rows_of, settle, split


@dataclass(frozen=True)
class BatchingLimits:
    """BatchingParameters with the scheduler's defaults filled in.

    Attributes:
        max_rows: rows of the largest request.
        max_run_rows: rows of the largest batch.
        timeout: seconds to wait for a batch to fill.
        max_batches: batches that wait in one queue.
        allowed_sizes: ascending; a batch is padded up to one of them. Empty: any size.
        pad_inputs: pad dimensions after the first to the largest of the batch.
        splits: whether requests larger than a batch are split.
    """

    max_rows: int = 1000
    max_run_rows: int = 1000
    timeout: float = 0.0
    max_batches: int = 10
    allowed_sizes: tuple[int, ...] = ()
    pad_inputs: bool = False
    splits: bool = False


@dataclass
class _Batch:
    """Tasks to run together.

    Attributes:
        form: dtypes and row shapes that all tasks share.
        opened: when the first task came, by the monotonic clock.
    """

    form: tuple
    opened: float
    tasks: list[Task] = field(default_factory=list)
    rows: int = 0


class BatchScheduler:
    """The threads that run batches, shared by all models."""

    def __init__(self, threads: int, name: str, metrics: Metrics):
        """Start the threads; `name` labels the metrics."""
        self.name, self.metrics = name, metrics
        self.changed = threading.Condition()
        self._waiting: collections.deque[BatchQueue] = collections.deque()  # queues that hold tasks
        self._closing = False
        self._threads = [
            threading.Thread(target=self._run, name=f"musae-batch-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Run what is queued, then end the threads."""
        with self.changed:
            self._closing = True
            self.changed.notify_all()
        for thread in self._threads:
            thread.join()

    def wake(self, queue: "BatchQueue") -> None:
        """A queue got its first task, or filled a batch; the caller holds `changed`."""
        if queue not in self._waiting:
            self._waiting.append(queue)
        self.changed.notify()

    def _run(self) -> None:
        while True:
            with self.changed:
                taken = self._take()
                while taken is None:
                    if self._closing and not self._waiting:
                        return
                    self.changed.wait(self._patience())
                    taken = self._take()
            queue, batch = taken
            queue.process(batch)

    def _take(self) -> "tuple[BatchQueue, _Batch] | None":
        """The first batch that is full or has waited long enough, taking queues in turn."""
        now = time.monotonic()
        for _ in range(len(self._waiting)):
            queue = self._waiting.popleft()
            batch = queue.take(now, self._closing)
            if queue.batches:
                self._waiting.append(queue)
            if batch is not None:
                return queue, batch
        return None

    def _patience(self) -> float | None:
        due = [queue.batches[0].opened + queue.limits.timeout for queue in self._waiting]
        return max(0.0, min(due) - time.monotonic()) if due else None


class BatchQueue:
    """The tasks of one plan: the same tensors fed and fetched.

    Attributes:
        limits: sizes and times.
        batches: those not yet taken; only the last one takes more tasks.
    """

    def __init__(
        self, scheduler: BatchScheduler, session: Session, plan: Plan, feeds: Sequence[str], limits: BatchingLimits
    ):
        self.limits = limits
        self.batches: collections.deque[_Batch] = collections.deque()
        self._scheduler, self._session, self._plan, self._feeds = scheduler, session, plan, feeds

    def submit(self, task: Task) -> None:
        """Queue a task.

        Raises:
            StatusError: its inputs cannot be batched, it is too large, or the queue is full.
        """
        limits = self.limits
        task.rows = rows_of(task.inputs)
        self._scheduler.metrics.input_batch_size.observe(task.rows)
        if task.rows > limits.max_rows:
            raise invalid(f"Task size {task.rows} is larger than maximum input batch size {limits.max_rows}")
        pieces = [task]
        if limits.splits and task.rows > limits.max_run_rows:
            # Before the pieces are copied: a server that is flooded has no time for what it then refuses.
            self._refuse_if_full(-(-task.rows // limits.max_run_rows) - 1)
            pieces = task.pieces(limits.max_run_rows)
        # With padding, any two shapes of one rank fit together.
        form = tuple(
            (tensor.dtype, len(tensor.shape) if limits.pad_inputs else tensor.shape[1:]) for tensor in task.inputs
        )
        with self._scheduler.changed:
            self._enqueue(pieces, form)

    def _enqueue(self, pieces: Sequence[Task], form: tuple) -> None:
        limits = self.limits
        last = self.batches[-1] if self.batches else None
        fits = last is not None and last.form == form and last.rows + pieces[0].rows <= limits.max_run_rows
        self._refuse_if_full(len(pieces) - fits)
        for number, piece in enumerate(pieces):
            if last is None or number or not fits:
                last = _Batch(form, time.monotonic())
                self.batches.append(last)
            last.tasks.append(piece)
            last.rows += piece.rows
            if len(last.tasks) == 1 or last.rows >= limits.max_run_rows:
                self._scheduler.wake(self)

    def _refuse_if_full(self, more: int) -> None:
        """Raise UNAVAILABLE if there is no room for so many more batches."""
        waiting, most = len(self.batches), self.limits.max_batches
        if waiting + more > most:
            raise StatusError(
                Code.UNAVAILABLE,
                "The batch scheduling queue to which this task was submitted is full; currently "
                f"{waiting} batches enqueued and max_enqueued_batches is {most}",
            )

    def take(self, now: float, closing: bool) -> _Batch | None:
        """The oldest batch if it is full, closed by a later one, or old enough; the scheduler's lock is held."""
        if not self.batches:
            return None
        first = self.batches[0]
        full = len(self.batches) > 1 or first.rows >= self.limits.max_run_rows
        if full or closing or now - first.opened >= self.limits.timeout:
            return self.batches.popleft()
        return None

    def process(self, batch: _Batch) -> None:
        """Run a batch and answer its tasks."""
        metrics, now = self._scheduler.metrics, time.monotonic()
        tasks, over = [], []
        for task in batch.tasks:
            metrics.queuing_latency.observe((now - task.created) * 1e6, self._scheduler.name)
            if task.abandoned:
                task.cancel()
                over.append(task)
            elif task.deadline is not None and now >= task.deadline:
                late = "Run() timeout exceeded while waiting in batching queue"
                task.done(None, StatusError(Code.RESOURCE_EXHAUSTED, late))
                over.append(task)
            else:
                tasks.append(task)
        settle(over)
        if tasks:
            self._run(tasks)

    def _run(self, tasks: list[Task]) -> None:
        try:
            results = self._run_together(tasks)
        except Exception as failure:
            error = as_status(failure)
            if len(tasks) > 1 and error.code is not Code.DEADLINE_EXCEEDED:
                for task in tasks:
                    self._run([task])
            else:
                for task in tasks:
                    task.done(None, error)
                settle(tasks)
            return
        for task, outputs in zip(tasks, results, strict=True):
            task.done(outputs, None)
        settle(tasks)

    def _run_together(self, tasks: list[Task]) -> list[list]:
        metrics = self._scheduler.metrics
        rows = sum(task.rows for task in tasks)
        size = next((size for size in self.limits.allowed_sizes if size >= rows > 0), rows)
        metrics.processed_batch_size.observe(size)
        metrics.padding_size.observe(size - rows, str(size))
        metrics.wrapped_run_count.add()
        inputs = merge(tasks, size - rows, self._feeds, self.limits.pad_inputs)
        deadlines = [math.inf if task.deadline is None else task.deadline for task in tasks]
        outputs = self._session.run(self._plan, inputs, remaining_ms(max(deadlines)))
        return split(outputs, [task.rows for task in tasks], size)


def limits_from(parameters: BatchingParameters) -> BatchingLimits:
    """Limits out of a BatchingParameters message.

    Raises:
        StatusError: INVALID_ARGUMENT, values that contradict one another.
    """

    def value(name: str, default: Any) -> Any:
        return getattr(parameters, name).value if parameters.HasField(name) else default

    max_rows = value("max_batch_size", BatchingLimits.max_rows)
    splits = value("enable_large_batch_splitting", False)
    max_run_rows = value("max_execution_batch_size", max_rows) if splits else max_rows
    max_batches = value("max_enqueued_batches", BatchingLimits.max_batches)
    timeout = value("batch_timeout_micros", 0)
    sizes = tuple(parameters.allowed_batch_sizes)
    for name, number, least in (
        ("max_batch_size", max_rows, 1), ("max_execution_batch_size", max_run_rows, 1),
        ("max_enqueued_batches", max_batches, 0), ("batch_timeout_micros", timeout, 0),
    ):  # fmt: skip
        if number < least:
            raise invalid(f"{name} must be at least {least}; was {number}")
    if max_run_rows > max_rows:
        raise invalid(
            f"max_execution_batch_size should be less than or equal to max_batch_size; was {max_run_rows} and "
            f"{max_rows}"
        )
    if sizes and sizes[-1] != max_run_rows:
        what = "max_execution_batch_size" if splits else "max_batch_size"
        raise invalid(
            f"Last entry in allowed_batch_sizes must match {what}; last entry was {sizes[-1]}; expected {max_run_rows}"
        )
    if any(later <= earlier for earlier, later in itertools.pairwise(sizes)) or (sizes and sizes[0] < 1):
        raise invalid("allowed_batch_sizes entries must be in monotonically increasing order")
    return BatchingLimits(
        max_rows, max_run_rows, timeout / 1e6, max_batches, sizes, parameters.pad_variable_length_inputs, splits
    )
