"""The map of the latent space."""

import numpy as np
import pytest

from musae_tf.data import Dataset, FolderSource, build
from musae_tf.export import version
from musae_tf.export.map import PHRASES_A_SONG, _plane, map_of_draws, map_of_songs
from musae_tf.models.inference import encode, sample_latent
from musae_tf.music import get_layout
from musae_tf.training import Run
from tests.conftest import write_songs


def test_every_training_song_is_there_with_a_phrase_of_its_own(songs, model, tiny_dataset):
    training = [song for song in tiny_dataset.songs if song["split"] == "train"]
    assert list(songs.title) == [song["title"] for song in training]
    assert [tiny_dataset.genres[number] for number in songs.genre] == [song["labels"][0] for song in training]
    index = tiny_dataset.phrases("train", 2, hop=2)
    codes = encode(model, index.tokens())[0]
    for number, code in zip(np.unique(index.songs), songs.latent, strict=True):
        own = codes[index.songs == number]
        gaps = np.linalg.norm(own - own.mean(0), axis=1)
        assert np.allclose(code, own[gaps.argmin()], atol=1e-5)
    assert 4 <= len(codes) // len(training) <= PHRASES_A_SONG


def test_the_plane_shows_the_genres_apart():
    random = np.random.default_rng(4)
    centres = np.zeros((3, 12))
    centres[1, 5], centres[2, 9] = 6.0, 6.0
    genre = np.repeat(np.arange(3), 200)
    # A direction that varies more than the genres differ is not what the map is for.
    codes = centres[genre] + random.normal(size=(600, 12)) * np.where(np.arange(12) == 0, 9.0, 1.0)
    mean, axes = _plane(codes.astype(np.float32), genre)
    assert np.allclose(axes @ axes.T, np.eye(2), atol=1e-5)
    places = (codes - mean) @ axes.T
    middle = np.stack([places[genre == number].mean(0) for number in range(3)])
    nearest = np.linalg.norm(places[:, None] - middle, axis=2).argmin(1)
    assert (nearest == genre).mean() > 0.9


@pytest.mark.parametrize("genres", [1, 2])
def test_fewer_genres_leave_room_for_what_varies_most(genres):
    random = np.random.default_rng(5)
    genre = np.arange(300) % genres
    codes = random.normal(size=(300, 8)) * np.array([5.0, 3.0, *[0.1] * 6])
    codes[:, 7] += 4.0 * genre
    axes = _plane(codes.astype(np.float32), genre)[1]
    assert np.allclose(axes @ axes.T, np.eye(2), atol=1e-5)
    # Where the means lie apart by chance on other axes too, the first direction leans a little.
    seen = np.abs(axes).max(axis=0)
    assert seen[0] > 0.8
    assert seen[1] > 0.8 if genres == 1 else seen[7] > 0.8


def test_of_many_songs_every_genre_has_its_share(model, tmp_path):
    write_songs(tmp_path / "songs", songs=8)
    for path in sorted((tmp_path / "songs" / "dances").iterdir())[2:]:
        path.unlink()
    build(FolderSource(tmp_path / "songs"), tmp_path / "data", get_layout("voices"), workers=1)
    dataset = Dataset.open(tmp_path / "data")
    few = map_of_songs(model, dataset, songs=4)
    assert len(few.title) == 4
    assert len(set(few.title)) == 4
    assert set(few.genre) == {0, 1} & set(map_of_songs(model, dataset).genre)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"path": "nowhere"}, "the dataset nowhere is not there"),
        ({"hash": "0"}, "is not the dataset of the run any more"),
    ],
)
def test_without_the_dataset_there_is_no_map_no_vectors_and_a_sentence(tiny_run, model, change, words):
    facts = {**tiny_run.facts, "dataset": {**tiny_run.facts["dataset"], **change}}
    said = []
    run = Run(tiny_run.path, tiny_run.config, facts)
    dataset = version.dataset_of(run, said.append)
    assert (dataset, version._map_of_songs(model, dataset, said.append)) == (None, None)
    assert version._attributes(run, model, dataset, said.append) is None
    assert words in said[0]
    assert "no map" in said[1]
    assert "no attribute vectors" in said[2]


def test_a_map_of_draws_has_every_genre_and_none_of_the_songs(songs, model, tiny_dataset):
    draws = map_of_draws(model, 31)
    assert (songs.of, draws.of) == ("songs", "draws")
    assert np.bincount(draws.genre).tolist() == [16, 15]
    assert draws.title[0] == "draw 1 of dances"
    assert draws.title[-1] == "draw 15 of hymns"
    assert len(set(draws.title)) == 31
    assert np.allclose(draws.axes @ draws.axes.T, np.eye(2), atol=1e-5)
    assert np.allclose(draws.mean, draws.latent.mean(0), atol=1e-5)
    for one, other in zip(draws, map_of_draws(model, 31), strict=True):
        assert np.array_equal(one, other), "one model, one map"
    # They are spread as draws are, which none of the songs is among.
    seeds = np.arange(2000, dtype=np.int32).reshape(1000, 2)
    likewise = sample_latent(model, np.arange(1000) % 2, seeds)
    assert np.linalg.norm(draws.mean - likewise.mean(0)) < np.sqrt(likewise.var(0).sum() / 31) * 2
    assert 0.7 < draws.latent.std(0).mean() / likewise.std(0).mean() < 1.3
    codes = encode(model, tiny_dataset.phrases("train", 2).tokens())[0]
    assert np.abs(draws.latent[:, None] - codes).max(-1).min() > 1e-3
