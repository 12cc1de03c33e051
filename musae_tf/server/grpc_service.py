"""The gRPC services on an asyncio server: one thread reads and writes, the engine's threads run the graphs."""

import asyncio
import collections
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor

import grpc
from google.protobuf.message import DecodeError, Message

from musae_tf.protocol import services
from musae_tf.protocol.messages import PredictRequest
from musae_tf.protocol.services import Method
from musae_tf.server.handlers import Handlers
from musae_tf.server.predict import Prediction
from musae_tf.server.runner import Task
from musae_tf.server.status import Code, StatusError, as_status, wire_message

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_LARGE = 16 * 1024
"""Requests of more bytes are read on another thread: they would hold up all others. What a smaller one can claim to
hold is bounded by the signature and by what it sent."""

Context = grpc.aio.ServicerContext


class PredictionService:
    """PredictionService and ModelService, answered by Handlers."""

    def __init__(self, handlers: Handlers, executor: Executor, as_content: bool):
        """Serve on the running loop.

        Blocking work goes to `executor`; `as_content` packs outputs into `tensor_content`.
        """
        self._handlers, self._executor, self._as_content = handlers, executor, as_content
        self._loop = asyncio.get_running_loop()
        self._answered: collections.deque = collections.deque()

    def generic_handlers(self) -> list[grpc.GenericRpcHandler]:
        """What `grpc.aio.Server.add_generic_rpc_handlers` takes."""
        threads = self._executor
        calls = {
            services.PREDICT: self._predict,
            services.CLASSIFY: self._blocking(services.CLASSIFY, self._handlers.classify, threads, "Classify"),
            services.REGRESS: self._blocking(services.REGRESS, self._handlers.regress, threads, "Regress"),
            services.MULTI_INFERENCE: self._blocking(services.MULTI_INFERENCE, self._handlers.multi_inference, threads),
            services.GET_MODEL_METADATA: self._blocking(
                services.GET_MODEL_METADATA, _timeless(self._handlers.metadata), threads
            ),
            services.GET_MODEL_STATUS: self._blocking(
                services.GET_MODEL_STATUS, _timeless(self._handlers.status), threads
            ),
            # It may wait for a model without end: not on the threads that others need.
            services.HANDLE_RELOAD_CONFIG_REQUEST: self._blocking(
                services.HANDLE_RELOAD_CONFIG_REQUEST, _timeless(self._handlers.reload), None
            ),
        }
        return [
            grpc.method_handlers_generic_handler(
                service,
                # No (de)serializers: bytes that are no message must get the container's code, not the library's.
                {
                    method.name: grpc.unary_unary_rpc_method_handler(call)
                    for method, call in calls.items()
                    if method.service == service
                },
            )
            for service in (services.PREDICTION_SERVICE, services.MODEL_SERVICE)
        ]

    async def _predict(self, data: bytes, context: Context) -> bytes:
        started, status, model = time.monotonic(), Code.OK, ""
        loop = self._loop
        answer: asyncio.Future[bytes] = loop.create_future()
        task: Task | None = None
        try:
            if len(data) > _LARGE:
                request = await loop.run_in_executor(self._executor, _parse, PredictRequest, data)
            else:
                request = _parse(PredictRequest, data)
            model = request.model_spec.name
            arguments = (request, _deadline(context), self._taking(answer), self._wake)
            if len(data) > _LARGE:
                task = await loop.run_in_executor(self._executor, self._handlers.predict, *arguments)
            else:
                task = self._handlers.predict(*arguments)
            return await answer
        except Exception as error:
            failure = as_status(error)
            status = failure.code
            await _abort(context, failure)
        except asyncio.CancelledError:
            # The client has gone, or its deadline has passed.
            status = Code.CANCELLED
            if task is not None:
                task.abandon()
            raise
        finally:
            self._handlers.count(model, status, started, "Predict", "GRPC")

    def _taking(self, answer: "asyncio.Future[bytes]") -> Callable:
        """What the engine calls on its own thread, which serializes there."""

        def done(prediction: Prediction | None, error: StatusError | None) -> None:
            data = None
            if error is None:
                try:
                    data = prediction.response(self._as_content).SerializeToString()
                except Exception as failure:
                    error = as_status(failure)
            self._answered.append((answer, data, error))

        return done

    def _wake(self) -> None:
        """Hand what is answered to the loop. For each answer by itself, the two threads would wait for each other."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        while self._answered:
            answer, data, error = self._answered.popleft()
            if answer.done():
                continue  # cancelled meanwhile
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(data)

    def _blocking(
        self,
        method: Method,
        function: Callable[[Message, float | None], Message],
        executor: Executor | None,
        counted: str = "",
    ) -> Callable[[bytes, Context], Awaitable[bytes]]:
        """A method that runs on a thread of `executor`, or of the loop's own if that is None.

        `counted` is its name in the metrics, if it has one.
        """

        def run(data: bytes, deadline: float | None) -> bytes:
            request = _parse(method.request, data)
            if not counted:
                return function(request, deadline).SerializeToString()
            with self._handlers.counted(request, counted, "GRPC"):
                return function(request, deadline).SerializeToString()

        async def call(data: bytes, context: Context) -> bytes:
            try:
                return await self._loop.run_in_executor(executor, run, data, _deadline(context))
            except Exception as error:
                await _abort(context, as_status(error))

        return call


def _parse(kind: type[Message], data: bytes) -> Message:
    try:
        return kind.FromString(data)
    except DecodeError:
        raise StatusError(Code.INTERNAL, "") from None  # as a C++ server answers


def _deadline(context: Context) -> float | None:
    left = context.time_remaining()
    return None if left is None else time.monotonic() + left


def _timeless(function: Callable[[Message], Message]) -> Callable[[Message, float | None], Message]:
    return lambda request, deadline: function(request)


async def _abort(context: Context, error: StatusError) -> None:
    await context.abort(_CODES[error.code], wire_message(error.message))
