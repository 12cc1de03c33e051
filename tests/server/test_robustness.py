"""What must not hurt the server: deadlines, clients that go, garbage, giants, and strangers to its TLS."""

import logging
import resource
import socket
import struct
import subprocess
import time
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from musae_tf.protocol import services
from musae_tf.protocol.messages import PredictRequest, TensorProto
from musae_tf.server import ModelServer, Options
from musae_tf.server.options import Batching, ServerTls, one_model, read_tls
from musae_tf.server.standard_services import HEALTH_SERVICE, REFLECTION_SERVICES
from musae_tf.server.status import ServeError
from tests.server.client import Client, predict_request, rows
from tests.server.conftest import publish
from tests.waiting import LIMIT, wait_for


def test_the_engine_keeps_the_deadline(serve, base, saved_models):
    _, client = serve(base)
    with pytest.raises(grpc.RpcError) as failed:
        client.predict("slow", rounds=np.array([10**8], np.int32), timeout=0.5)
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    # The run itself has ended, not only the wait for it: its version can be unloaded.
    publish(saved_models / "two", base, 2)
    wait_for(lambda: client.states()[1][0] == "END")
    assert client.predict(x=rows())["version"] == [2]


def test_clients_that_hang_up(runs, serve, base):
    _, client = serve(base, threads=1)
    with runs.held():
        calls = [client.stub(services.PREDICT).future(predict_request(x=rows())) for _ in range(20)]
        wait_for(lambda: runs.begun == 1 and len(runs.taken) == 20)
        for call in calls:
            call.cancel()
        wait_for(lambda: all(task.abandoned for task in runs.taken))
    assert client.predict(x=rows())["version"] == [1]
    assert runs.begun == 2, "those that had not begun are left out"


def test_too_many_waiting_requests(runs, serve, base):
    _, client = serve(base, threads=1, max_waiting_requests=2)
    stub = client.stub(services.PREDICT)
    with runs.held():
        calls = [stub.future(predict_request(x=rows()), timeout=LIMIT) for _ in range(10)]
        wait_for(lambda: sum(call.done() for call in calls) == 7)
    codes = [call.code() for call in calls]
    assert codes.count(grpc.StatusCode.OK) == 3
    assert codes.count(grpc.StatusCode.UNAVAILABLE) == 7


def test_random_bytes_on_the_ports(served, client):
    random = np.random.default_rng(0)
    for port in (served.port, served.rest_port):
        for start in (b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n", b"POST /v1/models/m:predict "):
            for abrupt in (False, True):
                with socket.create_connection(("localhost", port), timeout=5) as connection:
                    connection.sendall(start + random.bytes(2000))
                    if abrupt:  # closing then sends RST
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    else:
                        connection.shutdown(socket.SHUT_WR)
    assert client.predict(x=rows())["version"] == [1]


def test_a_message_of_13_megabytes(client):
    x = np.ones((4096, 400), np.float32)
    answer = client.predict("ragged", x=np.concatenate([x, x], axis=1), timeout=60)
    assert answer["x"].shape == (4096, 800)
    assert client.predict(x=rows())["version"] == [1]


def test_a_message_beyond_the_limit(serve, base):
    _, client = serve(base, max_request_bytes=2**20)
    with pytest.raises(grpc.RpcError) as failed:
        client.predict("ragged", x=np.ones((100, 4096), np.float32))
    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert client.predict(x=rows())["version"] == [1]


def shaped(*sizes: int, dtype: str = "DT_FLOAT", **fields) -> TensorProto:
    return TensorProto(dtype=dtype, tensor_shape={"dim": [{"size": size} for size in sizes]}, **fields)


@pytest.mark.parametrize(
    ("signature", "alias", "tensor", "message"),
    [
        ("", "x", shaped(10_000, 2), "input x has 10000 rows, larger than this server's maximum of 4096"),
        ("", "x", shaped(1, 10**12), "needs more memory than this server's maximum of 16777216 bytes a request"),
        ("natural", "x", shaped(0, 2**40, 2**40, dtype="DT_INT32"), "needs more memory"),
        ("shout", "text", shaped(4096, dtype="DT_STRING", string_val=[b"x" * 100_000]), "needs more memory"),
        ("shout", "text", shaped(4096, dtype="DT_STRING", string_val=[b""]), "must have 4096 values, 1 were sent"),
        ("ragged", "x", shaped(4096, 8), "must have 32768 values, 0 were sent"),
        (
            "ragged",
            "x",
            TensorProto(dtype=1, tensor_shape={"unknown_rank": True, "dim": [{"size": 2**40}, {}]}),
            "1099511627776 rows, larger than",
        ),
        ("natural", "x", shaped(512, 3000, dtype="DT_STRING"), "to be int32 but string is provided"),
        ("natural", "x", shaped(64, 64, dtype="DT_INT32"), r"input x has shape \[64, 64\], must have \[any\]"),
    ],
    ids=[
        "rows",
        "elements",
        "hidden behind a zero",
        "one string over and over",
        "more strings than sent",
        "more numbers than sent",
        "no rank",
        "another type",
        "another shape",
    ],
)
def test_absurd_shapes_are_refused_before_they_take_memory(client, signature, alias, tensor, message):
    request = PredictRequest(model_spec={"name": "model", "signature_name": signature})
    request.inputs[alias].CopyFrom(tensor)
    with pytest.raises(grpc.RpcError, match=message) as failed:
        client.call(services.PREDICT, request)
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("settings", [{}, {"batching": Batching()}], ids=["alone", "batched"])
def test_small_requests_that_claim_much_hold_up_nobody(serve, base, settings):
    _, client = serve(base, **settings)
    strings = shaped(512, 3000, dtype="DT_STRING", string_val=[b""])
    hostile = PredictRequest(model_spec={"name": "model", "signature_name": "add"}, inputs={"a": strings, "b": strings})
    assert hostile.ByteSize() < 103
    for _ in range(20):
        before = time.process_time()
        with pytest.raises(grpc.RpcError, match="to be float but string is provided"):
            client.call(services.PREDICT, hostile)
        assert client.predict(x=rows())["version"] == [1]
        assert time.process_time() - before < 0.5


def test_a_shape_of_gigabytes_takes_no_memory(client):
    request = PredictRequest(model_spec={"name": "model", "signature_name": "ragged"})
    request.inputs["x"].CopyFrom(shaped(10_000, 100_000, float_val=[1]))  # the last value is repeated: 4 GB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(20):
        with pytest.raises(grpc.RpcError, match="10000 rows, larger than this server's maximum"):
            client.call(services.PREDICT, request)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@pytest.mark.parametrize("name", ["../model", "/etc", "model/1", "model\x00", "..", "%2e%2e"])
def test_names_reach_nothing_but_the_configured_models(client, name):
    with pytest.raises(grpc.RpcError) as failed:
        client.call(services.PREDICT, predict_request(model=name, x=rows()))
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_taken_port_is_said_in_one_sentence(served, base_of_all):
    options = Options(one_model("model", str(base_of_all)), port=served.port, rest_port=None)
    with pytest.raises(ServeError, match=f"cannot listen on 127.0.0.1:{served.port}"), ModelServer(options):
        pass


def test_stopping_answers_what_is_under_way_and_takes_no_more(runs, serve, base):
    server, client = serve(base, drain_seconds=LIMIT)
    slow = client.stub(services.PREDICT).future(
        predict_request("slow", rounds=np.array([500], np.int32)), timeout=LIMIT
    )
    wait_for(lambda: runs.begun == 1)
    server.stop()
    assert slow.result().model_spec.version.value == 1
    with pytest.raises(grpc.RpcError) as failed:
        client.predict(x=rows(), timeout=2)
    assert failed.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def test_stopping_cuts_what_takes_too_long(runs, serve, base):
    server, client = serve(base)
    endless = client.stub(services.PREDICT).future(predict_request("slow", rounds=np.array([10**8], np.int32)))
    wait_for(lambda: runs.begun == 1)
    server.stop(0.2)  # returns long before the run would end
    assert endless.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


def test_health(client):
    health = HealthStub(client.channel)
    for name in ("", "PredictionService", "ModelService"):
        assert health.Check(HealthCheckRequest(service=name), timeout=10).status == 1
    with pytest.raises(grpc.RpcError) as failed:
        health.Check(HealthCheckRequest(service="nobody"), timeout=10)
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND


def test_reflection_knows_all_that_it_lists(client):
    for service in REFLECTION_SERVICES:
        ask = client.channel.stream_stream(
            f"/{service}/ServerReflectionInfo",
            ServerReflectionRequest.SerializeToString,
            ServerReflectionResponse.FromString,
        )

        def answers(*requests: dict, ask=ask) -> list[ServerReflectionResponse]:
            return list(ask(iter([ServerReflectionRequest(**request) for request in requests]), timeout=10))

        listed, file, missing = answers(
            {"list_services": ""}, {"file_by_filename": "tensor.proto"}, {"file_containing_symbol": "no.such.Thing"}
        )
        names = [entry.name for entry in listed.list_services_response.service]
        assert {services.PREDICTION_SERVICE, services.MODEL_SERVICE, HEALTH_SERVICE, *REFLECTION_SERVICES} == {*names}
        assert b"TensorProto" in file.file_descriptor_response.file_descriptor_proto[0]
        assert missing.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
        for name, found in zip(names, answers(*({"file_containing_symbol": name} for name in names)), strict=True):
            files = found.file_descriptor_response.file_descriptor_proto
            described = [FileDescriptorProto.FromString(one) for one in files]
            assert name in [f"{one.package}.{service.name}" for one in described for service in one.service]


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> Path:
    """ca.pem, and server and client certificates signed by it; stranger.pem signed by itself."""
    folder = tmp_path_factory.mktemp("keys")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    for name in ("ca", "stranger"):
        openssl(*new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    for name in ("server", "client"):
        openssl(*new[:1], *new[2:7], "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", "names", "-out", f"{name}.pem")  # fmt: skip
    return folder


def tls(keys: Path, verify: bool) -> ServerTls:
    texts = {"server_key": "server.key", "server_cert": "server.pem", "custom_ca": "ca.pem"}
    lines = [f"{field}: {(keys / file).read_text()!r}" for field, file in texts.items()]
    (keys / "ssl.config").write_text("\n".join([*lines, f"client_verify: {str(verify).lower()}"]))
    return read_tls(keys / "ssl.config")


def credentials(keys: Path, client: str | None) -> grpc.ChannelCredentials:
    own = ((keys / f"{client}.key").read_bytes(), (keys / f"{client}.pem").read_bytes()) if client else (None, None)
    return grpc.ssl_channel_credentials((keys / "ca.pem").read_bytes(), *own)


def test_tls_refuses_plaintext(serve, base, keys):
    server, client = serve(base, credentials(keys, None), tls=tls(keys, verify=False))
    assert client.predict(x=rows())["version"] == [1]
    with Client(server.port) as plain, pytest.raises(grpc.RpcError) as failed:
        plain.predict(x=rows(), timeout=5)
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE


def test_tls_by_the_hands_of_openssl(serve, base, keys):
    server, _ = serve(base, credentials(keys, None), tls=tls(keys, verify=False))

    def handshake(authority: str, *more: str) -> subprocess.CompletedProcess:
        address = ("-connect", f"localhost:{server.port}", "-servername", "localhost", "-verify_hostname", "localhost")
        command = ["openssl", "s_client", *address, "-alpn", "h2", "-CAfile", authority, "-verify_return_error", *more]
        return subprocess.run(command, cwd=keys, input=b"", capture_output=True, timeout=60)

    good = handshake("ca.pem")
    assert good.returncode == 0, good.stderr
    assert b"Verify return code: 0 (ok)" in good.stdout
    assert b"ALPN protocol: h2" in good.stdout
    assert handshake("stranger.pem").returncode != 0
    assert handshake("ca.pem", "-tls1_1").returncode != 0
    wrong = grpc.ssl_channel_credentials((keys / "stranger.pem").read_bytes())
    with Client(server.port, wrong) as other, pytest.raises(grpc.RpcError) as failed:
        other.predict(x=rows(), timeout=5)
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE


def test_no_secret_is_logged(serve, base, keys, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    server, client = serve(base, credentials(keys, "client"), tls=tls(keys, verify=True))
    call = client.stub(services.PREDICT)
    token = (("authorization", "Bearer hush-hush"),)
    call(predict_request(x=rows()), metadata=token, timeout=10)
    for wrong in (predict_request("hush-hush", x=rows()), predict_request(x=rows(0)[:, :1])):
        with pytest.raises(grpc.RpcError):
            call(wrong, metadata=token, timeout=10)
    with Client(server.port) as plain, pytest.raises(grpc.RpcError):
        plain.stub(services.PREDICT)(predict_request(x=rows()), metadata=token, timeout=2)
    server.stop()
    said = caplog.text + "".join(capfd.readouterr())
    secrets = [*(keys / "server.key").read_text().splitlines()[1:-1], "hush-hush", "PRIVATE KEY"]
    assert not [secret for secret in secrets if secret in said]


def test_mutual_tls_refuses_clients_without_its_certificate(serve, base, keys):
    server, client = serve(base, credentials(keys, "client"), tls=tls(keys, verify=True))
    assert client.predict(x=rows())["version"] == [1]
    for name in (None, "stranger"):
        with Client(server.port, credentials(keys, name)) as other, pytest.raises(grpc.RpcError) as failed:
            other.predict(x=rows(), timeout=5)
        assert failed.value.code() is grpc.StatusCode.UNAVAILABLE


def test_keys_that_do_not_fit_are_named_and_never_shown(base, keys, caplog):
    wrong = tls(keys, verify=False)
    wrong = ServerTls((keys / "stranger.key").read_bytes(), wrong.certificate)
    with (
        pytest.raises(ServeError, match="server_key and server_cert that do not fit") as failed,
        ModelServer(Options(one_model("model", str(base)), port=0, rest_port=None, tls=wrong)),
    ):
        pass
    for text in (str(failed.value), repr(wrong), repr(Options(one_model("m", "/m"), tls=wrong)), caplog.text):
        assert "BEGIN" not in text
