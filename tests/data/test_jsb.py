"""Chorales of the public JSON files: both grids, the parts as they are, and files that are something else."""

import json

import numpy as np
import pytest

from musae_tf.cli import main
from musae_tf.data import Dataset, JsbSource, build
from musae_tf.data.info import check, describe
from musae_tf.data.jsb import SILENT, voiced
from musae_tf.errors import DatasetError
from musae_tf.music.grid import sounding_pitch
from musae_tf.music.vocabulary import HOLD, REST

# A bar and a half, the alto silent for a beat.
VOICED = [[72, 67, 60, 48]] * 4 + [[72, 69, 60, 53]] * 4 + [[71, SILENT, 62, 55]] * 4 + [[72, 67, 64, 48]] * 12
SETS = [[48, 60, 67, 72], [53, 60, 69, 72], [55, 62, 71], [48, 64, 67, 72], [48, 60, 72], []] * 3


def write(path, **parts):
    path.write_text(json.dumps(parts))
    return path


@pytest.fixture
def sixteenths(tmp_path):
    higher = [[pitch + 1 if pitch >= 0 else pitch for pitch in step] for step in VOICED]
    return write(tmp_path / "16th.json", train=[VOICED, higher], valid=[higher], test=[VOICED])


@pytest.fixture
def quarters(tmp_path):
    return write(tmp_path / "quarter.json", train=[SETS], valid=[SETS[1:]], test=[SETS[2:]])


def test_sixteenths_become_notes_that_last(sixteenths, tmp_path):
    source = JsbSource(sixteenths)
    build(source, tmp_path / "made", workers=0)
    dataset = Dataset.open(tmp_path / "made", verify=True)
    assert [song["bars"] for song in dataset.songs] == [2, 2, 2, 2]
    song = next(number for number, row in enumerate(dataset.songs) if row["id"] == "test/0000")
    _, first, bars = dataset.runs[song].tolist()
    tokens = dataset.tokens[first : first + bars].reshape(-1, 4)
    assert tokens[:5, 0].tolist() == [72, HOLD, HOLD, HOLD, HOLD], "a pitch that stays is one note"
    assert tokens[8:13, 1].tolist() == [REST] * 4 + [67]
    assert (tokens[24:] == REST).all(), "the last bar is filled up"
    assert (sounding_pitch(tokens, dataset.layout)[:24] == np.array(VOICED)).all()
    assert list(check(tmp_path / "made"))


def test_parts_stay_as_the_file_has_them_whatever_they_repeat(sixteenths, tmp_path):
    build(JsbSource(sixteenths), tmp_path / "made", workers=0, seed=5, split=(1, 0, 0))
    dataset = Dataset.open(tmp_path / "made")
    parts = {song["id"]: (song["split"], song["duplicate_of"]) for song in dataset.songs}
    assert parts == {
        "train/0000": ("train", None),
        "train/0001": ("train", None),
        "valid/0000": ("validation", None),
        "test/0000": ("test", None),
    }
    assert len(dataset.phrases("test", 2)) == 1
    assert "as the source has it" in describe(dataset)


def test_sets_become_voices_of_which_every_step_is_an_onset(quarters, tmp_path):
    source = JsbSource(quarters, "quarter")
    build(source, tmp_path / "made", workers=0)
    dataset = Dataset.open(tmp_path / "made", verify=True)
    for (_, first, bars), row in zip(dataset.runs.tolist(), dataset.songs, strict=True):
        tokens = dataset.tokens[first : first + bars].reshape(-1, 4)
        assert not (tokens == HOLD).any()
        part, number = row["id"].split("/")
        written = json.loads(quarters.read_text())[part][int(number)]
        sounding = [sorted({int(pitch) for pitch in step if pitch < REST}) for step in tokens]
        assert sounding[: len(written)] == written, "the sets are known from the voices"
        assert not any(sounding[len(written) :])
        assert len(source.chorales()[row["id"]]) == len(written)


@pytest.mark.parametrize(
    ("chords", "expected"),
    [
        ([[48, 60, 67, 72]], [[72, 67, 60, 48]]),
        ([[60]], [[60, 60, 60, 60]]),
        ([[48, 60, 72]], [[72, 60, 48, 48]]),
        ([[48, 60, 67, 72], [48, 62, 71]], [[72, 67, 60, 48], [71, 71, 62, 48]]),
        ([[48, 60, 71, 72], [48, 62, 72]], [[72, 71, 60, 48], [72, 72, 62, 48]]),
        ([[48, 60, 67, 72], [], [47, 62, 67]], [[72, 67, 60, 48], [SILENT] * 4, [67, 67, 62, 47]]),
        ([[60, 60, 64]], [[64, 60, 60, 60]]),
    ],
)
def test_voices_share_a_pitch_where_they_move_least(chords, expected):
    assert voiced(chords).tolist() == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "cannot read"),
        (b"", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "is no object"),
        (b'{"train": [], "test": []}', "has the keys 'test', 'train'"),
        (b'{"train": [[[1, 2, 3, 4]]], "valid": [], "test": [[[1, 2, 3, 4]]]}', "'valid' must be a list of one"),
        (b'{"train": {"a": 1}, "valid": [], "test": []}', "'train' must be a list of one"),
    ],
)
def test_a_file_that_is_no_such_file(tmp_path, text, complaint):
    if text is not None:
        (tmp_path / "file.json").write_bytes(text)
    with pytest.raises(DatasetError, match=complaint) as caught:
        JsbSource(tmp_path / "file.json").items()
    assert str(tmp_path / "file.json") in str(caught.value)


@pytest.mark.parametrize(
    ("grid", "chorale", "complaint"),
    [
        ("sixteenth", [[60, 60, 60]], "step 0: 3 pitches"),
        ("sixteenth", [[60, 60, 60, 128]], "step 0: the pitch 128; allowed: 0 to 127, or -1"),
        ("sixteenth", [[60, 60, 60, -2]], "step 0: the pitch -2"),
        ("sixteenth", [[60, 60, 60, 48], [60.0, 60, 60, 48]], "step 1: the pitch 60.0"),
        ("sixteenth", [[60, 60, 60, True]], "the pitch True"),
        ("sixteenth", [[60, 60, 60, 10**30]], "the pitch 1000"),
        ("sixteenth", [["60", 60, 60, 48]], "the pitch '60'"),
        ("sixteenth", [60, 60, 60, 48], "step 0: must be a list of pitches"),
        ("sixteenth", [], "must be a list of 1 to"),
        ("sixteenth", "chorale", "must be a list of 1 to"),
        ("sixteenth", [[-1, -1, -1, -1]], "is silent throughout"),
        ("quarter", [[40, 50, 60, 70, 80]], "step 0: 5 pitches; allowed: at most 4"),
        ("quarter", [[-1]], "the pitch -1; allowed: 0 to 127"),
        ("quarter", [[], []], "is silent throughout"),
    ],
)
def test_one_wrong_chorale_is_enough(tmp_path, grid, chorale, complaint):
    good = VOICED if grid == "sixteenth" else SETS
    file = write(tmp_path / "file.json", train=[good], valid=[good, chorale], test=[good])
    with pytest.raises(DatasetError, match=complaint) as caught:
        JsbSource(file, grid).items()
    assert f"{file}: chorale 1 of 'valid'" in str(caught.value)


def test_a_file_that_changes_meanwhile_is_said(sixteenths):
    items = JsbSource(sixteenths).items()
    with pytest.raises(DatasetError, match="has changed"):
        JsbSource(sixteenths).load(items[0]._replace(digest="another"))
    with pytest.raises(DatasetError, match="has changed"):
        JsbSource(sixteenths).load(items[0]._replace(path="test/0009"))


def test_the_command(sixteenths, quarters, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["data", "build", "jsb", "--file", str(quarters), "--grid", "quarter", "--out", "made"]) == 0
    assert "split     as the source has it" in capsys.readouterr().out
    assert main(["data", "build", "jsb", "--file", str(quarters), "--grid", "quarter", "--out", "made"]) == 0
    assert "is already built" in capsys.readouterr().out
    assert main(["data", "build", "jsb", "--file", str(quarters), "--out", "other"]) == 2
    assert "read with --grid quarter" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_songs_of_which_only_some_say_their_split_are_a_mistake_of_the_source(sixteenths, tmp_path):
    class Half(JsbSource):
        def load(self, item):
            piece = super().load(item)
            object.__setattr__(piece, "split", None if item.path == "train/0001" else piece.split)
            return piece

    with pytest.raises(DatasetError, match="1 of 4 songs do not say which split"):
        build(Half(sixteenths), tmp_path / "made", workers=0)
