import json
import shutil

import numpy as np
import pytest

from musae_tf.data.build import build
from musae_tf.data.dataset import Dataset
from musae_tf.data.folder import FolderSource
from musae_tf.data.store import content_hash
from musae_tf.errors import DatasetError
from musae_tf.music import Song, Track, get_layout
from musae_tf.music.grid import cut, heads, tokenize
from tests.corpus import band_song, changing_metre_song, four_voice_song
from tests.data.makers import VOICES, build_voices, write_tree

SPLITS = ("train", "validation", "test")


@pytest.fixture
def copy(dataset, tmp_path):
    """A copy of the dataset that may be damaged."""
    return shutil.copytree(dataset.path, tmp_path / "copy")


def edit_manifest(folder, **values):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text()) | values
    manifest["hash"] = content_hash(manifest)
    path.write_text(json.dumps(manifest))


# --- opening ----------------------------------------------------------------------------------------------------------


def test_arrays_hold_the_songs(tree, dataset):
    assert dataset.layout == VOICES
    assert dataset.genres == ("north", "south", "west", "none")
    assert dataset.tokens.dtype == dataset.heads.dtype == np.uint16
    for number, first, bars in dataset.runs.tolist():
        song = dataset.songs[number]
        grid = tokenize(Song.read(tree / song["source"]), VOICES)
        assert grid.runs == [(0, bars)]
        np.testing.assert_array_equal(dataset.tokens[first : first + bars], grid.tokens)
        np.testing.assert_array_equal(dataset.heads[first : first + bars], heads(grid.tokens, grid.runs, VOICES))
        assert song["tempo"] == 96.0
    assert dataset.runs[:, 2].sum() == len(dataset.tokens) == dataset.manifest["counts"]["bars"]


def test_runs_of_a_song_with_other_metres(tmp_path):
    root = write_tree(tmp_path / "music", a=2)
    changing_metre_song(5).write(root / "a" / "metres.mid")
    build_voices(root, tmp_path / "set")
    opened = Dataset.open(tmp_path / "set", verify=True)
    (number,) = [row for row, song in enumerate(opened.songs) if song["id"] == "a/metres.mid"]
    assert opened.runs[opened.runs[:, 0] == number][:, 2].tolist() == [2, 3, 1]


def test_no_dataset(tmp_path):
    with pytest.raises(DatasetError, match=r"nowhere is not a dataset: there is no such folder"):
        Dataset.open(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"is not a dataset: it has no manifest\.json"):
        Dataset.open(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"manifest\.json is not the manifest of a dataset"):
        Dataset.open(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match=r"cannot read .*file/manifest\.json: Not a directory"):
        Dataset.open(tmp_path / "file")


def test_other_format(copy):
    edit_manifest(copy, format=7)
    with pytest.raises(DatasetError, match="copy has dataset format 7, this version reads 1; build it again"):
        Dataset.open(copy)


def test_damaged_manifest(copy):
    path = copy / "manifest.json"
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match=r"manifest\.json is damaged"):
        Dataset.open(copy)
    path.write_text(whole.replace('"north"', '"nord"'))
    with pytest.raises(DatasetError, match=r"manifest\.json is damaged: its hash does not fit"):
        Dataset.open(copy)
    path.write_text(whole.replace('"genres"', '"styles"'))
    with pytest.raises(DatasetError, match=r"key 'genres' is missing or is not a list"):
        Dataset.open(copy)
    path.write_text(whole.replace('"runs": ', '"runs": null, "was": '))
    with pytest.raises(DatasetError, match=r"key 'counts\.runs' is missing or is not a number"):
        Dataset.open(copy)
    path.write_text(whole.replace('"melodic"', '"harmonic"', 1))
    with pytest.raises(DatasetError, match=r"manifest\.json is damaged: layout: vocabulary is 'harmonic'"):
        Dataset.open(copy)


@pytest.mark.parametrize("name", ["tokens.npy", "heads.npy", "runs.npy", "songs.jsonl"])
def test_missing_cut_or_changed_file(copy, name):
    path = copy / name
    whole = path.read_bytes()
    path.unlink()
    with pytest.raises(DatasetError, match=rf"cannot read .*{name}: No such file or directory"):
        Dataset.open(copy)
    path.write_bytes(whole[:-100])
    with pytest.raises(DatasetError, match=rf"{name}"):
        Dataset.open(copy)
    path.write_bytes(b"")
    with pytest.raises(DatasetError, match=rf"{name}"):
        Dataset.open(copy)
    changed = whole.replace(b'"title": "0', b'"title": "1', 1) if name.endswith("jsonl") else flip(whole, 300)
    path.write_bytes(changed)
    with pytest.raises(DatasetError, match=rf"{name} is damaged"):
        Dataset.open(copy, verify=True)
    path.write_bytes(whole)
    Dataset.open(copy, verify=True)


def flip(data, position):
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


def test_array_of_another_dataset(copy, tmp_path):
    build_voices(write_tree(tmp_path / "music", a=2), tmp_path / "other")
    for name in ("tokens.npy", "heads.npy", "runs.npy"):
        kept = (copy / name).read_bytes()
        shutil.copy(tmp_path / "other" / name, copy / name)
        with pytest.raises(DatasetError, match=rf"{name} is damaged: it holds .*, manifest\.json says"):
            Dataset.open(copy)
        (copy / name).write_bytes(kept)
    runs = np.load(copy / "runs.npy")
    runs[0, 2] += 1
    np.save(copy / "runs.npy", runs)
    with pytest.raises(DatasetError, match=r"runs\.npy is damaged: it does not fit the songs"):
        Dataset.open(copy)


# --- phrases ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bars", "hop"), [(1, 1), (2, 1), (4, 1), (4, 4), (3, 2)])
def test_phrases_are_those_of_the_songs(tree, dataset, bars, hop):
    for split in SPLITS:
        index = dataset.phrases(split, bars, hop, sounding="any")
        rows = [row for row, song in enumerate(dataset.songs) if song["split"] == split]
        expected = [cut(tokenize(Song.read(tree / dataset.songs[row]["source"]), VOICES), bars, hop) for row in rows]
        np.testing.assert_array_equal(index.tokens(), np.concatenate(expected))
        np.testing.assert_array_equal(index.songs, np.repeat(rows, list(map(len, expected))))
        for row in (0, len(index) - 1):
            names = [name for name, label in zip(dataset.genres, index.labels[row], strict=True) if label]
            assert names == dataset.songs[index.songs[row]]["labels"]
        some = np.arange(len(index))[::3]
        np.testing.assert_array_equal(index.tokens(some), index.tokens()[some])
        np.testing.assert_array_equal(index.take(some).tokens(), index.tokens(some))
        assert len(index.take(some)) == len(some)


def test_no_song_is_in_two_splits(dataset):
    songs = [set(dataset.phrases(split, 1, sounding="any").songs.tolist()) for split in SPLITS]
    assert set.union(*songs) == set(range(len(dataset.songs)))
    assert sum(map(len, songs)) == len(dataset.songs)
    groups = [{dataset.songs[song]["group"] for song in part} for part in songs]
    assert sum(map(len, groups)) == len(set.union(*groups))


def test_sounding(tmp_path):
    """Bar 0: all voices; bar 1: soprano alone; bars 2 and 3: nothing; bars 4 and 5: one note held in all voices."""
    note = np.array([(0, 1920, 60, 90), (7680, 3840, 62, 90)], four_voice_song().tracks[0].notes.dtype)
    high = np.array([(0, 1920, 60, 90), (1920, 480, 61, 90), (7680, 3840, 62, 90)], note.dtype)
    tracks = [Track(name, 52, False, high if name == "soprano" else note) for name in VOICES.names]
    (tmp_path / "music").mkdir()
    Song(480, tracks, end=6 * 1920).write(tmp_path / "music" / "a.mid")
    build_voices(tmp_path / "music", tmp_path / "set")
    opened = Dataset.open(tmp_path / "set")
    (split,) = {song["split"] for song in opened.songs}
    assert opened.phrases(split, 1).starts.tolist() == [0, 4, 5]
    assert opened.phrases(split, 1, sounding="any").starts.tolist() == [0, 1, 4, 5]
    assert opened.phrases(split, 2).starts.tolist() == [0, 3, 4]
    assert opened.phrases(split, 2, sounding="any").starts.tolist() == [0, 1, 3, 4]
    held = opened.phrases(split, 1).tokens()[2]
    assert held[0].tolist() == [62] * 4
    assert (held[1:] == 129).all()


def test_drums_sound_too(tmp_path):
    (tmp_path / "music").mkdir()
    song = band_song(6)
    song.tracks[0].notes = song.tracks[0].notes[song.tracks[0].notes["start"] < 2 * 1920]
    song.write(tmp_path / "music" / "a.mid")
    build(FolderSource(tmp_path / "music"), tmp_path / "set", get_layout("band"), workers=1)
    assert Dataset.open(tmp_path / "set").phrases("train", 2).starts.tolist() == [0, 1]
    assert len(Dataset.open(tmp_path / "set").phrases("train", 2, sounding="any")) == 5


def test_without_overlap(dataset):
    index = dataset.phrases("train", 3)
    apart = index.without_overlap()
    assert np.isin(apart.starts, index.starts).all()
    assert (np.diff(apart.starts) >= 3).all()
    # Nothing is left that would fit in between.
    taken = np.zeros(len(dataset.tokens) + 3, int)
    for start in apart.starts:
        taken[start : start + 3] += 1
    assert taken.max() == 1
    assert all(taken[start : start + 3].any() for start in index.starts)


def test_impossible_phrases(dataset):
    with pytest.raises(DatasetError, match="allowed: train, validation, test"):
        dataset.phrases("valid", 2)
    with pytest.raises(DatasetError, match="'all' or 'any'"):
        dataset.phrases("train", 2, sounding="some")
    with pytest.raises(DatasetError, match="both must be 1 or more"):
        dataset.phrases("train", 0)
    assert len(dataset.phrases("train", 100)) == 0
    assert dataset.phrases("train", 100).tokens().shape == (0, 1600, 4)
