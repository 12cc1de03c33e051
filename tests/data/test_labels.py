"""Label files in every format that is read, with answers that can be read off them."""

import pickle
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musae_tf.data.lakh import BAD_LABELS, Facts, Labels, read_pianoroll
from musae_tf.data.source import UnfitError
from musae_tf.errors import DatasetError, MusicError
from tests.data.msd import TRACKS, folder_of, write_song_file

A, B, C, D = TRACKS


def labels_of(*paths):
    labels = Labels(list(paths))
    return {track: labels.known(track) for track in TRACKS}


def test_tagtraum_annotations(tmp_path):
    """Majority genre and, where voters disagree, a minority genre; comments at the top."""
    file = tmp_path / "msd_tagtraum_cd2.cls"
    file.write_text(f"# genre annotations\n#\n{A}\tPop\tRock\n{B}\tJazz\n{C}\tReggae\t\n")
    assert labels_of(file) == {A: ("Pop", "Rock"), B: ("Jazz",), C: ("Reggae",), D: ()}


def test_masd_styles(tmp_path):
    file = tmp_path / "msd-MASD-styleAssignment.cls"
    file.write_bytes(f"{A}\tMetal_Alternative\r\n{D}\tFolk_International\r\n\r\n".encode())
    assert labels_of(file) == {A: ("Metal_Alternative",), B: (), C: (), D: ("Folk_International",)}


def test_id_lists(tmp_path):
    """One file a genre, of track ids or of names of files; other tracks in them do no harm."""
    lists = tmp_path / "id_lists" / "lastfm"
    lists.mkdir(parents=True)
    (lists / "id_list_pop-rock.txt").write_text(f"{A}\n{B}\nTRZZZZZ128F4200000\n")
    (lists / "id_list_jazz.txt").write_text(f"{B}\nb97c529ab9ef783a849b896816001748\n")
    labels = Labels([tmp_path / "id_lists"])
    assert [labels.known(track) for track in TRACKS] == [("pop-rock",), ("jazz", "pop-rock"), (), ()]
    assert labels.known(D, "b97c529ab9ef783a849b896816001748") == ("jazz",)
    assert labels_of(lists / "id_list_jazz.txt")[B] == ("jazz",)


def test_song_files(tmp_path):
    write_song_file(tmp_path, A, ["rock", "blues rock", "rock", ""], "AR123", "Björk ", "A  song")
    write_song_file(tmp_path, B, [], "", "Somebody")
    labels = Labels([tmp_path])
    assert labels.known(A) == ()
    assert labels.facts(labels.file(A)) == Facts(("blues rock", "rock"), "AR123", "Björk: A song")
    assert labels.facts(labels.file(B)) == Facts((), "Somebody", "Somebody")
    assert labels.file(C) is None
    assert labels.file("no track id") is None


def test_all_formats_together(tmp_path):
    table, lists, tree = tmp_path / "genres.cls", tmp_path / "lists", tmp_path / "h5"
    table.write_text(f"{A}\tRock\n")
    lists.mkdir()
    (lists / "id_list_Live.txt").write_text(f"{A}\n")
    write_song_file(tree, A, ["rock"])
    labels = Labels([table, lists, tree])
    assert labels.known(A) == ("Live", "Rock")
    assert labels.facts(labels.file(A)).labels == ("rock",)


def test_workers_get_no_tables(tmp_path):
    table = tmp_path / "genres.cls"
    table.write_text("".join(f"TRAAAAA{number:011X}\tRock\n" for number in range(20_000)))
    labels = Labels([table, write_song_file(tmp_path / "h5", A, ["rock"]).parents[3]])
    sent = pickle.dumps(labels)
    assert len(sent) < 1000
    assert pickle.loads(sent).file(A) == labels.file(A)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.cls", f"{A}\tRock\n{B}\n", "a.cls, line 2: needs a track id, a tab and genres, has 'TRAABBB"),
        ("a.cls", f"{A}\tRock\n{B} Jazz\tPop\n", "line 2: needs a track id"),
        ("a.cls", f"{A}\tRo\x07ck\n", "line 1: needs a track id"),
        ("a.cls", f"{A}\t{'x' * 101}\n", "line 1: needs a track id"),
        ("a.cls", "# nothing\n\n", "a.cls holds no labels: it has no line with an id"),
        ("a.txt", "two words\n", "line 1: needs a track id"),
        ("a.cls", b"\xff\xfe\x00", "a.cls is not UTF-8 text"),
        ("a.h5", "text", "give the folder that holds A/B/C/TR....h5"),
        ("gone.cls", None, "cannot read .*gone.cls: No such file"),
    ],
)
def test_files_that_hold_no_labels(tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DatasetError, match=sentence):
        Labels([tmp_path / name])


def test_folder_that_holds_no_labels(tmp_path):
    with pytest.raises(DatasetError, match=r"holds no labels: no \.cls, \.tsv or \.txt file and no \.h5 file"):
        Labels([tmp_path])


@pytest.mark.parametrize("damage", ["text", "cut", "empty", "other"])
def test_damaged_song_files(tmp_path, damage):
    path = write_song_file(tmp_path, A, ["rock"] * 50, "AR1")
    data = path.read_bytes()
    if damage == "other":
        import h5py

        with h5py.File(path, "w") as file:
            file["metadata/artist_terms"] = [1, 2, 3]
    else:
        path.write_bytes({"text": b"rock", "cut": data[: len(data) // 2], "empty": b""}[damage])
    labels = Labels([tmp_path])
    with pytest.raises(UnfitError, match=f"{folder_of(tmp_path, A)}.*is not a song file of the MSD") as error:
        labels.facts(labels.file(A))
    assert error.value.kind == BAD_LABELS


@given(
    st.dictionaries(
        st.from_regex(r"TR[A-Z]{5}[0-9A-F]{11}", fullmatch=True),
        st.sets(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20), min_size=1, max_size=4),
        min_size=1,
    )
)
def test_a_table_that_is_written_is_read(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("table") / "table.cls"
    path.write_text("".join("\t".join([track, *sorted(genres)]) + "\n" for track, genres in table.items()), "utf-8")
    labels = Labels([path])
    assert {track: set(labels.known(track)) for track in table} == table


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("bytes")
    for name in ("table.cls", "list.txt"):
        (folder / name).write_bytes(data)
        with suppress(DatasetError):
            Labels([folder / name])
    track_file = folder_of(folder, A) / f"{A}.h5"
    track_file.parent.mkdir(parents=True)
    track_file.write_bytes(data)
    with pytest.raises(UnfitError):
        Labels([folder]).facts(track_file)
    (folder / "roll.npz").write_bytes(data)
    with pytest.raises(MusicError):
        read_pianoroll(folder / "roll.npz")
