import os
import tempfile
from pathlib import Path

import pytest

from musae_tf.data.folder import UNLISTED, FolderSource
from musae_tf.errors import DatasetError, MusicError
from tests.data.makers import output, write_song


def paths(source):
    return [item.path for item in source.items()]


def reasons(source):
    source.items()
    return {rejection.source: rejection.reason for rejection in source.rejected()}


def test_folder_names_are_genres(tmp_path):
    for path in ("rock/a.mid", "rock/live/b.MIDI", "jazz/c.Kar", "d.mid"):
        write_song(tmp_path / f"{path}.mid", 1)
        (tmp_path / f"{path}.mid").rename(tmp_path / path)
    (tmp_path / "rock" / "notes.txt").write_text("not music")
    source = FolderSource(tmp_path)
    assert {item.path: item.labels for item in source.items()} == {
        "d.mid": (),
        "jazz/c.Kar": ("jazz",),
        "rock/a.mid": ("rock",),
        "rock/live/b.MIDI": ("rock",),
    }
    assert source.items() == sorted(source.items())
    assert source.rejected() == []
    piece = source.load(source.items()[-1])
    assert (piece.id, piece.title, piece.labels) == ("rock/live/b.MIDI", "b", ("rock",))
    assert sum(len(track.notes) for track in piece.song.tracks) > 0


def test_table_gives_labels_and_groups(tmp_path):
    root = tmp_path / "music"
    for name in ("one", "two", "three", "four"):
        write_song(root / "any" / f"{name}.mid", 1)
    table = tmp_path / "labels.csv"
    table.write_bytes(
        b"\xef\xbb\xbfpath,labels,group\n"
        b"any/one.mid,rock; blues,band A\n"
        b"any/two.mid,,band A\n"
        b"./any/one.mid,rock|live,tour\n"
        b"any\\three.mid,jazz,\n"
        b"any/gone.mid,jazz,\n"
    )
    source = FolderSource(root, labels=table)
    items = {item.path: item for item in source.items()}
    assert items["any/one.mid"].labels == ("blues", "live", "rock")
    assert items["any/one.mid"].hints == ("group band A", "group tour")
    assert (items["any/two.mid"].labels, items["any/two.mid"].hints) == ((), ("group band A",))
    assert (items["any/three.mid"].labels, items["any/three.mid"].hints) == (("jazz",), ())
    rejected = {rejection.source: rejection for rejection in source.rejected()}
    assert set(rejected) == {"any/four.mid", "any/gone.mid"}
    assert rejected["any/four.mid"].kind == UNLISTED
    assert "there is no such music file" in rejected["any/gone.mid"].reason


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"file,genre\na.mid,rock\n", "columns are file, genre; needed: path, labels"),
        (b"", "columns are missing"),
        (b"path,labels\na.mid\n", "line 2: needs a path and labels"),
        (b"path,labels\n,rock\n", "line 2: needs a path and labels"),
        (b"path,labels\n\xff\xfe.mid,rock\n", "is not UTF-8 text"),
        (b'path,labels\n"a.mid,rock\n', "is not a CSV table"),
    ],
)
def test_bad_table(tmp_path, content, sentence):
    table = tmp_path / "labels.csv"
    table.write_bytes(content)
    with pytest.raises(DatasetError, match=r"labels\.csv.*" + sentence):
        FolderSource(tmp_path, labels=table).items()


def test_root_or_table_missing(tmp_path):
    with pytest.raises(DatasetError, match=r"cannot read the folder .*nowhere: No such file or directory"):
        FolderSource(tmp_path / "nowhere").items()
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="file is not a folder"):
        FolderSource(tmp_path / "file").items()
    with pytest.raises(DatasetError, match=r"cannot read the table .*no\.csv: No such file"):
        FolderSource(tmp_path, labels=tmp_path / "no.csv").items()


def test_links(tmp_path):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    write_song(root / "rock" / "a.mid", 1)
    write_song(elsewhere / "deep" / "b.mid", 2)
    (root / "rock" / "loop").symlink_to(root)
    (root / "above").symlink_to(tmp_path)
    (root / "again").symlink_to(root / "rock")
    (root / "jazz").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(elsewhere)
    (root / "same.mid").symlink_to(root / "rock" / "a.mid")
    (root / "dangling.mid").symlink_to(root / "gone.mid")
    (root / "dangling.txt").symlink_to(root / "gone.txt")
    source = FolderSource(root)
    assert paths(source) == ["jazz/deep/b.mid", "rock/a.mid", "same.mid"]
    rejected = reasons(source)
    assert set(rejected) == {"rock/loop", "above", "again", "jazz/back", "dangling.mid"}
    assert rejected["dangling.mid"] == "dangling.mid: No such file or directory"
    assert "a link to a folder that is read already" in rejected["rock/loop"]


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.mid")
    (tmp_path / "folder.mid").mkdir()
    write_song(tmp_path / "folder.mid" / "a.mid", 1)
    source = FolderSource(tmp_path)
    assert paths(source) == ["folder.mid/a.mid"]
    assert reasons(source) == {"pipe.mid": "pipe.mid: not a regular file"}


def test_name_that_is_not_unicode(tmp_path):
    write_song(tmp_path / "a.mid", 1)
    os.rename(os.fsencode(tmp_path / "a.mid"), os.fsencode(tmp_path) + b"/caf\xe9.mid")
    source = FolderSource(tmp_path)
    (item,) = source.items()
    assert source.load(item).id == "caf\udce9.mid"


def test_unreadable_file_is_a_music_error(tmp_path):
    (tmp_path / "a.mid").write_text("no music")
    source = FolderSource(tmp_path)
    with pytest.raises(MusicError, match=r"a\.mid"):
        source.load(source.items()[0])


def test_changed_file_is_another_item(tmp_path):
    write_song(tmp_path / "a.mid", 1)
    before = FolderSource(tmp_path).items()
    assert FolderSource(tmp_path).items() == before
    write_song(tmp_path / "a.mid", 2, bars=9)
    assert FolderSource(tmp_path).items() != before


def test_no_permission():
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_song(root / "rock" / "a.mid", 1)
        write_song(root / "rock" / "secret.mid", 2)
        write_song(root / "closed" / "b.mid", 3)
        root.chmod(0o755)
        (root / "rock" / "secret.mid").chmod(0)
        (root / "closed").chmod(0)
        code = """
import os, sys
import musae_tf.music.midi  # before the user changes, who cannot read the library
from musae_tf.data.folder import FolderSource
from musae_tf.errors import MusicError
source = FolderSource(sys.argv[1])
if os.geteuid() == 0:
    os.seteuid(65534)  # root may read everything
for item in source.items():
    try:
        print("read", source.load(item).id)
    except MusicError as error:
        print("error", item.path, "Permission denied" in str(error))
for rejection in source.rejected():
    print("rejected", *rejection, sep="|")
"""
        printed = output("-c", code, root)
        (root / "closed").chmod(0o755)
    assert printed.splitlines() == [
        "read rock/a.mid",
        "error rock/secret.mid True",
        "rejected|closed|closed: Permission denied|unreadable",
    ]


@pytest.mark.parametrize(
    "written",
    [
        "cafe\u0301/Fu\u0308r Elise.mid",
        "CAF\u00c9/f\u00fcr elise.MID",
        "caf\u00e9\\F\u00fcr Elise.mid",
        "/caf\u00e9/F\u00fcr Elise.mid",
    ],
)
def test_rows_find_files_whose_names_are_written_otherwise(tmp_path, written):
    root = tmp_path / "songs"
    write_song(root / "caf\u00e9" / "F\u00fcr Elise.mid", 1)
    table = tmp_path / "labels.csv"
    table.write_text(f"path,labels\n{written},piano\n", encoding="utf-8")
    source = FolderSource(root, table)
    assert [(item.path, item.labels) for item in source.items()] == [("caf\u00e9/F\u00fcr Elise.mid", ("piano",))]
    assert source.rejected() == []


def test_a_row_that_could_mean_two_files_means_neither_and_an_exact_one_its_own(tmp_path):
    root = tmp_path / "songs"
    for name in ("a.mid", "A.mid", "b.mid", "B.mid"):
        write_song(root / name, 1)
    table = tmp_path / "labels.csv"
    table.write_text("path,labels\na.mid,exact\nb.MID,either\n")
    source = FolderSource(root, table)
    assert [(item.path, item.labels) for item in source.items()] == [("a.mid", ("exact",))]
    assert [rejection.source for rejection in source.rejected()] == ["A.mid", "B.mid", "b.MID", "b.mid"]


def test_a_genre_in_two_unicode_forms_is_one(tmp_path):
    write_song(tmp_path / "cafe\u0301" / "one.mid", 1)
    write_song(tmp_path / "caf\u00e9" / "two.mid", 1)
    assert {item.labels for item in FolderSource(tmp_path).items()} == {("caf\u00e9",)}


def test_a_midi_file_is_on_the_beats_beside_it_and_a_change_of_them_is_seen(tmp_path):
    song = write_song(tmp_path / "rock" / "a.mid", 1)
    write_song(tmp_path / "rock" / "b.mid", 2)
    plain = FolderSource(tmp_path).items()
    beats = song.with_name("a.beats.txt")
    beats.write_text("".join(f"{0.1 + number * 0.4} {int(number % 4 == 0)}\n" for number in range(40)))
    source = FolderSource(tmp_path)
    first, other = source.items()
    assert first != plain[0]
    assert other == plain[1]
    assert source.rejected() == []
    assert source.load(first).song.warnings == {"files_of_beats": 1}
    assert source.load(first).song.tempos[-1].bpm == 150
    beats.write_text("0 1\n1 0\n2 0\n")
    assert source.items()[0] != first


def test_beats_without_a_song_are_listed(tmp_path):
    write_song(tmp_path / "a.mid", 1)
    names = ["a.BEATS.txt", "b.beats.txt"]
    for name in names:
        (tmp_path / name).write_text("0\n1\n")
    source = FolderSource(tmp_path)
    assert paths(source) == ["a.mid"]
    reason = "there is no MIDI file of that name beside it"
    assert source.rejected() == [(name, f"{name}: {reason}", "beats without a song") for name in names]
