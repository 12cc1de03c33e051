import hashlib
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from musae_tf.cli import main
from musae_tf.data.fetch import COLLECTIONS, Archive, choose, describe_collection, fetch
from musae_tf.errors import DatasetError
from tests.data.archive_server import Faults, serving
from tests.data.test_unpack import made_of, tar_of, zip_of


@pytest.fixture
def shelf(tmp_path):
    """A server with two archives, and what is known of them."""
    tar = tar_of(tmp_path / "songs.tar.gz", ("songs/a/one.mid", b"1"), ("songs/two.mid", b"2")).read_bytes()
    labels = zip_of(tmp_path / "labels.zip", ("labels.cls", b"TR\tRock\n")).read_bytes()
    faults = Faults(content={"/songs.tar.gz": tar, "/labels.zip": labels})
    with serving(faults) as address:
        yield (
            faults,
            (
                Archive(
                    "songs.tar.gz", f"{address}/songs.tar.gz", "tar.gz", "songs", "songs", "free", len(tar), sha(tar)
                ),
                Archive("labels.zip", f"{address}/labels.zip", "zip", "labels", "genres", "free"),
            ),
        )


def sha(data):
    return hashlib.sha256(data).hexdigest()


def files(to):
    return sorted(path.name for path in to.iterdir() if path.is_file() and path.name != ".lock")


def test_fetched_and_not_fetched_twice(shelf, tmp_path):
    faults, archives = shelf
    to = tmp_path / "to" / "here"
    assert fetch(archives, to) == [to / "songs", to / "labels"]
    assert made_of(to / "songs") == {"a/one.mid": b"1", "two.mid": b"2"}
    assert made_of(to / "labels") == {"labels.cls": b"TR\tRock\n"}
    record = json.loads((to / "fetched.json").read_text())
    assert record["songs.tar.gz"]["checked"] == "checksum published"
    assert record["labels.zip"]["checked"] == "checksum of the first download"
    assert record["labels.zip"]["sha256"] == sha(faults.content["/labels.zip"])
    assert files(to) == ["fetched.json"]
    fetch(archives, to)
    assert len(faults.requests) == 2


def test_the_first_checksum_is_what_counts_later(shelf, tmp_path):
    """Of a file whose checksum nobody publishes: another one is not taken for it."""
    faults, (_, labels) = shelf
    fetch([labels], tmp_path / "to", keep=True)
    assert files(tmp_path / "to") == ["fetched.json", "labels.zip"]
    (tmp_path / "to" / "labels.zip").unlink()
    (tmp_path / "to" / "labels" / "labels.cls").unlink()
    (tmp_path / "to" / "labels").rmdir()
    faults.content["/labels.zip"] = zip_of(tmp_path / "b", ("labels.cls", b"evil")).read_bytes()
    with pytest.raises(DatasetError, match="SHA-256"):
        fetch([labels], tmp_path / "to")
    assert not (tmp_path / "to" / "labels").exists()


def test_killed_while_unpacking(shelf, tmp_path):
    faults, archives = shelf
    to = tmp_path / "to"
    fetch(archives[:1], to, keep=True)
    record = json.loads((to / "fetched.json").read_text())
    record["songs.tar.gz"]["unpacked"] = False
    (to / "fetched.json").write_text(json.dumps(record))
    for path in sorted((to / "songs").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (to / "songs").rename(to / ".songs-half")
    fetch(archives[:1], to)
    assert made_of(to / "songs") == {"a/one.mid": b"1", "two.mid": b"2"}
    assert not (to / ".songs-half").exists()
    assert len(faults.requests) == 1


def test_put_there_by_hand(shelf, tmp_path):
    faults, (songs, _) = shelf
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "songs.tar.gz").write_bytes(faults.content["/songs.tar.gz"])
    fetch([songs], tmp_path / "to")
    assert made_of(tmp_path / "to/songs") == {"a/one.mid": b"1", "two.mid": b"2"}
    assert faults.requests == []


def test_put_there_by_hand_but_another(shelf, tmp_path):
    _, (songs, _) = shelf
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "songs.tar.gz").write_bytes(b"\x1f\x8bother")
    with pytest.raises(DatasetError, match="remove it to fetch it again"):
        fetch([songs], tmp_path / "to")


def test_folder_that_is_not_ours(shelf, tmp_path):
    faults, (songs, _) = shelf
    (tmp_path / "to" / "songs").mkdir(parents=True)
    with pytest.raises(DatasetError, match="was not made here"):
        fetch([songs], tmp_path / "to")
    assert faults.requests == []


def test_a_page_instead_of_the_file(shelf, tmp_path):
    faults, (_, labels) = shelf
    faults.content["/labels.zip"] = b"<!DOCTYPE html><html>Are you sure?</html>"
    with pytest.raises(DatasetError, match="no zip archive but a web page; fetch it by hand"):
        fetch([labels], tmp_path / "to")
    assert files(tmp_path / "to") == []


def test_hostile_archive(shelf, tmp_path):
    faults, (_, labels) = shelf
    faults.content["/labels.zip"] = zip_of(tmp_path / "b", ("../evil", b"1")).read_bytes()
    with pytest.raises(DatasetError, match="leads out of the folder"):
        fetch([labels], tmp_path / "to")
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "to" / "labels").exists()


def test_no_room(shelf, tmp_path):
    faults, (songs, _) = shelf
    with pytest.raises(DatasetError, match=r"GB free; at least 2,000,000,\d\d\d.0 GB are needed|at least .* GB"):
        fetch([replace(songs, size=10**18)], tmp_path / "to")
    assert faults.requests == []


def test_two_at_once(shelf, tmp_path):
    _, archives = shelf

    def second(*_, **__):
        fetch(archives, tmp_path / "to")

    with pytest.raises(DatasetError, match="another process is fetching"):
        fetch(archives, tmp_path / "to", get=second)


def test_damaged_record(shelf, tmp_path):
    _, archives = shelf
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "fetched.json").write_text("[]")
    with pytest.raises(DatasetError, match="damaged"):
        fetch(archives, tmp_path / "to")


@pytest.mark.parametrize("collection", COLLECTIONS.values(), ids=COLLECTIONS)
def test_table(collection):
    text = describe_collection(collection, collection.archives, Path("to"))
    folders = set()
    for archive in collection.archives:
        assert archive.name in text
        assert archive.licence in text
        assert archive.url.startswith("http")
        assert archive.sha256 is None or re.fullmatch("[0-9a-f]{64}", archive.sha256)
        assert archive.name.endswith(archive.kind)
        folders.add(archive.folder)
    assert len(folders) == len(collection.archives)
    assert "1,407 MB" in text or collection.name == "lpd"


def test_choice():
    lmd = COLLECTIONS["lmd"]
    assert choose(lmd) == lmd.archives
    (only,) = choose(lmd, ["tagtraum"], "http://mirror/lmd/")
    assert only.url == "http://mirror/lmd/msd_tagtraum_cd2.cls.zip"
    with pytest.raises(DatasetError, match="no part 'h5'; its parts: lmd_matched, lmd_matched_h5, tagtraum"):
        choose(lmd, ["h5"])


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def mirror(tmp_path):
    """A server that has the genres of LPD."""
    lists = tar_of(tmp_path / "lists", ("tagtraum/id_list_Rock.txt", b"TRAAAAA\n")).read_bytes()
    faults = Faults(content={"/id_lists_tagtraum.tar.gz": lists})
    with serving(faults) as address:
        yield faults, address


def test_command(mirror, tmp_path, capsys):
    _, address = mirror
    to = tmp_path / "to"
    assert (
        main(["data", "fetch", "lpd", "--only", "id_lists_tagtraum", "--url", address, "--out", str(to), "--yes"]) == 0
    )
    out = capsys.readouterr().out
    assert "size not published" in out
    assert "licence: that of the labels" in out
    assert f"data build lpd --npz {to}/lpd_5_cleansed" in out
    assert made_of(to / "id_lists_tagtraum") == {"id_list_Rock.txt": b"TRAAAAA\n"}


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 2), ("", 2), (None, 2)])
def test_nothing_without_agreement(mirror, tmp_path, monkeypatch, capsys, answer, code):
    faults, address = mirror
    if answer is not None:
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", lambda _: answer)
    command = ["data", "fetch", "lpd", "--only", "id_lists_tagtraum", "--url", address, "--out", str(tmp_path / "to")]
    assert main(command) == code
    assert bool(faults.requests) == (code == 0)
    assert "licence" in capsys.readouterr().out


def test_another_file_than_the_published_one(mirror, tmp_path, capsys):
    faults, address = mirror
    faults.content["/lmd_matched_h5.tar.gz"] = faults.content["/id_lists_tagtraum.tar.gz"]
    command = ["data", "fetch", "lmd", "--only", "lmd_matched_h5", "--url", address, "--out", str(tmp_path), "--yes"]
    assert main(command) == 2
    assert "expected was 049c62c0" in capsys.readouterr().err
