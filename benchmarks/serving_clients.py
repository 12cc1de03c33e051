"""Clients of a served model that check every answer, and the requests they send."""

import itertools
import selectors
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc
import numpy as np

from benchmarks.serving_wire import PATIENCE, Connection
from musae_tf.protocol.codec import to_array, to_proto
from musae_tf.protocol.messages import PredictRequest, PredictResponse
from musae_tf.protocol.services import PREDICT

CASES = 64
"""Different requests of a load; each has an expected answer."""

_OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
_STATUS_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


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
    """Clients side by side, each a connection with one request under way; one thread speaks on all of them."""

    def __init__(self, port: int, model: str, count: int):
        """Prepare the clients; they connect when they first ask."""
        self._port, self._model = port, model
        self._connections = [Connection(port, PREDICT.path) for _ in range(count)]
        self._selector = selectors.DefaultSelector()

    def load(self, cases: list[Case], going: Callable[[], bool]) -> Outcome:
        """Ask as long as `going` says, each client one request after the other, and check every answer."""
        outcome, right = Outcome(), [set() for _ in cases]
        messages = [case.request(self._model).SerializeToString() for case in cases]
        turns = {
            connection: itertools.islice(itertools.cycle(range(len(cases))), number, None)
            for number, connection in enumerate(self._connections)
        }
        under_way: dict[Connection, tuple[int, float]] = {}

        def fail(connection: Connection, status: str) -> None:
            outcome.failures[status] += 1
            self._hang_up(connection)
            ask(connection)

        def ask(connection: Connection) -> None:
            while going():
                number, begun = next(turns[connection]), time.perf_counter()
                try:
                    self._connect(connection)
                    connection.ask(messages[number])
                except OSError:
                    outcome.failures["UNAVAILABLE"] += 1
                    self._hang_up(connection)
                else:
                    under_way[connection] = number, begun
                    return

        started = time.monotonic()
        self._catch_up()
        for connection in self._connections:
            ask(connection)
        while under_way:
            ready = self._selector.select(PATIENCE + 5)
            for connection in [key.data for key, _ in ready] or list(under_way):
                if not ready:  # longer than any deadline
                    under_way.pop(connection)
                    fail(connection, "DEADLINE_EXCEEDED")
                    continue
                try:
                    reply = connection.read()
                except OSError:
                    if under_way.pop(connection, None):
                        fail(connection, "UNAVAILABLE")
                    else:
                        self._hang_up(connection)
                    continue
                if reply is None:
                    continue
                number, begun = under_way.pop(connection)
                if reply.status:
                    outcome.failures[_STATUS_NAMES[reply.status]] += 1
                else:
                    outcome.latencies.append(time.perf_counter() - begun)
                    outcome.wrong += not _is_right(reply.message, cases[number], right[number])
                ask(connection)
        outcome.seconds = time.monotonic() - started
        return outcome

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            self._hang_up(connection)
        self._selector.close()

    def _catch_up(self) -> None:
        """Answer what the server has said between two loads; connections that it has closed are opened again."""
        for key, _ in self._selector.select(0):
            try:
                key.data.read()
            except OSError:
                self._hang_up(key.data)

    def _connect(self, connection: Connection) -> None:
        if connection.socket is None:
            connection.open()
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def _hang_up(self, connection: Connection) -> None:
        if connection.socket is not None:
            self._selector.unregister(connection.socket)
            connection.close()


def _is_right(message: bytes, case: Case, right: set[bytes]) -> bool:
    """Whether an answer has the expected tokens; `right` holds serialized answers that had, so equal bytes have too."""
    if message in right:
        return True
    tokens = PredictResponse.FromString(message).outputs["tokens"]
    if not np.array_equal(to_array(tokens), case.expected):
        return False
    right.add(message)
    return True


@dataclass
class Flood:
    """What came of many requests at once.

    Attributes:
        codes: how often each status came.
        slowest: seconds until the last answer with each status.
    """

    codes: Counter = field(default_factory=Counter)
    slowest: dict[str, float] = field(default_factory=dict)


def flood(port: int, model: str, case: Case, count: int, connections: int) -> Flood:
    """Ask `count` times without waiting for an answer, over some connections of grpcio's own client."""
    request, outcome, done = case.request(model), Flood(), threading.Semaphore(0)
    channels = [grpc.insecure_channel(f"127.0.0.1:{port}", _OPTIONS) for _ in range(connections)]
    for channel in channels:
        grpc.channel_ready_future(channel).result(PATIENCE)
    calls = [channel.unary_unary(PREDICT.path, PredictRequest.SerializeToString) for channel in channels]
    lock, started = threading.Lock(), time.monotonic()

    def note(call: grpc.Future) -> None:
        with lock:
            name = call.code().name
            outcome.codes[name] += 1
            outcome.slowest[name] = time.monotonic() - started
        done.release()

    for number in range(count):
        calls[number % connections].future(request, timeout=2 * PATIENCE).add_done_callback(note)
    for _ in range(count):
        done.acquire()
    for channel in channels:
        channel.close()
    return outcome


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
