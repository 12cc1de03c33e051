"""Health and reflection, which gRPC's own packages answer."""

from collections.abc import Iterable

import grpc
from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer
from grpc_health.v1.health import SERVICE_NAME as HEALTH_SERVICE
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

from musae_tf.protocol import COMPILED

REFLECTION_SERVICES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
"""Two versions, which differ by their names alone; most tools still ask for the older."""


def health_handler(servicer: HealthServicer) -> grpc.GenericRpcHandler:
    """The health service. Its List is left out, which the container does not have."""
    types = {
        "request_deserializer": health_pb2.HealthCheckRequest.FromString,
        "response_serializer": health_pb2.HealthCheckResponse.SerializeToString,
    }
    return grpc.method_handlers_generic_handler(
        HEALTH_SERVICE,
        {
            "Check": grpc.unary_unary_rpc_method_handler(servicer.Check, **types),
            "Watch": grpc.unary_stream_rpc_method_handler(servicer.Watch, **types),
        },
    )


def reflection_handlers(names: Iterable[str]) -> list[grpc.GenericRpcHandler]:
    """Server reflection, of both versions, for services by their full names and for itself."""
    servicer = ReflectionServicer([*names, *REFLECTION_SERVICES], _descriptors())
    call = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": call}) for name in REFLECTION_SERVICES]


def _descriptors() -> DescriptorPool:
    """All services and messages: tools look up whatever is listed."""
    older = FileDescriptorProto.FromString(reflection_pb2.DESCRIPTOR.serialized_pb)
    newer = text_format.Parse(str(older).replace("v1alpha", "v1"), FileDescriptorProto())
    health = FileDescriptorProto.FromString(health_pb2.DESCRIPTOR.serialized_pb)
    pool = DescriptorPool()
    for file in (*FileDescriptorSet.FromString(COMPILED.read_bytes()).file, older, newer, health):
        pool.AddSerializedFile(file.SerializeToString())
    return pool
