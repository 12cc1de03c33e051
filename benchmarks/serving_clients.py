"""Clients of a served model that check every answer, and the requests they send."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc
import numpy as np

from musae_tf.protocol.codec import to_array, to_proto
from musae_tf.protocol.messages import PredictRequest, PredictResponse
from musae_tf.protocol.services import PREDICT

CASES = 64
"""Different requests of a load; each has an expected answer."""


@dataclass
class Case:
    """A request and its answer: tokens int32 [rows, T, K]."""

    signature: str
    inputs: dict[str, np.ndarray]
    expected: np.ndarray | None = None

    def request(self, model: str) -> PredictRequest:
        """The message for a model of this name."""
        request = PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = model, self.signature
        for name, array in self.inputs.items():
            request.inputs[name].CopyFrom(to_proto(array))
        request.output_filter.append("tokens")
        return request


@dataclass
class Outcome:
    """What came of a load.

    Attributes:
        latencies: seconds of each request that was answered.
        failures: how often each status came instead.
        wrong: answers that were not the expected ones.
        seconds: that the load took.
    """

    latencies: list[float] = field(default_factory=list)
    failures: Counter = field(default_factory=Counter)
    wrong: int = 0
    seconds: float = 0.0

    def __iadd__(self, other: "Outcome") -> "Outcome":
        self.latencies += other.latencies
        self.failures += other.failures
        self.wrong += other.wrong
        self.seconds += other.seconds
        return self


class Clients:
    """Clients side by side, each a thread with a connection of its own."""

    def __init__(self, port: int, model: str, count: int):
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        self._channels = [grpc.insecure_channel(f"127.0.0.1:{port}", options) for _ in range(count)]
        self._calls = [
            channel.unary_unary(PREDICT.path, PredictRequest.SerializeToString, PredictResponse.FromString)
            for channel in self._channels
        ]
        self._model = model

    def load(self, cases: list[Case], going: Callable[[], bool]) -> Outcome:
        """Ask as long as `going` says, each client one request after the other, and check every answer."""
        outcome, lock = Outcome(), threading.Lock()

        def client(number: int) -> None:
            mine = Outcome()
            for case in itertools.islice(itertools.cycle(cases), number, None):
                if not going():
                    break
                started = time.perf_counter()
                try:
                    reply = self._calls[number](case.request(self._model), timeout=30)
                except grpc.RpcError as error:
                    mine.failures[error.code().name] += 1
                    continue
                mine.latencies.append(time.perf_counter() - started)
                mine.wrong += not np.array_equal(to_array(reply.outputs["tokens"]), case.expected)
            with lock:
                outcome.__iadd__(mine)

        threads = [threading.Thread(target=client, args=(number,)) for number in range(len(self._calls))]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        outcome.seconds = time.monotonic() - started
        return outcome

    def flood(self, case: Case, count: int) -> tuple[Counter, float]:
        """Ask `count` times at once: how often each status came, and how long the last answer took."""
        started, request = time.monotonic(), case.request(self._model)
        waiting = [self._calls[number % len(self._calls)].future(request, timeout=60) for number in range(count)]
        codes = Counter(call.code().name for call in waiting)
        return codes, time.monotonic() - started

    def close(self) -> None:
        """Close the connections."""
        for channel in self._channels:
            channel.close()


def make_cases(signature: str, facts: dict, rows: int) -> list[Case]:
    """Requests of `rows` phrases; half of the phrases are greedy."""
    cases = []
    for number in range(CASES):
        random = np.random.default_rng(number)
        inputs = {
            "temperature": (0.9 * (np.arange(rows) % 2)).astype(np.float32),
            "seed": random.integers(-(2**31), 2**31, (rows, 2)).astype(np.int32),
        }
        if signature == "sample":
            inputs["genre"] = random.integers(0, len(facts["genres"]), rows).astype(np.int32)
        else:
            shape = (rows, facts["steps"], facts["tracks"])
            inputs["tokens"] = random.integers(0, facts["vocabulary_sizes"], shape).astype(np.int32)
        cases.append(Case(signature, inputs))
    return cases


def message_times(cases: list[Case], model: str) -> dict[str, float]:
    """Microseconds of CPU that the generator spends on one request's messages."""
    reply = PredictResponse()
    reply.outputs["tokens"].CopyFrom(to_proto(cases[0].expected, typed=True))
    data = reply.SerializeToString()
    times = {}
    for name, function in (
        ("make and serialize", lambda: [case.request(model).SerializeToString() for case in cases]),
        ("parse and compare", lambda: [to_array(PredictResponse.FromString(data).outputs["tokens"]) for _ in cases]),
    ):
        spent = []
        for _ in range(20):
            started = time.thread_time()
            function()
            spent.append(time.thread_time() - started)
        times[name] = 1e6 * min(spent) / len(cases)
    return times
