"""The gRPC services on an asyncio server: one thread reads and writes, the engine's threads run the graphs."""

import asyncio
import collections
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, NoReturn, TypeAlias, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from musae_tf.protocol import services
from musae_tf.protocol.messages import PredictRequest
from musae_tf.protocol.services import Method
from musae_tf.server.handlers import Handlers, Prediction
from musae_tf.server.status import Code, StatusError, as_status, wire_message
from musae_tf.server.tasks import Task
from musae_tf.server.wire import check_entries

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_LARGE, _HUGE = 16 * 1024, 2**20
"""Requests of more bytes are read on another thread: they would hold up all others. What a smaller one can claim to
hold is bounded by the signature and by what it sent."""

MessageT = TypeVar("MessageT", bound=Message)
Context: TypeAlias = Any  # grpc.aio.ServicerContext, which comes without types


class PredictionService:
    """PredictionService and ModelService, answered by Handlers."""

    def __init__(self, handlers: Handlers, executor: Executor, huge: Executor, as_content: bool):
        """Serve on the running loop.

        Args:
            handlers: what answers.
            executor: for blocking work.
            huge: for that of huge requests, which take turns: on many threads, they would share the interpreter among
                themselves and leave little to the loop.
            as_content: whether outputs are packed into `tensor_content`.
        """
        self._handlers, self._executor, self._huge, self._as_content = handlers, executor, huge, as_content
        self._loop = asyncio.get_running_loop()
        self._answered: collections.deque = collections.deque()

    def generic_handlers(self) -> list[grpc.GenericRpcHandler]:
        """What `grpc.aio.Server.add_generic_rpc_handlers` takes."""
        handlers = self._handlers
        calls = {
            services.PREDICT: self._predict,
            services.CLASSIFY: self._blocking(services.CLASSIFY, handlers.classify, "Classify"),
            services.REGRESS: self._blocking(services.REGRESS, handlers.regress, "Regress"),
            services.MULTI_INFERENCE: self._blocking(services.MULTI_INFERENCE, handlers.multi_inference),
            services.GET_MODEL_METADATA: self._blocking(services.GET_MODEL_METADATA, handlers.metadata),
            services.GET_MODEL_STATUS: self._blocking(services.GET_MODEL_STATUS, handlers.status),
            services.HANDLE_RELOAD_CONFIG_REQUEST: self._blocking(
                services.HANDLE_RELOAD_CONFIG_REQUEST, handlers.reload, waits=True
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
            executor = self._executor_for(data)
            if len(data) > _LARGE:
                request = await loop.run_in_executor(executor, _parse, PredictRequest, data)
            else:
                request = _parse(PredictRequest, data)
            model = request.model_spec.name
            arguments = (request, _deadline(context), self._taking(answer), self._wake)
            if len(data) > _LARGE:
                task = await loop.run_in_executor(executor, self._handlers.predict, *arguments)
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

    def _executor_for(self, data: bytes) -> Executor:
        return self._huge if len(data) > _HUGE else self._executor

    def _taking(self, answer: "asyncio.Future[bytes]") -> Callable:
        """What the engine calls on its own thread, which serializes there."""

        def done(prediction: Prediction | None, error: StatusError | None) -> None:
            data = None
            if prediction is not None:
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
        self, method: Method, function: Callable[[Any], Message], counted: str = "", waits: bool = False
    ) -> Callable[[bytes, Context], Awaitable[bytes]]:
        """A method that runs on a thread.

        Args:
            method: what it is.
            function: what answers it.
            counted: its name in the metrics, if it has one.
            waits: whether it may wait without end: then it takes none of the threads that others need.
        """

        def run(data: bytes) -> bytes:
            request: Any = _parse(method.request, data)
            if not counted:
                return function(request).SerializeToString()
            with self._handlers.counted(request, counted, "GRPC"):
                return function(request).SerializeToString()

        async def call(data: bytes, context: Context) -> bytes:
            try:
                return await self._loop.run_in_executor(None if waits else self._executor_for(data), run, data)
            except Exception as error:
                await _abort(context, as_status(error))
                raise

        return call


class UnknownMethods(grpc.GenericRpcHandler):
    """Answers what nothing else does, without a text, as a C++ server. To be added last."""

    def service(self, handler_call_details: Any) -> grpc.RpcMethodHandler:
        """A handler for any method."""

        async def refuse(request: bytes, context: Context) -> NoReturn:
            await _abort(context, StatusError(Code.UNIMPLEMENTED, ""))

        return grpc.unary_unary_rpc_method_handler(refuse)


def _parse(kind: type[MessageT], data: bytes) -> MessageT:
    check_entries(kind, data)
    try:
        return kind.FromString(data)
    except DecodeError:
        raise StatusError(Code.INTERNAL, "") from None  # as a C++ server answers


def _deadline(context: Context) -> float | None:
    left = context.time_remaining()
    return None if left is None else time.monotonic() + left


async def _abort(context: Context, error: StatusError) -> NoReturn:
    await context.abort(_CODES[error.code], wire_message(error.message))
    raise error  # never comes here: abort raises
