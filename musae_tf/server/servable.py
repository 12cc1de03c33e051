"""A loaded version of a model: its session, its signatures, and the way that requests take to the session."""

import threading
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np

from musae_tf.protocol.messages import PredictRequest
from musae_tf.server.batching import BatchingLimits, BatchQueue, BatchScheduler
from musae_tf.server.engine import Plan, Session
from musae_tf.server.signature import UNLIMITED, RequestLimits, Signature, find_signature
from musae_tf.server.tasks import DirectRunner, Task
from musae_tf.server.tensorflow_c import Tensor

_MOST_PLANS = 1000


class Prepared(NamedTuple):
    """A checked Predict request.

    Attributes:
        signature: effective name of the signature.
        outputs: names of the outputs to answer with.
        feeds: tensors of the graph to feed.
        fetches: tensors of the graph to fetch, one for each output.
        inputs: a tensor for each feed.
    """

    signature: str
    outputs: tuple[str, ...]
    feeds: Sequence[str]
    fetches: Sequence[str]
    inputs: list[Tensor]


class Servable:
    """A loaded version.

    Attributes:
        path: its folder.
        definitions: its signatures as the model carries them, a SignatureDefMap.
        signatures: the same by name, for requests.
    """

    def __init__(
        self,
        path: Path,
        session: Session,
        direct: DirectRunner,
        scheduler: BatchScheduler | None = None,
        limits: BatchingLimits | None = None,
    ):
        """Wrap a session; with `scheduler` and `limits` its requests are batched."""
        self.path = path
        self.definitions = session.signatures
        self.signatures = {name: Signature(definition) for name, definition in session.signatures.signature_def.items()}
        self._session, self._direct = session, direct
        self._scheduler, self._limits = scheduler, limits
        self._plans: dict[tuple, tuple[Plan, BatchQueue | None]] = {}
        self._lock = threading.Lock()

    def prepare(self, request: PredictRequest, limits: RequestLimits = UNLIMITED) -> Prepared:
        """Check a request against the model, in the container's order.

        Raises:
            StatusError: what is wrong with it.
        """
        name, signature = find_signature(self.signatures, request.model_spec.signature_name)
        checked, shapes = signature.check(request.inputs)
        outputs = signature.outputs(request.output_filter)
        inputs = signature.tensors(checked, shapes, request.inputs, limits)
        fetches = tuple(signature.fetches[alias] for alias in outputs)
        return Prepared(name, outputs, signature.feeds, fetches, inputs)

    def submit(self, feeds: Sequence[str], fetches: Sequence[str], task: Task) -> None:
        """Run a task that feeds and fetches tensors by name.

        Raises:
            StatusError: it cannot be queued.
        """
        plan, queue = self._plan(tuple(feeds), tuple(fetches))
        if queue is None:
            self._direct.submit(self._session, plan, task)
        else:
            queue.submit(task)

    def run(
        self, feeds: Sequence[str], fetches: Sequence[str], inputs: Sequence[Tensor], deadline: float | None = None
    ) -> list[np.ndarray]:
        """Feed and fetch tensors by name, and wait for the outputs.

        Raises:
            StatusError: it cannot be queued, or it fails.
        """
        answer: SimpleQueue = SimpleQueue()
        self.submit(feeds, fetches, Task(inputs, deadline, lambda *result: answer.put(result)))
        outputs, error = answer.get()
        if error is not None:
            raise error
        return outputs

    def interrupt(self) -> None:
        """Cut the requests under way."""
        self._session.interrupt()

    def close(self) -> None:
        """Free the session."""
        self._session.close()

    def _plan(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> tuple[Plan, BatchQueue | None]:
        key = (feeds, fetches)
        with self._lock:
            if key not in self._plans:
                if len(self._plans) >= _MOST_PLANS:
                    self._plans.clear()  # a client tries every subset of many outputs; queues that hold tasks live on
                plan = self._session.plan(feeds, fetches)
                queue = None
                if self._limits is not None and self._scheduler is not None:
                    queue = BatchQueue(self._scheduler, self._session, plan, feeds, self._limits)
                self._plans[key] = plan, queue
            return self._plans[key]
