"""OpenTelemetry traces of the server: a span for each request, in the trace of the client if that sent a `traceparent`.
OpenTelemetry is loaded when they are asked for.
"""

import os
import re
from typing import TYPE_CHECKING, Any

from musae_tf.protocol import services
from musae_tf.server.status import ServeError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_SERVICES = (services.PREDICTION_SERVICE, services.MODEL_SERVICE)
_METHODS = frozenset(method.path for service in _SERVICES for method in services.methods(service).values())
_MISSING = "traces need OpenTelemetry: pip install 'musae-tf[telemetry]'"


def grpc_interceptors(provider: Any) -> list[Any]:
    """What `grpc.aio.server` takes, for the methods of the API alone: no probes, and no names that a stranger made up.

    Raises:
        ServeError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.instrumentation.grpc import aio_server_interceptor
    except ImportError:
        raise ServeError(_MISSING) from None
    return [aio_server_interceptor(provider, filter_=lambda call: call.method in _METHODS)]


def traced(application: Any, provider: Any, metrics_path: str | None) -> Any:
    """An ASGI application with a span for each request but those for the metrics.

    Raises:
        ServeError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    except ImportError:
        raise ServeError(_MISSING) from None
    return OpenTelemetryMiddleware(
        application,
        excluded_urls=None if metrics_path is None else re.escape(metrics_path),
        default_span_details=lambda scope: (scope["method"], {}),  # paths are a stranger's: they are an attribute
        tracer_provider=provider,
        exclude_spans=["receive", "send"],
    )


def exporting_provider() -> "TracerProvider":
    """A provider whose spans go where OTEL_EXPORTER_OTLP_ENDPOINT and its like say, over HTTP; shut it down at the end.

    Raises:
        ServeError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ServeError(_MISSING) from None
    name = os.environ.get("OTEL_SERVICE_NAME", "musae-serve")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
