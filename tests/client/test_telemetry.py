"""Traces of client and server, over a real connection."""

import json
import subprocess
import sys
import urllib.request

import grpc
import pytest

from musae_tf.client import MusaeClient, NotFoundError
from musae_tf.errors import ClientError
from musae_tf.protocol import services
from musae_tf.server.status import ServeError
from tests.waiting import wait_for

pytest.importorskip("opentelemetry.instrumentation.grpc", reason="the extra telemetry is not installed")
pytest.importorskip("opentelemetry.instrumentation.asgi", reason="the extra telemetry is not installed")

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

PREDICT = services.PREDICT.path


class Traces:
    """A provider, and the spans that have ended."""

    def __init__(self) -> None:
        self.provider, self._kept = TracerProvider(), InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._kept))

    def ended(self, count: int) -> list[ReadableSpan]:
        """As many spans as there are to be, in the order of their beginning."""
        wait_for(lambda: len(self._kept.get_finished_spans()) >= count)
        spans = self._kept.get_finished_spans()
        assert len(spans) == count, [span.name for span in spans]
        return sorted(spans, key=lambda span: span.start_time)


@pytest.fixture
def here() -> Traces:
    return Traces()


@pytest.fixture
def there() -> Traces:
    return Traces()


@pytest.fixture
def server(serve, there):
    with serve(tracer_provider=there.provider, rest_port=0, metrics_path="/metrics") as server:
        yield server


def test_a_verb_is_a_span_and_each_request_one_in_it_on_both_sides(server, here, there, ask):
    ask(f"localhost:{server.port}", "sample", "hymns", 4, tracer_provider=here.provider)
    verb, *requests = here.ended(4)
    assert (verb.name, verb.parent) == ("musae sample", None)
    assert verb.attributes["musae.model"] == "musae"
    answers = there.ended(3)
    for request, answer in zip(requests, answers, strict=True):
        assert (request.name, request.kind, answer.kind) == (PREDICT, SpanKind.CLIENT, SpanKind.SERVER)
        assert (answer.name, answer.attributes["rpc.grpc.status_code"]) == (PREDICT, 0)
        assert request.parent.span_id == verb.context.span_id
        assert answer.parent.span_id == request.context.span_id
        assert {request.context.trace_id, answer.context.trace_id} == {verb.context.trace_id}


def test_what_fails_is_marked_on_both_sides(server, here, there, ask):
    with pytest.raises(NotFoundError):
        ask(f"localhost:{server.port}", "describe", model="other", tracer_provider=here.provider)
    verb, first, *_ = here.ended(3)
    assert verb.status.status_code is first.status.status_code is StatusCode.ERROR
    answer, *_ = there.ended(2)
    assert answer.attributes["rpc.grpc.status_code"] == grpc.StatusCode.NOT_FOUND.value[0]


def test_a_client_without_traces_sends_none_and_the_server_begins_its_own(server, scripted, there):
    with MusaeClient(scripted.target, "echo") as musae:
        musae.describe()
    _, _, metadata = scripted.asked[-1]
    assert "traceparent" not in metadata
    with MusaeClient(f"localhost:{server.port}") as musae:
        musae.describe()
    (answer,) = there.ended(1)
    assert answer.parent is None


def test_rest_joins_the_trace_of_its_client_and_metrics_are_left_out(server, there):
    address = f"http://localhost:{server.rest_port}"
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    urllib.request.urlopen(f"{address}/metrics").read()
    headers = {"traceparent": f"00-{trace}-{parent}-01"}
    body = json.dumps({"signature_name": "describe", "instances": [{"request": 0}]}).encode()
    request = urllib.request.Request(f"{address}/v1/models/musae:predict", body, headers)
    assert json.load(urllib.request.urlopen(request))["predictions"]
    (answer,) = there.ended(1)
    assert (answer.name, answer.kind) == ("POST", SpanKind.SERVER)
    assert (f"{answer.context.trace_id:032x}", f"{answer.parent.span_id:016x}") == (trace, parent)


@pytest.mark.parametrize(
    "sent",
    [("traceparent", "00-0-0-01"), ("traceparent", "00-" + "f" * 6000), ("tracestate", "=,,="), ("baggage", ";")],
)
def test_headers_that_are_no_trace_are_no_matter(server, there, sent):
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        call = channel.unary_unary(
            services.GET_MODEL_STATUS.path,
            services.GET_MODEL_STATUS.request.SerializeToString,
            services.GET_MODEL_STATUS.response.FromString,
        )
        request = services.GET_MODEL_STATUS.request()
        request.model_spec.name = "musae"
        assert call(request, metadata=(sent,), timeout=30).model_version_status[0].version == 1
    (answer,) = there.ended(1)
    assert answer.parent is None


def test_probes_and_made_up_methods_leave_no_span(server, there):
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=30) is not None
        for path in ("/made/up", "/none"):
            with pytest.raises(grpc.RpcError) as refused:
                channel.unary_unary(path)(b"", timeout=30)
            assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    with MusaeClient(f"localhost:{server.port}") as musae:
        musae.describe()
    (answer,) = there.ended(1)
    assert answer.name == PREDICT


def test_nothing_of_it_is_loaded_unless_it_is_asked_for():
    code = "import musae_tf.client, musae_tf.server, sys; print('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"


def test_without_the_package_it_says_what_to_install(serve, here, monkeypatch):
    for name in ("grpc", "asgi"):
        monkeypatch.setitem(sys.modules, f"opentelemetry.instrumentation.{name}", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    from musae_tf.server.telemetry import exporting_provider

    sentence = r"traces need OpenTelemetry: pip install 'musae-tf\[telemetry\]'"
    with pytest.raises(ClientError, match=sentence):
        MusaeClient("localhost:1", tracer_provider=here.provider)
    with pytest.raises(ServeError, match=sentence):
        serve(tracer_provider=here.provider).start()
    with pytest.raises(ServeError, match=sentence):
        exporting_provider()
