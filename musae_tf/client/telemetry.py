"""OpenTelemetry traces of a client: a span for what it was asked, and in it one for each request, whose `traceparent`
goes to the server. Loaded when they are asked for.
"""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import grpc

from musae_tf.errors import ClientError

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider


class ClientTraces:
    """What makes the spans of one client.

    Args:
        provider: where they go.
        target: who is asked.
        model: for what model.

    Raises:
        ClientError: OpenTelemetry is not installed.
    """

    def __init__(self, provider: "TracerProvider", target: str, model: str):
        try:
            from opentelemetry.instrumentation import grpc as instrumentation
            from opentelemetry.instrumentation.grpc import grpcext
        except ImportError:
            raise ClientError("traces need OpenTelemetry: pip install 'musae-tf[telemetry]'") from None
        self._intercept, self._instrumentation, self._provider = grpcext.intercept_channel, instrumentation, provider
        self._tracer = provider.get_tracer("musae_tf.client")
        self._attributes = {"server.address": target, "musae.model": model}

    def span(self, verb: str) -> AbstractContextManager[Any]:
        """A span around all requests and pauses of one verb."""
        return self._tracer.start_as_current_span(f"musae {verb}", attributes=self._attributes)

    def watched(self, channel: grpc.Channel) -> grpc.Channel:
        """The channel, with a span for each of its requests."""
        return self._intercept(channel, self._instrumentation.client_interceptor(self._provider))

    def interceptors(self) -> list[Any]:
        """The same for a channel of asyncio, which takes them when it is made."""
        return self._instrumentation.aio_client_interceptors(self._provider)
