"""The other process of serving_load.py: the embedded server and, to compare with, a bare session of the same model."""

import functools
import os
import threading
import time
import types
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from musae_tf.cli.shared import standard_error_held_back
from musae_tf.protocol.messages import PredictRequest
from musae_tf.server import ModelServer, Options
from musae_tf.server.batching import limits_from
from musae_tf.server.engine import Session, start_engine
from musae_tf.server.grpc_service import PredictionService
from musae_tf.server.handlers import Prediction
from musae_tf.server.options import one_model, read_batching
from musae_tf.server.server import collect_seldom
from musae_tf.server.tasks import Task, merge, rows_of, split
from musae_tf.server.tensorflow_c import Tensor, library

Arrays = Mapping[str, np.ndarray]


class Raw:
    """The model in a session of its own, with the server's settings: no wire, no queue, no Python but the loop."""

    def __init__(self, folder: Path, options: Options):
        self._session = Session(folder, options.tags, options.engine_threads, options.inter_op_threads)
        self._threads = options.batching.threads

    def run(self, signature: str, inputs: Arrays) -> np.ndarray:
        """The tokens of one run."""
        return self._prepared(signature, inputs)()[0].array()

    def throughput(self, signature: str, inputs: Arrays, seconds: float) -> tuple[float, float]:
        """Rows a second, and seconds of CPU a row, of as many loops side by side as the server has batch threads."""
        run, counts, end = self._prepared(signature, inputs), [0] * self._threads, time.monotonic() + seconds

        def loop(number: int) -> None:
            while not counts[number] or time.monotonic() < end:
                run()
                counts[number] += 1

        loops = [threading.Thread(target=loop, args=(number,)) for number in range(self._threads)]
        started, before = time.monotonic(), time.process_time()
        for thread in loops:
            thread.start()
        for thread in loops:
            thread.join()
        rows = sum(counts) * len(next(iter(inputs.values())))
        return rows / (time.monotonic() - started), (time.process_time() - before) / rows

    def _prepared(self, signature: str, inputs: Arrays) -> Callable[[], list[Tensor]]:
        definition = self._session.signatures.signature_def[signature]
        feeds = [definition.inputs[name].name for name in inputs]
        plan = self._session.plan(feeds, [definition.outputs["tokens"].name])
        tensors = [Tensor.joined([array]) for array in inputs.values()]
        return lambda: self._session.run(plan, tensors)


class LoopTime:
    """Seconds of CPU that this project's code takes on the loop of gRPC; the rest of that thread is gRPC's own."""

    def __init__(self) -> None:
        """Count from now on; to be made before the server."""
        self.seconds = 0.0
        predict, deliver = PredictionService._predict, PredictionService._deliver

        @types.coroutine
        def driven(coroutine: Coroutine[Any, Any, bytes]) -> Generator[Any, Any, bytes]:
            step = functools.partial(coroutine.send, None)
            while True:
                try:
                    waits_for = self._counted(step)
                except StopIteration as finished:
                    return finished.value
                try:
                    step = functools.partial(coroutine.send, (yield waits_for))
                except BaseException as thrown:
                    step = functools.partial(coroutine.throw, thrown)

        async def timed_predict(service: PredictionService, data: bytes, context: Any) -> bytes:
            return await driven(predict(service, data, context))

        PredictionService._predict = timed_predict  # type: ignore[method-assign]
        PredictionService._deliver = lambda service: self._counted(lambda: deliver(service))  # type: ignore[method-assign]

    def _counted(self, step: Callable[[], Any]) -> Any:
        started = time.thread_time()
        try:
            return step()
        finally:
            self.seconds += time.thread_time() - started


ENGINE, GRPC_LOOP, GRPC_THREADS = "engine", "gRPC's Python loop", "gRPC's own threads"
OUR_LOOP, OUR_BATCHES = "ours on that loop: read, check, queue", "ours: join, run, split, write answers"
SHARES = {ENGINE: (ENGINE,), "gRPC": (GRPC_LOOP, GRPC_THREADS), "ours": (OUR_LOOP, OUR_BATCHES)}
"""Whose the threads' time is."""


def thread_times(loop_time: LoopTime) -> dict[str, float]:
    """Seconds of CPU of this process by what its threads are for; all under "all" where there is no /proc."""
    if not Path("/proc/self/task").is_dir():
        return {"all": time.process_time()}
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    tick, times = os.sysconf("SC_CLK_TCK"), Counter()
    for task in Path("/proc/self/task").iterdir():
        try:
            before, _, after = (task / "stat").read_text().rpartition(")")
        except OSError:
            continue  # it has ended
        fields = after.split()
        name = names.get(int(task.name)) or before.partition("(")[2]
        times[_purpose(name)] += (int(fields[11]) + int(fields[12])) / tick
    times[OUR_LOOP] = loop_time.seconds
    times[GRPC_LOOP] -= loop_time.seconds
    return dict(times)


def _purpose(name: str) -> str:
    if name.startswith("musae-batch"):
        return OUR_BATCHES
    if name.startswith("musae-grpc"):
        return GRPC_LOOP
    if name.startswith(("event_engine", "Thread-", "lifeguard", "grpc", "default-exec", "resolver")):
        return GRPC_THREADS
    return "other" if name.startswith(("musae", "MainThread")) else ENGINE


def stage_times(server: ModelServer, requests: Sequence[bytes], repeats: int = 50) -> dict[str, float]:
    """Seconds of CPU a request of each stage in Python, timed one by one while nothing else happens."""
    spec = PredictRequest.FromString(requests[0]).model_spec
    times = {}

    def timed(stage: str, function: Callable[[], list]) -> list:
        best, result = float("inf"), function()
        for _ in range(repeats):
            started = time.thread_time()
            result = function()
            best = min(best, time.thread_time() - started)
        times[stage] = best / len(requests)
        return result

    with server.core.lease(spec) as lease:
        parsed = timed("parse", lambda: [PredictRequest.FromString(data) for data in requests])
        ready = timed(
            "check and make tensors", lambda: [lease.loaded.prepare(one, server.core.limits) for one in parsed]
        )
        first, rows = ready[0], [rows_of(one.inputs) for one in ready]

        def join() -> list[Tensor]:
            tasks = [Task(one.inputs, None, lambda outputs, error: None) for one in ready]
            for task, count in zip(tasks, rows, strict=True):
                task.rows = count
            return merge(tasks, 0, first.feeds, False)

        joined = timed("join", join)
        outputs = [Tensor.joined([array]) for array in lease.loaded.run(first.feeds, first.fetches, joined)]
        parts = timed("split", lambda: split(outputs, rows, sum(rows)))
        answers = [Prediction(spec.name, 1, first.signature, dict(zip(first.outputs, part, strict=True)))
                   for part in parts]  # fmt: skip
        messages = timed("make answers", lambda: [answer.response() for answer in answers])
        timed("serialize", lambda: [message.SerializeToString() for message in messages])
    return times


def serve(connection: Connection, base: Path, batching_file: Path) -> None:
    """Serve the model folder `base`; then do what comes in by `connection` until it says to stop."""
    with standard_error_held_back():
        start_engine()
    batching, loop_time = read_batching(batching_file, False), LoopTime()
    options = Options(one_model(base.name, str(base)), port=0, rest_port=None, poll_seconds=0.2, batching=batching)
    with ModelServer(options) as server:
        collect_seldom()
        raw = Raw(next(folder for folder in base.iterdir() if folder.name.isdecimal()), options)
        metrics = server.core.metrics
        commands = {
            "raw": raw.run,
            "throughput": raw.throughput,
            "threads": lambda: thread_times(loop_time),
            "stages": lambda requests: stage_times(server, requests),
            "batches": lambda: metrics.processed_batch_size.totals(),
            "states": lambda: {number: entry.state for number, entry in server.core.versions(base.name).items()},
        }
        facts = {
            "tensorflow": library().TF_Version().decode(),
            "intra_op_threads": options.engine_threads,
            "batch_threads": batching.threads,
            "batch_rows": limits_from(batching.parameters).max_run_rows,
        }
        connection.send((server.port, facts))
        while (asked := connection.recv()) is not None:
            name, *arguments = asked
            connection.send(commands[name](*arguments))
