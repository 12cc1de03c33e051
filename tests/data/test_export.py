"""Songs back to files, tables, and the check of a whole dataset."""

import csv
import json
import re

import numpy as np
import pytest

from musae_tf.cli import main
from musae_tf.data import Dataset, FolderSource, build
from musae_tf.data.export import export_songs, rejection_table, song_of
from musae_tf.data.info import check
from musae_tf.data.reader import Filters
from musae_tf.data.store import SONGS, content_hash, text_hash
from musae_tf.errors import DatasetError
from musae_tf.music import get_layout, tokenize
from tests import corpus
from tests.data.makers import build_voices, write_tree


@pytest.fixture
def band(tmp_path):
    """Songs with gaps, pick-ups and one that is there twice."""
    root = tmp_path / "music"
    for number in range(4):
        corpus.band_song(6, number).write(root / "rock" / f"{number}.mid")
    corpus.band_song(6, 0).write(root / "jazz" / "again.mid")
    corpus.changing_metre_song().write(root / "voices: all, of them.mid")
    (root / "bad.mid").write_bytes(b"no music")
    build(FolderSource(root), tmp_path / "set", get_layout("band"), workers=0)
    return Dataset.open(tmp_path / "set")


def test_songs_come_back_with_the_same_tokens(band):
    for number, row in enumerate(band.songs):
        grid = tokenize(song_of(band, number), band.layout)
        runs = band.runs[band.runs[:, 0] == number]
        assert [bars for _, bars in grid.runs] == runs[:, 2].tolist()
        first = runs[0, 1]
        np.testing.assert_array_equal(grid.tokens, band.tokens[first : first + row["bars"]])
        assert grid.tempo == pytest.approx(row["tempo"])


def test_an_exported_dataset_is_built_again_from_its_table(band, tmp_path):
    table = export_songs(band, range(len(band.songs)), tmp_path / "out", pictures=True)
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [song["id"] for song in band.songs]
    assert {row["labels"] for row in rows} == {"jazz;rock", "rock", ""}
    pictures = sorted((tmp_path / "out").glob("*.png"))
    assert len(pictures) == len(rows)
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)

    source = FolderSource(tmp_path / "out", labels=table)
    build(source, tmp_path / "again", band.layout, workers=0)
    again = Dataset.open(tmp_path / "again")
    np.testing.assert_array_equal(again.tokens, band.tokens)
    np.testing.assert_array_equal(again.heads, band.heads)
    np.testing.assert_array_equal(again.runs, band.runs)
    assert [song["labels"] for song in again.songs] == [song["labels"] for song in band.songs]


def test_bars_that_a_filter_cut_out_leave_a_gap(tmp_path):
    song = corpus.band_song(8, 2)
    bass = song.tracks[1].notes
    song.tracks[1].notes = bass[(bass["start"] < 3 * 1920) | (bass["start"] >= 4 * 1920)]
    song.write(tmp_path / "music" / "a.mid")
    source = FolderSource(tmp_path / "music")
    build(source, tmp_path / "set", workers=0, filters=Filters(["no-silent-bars"]))
    dataset = Dataset.open(tmp_path / "set")
    grid = tokenize(song_of(dataset, 0), dataset.layout)
    np.testing.assert_array_equal(grid.tokens, dataset.tokens)
    assert grid.runs == [(first, bars) for _, first, bars in dataset.runs.tolist()]


def test_rejections_as_a_table(band):
    rows = list(csv.DictReader(rejection_table(band).splitlines()))
    assert [(row["source"], row["kind"]) for row in rows] == [("bad.mid", "unreadable")]
    assert "is not a readable MIDI file" in rows[0]["reason"]


# --- check ------------------------------------------------------------------------------------------------------------


def test_a_sound_dataset_passes(dataset):
    assert len(list(check(dataset.path))) == 4


def change_songs(folder, change):
    """Change the songs of a dataset and make its hashes fit, so that only their meaning is wrong."""
    songs = [json.loads(line) for line in (folder / SONGS).read_text().splitlines()]
    change(songs)
    (folder / SONGS).write_text("".join(json.dumps(song) + "\n" for song in songs))
    sign(folder, {SONGS: text_hash(folder / SONGS)})


def sign(folder, hashes):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["hashes"] |= hashes
    manifest["hash"] = content_hash(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda songs: songs[0].update(labels=["polka"]), "has the genres .'polka'."),
        (lambda songs: songs[0].update(labels=[]), r"has the genres \[\]"),
        (lambda songs: songs[0].update(labels=["a", "none"]), "has a genre and has none"),
        (lambda songs: songs[0].update(split="trial"), "is in the split 'trial'"),
        (lambda songs: songs[0].update(id=songs[1]["id"]), "two songs have one id"),
        (lambda songs: songs[0].update(duplicate_of="nobody"), "repeats 'nobody', which is no song that is used"),
        (lambda songs: [song.update(group=0) for song in songs], "group 0 is in two splits"),
    ],
)
def test_songs_that_make_no_sense_are_found(tmp_path, change, sentence):
    build_voices(write_tree(tmp_path / "music", a=8, none=3), tmp_path / "set")
    change_songs(tmp_path / "set", change)
    with pytest.raises(DatasetError, match=sentence):
        list(check(tmp_path / "set"))


def test_symbols_that_make_no_sense_are_found(tmp_path):
    from musae_tf.data.store import array_hash

    build_voices(write_tree(tmp_path / "music", a=8), tmp_path / "set")
    for name, value, sentence in (
        ("tokens.npy", 130, "bar 1 has the symbol 130 on track soprano"),
        ("heads.npy", 127, "the first symbols of bar 1 do not fit its tokens"),
    ):
        array = np.load(tmp_path / "set" / name)
        good = array[1].copy()
        array[1] = value
        np.save(tmp_path / "set" / name, array)
        with pytest.raises(DatasetError, match=f"{name} is damaged"):
            list(check(tmp_path / "set"))
        sign(tmp_path / "set", {name: array_hash(array)})
        with pytest.raises(DatasetError, match=sentence):
            list(check(tmp_path / "set"))
        array[1] = good
        np.save(tmp_path / "set" / name, array)
        sign(tmp_path / "set", {name: array_hash(array)})
    assert len(list(check(tmp_path / "set"))) == 4


# --- the commands -----------------------------------------------------------------------------------------------------


def test_commands(band, tmp_path, capsys):
    assert main(["data", "check", str(band.path)]) == 0
    assert "have the hashes of the manifest" in capsys.readouterr().out
    assert main(["data", "info", str(band.path), "--labels", "--duplicates", "--rejected"]) == 0
    shown = capsys.readouterr().out
    assert "jazz, rock      2" in shown
    assert re.search(r"^jazz/again.mid +rock/0.mid$", shown, re.MULTILINE)
    assert "unreadable: " in shown
    out = tmp_path / "out"
    assert main(["data", "export", str(band.path), "--out", str(out), "--genre", "rock", "--limit", "2"]) == 0
    assert len(list(out.glob("*.mid"))) == 2
    assert (out / "rejected.csv").read_text().count("\n") == 2
    assert main(["data", "export", str(band.path), "--out", str(tmp_path / "tables"), "--tables"]) == 0
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == ["rejected.csv", "songs.csv"]
    assert main(["data", "export", str(band.path), "--out", str(out), "--song", "nobody"]) == 2
    assert "the dataset has no song 'nobody'" in capsys.readouterr().err
    assert main(["data", "export", str(band.path), "--out", str(out), "--genre", "polka"]) == 2
    assert "the dataset has no genre 'polka'; it has jazz, rock, none" in capsys.readouterr().err
