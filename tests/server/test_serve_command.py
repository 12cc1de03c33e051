"""`musae serve` as a process: what it prints, what it refuses, and how it ends."""

import gzip
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue

import grpc
import numpy as np
import pytest

from musae_tf.cli import main
from musae_tf.protocol import services
from tests.server.client import Client, predict_request, rows
from tests.waiting import LIMIT, wait_for


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_serve_prints_where_it_is_and_drains_on_sigterm(base_of_all, tmp_path):
    (tmp_path / "batching").write_text("max_batch_size { value: 8 }")
    (tmp_path / "monitoring").write_text("prometheus_config { enable: true }")
    rest_port = free_port()
    metrics = f"http://127.0.0.1:{rest_port}/monitoring/prometheus/metrics"
    process = subprocess.Popen(
        [sys.executable, "-m", "musae_tf.cli", "serve", str(base_of_all), "--port", free_port(),
         "--rest_api_port", rest_port, "--model-name=mine", "--enable_batching=true",
         "--batching_parameters_file", str(tmp_path / "batching"),
         "--monitoring-config-file", str(tmp_path / "monitoring"),
         "--grpc_channel_arguments=grpc.max_metadata_size=9999"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        printed = ""
        while "next:" not in printed:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            printed += line
        assert f"serving mine, version 1, from {base_of_all}" in printed
        port = int(re.search(r"gRPC: 127\.0\.0\.1:(\d+)", printed)[1])
        assert "/monitoring/prometheus/metrics" in printed
        assert process.stdout.readline().startswith("  # ")
        assert process.stdout.readline().strip().endswith(f"request sample --server localhost:{port} --model mine")
        with Client(port) as client:
            assert client.predict("", "mine", x=rows())["version"] == [1]
            with pytest.raises(grpc.RpcError, match="maximum input batch size 8"):
                client.predict("", "mine", x=rows(9))
            request = predict_request("slow", "mine", rounds=np.array([1000], np.int32))
            slow = client.stub(services.PREDICT).future(request, timeout=LIMIT)
            wait_for(lambda: re.search(rb"wrapped_run_count\S* 2\n", urllib.request.urlopen(metrics).read()))
            process.send_signal(signal.SIGTERM)
            assert slow.result().model_spec.version.value == 1
        rest, errors = process.communicate(timeout=LIMIT)
        assert process.returncode == 0
        assert "stopping" in rest
        assert "Traceback" not in errors
        assert "oneDNN" not in errors
    finally:
        process.kill()


def test_traces_go_to_the_collector_that_the_environment_names(base_of_all):
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra telemetry is not installed")
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    posted: SimpleQueue[tuple[str, bytes]] = SimpleQueue()

    class Collector(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.put((self.path, gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body))
            self.send_response(200)
            self.end_headers()

    port = free_port()
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}"}
        process = subprocess.Popen(
            [sys.executable, "-m", "musae_tf.cli", "serve", str(base_of_all), "--port", port, "--rest-api-port", "0",
             "--model-name", "mine", "--enable-tracing"], stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        try:
            while "next:" not in process.stdout.readline():
                assert process.poll() is None
            with Client(int(port)) as client:
                client.predict("", "mine", x=rows())
            process.terminate()
            process.communicate(timeout=LIMIT)
            assert process.returncode == 0
            path, body = posted.get(timeout=LIMIT)
        finally:
            process.kill()
            collector.shutdown()
    assert path == "/v1/traces"
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    named = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
    assert named["service.name"] == "musae-serve"
    assert [span.name for scope in resource.scope_spans for span in scope.spans] == [services.PREDICT.path]


def test_a_run_without_an_export_names_the_command(tmp_path, capfd):
    (tmp_path / "run.json").write_text("{}")
    assert main(["serve", str(tmp_path)]) == 2
    assert f"publish it with musae export {tmp_path}" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "nowhere is neither a run nor a model folder"),
        (["{base}/1"], "is one version of a model; name the folder that holds the versions: {base}"),
        (["{base}", "--batching-parameters-file", "x"], "is set without setting --enable-batching to true"),
        (["{base}", "--enable-batching", "--batching-parameters-file", "{file}"],
         "{file} is not a BatchingParameters: it has no field secret"),
        (["{base}", "--ssl-config-file", "{file}"], "{file} is not a SSLConfig: it has no field secret"),
        (["{base}", "--ssl-config-file", "nowhere"], "nowhere cannot be read: No such file or directory"),
        (["--model-config-file", "{file}"], "{file} is not a ModelServerConfig: it has no field secret"),
        (["{base}", "--port", "70000"], "'70000' is not a whole number from 0 to 65535"),
        (["--enable-batching", "{base}"], "is not true or false"),
        (["--model-base-path", "relative"], "Expected model default to have an absolute path or URI"),
    ],
)  # fmt: skip
def test_mistakes_get_one_sentence(base_of_all, tmp_path, capfd, arguments, sentence):
    (tmp_path / "file").write_text('secret: "hunter2"')
    names = {"base": base_of_all, "file": tmp_path / "file"}
    try:
        code = main(["serve", *(argument.format(**names) for argument in arguments)])
    except SystemExit as stop:
        code = stop.code
    errors = capfd.readouterr().err
    assert code == 2
    assert sentence.format(**names) in errors
    assert "hunter2" not in errors
    assert "Traceback" not in errors


AT_EVERY_STEP = """
import itertools, os, signal, sys, threading
from musae_tf.cli.serve import _wait_for_signal

signal.signal(signal.SIGTERM, lambda *_: None)
before = signal.getsignal(signal.SIGTERM)
left = 0

def trace(*_):
    global left
    if signal.getsignal(signal.SIGTERM) is not before:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGTERM)
    return trace

for step in itertools.count(1):
    left = step
    late = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM))
    late.start()
    sys.settrace(trace)
    _wait_for_signal()
    sys.settrace(None)
    late.cancel()
    if left > 0:
        break  # the wait has fewer steps
print(step)
"""


def test_a_signal_is_heard_whenever_it_comes():
    """Also while the server is about to wait for it, at whatever step of that."""
    done = subprocess.run([sys.executable, "-c", AT_EVERY_STEP], capture_output=True, text=True, timeout=60)
    assert int(done.stdout) > 5, done.stderr
