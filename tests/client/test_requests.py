"""What a client sends, and versions that change meanwhile."""

import asyncio
import json
import threading

import numpy as np
import pytest
from google.protobuf.message import Message

from musae_tf.client import (
    AsyncMusaeClient,
    InvalidRequestError,
    MusaeClient,
    ServerFailedError,
    VersionStatus,
)
from musae_tf.client.exchange import MAX_ROWS
from musae_tf.music import Song, detokenize, get_layout
from musae_tf.protocol.codec import to_array
from tests.client.scripted import DESCRIPTION, StatusError
from tests.corpus import four_voice_song
from tests.waiting import LIMIT


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
    cancelled = threading.Event()

    def answer(request: Message) -> Message:
        assert cancelled.wait(LIMIT)
        return scripted.echo(request)

    async def ask() -> Song:
        async with AsyncMusaeClient(scripted.target) as musae:
            await musae.describe()
            scripted.answer = answer
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(musae.reconstruct(four_voice_song()), 0.05)
            cancelled.set()
            return await musae.reconstruct(four_voice_song(3))

    assert len(asyncio.run(ask()).bars()) == 3
