"""Whole songs through a real server: the same as the same model in this process makes them, whatever is asked for."""

import asyncio
import inspect
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from musae_tf import Musae
from musae_tf.client import AsyncMusaeClient, InvalidRequestError, MusaeClient, UnknownAttributeError, UnknownGenreError
from musae_tf.client.exchange import MAX_ROWS
from musae_tf.errors import MusaeError, MusicError
from musae_tf.export.map import map_of_songs
from musae_tf.latent.of_run import fit_attributes
from musae_tf.models.inference import encode
from musae_tf.music import Song, Tempo, cut, detokenize, tokenize
from musae_tf.music.multitrack import to_multitrack
from musae_tf.verbs.description import Description
from musae_tf.verbs.methods import AsyncVerbs, Verbs
from tests.corpus import changing_metre_song, drum_song, four_voice_song, waltz


@pytest.fixture(scope="module")
def model(tiny_run):
    return tiny_run.load_model()


@pytest.fixture(scope="module")
def layout(tiny_run):
    return tiny_run.layout


@pytest.fixture(scope="module")
def attributes(tiny_run, model, tiny_dataset):
    return fit_attributes(tiny_run, model, tiny_dataset)


def same(one: Song, other: Song) -> bool:
    return one.to_bytes() == other.to_bytes() and one.name == other.name


# --- the same as in this process --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run_folder(tiny_run, tmp_path_factory):
    """A copy of the run, since vectors are kept in it."""
    return shutil.copytree(tiny_run.path, tmp_path_factory.mktemp("here") / "run")


@pytest.fixture(scope="module")
def here(run_folder) -> Musae:
    return Musae.from_run(run_folder)


@pytest.fixture(scope="module")
def exported_here(model_folder) -> Musae:
    return Musae.from_run(model_folder)


ODD, METRES, LONG = four_voice_song(5, seed=2), changing_metre_song(), four_voice_song(2 * MAX_ROWS + 7, seed=8)
ONE, TWO = four_voice_song(3, seed=1), four_voice_song(8, seed=2)
ONE.tempos, TWO.tempos, TWO.tracks[0].program = [Tempo(0, 60.0)], [Tempo(0, 150.0)], 73
ONE.name, TWO.name = "one", "two"
CODES = np.random.default_rng(1).standard_normal((3, 16)).astype(np.float32)
CASES: dict[str, list[Callable[[Verbs], Any]]] = {
    "sample": [
        lambda musae: musae.sample("hymns"),
        lambda musae: musae.sample("dances", 1),
        lambda musae: musae.sample("dances", 5, 0.9, 3, 77.0),
        lambda musae: musae.sample("hymns", bars=16, temperature=1.3, seed=2**40),
    ],
    "reconstruct": [
        lambda musae: musae.reconstruct(ODD),
        lambda musae: musae.reconstruct(METRES, 1.0, 4),
        lambda musae: musae.reconstruct(LONG, temperature=1.0, seed=1),
    ],
    "interpolate": [
        lambda musae: musae.interpolate(ONE, TWO),
        lambda musae: musae.interpolate(TWO, ONE, 4, 1.0, seed=5),
        lambda musae: musae.interpolate(ONE, TWO, 3, 1.0, 5, "spherical"),
    ],
    "transfer": [
        lambda musae: musae.transfer(ODD, "hymns"),
        lambda musae: musae.transfer(ODD, "hymns", "dances", seed=9),
        lambda musae: musae.transfer(ODD, to="hymns", source="hymns", strength=2.5, temperature=1.0),
    ],
    "change": [
        lambda musae: musae.change(ODD, {"notes": 3.0}),
        lambda musae: musae.change(ODD, {"soprano:notes": 1.5, "length": -2.0}, 1.0, seed=9),
        lambda musae: musae.change(ODD, {}),
    ],
    "sweep": [
        lambda musae: musae.sweep(ODD, "register"),
        lambda musae: musae.sweep(ODD, "bass:length", 3, 3.0, 0.5, seed=2),
    ],
    "infer_genre": [lambda musae, seed=seed: musae.infer_genre(four_voice_song(6, seed=seed)) for seed in range(4)],
    "encode": [lambda musae: musae.encode(TWO)],
    "decode": [
        lambda musae: musae.decode(CODES),
        lambda musae: musae.decode(CODES, 1.0, seed=3, bars=5, tempo=96.0),
    ],
    "describe": [lambda musae: facts(musae.describe())],
    "map": [lambda musae: musae.map()],
}


def facts(description: Description) -> dict[str, Any]:
    """What a description says, but for when and under which name and version the model was exported."""
    found = {field.name: getattr(description, field.name) for field in fields(description) if field.compare}
    attributes = description.attributes
    more = {"names": attributes.names, "units": attributes.units.tolist(), "points": description.points,
            "of": description.points_of, "plane": description.plane.tolist()}  # fmt: skip
    # Of a run they are made when they are asked for.
    signatures = {name: found["signatures"][name] for name in found["signatures"] if name in ALWAYS}
    return {**found, **more, "signatures": signatures, "name": "", "version": 0, "created": ""}


ALWAYS = ("encode", "decode", "sample", "reconstruct", "interpolate", "interpolate_spherical", "transfer")


def alike(one: Any, other: Any) -> bool:
    """Music to the last note; numbers of the networks nearly."""
    if isinstance(one, Song):
        return same(one, other)
    if isinstance(one, np.ndarray):
        near = one.dtype.kind == "f"
        return np.allclose(one, other, rtol=1e-4, atol=1e-4) if near else np.array_equal(one, other)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(alike, one, other))
    return one == other


@pytest.mark.parametrize("verb", CASES)
def test_every_verb_gives_the_same_here_and_over_the_wire(musae, here, exported_here, verb):
    for call in CASES[verb]:
        remote = call(musae)
        assert alike(call(here), remote)
        assert alike(call(exported_here), remote)


def test_every_verb_is_held_to_that():
    verbs = {name for name, member in vars(Verbs).items() if callable(member) and not name.startswith("_")} - {"close"}
    # Those that work on a part of a piece are held to it in tests/test_trust.py, by a model that can.
    assert verbs == set(CASES) | {"fill", "harmonise", "continue_", "vary"}
    assert verbs == {name for name in vars(AsyncVerbs) if not name.startswith("_")}
    for name in verbs:
        signature = inspect.signature(getattr(Verbs, name))
        for kind in (Musae, MusaeClient, AsyncMusaeClient):
            assert inspect.signature(getattr(kind, name)) == signature
            assert getattr(kind, name).__doc__ == getattr(Verbs, name).__doc__ != ""


def test_what_is_refused_is_refused_alike(musae, here, exported_here):
    for ask in (
        lambda model: model.sample("hymms"),
        lambda model: model.sample("hymns", bars=0),
        lambda model: model.sample("hymns", temperature=-0.1),
        lambda model: model.transfer(ODD, "hymns", strength=float("inf")),
        lambda model: model.change(ODD, {"note": 1}),
        lambda model: model.interpolate(ONE, TWO, path="up"),
        lambda model: model.decode(np.zeros(8)),
        lambda model: model.infer_genre(waltz()),
    ):
        kinds = set()
        for model in (musae, here, exported_here):
            with pytest.raises(MusaeError) as caught:
                ask(model)
            kinds.add((type(caught.value), str(caught.value).rpartition("INVALID_ARGUMENT")[2]))
        assert len(kinds) == 1


def test_a_change_by_nothing_and_the_middle_of_a_sweep_are_the_reconstruction(musae):
    assert same(musae.change(ODD, {}), musae.reconstruct(ODD))
    swept = musae.sweep(ODD, "register", 5, 3.0, 0.5, seed=2)
    assert same(swept[2], musae.reconstruct(ODD, 0.5, seed=2))
    assert same(swept[0], musae.change(ODD, {"register": -3.0}, 0.5, seed=2))
    assert not same(swept[0], swept[-1])


def test_codes(musae, model, layout):
    song = four_voice_song(6, seed=3)
    mean, deviation = encode(model, cut(tokenize(song, layout), 2, hop=2))
    found = musae.encode(song)
    assert np.allclose(found.mean, mean, atol=1e-5)
    assert np.allclose(found.deviation, deviation, rtol=1e-4)
    assert np.allclose(found.genre_scores, model.prior.genre_scores(mean), atol=1e-4)
    assert np.allclose(found.genre_scores.sum(axis=1), 1, atol=1e-5)
    rebuilt = musae.decode(found.mean, tempo=96.0)
    for made, track in zip(rebuilt.tracks, musae.reconstruct(song).tracks, strict=True):
        assert np.array_equal(made.notes, track.notes)
    shorter = musae.decode(found.mean, temperature=1.0, seed=3, bars=5, tempo=96.0)
    assert len(shorter.bars()) == 5


def test_the_description_is_that_of_the_run(musae, tiny_run, layout):
    description = musae.describe()
    assert (description.layout, description.genres) == (layout, tiny_run.genres)
    assert (description.bars, description.steps) == (2, 32)
    assert description.latent == tiny_run.config.model.latent
    assert description.version == 1
    assert description.dataset_hash == tiny_run.facts["dataset"]["hash"]
    assert description.signatures["encode"]["outputs"]["mean"] == {
        "dtype": "float32",
        "shape": [None, description.latent],
    }


def test_the_map_is_that_of_the_run(musae, model, tiny_dataset):
    songs, live = musae.map(), map_of_songs(model, tiny_dataset)
    assert (songs.of, musae.describe().points_of) == ("songs", "songs")
    assert songs.title == live.title
    assert np.array_equal(songs.genre, live.genre)
    for name in ("mean", "axes", "position", "latent"):
        assert np.allclose(getattr(songs, name), getattr(live, name), atol=1e-4)
    # A place on the map is a code.
    assert np.allclose((songs.latent - songs.mean) @ songs.axes.T, songs.position, atol=1e-3)


def test_a_sample_has_the_tempo_of_its_genre_unless_another_is_asked_for(musae, tiny_run):
    for genre, tempo in tiny_run.facts["tempos"].items():
        assert musae.sample(genre, 2).tempos == [Tempo(0, pytest.approx(tempo, abs=0.01))]
    assert set(tiny_run.facts["tempos"]) == set(tiny_run.genres)


# --- what goes in -----------------------------------------------------------------------------------------------------


def test_music_of_every_kind_gives_the_same(musae, layout, tmp_path):
    tokens = tokenize(four_voice_song(4, seed=7), layout).tokens
    song = detokenize(tokens, layout)
    song.name = "mine"
    song.write(tmp_path / "mine.mid")
    expected = musae.reconstruct(song)
    assert expected.name == "mine"
    path = tmp_path / "mine.mid"
    multitrack = to_multitrack(song)
    for music in (
        path,
        str(path),
        path.read_bytes(),
        bytearray(path.read_bytes()),
        multitrack,
        tokens,
        tokens.reshape(-1, 4),
    ):
        assert musae.reconstruct(music).to_bytes() == expected.to_bytes(), type(music)
    assert musae.reconstruct(path).name == "mine"


@pytest.mark.parametrize("music", [waltz(), drum_song()], ids=["waltz", "drums"])
def test_music_that_the_model_cannot_take_is_refused_with_its_file(musae, tmp_path, music):
    music.write(tmp_path / "it.mid")
    with pytest.raises(MusicError, match=r"it\.mid: "):
        musae.transfer(tmp_path / "it.mid", to="hymns")
    with pytest.raises(MusicError):
        musae.infer_genre(music)


@pytest.mark.parametrize("music", [3, None, ["mine.mid"], np.zeros((16, 3), int), np.full((16, 4), 130), b"no midi"])
def test_what_is_no_music_is_refused(musae, music):
    with pytest.raises(MusicError):
        musae.encode(music)


def test_an_unknown_genre_gets_the_list_of_known_ones(musae):
    with pytest.raises(UnknownGenreError, match=r"'hymms'.*did you mean hymns\?.*dances, hymns") as caught:
        musae.sample("hymms")
    assert caught.value.code == "INVALID_ARGUMENT"
    for how in ({"to": "polka"}, {"to": "hymns", "source": "polka"}):
        with pytest.raises(UnknownGenreError, match="dances, hymns"):
            musae.transfer(four_voice_song(), **how)


def test_an_unknown_attribute_gets_the_list_of_known_ones(musae, attributes):
    assert musae.describe().attributes.names == attributes.names
    np.testing.assert_allclose(musae.describe().attributes.units, attributes.units, rtol=1e-3)
    for ask in (lambda: musae.change(four_voice_song(), {"note": 1}), lambda: musae.sweep(four_voice_song(), "note")):
        with pytest.raises(UnknownAttributeError, match=r"'note'.*did you mean notes\?.*length, soprano:notes"):
            ask()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda musae: musae.sample("hymns", bars=0), "bars is 0, must be from 1 to 4096"),
        (lambda musae: musae.sample("hymns", bars=10**7), "bars is 10000000, must be from 1 to 4096"),
        (lambda musae: musae.sample("hymns", bars=1.5), "bars is 1.5, must be a whole number, from 1 to"),
        (lambda musae: musae.sample("hymns", seed=-1), "seed is -1, must be 0 or more"),
        (lambda musae: musae.sample("hymns", seed="x"), "seed is 'x', must be a whole number, 0 or more"),
        (lambda musae: musae.sample("hymns", temperature="hot"), "temperature is 'hot', must be a number"),
        (lambda musae: musae.sample("hymns", temperature=-0.1), "temperature is -0.1, must be a number from 0 to 100"),
        (lambda musae: musae.sample("hymns", temperature=float("nan")), "temperature is nan, must be a number"),
        (lambda musae: musae.sample("hymns", tempo="allegro"), "tempo is 'allegro', must be a number from 1 to 1000"),
        (lambda musae: musae.interpolate(four_voice_song(), four_voice_song(), points=1), "points is 1, must be from"),
        (lambda musae: musae.interpolate(four_voice_song(), four_voice_song(), path="up"), "path is 'up', must be"),
        (lambda musae: musae.transfer(four_voice_song(), "hymns", strength=float("inf")), "strength is inf, must be"),
        (lambda musae: musae.change(four_voice_song(), {"notes": float("inf")}), "amount of notes is inf, must"),
        (lambda musae: musae.sweep(four_voice_song(), "notes", points=1), "points is 1, must be from 2 to 256"),
        (lambda musae: musae.change(four_voice_song(), ["notes"]), "changes is .'notes'., must be a mapping"),
        (lambda musae: musae.decode("x"), r"latent is of the type str, must be an array of numbers"),
        (lambda musae: musae.decode(musae.encode(four_voice_song())), "of the type Encoding.*take the mean"),
        (lambda musae: musae.decode(np.full((1, musae.describe().latent), np.nan)), "values that are not finite"),
        (lambda musae: musae.decode(np.zeros(8)), r"latent has shape \[8\]"),
        (lambda musae: musae.decode(np.zeros((0, musae.describe().latent))), r"latent has shape \[0,"),
        (lambda musae: musae.decode(np.zeros((1, musae.describe().latent)), bars=3), "bars is 3, must be at most 2"),
    ],
)  # fmt: skip
def test_impossible_arguments_are_refused_by_name(musae, ask, message):
    with pytest.raises(InvalidRequestError, match=message) as caught:
        ask(musae)
    assert caught.value.code == "INVALID_ARGUMENT"


# --- asyncio ----------------------------------------------------------------------------------------------------------


def test_the_asyncio_client_gives_the_same(target, musae):
    song, other = four_voice_song(5, seed=1), four_voice_song(2, seed=2)

    async def ask() -> list:
        client = AsyncMusaeClient(target)
        async with client as twin:
            assert await twin.ready()
            await twin.wait_until_ready(5)
            return await asyncio.gather(
                twin.sample("hymns", 6, seed=3),
                twin.reconstruct(song),
                twin.transfer(song, "dances"),
                twin.interpolate(song, other, 3),
                twin.change(song, {"notes": 2.0}),
                twin.sweep(song, "bass:length", 3),
                twin.infer_genre(song),
                twin.encode(song),
                twin.decode(np.zeros((1, (await twin.describe()).latent))),
                twin.status(),
                twin.map(),
                *(twin.sample("dances", 4, seed=seed) for seed in range(20)),
            )

    made = asyncio.run(ask())
    expected = [
        musae.sample("hymns", 6, seed=3),
        musae.reconstruct(song),
        musae.transfer(song, "dances"),
        musae.interpolate(song, other, 3),
        musae.change(song, {"notes": 2.0}),
        musae.sweep(song, "bass:length", 3),
        musae.infer_genre(song),
        musae.encode(song),
        musae.decode(np.zeros((1, musae.describe().latent))),
        musae.status(),
        musae.map(),
        *(musae.sample("dances", 4, seed=seed) for seed in range(20)),
    ]
    for one, two in zip(made, expected, strict=True):
        if isinstance(one, tuple):
            assert all(map(np.array_equal, one, two))
        else:
            assert one == two


def test_one_client_serves_many_threads(musae):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda seed: musae.sample("dances", 4, seed=seed), range(24)))
    assert made == [musae.sample("dances", 4, seed=seed) for seed in range(24)]


def test_a_longer_sample_begins_like_a_shorter_one_whatever_the_requests_were(musae, layout):
    short = tokenize(musae.sample("hymns", 4, 1.0, seed=1), layout).tokens
    long = tokenize(musae.sample("hymns", 4 * MAX_ROWS, 1.0, seed=1), layout).tokens
    assert np.array_equal(short, long[:4])


def test_the_clients_have_the_same_methods():
    def methods(kind: type) -> dict[str, inspect.Signature]:
        names = {"__init__", *(name for name in dir(kind) if not name.startswith("_"))}
        return {name: inspect.signature(getattr(kind, name)) for name in names}

    assert methods(MusaeClient) == methods(AsyncMusaeClient)
    assert "sample" in methods(MusaeClient)
    assert inspect.signature(MusaeClient) == inspect.signature(AsyncMusaeClient)
