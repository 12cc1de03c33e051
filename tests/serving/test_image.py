"""The Dockerfile and what it puts into the image."""

import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from google.protobuf import text_format

from musae_tf.protocol.messages import BatchingParameters
from tests.serving.files import GRPC_PORT, MODEL, MODEL_PATH, REST_PORT, SERVING, dockerfile, entrypoint, run, tool

# Flags of tensorflow_model_server (main.cc) that our files may use. With a flag that it does not know it starts too and
# only prints its usage, so nothing but this list would notice a misspelt one.
KNOWN_FLAGS = {
    "port", "rest_api_port", "model_config_file", "model_config_file_poll_wait_seconds",
    "allow_version_labels_for_unavailable_models", "enable_batching", "grpc_max_threads", "batching_parameters_file",
    "monitoring_config_file", "ssl_config_file", "enable_grpc_healthcheck_service", "enable_profiler",
    "grpc_channel_arguments", "tensorflow_intra_op_parallelism", "tensorflow_inter_op_parallelism",
}  # fmt: skip


def test_the_linter_finds_nothing():
    done = run(tool("hadolint"), SERVING / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_linter_would_find_something(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN cd /tmp && apt-get install curl\n")
    assert run(tool("hadolint"), tmp_path / "Dockerfile").returncode == 1


def test_the_server_is_the_release_that_models_are_exported_with():
    image = re.search(r"ARG TF_SERVING_TAG=(\d+\.\d+)\.\d+\n", dockerfile()).group(1)
    project = (SERVING.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert re.findall(r'"tensorflow>=([\d.]+),', project) == [image]


def test_flags():
    given = entrypoint()
    assert set(given) <= KNOWN_FLAGS
    assert (given["port"], given["rest_api_port"]) == (str(GRPC_PORT), str(REST_PORT))
    assert given["enable_grpc_healthcheck_service"] == "true"
    assert given["enable_profiler"] == "false"
    channel = dict(pair.split("=") for pair in given["grpc_channel_arguments"].split(","))
    assert all(name.startswith("grpc.") and value.isdecimal() for name, value in channel.items())


def test_there_is_a_thread_for_every_call_that_the_queue_holds():
    batching = text_format.Parse((SERVING / "config/batching.config").read_text("utf-8"), BatchingParameters())
    batches = batching.num_batch_threads.value + batching.max_enqueued_batches.value
    threads = batches * batching.max_execution_batch_size.value
    assert entrypoint()["grpc_max_threads"] == str(threads)
    for file in ("prometheus/alerts.yml", "README.md"):
        text = (SERVING / file).read_text(encoding="utf-8")
        assert f"* {threads}" in text or f"grpc_max_threads={threads}" in text


def test_it_does_not_run_as_root():
    assert re.findall(r"^USER (.*)$", dockerfile(), re.MULTILINE) == ["10001:10001"]


def test_what_it_copies_is_there_and_in_the_build_context():
    ignored = (SERVING / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = re.findall(r"^COPY --chmod=\d+ (.*) \S+$", dockerfile(), re.MULTILINE)
    names = [name for line in copied for name in line.split()]
    configs = {f"config/{name}.config" for name in ("models", "batching", "monitoring")}
    assert set(names) == {*configs, "healthcheck.sh"}
    assert all((SERVING / name).is_file() for name in names)
    assert [line for line in ignored if not line.startswith("#")] == [
        "*", "!config/*.config", "config/ssl.config", "!healthcheck.sh",
    ]  # fmt: skip


def test_the_model_goes_where_the_server_looks():
    assert f"COPY --from=model --chmod=0755 / {MODEL_PATH}/" in dockerfile()
    assert f"ls {MODEL_PATH}/[0-9]*/saved_model.pb ||" in dockerfile()
    assert f'"/usr/local/bin/healthcheck.sh", "{MODEL}", "{REST_PORT}"' in dockerfile()


@pytest.fixture
def rest_server():
    """A stand-in for the server's REST port that knows one model."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            known = self.path == f"/v1/models/{MODEL}"
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(self.server.answer if known else b'{ "error": "Could not find any versions" }')

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def status(*states: str) -> bytes:
    versions = ",".join(
        f'\n  {{\n   "version": "{number}",\n   "state": "{state}",\n   "status": {{\n    "error_code": "OK",\n'
        f'    "error_message": ""\n   }}\n  }}'
        for number, state in enumerate(states, 1)
    )
    return f'{{\n "model_version_status": [{versions}\n ]\n}}\n'.encode()


@pytest.mark.parametrize(
    ("states", "healthy"),
    [
        (["AVAILABLE"], True),
        (["LOADING", "AVAILABLE", "END"], True),
        (["LOADING"], False),
        (["END", "UNLOADING"], False),
    ],
)
def test_health_follows_the_state_of_the_versions(rest_server, states, healthy):
    rest_server.answer = status(*states)
    done = run(SERVING / "healthcheck.sh", MODEL, str(rest_server.server_port))
    assert (done.returncode == 0) == healthy
    assert done.stdout == ""


def test_another_model_and_a_closed_port_are_not_healthy(rest_server):
    rest_server.answer = status("AVAILABLE")
    port = str(rest_server.server_port)
    assert run(SERVING / "healthcheck.sh", "other", port).returncode != 0
    rest_server.shutdown()
    rest_server.server_close()
    assert run(SERVING / "healthcheck.sh", MODEL, port).returncode != 0
