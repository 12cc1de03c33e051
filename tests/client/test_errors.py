"""What a client says when something is wrong."""

import json
import time

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
from musae_tf.client.exchange import ClientSession, Exchange
from musae_tf.errors import MusaeError
from tests.client.scripted import DESCRIPTION
from tests.corpus import four_voice_song


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
    song = four_voice_song(2)
    with pytest.raises(WrongModelError, match="'echo' has no attribute vectors; export it again"):
        ask(scripted.target, "change", song, {"density": 1.0})
    with pytest.raises(WrongModelError, match="no signature 'interpolate_spherical'; export it again"):
        ask(scripted.target, "interpolate", song, song, 5, 0.0, 0, "spherical")
    facts = {**DESCRIPTION, "attributes": {"names": ["density"], "units": [2.5]}}

    def describing(facts):
        text = np.full(1, json.dumps(facts).encode(), object)
        scripted.answer = lambda request: scripted.reply(metadata=text)

    describing(facts)
    known = ask(scripted.target, "describe").attributes
    assert known.names == ("density",)
    assert known.units.tolist() == [2.5]
    describing({**facts, "attributes": {"names": ["density"], "units": [1, 2]}})
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


@pytest.mark.parametrize(
    ("target", "arguments", "message"),
    [
        ("http://localhost:8500", {}, "target is 'http://localhost:8500', must be HOST:PORT"),
        (8500, {}, "target is 8500, must be HOST:PORT"),
        ("localhost:8500", {"retries": -1}, "retries is -1, must be a whole number, 0 or more"),
        ("localhost:8500", {"retries": 1.5}, "retries is 1.5, must be a whole number, 0 or more"),
        ("localhost:8500", {"deadline": "soon"}, "deadline is 'soon', must be seconds above 0"),
    ],
)
def test_arguments_of_a_client_of_a_wrong_kind_get_one_sentence(target, arguments, message):
    with pytest.raises(ClientError, match=message):
        MusaeClient(target, **arguments)


def test_a_request_without_rows_is_not_sent():
    exchange = Exchange(ClientSession("localhost:1", "musae"), time.monotonic() + 10, retries=0)
    with pytest.raises(InvalidRequestError, match="'encode' has no rows, must have 1 or more"):
        next(exchange.predict("encode", {"tokens": np.zeros((0, 4, 4), np.int32)}, "latent"))
