"""How far the decoder follows a code, as callers say it: here, through a server, and on the command line."""

import asyncio
import inspect
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from musae_tf import Musae
from musae_tf.cli import main
from musae_tf.client import AsyncMusaeClient, InvalidRequestError, MusaeClient, WrongModelError
from musae_tf.server import ModelServer, Options
from musae_tf.server.options import one_model
from musae_tf.verbs.methods import Verbs
from tests.client.scripted import DESCRIPTION, ScriptedServer
from tests.corpus import four_voice_song

PIECE, OTHER = four_voice_song(5, seed=2), four_voice_song(8, seed=3)
MELODY = replace(PIECE, tracks=PIECE.tracks[:1])
CODES = np.random.default_rng(1).standard_normal((3, 16)).astype(np.float32)
# What each verb is asked, at temperature 1 for music that depends on every probability, however little it was trained.
CALLS: dict[str, Callable[..., Any]] = {
    "sample": lambda musae, **how: musae.sample("hymns", 5, 1.0, 3, **how),
    "reconstruct": lambda musae, **how: musae.reconstruct(PIECE, 1.0, 3, **how),
    "interpolate": lambda musae, **how: musae.interpolate(PIECE, OTHER, 3, 1.0, 3, **how),
    "transfer": lambda musae, **how: musae.transfer(PIECE, "hymns", strength=0.5, temperature=1.0, seed=3, **how),
    "change": lambda musae, **how: musae.change(PIECE, {"notes": 1.0}, 1.0, 3, **how),
    "sweep": lambda musae, **how: musae.sweep(PIECE, "length", 3, 1.0, 1.0, 3, **how),
    "fill": lambda musae, **how: musae.fill(PIECE, "2-3", "alto,tenor", temperature=1.0, seed=3, **how),
    "harmonise": lambda musae, **how: musae.harmonise(MELODY, temperature=1.0, seed=3, **how),
    "continue_": lambda musae, **how: musae.continue_(PIECE, 3, temperature=1.0, seed=3, **how),
    "vary": lambda musae, **how: musae.vary(PIECE, 0.3, 2, 1.0, 3, **how),
    "decode": lambda musae, **how: musae.decode(CODES, 1.0, 3, **how),
}


@pytest.fixture(scope="module")
def here(autoregressive_run) -> Musae:
    return Musae.from_run(autoregressive_run.path)


@pytest.fixture(scope="module")
def exported_here(autoregressive_folder) -> Musae:
    return Musae.from_run(autoregressive_folder)


@pytest.fixture(scope="module")
def target(autoregressive_folder) -> Iterator[str]:
    models = one_model("musae", str(autoregressive_folder))
    with ModelServer(Options(models, port=0, rest_port=None, warm_up=False)) as server:
        yield f"localhost:{server.port}"


@pytest.fixture
def musae(target) -> Iterator[MusaeClient]:
    with MusaeClient(target) as client:
        yield client


def notes(made: Any) -> list[bytes]:
    return [song.to_bytes() for song in (made if isinstance(made, list) else [made])]


def test_every_verb_that_makes_music_takes_it():
    verbs = {name: member for name, member in vars(Verbs).items() if callable(member)}
    takes = {name for name, member in verbs.items() if "trust" in inspect.signature(member).parameters}
    assert takes == set(CALLS)


@pytest.mark.parametrize("verb", CALLS)
def test_it_gives_the_same_here_in_an_export_and_over_the_wire_and_changes_the_music(
    here, exported_here, musae, target, verb
):
    call = CALLS[verb]

    async def awaited() -> Any:
        async with AsyncMusaeClient(target) as client:
            return await call(client, trust=0.25)

    made = notes(call(musae, trust=0.25))
    assert made == notes(call(here, trust=0.25)) == notes(call(exported_here, trust=0.25))
    assert made == notes(asyncio.run(awaited()))
    assert made != notes(call(musae))
    assert made != notes(call(musae, trust=1))


@pytest.mark.parametrize("verb", ["sample", "reconstruct", "change", "sweep", "vary", "decode"])
def test_all_of_it_is_what_these_do_by_themselves(here, verb):
    assert notes(CALLS[verb](here, trust=1)) == notes(CALLS[verb](here))


def test_ways_and_transfers_have_defaults_of_their_own(here):
    free, whole = notes(CALLS["interpolate"](here)), notes(CALLS["interpolate"](here, trust=1))
    assert (free[0], free[2]) == (whole[0], whole[2])
    assert free[1] != whole[1]
    assert notes(CALLS["transfer"](here, trust=0.5)) == notes(CALLS["transfer"](here))
    less = here.interpolate(PIECE, PIECE, 2, 1.0, 3, trust=0.25)
    assert notes(less[0]) == notes(here.reconstruct(PIECE, 1.0, 3, trust=0.25))


@pytest.mark.parametrize("trust", [-0.1, 1.01, float("nan"), "much", True])
def test_what_is_no_trust_is_refused_before_anything_is_asked(trust):
    described = {**DESCRIPTION, "signatures": {"decode_trusted": {}}}
    with ScriptedServer() as server, MusaeClient(server.target) as musae:
        text = np.full(1, json.dumps(described).encode(), object)
        server.answer = lambda request: server.reply(metadata=text)
        for ask in (
            lambda: musae.sample("loud", trust=trust),
            lambda: musae.transfer(PIECE, "loud", trust=trust),
            lambda: musae.decode(np.zeros((1, 3)), trust=trust),
        ):
            with pytest.raises(InvalidRequestError, match=r"trust is .*, must be a number from 0 to 1$"):
                ask()
        assert server.signatures == ["describe"]


def test_a_model_that_cannot_take_it_says_which_can(tiny_run, tmp_path):
    sentence = "has no signature 'decode_trusted'; export it again .* only models with an autoregressive decoder take"
    with tarfile.open(Path(__file__).parent / "fixtures" / "before_0_2" / "old.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    for folder in (tiny_run.path, tmp_path / "exports" / "old"):
        with Musae.from_run(folder) as musae, pytest.raises(WrongModelError, match=sentence):
            musae.reconstruct(PIECE, trust=0.5)


def test_the_command_line(autoregressive_run, here, target, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    PIECE.write("mine.mid")
    how = ("mine.mid", "--temperature", "1", "--seed", "3", "--trust")
    expected = notes(here.reconstruct("mine.mid", 1.0, 3, trust=0.25))
    for command in (("reconstruct", str(autoregressive_run.path)), ("request", "reconstruct", "--server", target)):
        assert main([*command, *how, "0.25", "--out", "made.mid"]) == 0
        assert [Path("made.mid").read_bytes()] == expected
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(["reconstruct", str(autoregressive_run.path), *how, "1.5"])
    assert stop.value.code == 2
    assert "--trust" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ("sample", "--genre", "hymns", "--bars", "4"),
        ("interpolate", "mine.mid", "mine.mid", "--points", "2"),
        ("transfer", "mine.mid", "--to", "hymns"),
        ("change", "mine.mid", "--more", "notes"),
        ("change", "mine.mid", "--sweep", "notes", "--points", "2"),
    ],
)
def test_every_command_that_makes_music_has_the_option(target, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    PIECE.write("mine.mid")
    made = []
    for number, trust in enumerate(("1", "0.25")):
        ask = ["request", *command, "--server", target, "--temperature", "1", "--trust", trust, "--out", f"{number}/"]
        assert main(ask) == 0
        made.append([file.read_bytes() for file in sorted(Path(str(number)).glob("*.mid"))])
    assert made[0] != made[1]
