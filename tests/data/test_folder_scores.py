"""Written scores in a folder of music."""

import json

import pytest

from musae_tf.data import Dataset, FolderSource, build
from musae_tf.errors import MusicError
from musae_tf.music import Song, get_layout, tokenize

ABC = """X:1
T:Two voices
M:4/4
L:1/8
Q:1/4=90
K:G
V:1
GABc d2 f2|g4 z2 B2|
V:2
G,4 D,4|G,8|
"""


def musicxml(parts, measures=2):
    """A partwise score: (name, General MIDI program or None, octave) of each part, quarters on C D E F."""
    listed, played = "", ""
    for number, (name, program, octave) in enumerate(parts):
        midi = (
            "" if program is None else f"<midi-instrument><midi-program>{program + 1}</midi-program></midi-instrument>"
        )
        listed += f"<score-part id='P{number}'><part-name>{name}</part-name>{midi}</score-part>"
        notes = "".join(
            f"<note><pitch><step>{step}</step><octave>{octave}</octave></pitch><duration>1</duration></note>"
            for step in "CDEF"
        )
        time = "<attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
        bars = "".join(f"<measure>{time if bar == 0 else ''}{notes}</measure>" for bar in range(measures))
        played += f"<part id='P{number}'>{bars}</part>"
    return f"<score-partwise><part-list>{listed}</part-list>{played}</score-partwise>"


def test_abc(tmp_path):
    (tmp_path / "tune.abc").write_text(ABC)
    song = Song.read(tmp_path / "tune.abc")
    assert [track.notes["pitch"].tolist() for track in song.tracks] == [
        [67, 69, 71, 72, 74, 78, 79, 71],
        [55, 50, 55],
    ]
    assert song.tempos[0].bpm == pytest.approx(90, abs=1e-3)
    assert song.metres[0][1:] == (4, 4)
    assert tokenize(song, get_layout("voices")).tokens.shape == (2, 16, 4)


def test_musicxml(tmp_path):
    (tmp_path / "score.musicxml").write_text(musicxml([("Guitar", 25, 4), ("Double bass", 32, 2), ("Voice", None, 5)]))
    song = Song.read(tmp_path / "score.musicxml")
    assert [(track.name, track.program) for track in song.tracks] == [("Guitar", 25), ("Double bass", 32), ("Voice", 0)]
    assert song.tracks[1].notes["pitch"].tolist() == [36, 38, 40, 41] * 2
    grid = tokenize(song, get_layout("band"))
    assert grid.tokens[0, ::4, 1].tolist() == [36, 38, 40, 41]
    assert grid.tokens[1, ::4, 2].tolist() == [60, 62, 64, 65]


def test_a_folder_of_all_formats(tmp_path):
    root = tmp_path / "music"
    root.mkdir()
    (root / "a.abc").write_text(ABC)
    (root / "b.XML").write_text(musicxml([("A", 0, 5), ("B", 0, 4)]))
    (root / "c.xml").write_text("<playlist/>")
    (root / "d.abc").write_text("nothing of the kind")
    (root / "e.mxl").write_bytes(b"PK\x03\x04 and no more")
    (root / "f.krn").write_text("**kern\t**kern\n*M4/4\t*M4/4\n=1\t=1\n1c\t1cc\n=2\t=2\n1d\t1dd\n*-\t*-\n")
    build(FolderSource(root), tmp_path / "set", get_layout("voices"), workers=1)
    assert {song["id"] for song in Dataset.open(tmp_path / "set").songs} == {"a.abc", "b.XML", "f.krn"}
    lines = (tmp_path / "set" / "rejected.jsonl").read_text().splitlines()
    reasons = {row["source"]: row["reason"] for row in map(json.loads, lines)}
    assert "the root is <playlist>; only <score-partwise> is read" in reasons["c.xml"]
    assert "is not readable ABC" in reasons["d.abc"]
    assert "damaged .mxl archive" in reasons["e.mxl"]


def test_score_that_is_not_there(tmp_path):
    with pytest.raises(MusicError, match=r"cannot read .*gone.abc: No such file"):
        Song.read(tmp_path / "gone.abc")


def test_every_tune_of_a_book_is_a_song(tmp_path):
    tunes = [f"X:{n}\nT:tune {n}\nM:4/4\nL:1/4\nK:C\n" + "CDEF|GABc|" * n for n in range(1, 6)]
    (tmp_path / "music" / "a").mkdir(parents=True)
    (tmp_path / "music" / "a" / "book.abc").write_text("%abc-2.1\n\n" + "\n".join(tunes))
    (tmp_path / "music" / "a" / "one.ABC").write_text(tunes[0])
    source = FolderSource(tmp_path / "music")
    pieces = {piece.id: piece for piece in map(source.load, source.items())}
    assert sorted(pieces) == [*(f"a/book.abc#{n}" for n in range(1, 6)), "a/one.ABC"]
    assert [len(pieces[f"a/book.abc#{n}"].song.bars()) for n in range(1, 6)] == [2, 4, 6, 8, 10]
    assert {piece.labels for piece in pieces.values()} == {("a",)}
    assert pieces["a/book.abc#3"].title == "book 3"
    grid = tokenize(pieces["a/book.abc#1"].song, get_layout("voices"))
    assert grid.losses["off_grid"] == 0
    assert grid.tokens[0, ::4].min(axis=1).tolist() == [60, 62, 64, 65]
    table = tmp_path / "labels.csv"
    table.write_text("path,labels\na/book.abc,reel\n")
    source = FolderSource(tmp_path / "music", labels=table)
    assert {item.labels for item in source.items()} == {("reel",)}
    assert [refused.source for refused in source.rejected()] == ["a/one.ABC"]
