"""The tool that turns PEM files into the server's TLS file, up to a real handshake."""

import shutil
import subprocess
import sys
from concurrent import futures

import grpc
import pytest
from google.protobuf import text_format

from musae_tf.protocol import messages
from tests.serving.files import SERVING, run

SCRIPT = SERVING / "ssl_config.py"


def openssl(*arguments) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """An authority, and a server's and a client's certificate of it."""
    if not shutil.which("openssl"):
        pytest.skip("makes its certificates with the openssl command")
    folder = tmp_path_factory.mktemp("keys")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    authority = ("-keyout", folder / "ca.key", "-out", folder / "ca.pem")
    openssl("req", "-x509", *curve, "-subj", "/CN=ca", "-days", 2, *authority)
    for name in ("server", "client"):
        request = folder / f"{name}.csr"
        extra = folder / f"{name}.ext"
        extra.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("req", *curve, "-subj", f"/CN={name}", "-keyout", folder / f"{name}.key", "-out", request)
        signer = ("-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial")
        openssl("x509", "-req", "-in", request, *signer, "-days", 2, "-extfile", extra, "-out", folder / f"{name}.pem")
    return folder


def write(keys, out, *more):
    return run(sys.executable, SCRIPT, keys / "server.key", keys / "server.pem", *more, "--out", out)


def read(path):
    return text_format.Parse(path.read_text(encoding="utf-8"), messages.SSLConfig())


def test_the_file_holds_the_contents_of_the_pem_files(keys, tmp_path):
    out = tmp_path / "ssl.config"
    done = write(keys, out)
    assert (done.returncode, done.stderr) == (0, "")
    config = read(out)
    assert config.server_key == (keys / "server.key").read_text()
    assert config.server_cert == (keys / "server.pem").read_text()
    assert not config.custom_ca
    assert not config.client_verify
    assert out.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["ssl.config"]


def test_text_around_the_certificate_stays_out(keys, tmp_path):
    noisy = tmp_path / "noisy.pem"
    noisy.write_text('Certificate:\n  Issuer: "ca"\n' + (keys / "server.pem").read_text() + "more\n")
    done = run(sys.executable, SCRIPT, keys / "server.key", noisy, "--out", tmp_path / "ssl.config")
    assert done.returncode == 0
    assert read(tmp_path / "ssl.config").server_cert == (keys / "server.pem").read_text()


def test_mixed_up_files_are_refused(keys, tmp_path):
    done = run(sys.executable, SCRIPT, keys / "server.pem", keys / "server.key", "--out", tmp_path / "ssl.config")
    assert done.returncode == 2
    assert f"{keys / 'server.pem'} holds no PRIVATE KEY" in done.stderr
    assert not list(tmp_path.iterdir())


def test_mutual_tls_with_what_the_file_says(keys, tmp_path):
    out = tmp_path / "ssl.config"
    assert write(keys, out, "--client-ca", keys / "ca.pem").returncode == 0
    config = read(out)
    assert config.client_verify
    echo = grpc.method_handlers_generic_handler(
        "t.Test", {"Echo": grpc.unary_unary_rpc_method_handler(lambda request, context: request)}
    )
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((echo,))
    pair = (config.server_key.encode(), config.server_cert.encode())
    credentials = grpc.ssl_server_credentials([pair], config.custom_ca.encode(), config.client_verify)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    authority = (keys / "ca.pem").read_bytes()

    def call(channel) -> bytes:
        with channel:
            return channel.unary_unary("/t.Test/Echo")(b"hello", timeout=10)

    try:
        client = ((keys / "client.key").read_bytes(), (keys / "client.pem").read_bytes())
        known = grpc.ssl_channel_credentials(authority, *client)
        assert call(grpc.secure_channel(f"localhost:{port}", known)) == b"hello"
        with pytest.raises(grpc.RpcError):
            call(grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(authority)))
        with pytest.raises(grpc.RpcError):
            call(grpc.insecure_channel(f"localhost:{port}"))
    finally:
        server.stop(0)
