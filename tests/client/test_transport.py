"""Errors, retries, deadlines, versions, TLS: what happens between a client and a server."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.message import Message

from musae_tf.client import (
    AccessDeniedError,
    AsyncMusaeClient,
    ClientError,
    DeadlineExceededError,
    InvalidRequestError,
    MusaeClient,
    NotFoundError,
    OverloadedError,
    ServerFailedError,
    Tls,
    UnavailableError,
    VersionStatus,
    WrongModelError,
)
from musae_tf.client.exchange import MAX_ROWS
from musae_tf.errors import MusaeError
from musae_tf.music import Song, detokenize, get_layout
from musae_tf.protocol.codec import to_array
from musae_tf.server.options import Tls as ServerTls
from tests.client.scripted import DESCRIPTION, ScriptedServer, StatusError
from tests.corpus import four_voice_song


@pytest.fixture(params=["sync", "asyncio"])
def ask(request):
    """`ask(target, method, *arguments, **options)`: one call by either client."""

    def sync(target: str, method: str, *arguments, **options):
        with MusaeClient(target, **options) as musae:
            return getattr(musae, method)(*arguments)

    async def awaiting(target: str, method: str, *arguments, **options):
        async with AsyncMusaeClient(target, **options) as musae:
            return await getattr(musae, method)(*arguments)

    return sync if request.param == "sync" else lambda *a, **k: asyncio.run(awaiting(*a, **k))


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "details", "kind", "hint"),
    [
        ("UNAVAILABLE", "failed to connect", UnavailableError, "gRPC port"),
        ("UNAVAILABLE", "Socket closed", UnavailableError, "TLS"),
        ("UNAVAILABLE", "Ssl handshake failed: certificate verify failed", UnavailableError, "certificate"),
        (
            "UNAVAILABLE",
            "The batch scheduling queue is full",
            OverloadedError,
            "later",
        ),
        ("RESOURCE_EXHAUSTED", "Run() timeout exceeded while waiting in batching queue", OverloadedError, "later"),
        ("RESOURCE_EXHAUSTED", "CLIENT: Sent message larger than max (9 vs. 4)", InvalidRequestError, "size"),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", DeadlineExceededError, "deadline"),
        ("INVALID_ARGUMENT", "input size does not match signature", InvalidRequestError, ""),
        ("FAILED_PRECONDITION", 'Serving signature key "describe" not found.', WrongModelError, "musae export"),
        ("FAILED_PRECONDITION", "Could not find variable", ServerFailedError, ""),
        ("UNIMPLEMENTED", "", WrongModelError, "musae serve"),
        ("UNAUTHENTICATED", "who are you", AccessDeniedError, "token"),
        ("PERMISSION_DENIED", "not you", AccessDeniedError, "token"),
        ("INTERNAL", "boom", ServerFailedError, ""),
        ("UNKNOWN", "boom", ServerFailedError, ""),
        ("DATA_LOSS", "", ServerFailedError, ""),
    ],
)
def test_every_status_has_its_error_with_the_code_the_words_and_a_hint(scripted, ask, code, details, kind, hint):
    scripted.answer = scripted.failing(99, code, details)
    with pytest.raises(kind) as caught:
        ask(scripted.target, "describe", retries=0)
    error = caught.value
    assert type(error) is kind
    assert isinstance(error, ClientError)
    assert isinstance(error, MusaeError)
    assert (error.code, error.details) == (code, details)
    assert scripted.target in str(error)
    assert details in str(error)
    assert hint in error.hint
    assert error.hint in str(error)


def test_only_the_first_line_of_the_graph_s_words_is_shown(scripted, ask):
    scripted.answer = scripted.failing(1, "INVALID_ARGUMENT", "bad tokens\n\t [[{{node Assert}}]]")
    with pytest.raises(InvalidRequestError) as caught:
        ask(scripted.target, "describe")
    assert "node" not in str(caught.value)
    assert "node" in caught.value.details


def test_nobody_there(ask, free_port):
    started = time.monotonic()
    with pytest.raises(UnavailableError, match=r"is the server running"):
        ask(f"localhost:{free_port}", "sample", "hymns")
    assert time.monotonic() - started < 10
    assert ask(f"localhost:{free_port}", "ready") is False


def test_what_the_server_has_instead(target, ask):
    with pytest.raises(
        NotFoundError, match=r"no version 7 of the model 'musae'; it has version 1 \(AVAILABLE\)"
    ) as caught:
        ask(target, "describe", version=7)
    assert caught.value.code == "NOT_FOUND"
    with pytest.raises(NotFoundError, match=r"no version 7 .*it has version 1"):
        ask(target, "status", version=7)
    with pytest.raises(NotFoundError, match=r"labelled 'canary'; it has version 1"):
        ask(target, "sample", "hymns", label="canary")
    with pytest.raises(NotFoundError, match=r"has no model 'music'$"):
        ask(target, "status", model="music")
    with pytest.raises(NotFoundError, match=r"has no model 'music'$"):
        ask(target, "describe", model="music", version=3)


def test_versions_and_labels_that_are_there(target, ask):
    song = ask(target, "sample", "hymns")
    assert ask(target, "sample", "hymns", version=1) == song
    assert ask(target, "sample", "hymns", label="stable") == song
    for how in ({}, {"version": 1}):
        assert ask(target, "status", **how) == [VersionStatus(1, "AVAILABLE", "OK", "")]


def test_a_model_of_another_kind(scripted, ask):
    for outputs, message in (
        ({}, "sent nothing as 'metadata'"),
        ({"metadata": np.array([b"{"], object)}, "no usable description"),
        ({"metadata": np.array([b"[]"], object)}, "no usable description"),
        ({"metadata": np.array([b'{"format": 1}'], object)}, "no usable description"),
        ({"metadata": np.array([b'{"format": 2}'], object)}, "format 2, this client reads 1; install"),
        ({"metadata": np.zeros(1)}, "describes itself in numbers"),
        ({"metadata": np.zeros((2, 1))}, r"sent shape \[2, 1\] as 'metadata', must have 1 rows"),
    ):
        scripted.answer = lambda request, outputs=outputs: scripted.reply(**outputs)
        with pytest.raises(WrongModelError, match=message):
            ask(scripted.target, "describe")


def test_attributes_and_a_map_are_there_if_the_model_says_so(scripted, ask):
    assert ask(scripted.target, "describe").attributes is None
    with pytest.raises(WrongModelError, match="'echo' has no map of its latent space; export it again"):
        ask(scripted.target, "map")
    facts = {**DESCRIPTION, "attributes": {"names": ["density"], "directions": [[1, 2, 3]]}}

    def describing(facts):
        text = np.full(1, json.dumps(facts).encode(), object)
        scripted.answer = lambda request: scripted.reply(metadata=text)

    describing(facts)
    known = ask(scripted.target, "describe").attributes
    assert known.names == ("density",)
    assert known.directions.tolist() == [[1.0, 2.0, 3.0]]
    describing({**facts, "attributes": {"names": ["density"], "directions": [[1, 2]]}})
    with pytest.raises(WrongModelError, match="no usable description"):
        ask(scripted.target, "describe")


def test_a_reply_that_is_no_tensor(scripted, ask):
    def answer(request: Message) -> Message:
        reply = scripted.echo(request)
        if "tokens" in reply.outputs:
            reply.outputs["tokens"].tensor_content = b"xyz"
        return reply

    scripted.answer = answer
    with pytest.raises(WrongModelError, match=r"unreadable 'tokens': .*3 bytes"):
        ask(scripted.target, "reconstruct", four_voice_song())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "localhost"}, "HOST:PORT"),
        ({"target": ""}, "HOST:PORT"),
        ({"version": 1, "label": "stable"}, "a version and a label"),
        ({"deadline": 0}, "deadline is 0"),
        ({"token": "se\ncret"}, "token has characters"),
        ({"tls": Tls(authority="/nowhere/ca.pem")}, r"cannot read /nowhere/ca\.pem"),
    ],
)
@pytest.mark.parametrize("kind", [MusaeClient, AsyncMusaeClient])
def test_impossible_clients(kind, options, message):
    with pytest.raises(ClientError, match=message) as caught:
        kind(**{"target": "localhost:1", **options})
    assert "se\ncret" not in str(caught.value)


def test_a_certificate_without_its_key_is_refused():
    with pytest.raises(ClientError, match="belong together"):
        Tls(certificate="client.pem")


def test_a_closed_client_says_so(scripted, ask):
    musae = MusaeClient(scripted.target)
    musae.close()
    musae.close()
    with pytest.raises(ClientError, match="closed"):
        musae.describe()


# --- retries and deadlines --------------------------------------------------------------------------------------------


def test_a_server_that_fails_twice_is_asked_three_times(scripted, ask):
    scripted.answer = scripted.failing(2, "UNAVAILABLE")
    assert ask(scripted.target, "describe").genres == ("loud", "soft")
    assert scripted.signatures == ["describe"] * 3


def test_retries_come_to_an_end(scripted, ask):
    scripted.answer = scripted.failing(99, "UNAVAILABLE")
    with pytest.raises(UnavailableError):
        ask(scripted.target, "describe", retries=2)
    assert len(scripted.asked) == 3


@pytest.mark.parametrize("code", ["INTERNAL", "RESOURCE_EXHAUSTED", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED"])
def test_other_failures_are_not_tried_again(scripted, ask, code):
    scripted.answer = scripted.failing(99, code)
    with pytest.raises(ClientError):
        ask(scripted.target, "describe")
    assert len(scripted.asked) == 1


def test_retries_end_with_the_deadline(scripted, ask):
    scripted.answer = scripted.failing(10**9, "UNAVAILABLE")
    started = time.monotonic()
    with pytest.raises(UnavailableError):
        ask(scripted.target, "describe", deadline=1.0, retries=10**9)
    assert time.monotonic() - started < 1.5
    assert len(scripted.asked) > 2


def test_the_deadline_counts_for_all_requests_of_a_method_together(scripted, ask):
    def answer(request: Message) -> Message:
        time.sleep(0.4)
        return scripted.echo(request)

    scripted.answer = answer
    song = four_voice_song(3 * MAX_ROWS)
    assert len(ask(scripted.target, "reconstruct", song, deadline=None).bars()) == 3 * MAX_ROWS
    assert len(scripted.asked) == 4
    started = time.monotonic()
    with pytest.raises(DeadlineExceededError, match="longer deadline"):
        ask(scripted.target, "reconstruct", song, deadline=1.0)
    assert 0.9 < time.monotonic() - started < 1.6


def test_a_server_that_comes_back_is_found_again(ask, free_port):
    with ScriptedServer(free_port) as first, MusaeClient(first.target, retries=20) as musae:
        assert musae.describe().version == 1
        first.__exit__()
        assert not musae.ready()
        restarted = threading.Timer(0.5, lambda: second.__enter__())
        second = ScriptedServer(free_port)
        restarted.start()
        assert musae.status()[0].version == 1
        restarted.join()
        second.__exit__()


# --- readiness --------------------------------------------------------------------------------------------------------


def test_waiting_for_a_server(scripted, ask):
    scripted.answer = scripted.failing(2, "NOT_FOUND")  # the second time for the question what there is instead
    assert ask(scripted.target, "ready") is False
    scripted.answer = scripted.failing(3, "UNAVAILABLE")
    ask(scripted.target, "wait_until_ready", 10)
    assert len(scripted.asked) == 6
    assert ask(scripted.target, "ready") is True


def test_waiting_in_vain_says_what_for(scripted, ask, free_port):
    with pytest.raises(UnavailableError, match=r"model 'musae' was not ready after 0\.5 s: cannot reach localhost:"):
        ask(f"localhost:{free_port}", "wait_until_ready", 0.5)
    scripted.answer = scripted.failing(1, "UNAUTHENTICATED")
    started = time.monotonic()
    with pytest.raises(AccessDeniedError):
        ask(scripted.target, "wait_until_ready", 60)
    assert time.monotonic() - started < 5


# --- requests ---------------------------------------------------------------------------------------------------------


def test_requests_name_model_version_and_signature_and_carry_the_token(scripted, ask):
    for options, expected in (
        ({"version": 1}, {"version": {"value": 1}}),
        ({"label": "stable"}, {"version_label": "stable"}),
        ({}, {}),
    ):
        scripted.asked.clear()
        ask(scripted.target, "reconstruct", four_voice_song(1), model="echo", token="secret-token", **options)
        _, request, metadata = scripted.asked[-1]
        spec = type(request.model_spec)(name="echo", signature_name="reconstruct", **expected)
        assert request.model_spec == spec
        assert list(request.output_filter) == ["tokens"]
        assert metadata["authorization"] == "Bearer secret-token"
        assert metadata["user-agent"].startswith("musae-tf/")
    assert "secret" not in repr(MusaeClient(scripted.target, token="secret-token"))


def test_no_request_has_more_rows_than_it_should_and_the_description_is_asked_for_once(scripted):
    with MusaeClient(scripted.target) as musae:
        for _ in range(2):
            musae.reconstruct(four_voice_song(2 * MAX_ROWS + 1))
    assert scripted.signatures == ["describe", *["reconstruct"] * 6]
    rows = [len(to_array(request.inputs["tokens"])) for _, request, _ in scripted.asked[1:]]
    assert rows == [MAX_ROWS, MAX_ROWS, 1] * 2


def test_replies_beyond_grpc_s_limit_of_4_megabytes(scripted, ask):
    def answer(request: Message) -> Message:
        reply = scripted.echo(request)
        text = reply.outputs["metadata"].string_val[0]
        reply.outputs["metadata"].string_val[0] = text + b" " * 12_000_000
        return reply

    scripted.answer = answer
    assert ask(scripted.target, "describe").name == "echo"


def test_a_song_never_comes_from_two_versions(scripted, ask):
    """The server changes its version between the requests of one song: the song is made anew from the new one."""
    layout = get_layout("voices")

    def answer(request: Message) -> Message:
        if scripted.signatures.count("reconstruct") == 2:
            scripted.version = 2
        reply = scripted.echo(request)
        if request.model_spec.signature_name == "reconstruct":
            rows = len(to_array(request.inputs["tokens"]))
            return scripted.reply(tokens=np.full((rows, 16, 4), 60 + scripted.version, np.int32))
        return reply

    scripted.answer = answer
    bars = 2 * MAX_ROWS
    song = ask(scripted.target, "reconstruct", four_voice_song(bars))
    tokens = np.full((bars * 16, 4), 62)
    expected = detokenize(tokens, layout, 96.0)
    assert [track.notes["pitch"].tolist() for track in song.tracks] == [
        track.notes["pitch"].tolist() for track in expected.tracks
    ]
    assert scripted.signatures == ["describe", *["reconstruct"] * 2, "describe", *["reconstruct"] * 2]


def test_a_new_version_with_longer_phrases_is_noticed_though_it_refuses_the_old_ones(scripted):
    def answer(request: Message) -> Message:
        longer = {**DESCRIPTION, "steps": 32, "bars": 2}
        if request.model_spec.signature_name == "describe":
            text = json.dumps(longer if scripted.version == 2 else DESCRIPTION).encode()
            return scripted.reply(metadata=np.array([text], object))
        if to_array(request.inputs["tokens"]).shape[1] != 16 * scripted.version:
            raise StatusError("INVALID_ARGUMENT", "tokens are too short")
        return scripted.echo(request)

    scripted.answer = answer
    with MusaeClient(scripted.target) as musae:
        musae.reconstruct(four_voice_song(4))
        scripted.version = 2
        assert len(musae.reconstruct(four_voice_song(4)).bars()) == 4
        assert musae.describe().bars == 2
        scripted.version = 3
        with pytest.raises(InvalidRequestError, match="too short"):
            musae.reconstruct(four_voice_song(4))


def test_a_state_that_is_not_known_yet_is_a_number(scripted, ask):
    def answer(request: Message) -> Message:
        reply = scripted.echo(request)
        reply.model_version_status[0].state = 60
        return reply

    scripted.answer = answer
    assert ask(scripted.target, "status") == [VersionStatus(1, "60", "OK", "")]


def test_a_server_that_cannot_settle_on_a_version_is_given_up(scripted, ask):
    def answer(request: Message) -> Message:
        scripted.version += 1
        return scripted.echo(request)

    scripted.answer = answer
    with pytest.raises(ServerFailedError, match="changed the version of 'musae' 3 times"):
        ask(scripted.target, "reconstruct", four_voice_song())


def test_a_new_version_is_described_anew(scripted):
    with MusaeClient(scripted.target) as musae:
        assert musae.describe().version == 1
        scripted.version = 5
        assert musae.describe().version == 1
        musae.reconstruct(four_voice_song())
        assert musae.describe().version == 5


def test_a_cancelled_task_leaves_the_client_usable(scripted):
    def answer(request: Message) -> Message:
        time.sleep(0.3)
        return scripted.echo(request)

    async def ask() -> Song:
        async with AsyncMusaeClient(scripted.target) as musae:
            await musae.describe()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(musae.reconstruct(four_voice_song()), 0.05)
            return await musae.reconstruct(four_voice_song(3))

    scripted.answer = answer
    assert len(asyncio.run(ask()).bars()) == 3


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tls_target(serve, certificates):
    keys = ServerTls(certificates.server_key.read_bytes(), certificates.server.read_bytes())
    with serve(tls=keys) as server:
        yield f"localhost:{server.port}"


@pytest.fixture(scope="module")
def mutual_target(serve, certificates):
    keys = ServerTls(
        certificates.server_key.read_bytes(),
        certificates.server.read_bytes(),
        certificates.authority.read_bytes(),
        True,
    )
    with serve(tls=keys) as server:
        yield f"localhost:{server.port}"


def test_tls(tls_target, certificates, ask):
    tls = Tls(authority=certificates.authority)
    assert ask(tls_target, "describe", tls=tls, token="secret").genres == ("dances", "hymns")
    address = tls_target.replace("localhost", "127.0.0.1")
    with pytest.raises(UnavailableError, match="the name in the server's"):
        ask(address, "describe", tls=tls, retries=0)
    named = Tls(authority=certificates.authority, server_name="musae.example")
    assert ask(address, "describe", tls=named).version == 1


def test_tls_with_a_stranger_and_without_tls(tls_target, target, certificates, ask):
    for tls in (Tls(authority=certificates.stranger), True):
        with pytest.raises(UnavailableError, match=r"TLS|certificates"):
            ask(tls_target, "describe", tls=tls, retries=0)
    with pytest.raises(UnavailableError, match=r"TLS|certificates"):
        ask(tls_target, "describe", retries=0)
    with pytest.raises(UnavailableError):
        ask(target, "describe", tls=Tls(authority=certificates.authority), retries=0)


def test_mutual_tls(mutual_target, certificates, ask):
    own = {"certificate": certificates.client, "key": certificates.client_key}
    assert ask(mutual_target, "describe", tls=Tls(certificates.authority, **own)).version == 1
    with pytest.raises(UnavailableError, match=r"TLS|certificates"):
        ask(mutual_target, "describe", tls=Tls(certificates.authority), retries=0)


# --- weight -----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
def test_the_client_is_light():
    code = """
import time
start = time.perf_counter()
import musae_tf.client
taken = time.perf_counter() - start
import sys
heavy = {"tensorflow", "keras", "scipy", "matplotlib", "yaml", "tqdm", "pypianoroll", "pretty_midi", "musae_tf.server"}
# The peak that getrusage tells is inherited from the parent process.
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(taken, int(peak) / 1024, *(heavy & set(sys.modules)))
"""
    runs = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        seconds, megabytes, *loaded = done.stdout.split()
        assert not loaded
        assert float(megabytes) <= 60
        runs.append(float(seconds))
    assert min(runs) <= 0.5
