"""Songs of POP909: their folders, their beats, and the share of notes off the grid with and without these."""

import json

import numpy as np
import pytest

from musae_tf.cli import main
from musae_tf.data import Dataset, Pop909Source, build
from musae_tf.data.info import check
from musae_tf.errors import DatasetError, MusicError
from musae_tf.music import Song
from musae_tf.music.beat import has_another_beat, has_no_beat, off_grid
from tests.data.makers import content, write_played, write_song

SONGS = 5


@pytest.fixture
def collection(tmp_path):
    root = tmp_path / "POP909"
    for number in range(1, SONGS + 1):
        write_played(root, number)
    write_song(root / "001" / "versions" / "001-v1.mid", 9)
    write_song(root / "other" / "006.mid", 9)
    return root


def test_songs_are_put_on_their_beats(collection):
    source = Pop909Source(collection)
    items = source.items()
    assert [item.path for item in items] == [f"{number:03}/{number:03}.mid" for number in range(1, SONGS + 1)]
    assert source.rejected() == []
    for item in items:
        before, piece = Song.read(collection / item.path), source.load(item)
        assert off_grid(before) > 0.45
        assert has_no_beat(before) or has_another_beat(before)
        assert off_grid(piece.song) == 0
        assert [track.name for track in piece.song.tracks] == ["MELODY", "BRIDGE", "PIANO"]
        assert [(metre.tick, metre.numerator) for metre in piece.song.metres] == [(0, 2), (960, 4)]
        assert (piece.id, piece.labels, piece.hints) == (item.path[:3], ("pop",), ())
        starts = [np.concatenate([one.seconds_at(track.notes["start"]) for track in one.tracks])
                  for one in (before, piece.song)]  # fmt: skip
        assert np.abs(np.sort(starts[0]) - np.sort(starts[1])).max() < 0.7 / 480


def test_a_build_is_the_same_again_and_has_each_song_by_itself(collection, tmp_path):
    build(Pop909Source(collection), tmp_path / "made", workers=0)
    build(Pop909Source(collection), tmp_path / "again", workers=2, name="made")
    assert content(tmp_path / "made") == content(tmp_path / "again")
    dataset = Dataset.open(tmp_path / "made", verify=True)
    assert dataset.manifest["counts"]["groups"] == SONGS
    assert dataset.manifest["warnings"] == {"files_of_beats": SONGS}
    assert list(dataset.genres) == ["pop"]
    assert list(check(tmp_path / "made"))


def test_songs_that_cannot_be_used_are_listed(collection, tmp_path):
    (collection / "002" / "beat_midi.txt").unlink()
    (collection / "003" / "beat_midi.txt").write_text("0.5 1 1\n0.4 0 0\n")
    (collection / "004" / "004.mid").write_bytes(b"no music")
    source = Pop909Source(collection)
    with pytest.raises(MusicError, match=r"003/beat_midi\.txt, line 2: the beat is -0\.1 seconds after the one before"):
        source.load(next(item for item in source.items() if item.path.startswith("003")))
    build(source, tmp_path / "made", workers=0)
    lines = (tmp_path / "made" / "rejected.jsonl").read_text().splitlines()
    reasons = {row["source"]: row["reason"] for row in map(json.loads, lines)}
    assert set(reasons) == {"002/002.mid", "003/003.mid", "004/004.mid"}
    assert reasons["002/002.mid"] == "002/002.mid: there is no beat_midi.txt beside it"
    assert len(Dataset.open(tmp_path / "made").songs) == 2


def test_changed_beats_are_another_item(collection):
    before = Pop909Source(collection).items()
    (collection / "001" / "beat_midi.txt").write_text("0 1 1\n1 0 0\n")
    after = Pop909Source(collection).items()
    assert before[0] != after[0]
    assert before[1:] == after[1:]


def test_a_folder_that_is_another_one_is_said(collection, tmp_path):
    with pytest.raises(DatasetError, match=r"has no song such as 001/001\.mid; did you mean .*/POP909\?"):
        Pop909Source(tmp_path).items()
    with pytest.raises(DatasetError, match=r"versions has no song such as 001/001\.mid, with its beats in 001/beat_mi"):
        Pop909Source(collection / "001" / "versions").items()
    with pytest.raises(DatasetError, match="cannot read the folder"):
        Pop909Source(tmp_path / "gone").items()


def test_the_command(collection, tmp_path, capsys):
    command = ["data", "build", "pop909", "--dir", str(collection), "--out", str(tmp_path / "made")]
    assert main([*command, "--workers", "1"]) == 0
    assert "files of beats" in capsys.readouterr().out
    assert main(command) == 0
    assert "is already built" in capsys.readouterr().out
