"""grpc.health.v1 and server reflection."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import grpc
from google.protobuf.descriptor import FileDescriptor

from musae_tf.protocol import services
from musae_tf.protocol.messages import POOL, HealthCheckRequest, HealthCheckResponse

_NAMES = ("", "ModelService", "PredictionService")
"""What can be asked for, as in the container."""


class Health:
    """The health service: serving from the first moment, whatever the models do, until the server stops."""

    def __init__(self):
        self._serving = True
        self._changed = asyncio.Condition()

    async def stop(self) -> None:
        """Answer NOT_SERVING from now on."""
        async with self._changed:
            self._serving = False
            self._changed.notify_all()

    def generic_handler(self) -> grpc.GenericRpcHandler:
        """What `grpc.aio.Server.add_generic_rpc_handlers` takes."""
        types = {
            "request_deserializer": HealthCheckRequest.FromString,
            "response_serializer": HealthCheckResponse.SerializeToString,
        }
        return grpc.method_handlers_generic_handler(
            services.HEALTH_SERVICE,
            {
                "Check": grpc.unary_unary_rpc_method_handler(self._check, **types),
                "Watch": grpc.unary_stream_rpc_method_handler(self._watch, **types),
            },
        )

    def _status(self, name: str) -> HealthCheckResponse:
        if name not in _NAMES:
            return HealthCheckResponse(status="SERVICE_UNKNOWN")
        return HealthCheckResponse(status="SERVING" if self._serving else "NOT_SERVING")

    async def _check(self, request, context) -> HealthCheckResponse:
        if request.service not in _NAMES:
            await context.abort(grpc.StatusCode.NOT_FOUND, "")
        return self._status(request.service)

    async def _watch(self, request, context) -> AsyncIterator[HealthCheckResponse]:
        yield self._status(request.service)
        async with self._changed:
            await self._changed.wait_for(lambda: not self._serving)
        yield self._status(request.service)


def reflection_handlers(served: Iterable[str]) -> list[grpc.GenericRpcHandler]:
    """Server reflection, of both versions, for services by their full names."""
    listed = sorted([*served, *services.REFLECTION_SERVICES])
    return [_reflection_handler(name, listed) for name in services.REFLECTION_SERVICES]


def _reflection_handler(service: str, listed: list[str]) -> grpc.GenericRpcHandler:
    method = services.methods(service)["ServerReflectionInfo"]

    async def answer(requests, context) -> AsyncIterator:
        async for request in requests:
            response = method.response(valid_host=request.host, original_request=request)
            try:
                _fill(response, request, listed)
            except KeyError:
                response.error_response.error_code = grpc.StatusCode.NOT_FOUND.value[0]
                response.error_response.error_message = "not found"
            yield response

    return grpc.method_handlers_generic_handler(
        service,
        {
            method.name: grpc.stream_stream_rpc_method_handler(
                answer, request_deserializer=method.request.FromString,
                response_serializer=method.response.SerializeToString,
            )
        },
    )  # fmt: skip


def _fill(response, request, listed: list[str]) -> None:
    """Answer one request.

    Raises:
        KeyError: what it asks for does not exist.
    """
    kind = request.WhichOneof("message_request")
    if kind == "list_services":
        for name in listed:
            response.list_services_response.service.add(name=name)
    elif kind == "file_by_filename":
        _add_files(response, POOL.FindFileByName(request.file_by_filename))
    elif kind == "file_containing_symbol":
        _add_files(response, POOL.FindFileContainingSymbol(request.file_containing_symbol))
    elif kind == "all_extension_numbers_of_type":
        # proto3 messages have no extensions.
        message = POOL.FindMessageTypeByName(request.all_extension_numbers_of_type)
        response.all_extension_numbers_response.base_type_name = message.full_name
    else:
        raise KeyError(kind)


def _add_files(response, file: FileDescriptor) -> None:
    """A file and all that it imports, each once."""
    waiting, seen = [file], set()
    while waiting:
        current = waiting.pop()
        if current.name not in seen:
            seen.add(current.name)
            response.file_descriptor_response.file_descriptor_proto.append(current.serialized_pb)
            waiting.extend(current.dependencies)
