"""The sources lmd and lpd on small trees of known content."""

import json
import pickle

import numpy as np
import pypianoroll
import pytest

from musae_tf.data import Dataset, LmdSource, LpdSource, build
from musae_tf.data.lakh import read_pianoroll
from musae_tf.data.reader import FILTERS, Filters
from musae_tf.errors import MusicError
from musae_tf.music import Song, Track, get_layout, tokenize
from musae_tf.music.multitrack import to_multitrack
from tests.corpus import band_song, notes
from tests.data.makers import content
from tests.data.msd import TRACKS, write_lakh, write_midi, write_npz, write_song_file

A, B, C, D = TRACKS


def rows(folder):
    return {song["id"]: song for song in Dataset.open(folder, verify=True).songs}


def rejections(folder):
    return {
        row["source"]: (row["kind"], row["reason"])
        for row in map(json.loads, (folder / "rejected.jsonl").read_text().splitlines())
    }


@pytest.fixture
def lakh(tmp_path):
    """Four tracks in two versions each; A and B by one artist, C with a damaged label file, D without any label."""
    midi, h5 = tmp_path / "lmd_matched", tmp_path / "h5"
    paths = write_lakh(midi)
    write_song_file(h5, A, ["rock", "pop"], "AR1", "Ann", "One")
    write_song_file(h5, B, ["jazz", "pop"], "AR1", "Ann", "Two")
    write_song_file(h5, C, ["jazz"], "AR2").write_bytes(b"no HDF5")
    table = tmp_path / "genres.cls"
    table.write_text(f"{A}\tRock\n{C}\tJazz\n")
    return midi, (h5, table), paths


def test_labels_groups_and_reasons(lakh, tmp_path):
    midi, labels, paths = lakh
    (midi / "stray.mid").write_bytes(band_song(4, 99).to_bytes())
    summary = build(LmdSource(midi, labels=labels), tmp_path / "set", workers=0)
    songs = rows(tmp_path / "set")
    by_track = {track: [songs[path] for path in paths if track in path and path in songs] for track in TRACKS}
    assert [len(found) for found in by_track.values()] == [2, 2, 0, 2]
    assert {tuple(song["labels"]) for song in by_track[A]} == {("Rock", "pop", "rock")}
    assert {tuple(song["labels"]) for song in by_track[B]} == {("jazz", "pop")}
    assert {tuple(song["labels"]) for song in by_track[D]} == {("none",)}
    assert [by_track[track][0]["title"] for track in (A, B, D)] == ["Ann: One", "Ann: Two", D]
    # Versions of a track, and tracks of an artist, are one group; others are others.
    assert len({song["group"] for track in (A, B) for song in by_track[track]}) == 1
    assert len({song["group"] for song in by_track[D]}) == 1
    assert by_track[A][0]["group"] != by_track[D][0]["group"]
    rejected = rejections(tmp_path / "set")
    assert rejected["stray.mid"][0] == "without a track id"
    assert {kind for path, (kind, _) in rejected.items() if C in path} == {"with unreadable labels"}
    assert summary.rejected == {"with unreadable labels": 2, "without a track id": 1}


def test_most_frequent_labels_over_the_songs_that_are_kept(lakh, tmp_path):
    midi, labels, _ = lakh
    source = LmdSource(midi, labels=labels)
    assert build(source, tmp_path / "set", workers=0, genres=1).genres == ("pop", "none")
    summary = build(source, tmp_path / "set", workers=0, genres=["Rock", "jazz"], unlabelled=False)
    assert (summary.genres, summary.songs) == (("Rock", "jazz"), 4)
    assert summary.rejected["without a label"] == 2


def test_same_bytes_with_any_number_of_workers(lakh, tmp_path):
    midi, labels, _ = lakh
    for workers in (0, 1, 2):
        build(LmdSource(midi, labels=labels), tmp_path / str(workers) / "set", workers=workers)
    assert content(tmp_path / "0" / "set") == content(tmp_path / "1" / "set") == content(tmp_path / "2" / "set")


def test_items_change_when_a_label_file_does(lakh):
    midi, (h5, table), _ = lakh
    source = LmdSource(midi, labels=(h5, table))
    before = source.items()
    assert pickle.loads(pickle.dumps(source)).load(before[0]).labels == ("Rock", "pop", "rock")
    write_song_file(h5, A, ["classical"])
    changed = source.items()
    assert [one != other for one, other in zip(before, changed, strict=True)] == [A in item.path for item in before]
    table.write_text(f"{D}\tRock\n")
    relabelled = LmdSource(midi, labels=(h5, table)).items()
    assert [item.labels for item in relabelled if item.track in (A, D)] == [(), (), ("Rock",), ("Rock",)]


# --- filters and candidates -------------------------------------------------------------------------------------------


def test_filters_count_their_reasons(tmp_path):
    root = tmp_path / "midi"
    whole = band_song(8, 1)
    gap = band_song(8, 2)
    bass = gap.tracks[1].notes
    gap.tracks[1].notes = bass[(bass["start"] < 3 * 1920) | (bass["start"] >= 4 * 1920)]
    gap.tracks[1].notes["duration"] = 120
    no_bass = Song(480, [track for track in band_song(8, 3).tracks if track.name != "low"], end=8 * 1920)
    mixed = band_song(8, 4)
    mixed.metres.append(mixed.metres[0]._replace(tick=2 * 1920, numerator=3))
    names = {name: write_midi(root, A, name, song) for name, song in
             {"whole": whole, "gap": gap, "no_bass": no_bass, "mixed": mixed}.items()}  # fmt: skip
    source = LmdSource(root)

    summary = build(source, tmp_path / "all", workers=0)
    assert (summary.songs, summary.bars, summary.rejected) == (4, 8 + 8 + 8 + 2, {})

    summary = build(source, tmp_path / "set", workers=0, filters=Filters(FILTERS, 4))
    assert summary.rejected == {"not in 4/4 throughout": 1, "without a part of the layout": 1}
    songs = rows(tmp_path / "set")
    assert {name: songs[names[name]]["bars"] for name in ("whole", "gap")} == {"whole": 8, "gap": 4}
    assert songs[names["gap"]]["losses"]["bars_with_silence"] == 4
    assert Dataset.open(tmp_path / "set").manifest["losses"]["bars_with_silence"] == 4
    assert Dataset.open(tmp_path / "set").manifest["filters"] == {"names": list(FILTERS), "phrase": 4}
    reasons = {path: reason for path, (_, reason) in rejections(tmp_path / "set").items()}
    assert reasons[names["mixed"]].endswith("has bars of 3/4")
    assert reasons[names["no_bass"]].endswith("has no bass")

    # Without the demand for four bars, the three before the gap are used as well, as a stretch of their own.
    build(source, tmp_path / "set", workers=0, filters=Filters(["no-silent-bars"]))
    opened = Dataset.open(tmp_path / "set", verify=True)
    number = [song["id"] for song in opened.songs].index(names["gap"])
    assert opened.runs[opened.runs[:, 0] == number][:, 2].tolist() == [3, 4]
    summary = build(source, tmp_path / "set", workers=0, filters=Filters(["no-silent-bars"], 5))
    assert summary.rejected["without a phrase free of silent bars"] == 3


def test_a_note_held_into_a_bar_is_struck_where_the_bars_before_are_cut_out(tmp_path):
    held = Song(480, [Track("low", 33, False, notes((0, 3840, 40))), Track("pad", 48, False, notes((1920, 1920, 60)))])
    kit = Track("kit", 0, True, notes((0, 120, 36), (1920, 120, 38)))
    held.tracks += [kit, Track("g", 25, False, notes((0, 120, 50), (2000, 120, 52)))]
    write_midi(tmp_path / "midi", A, "a", held)
    build(LmdSource(tmp_path / "midi"), tmp_path / "set", workers=0, filters=Filters(["no-silent-bars"]))
    opened = Dataset.open(tmp_path / "set", verify=True)
    assert opened.tokens.shape == (1, 16, 4)
    assert opened.tokens[0, 0].tolist() == opened.heads[0].tolist() == [2, 40, 128, 60]


@pytest.mark.parametrize(("candidates", "ids"), [("merge", [""]), ("best", [""]), ("all", ["#1", "#2"])])
def test_candidates(tmp_path, candidates, ids):
    path = write_midi(tmp_path / "midi", A, "a", band_song(8, 5))
    source = LmdSource(tmp_path / "midi")
    build(source, tmp_path / "set", workers=0, candidates=candidates)
    songs = rows(tmp_path / "set")
    assert sorted(songs) == [path + suffix for suffix in ids]
    assert len({song["group"] for song in songs.values()}) == 1


# --- pianorolls -------------------------------------------------------------------------------------------------------


def lpd5_song(bars=6, seed=0):
    """The five tracks of LPD-5 by their names there."""
    song = band_song(bars, seed)
    parts = {"Drums": 0, "Piano": 4, "Guitar": 3, "Bass": 1, "Strings": 5}
    programs = {"Drums": 0, "Piano": 0, "Guitar": 24, "Bass": 32, "Strings": 48}
    song.tracks = [Track(n, programs[n], n == "Drums", song.tracks[i].notes) for n, i in parts.items()]
    return song


@pytest.mark.parametrize("layout", ["lpd5", "band", "band_paper"])
def test_pianorolls_give_the_tokens_of_the_song(tmp_path, layout):
    song = lpd5_song()
    path = write_npz(tmp_path / "npz", A, "0" * 32, song)
    wanted = tokenize(song, get_layout(layout)).tokens
    np.testing.assert_array_equal(tokenize(read_pianoroll(path), get_layout(layout)).tokens, wanted)


def test_what_pypianoroll_wrote_reads_back_equal(tmp_path):
    path = write_npz(tmp_path, A, "0" * 32, lpd5_song())
    written, read = pypianoroll.load(str(path)), to_multitrack(read_pianoroll(path), resolution=24)
    np.testing.assert_array_equal(read.tempo, written.tempo)
    np.testing.assert_array_equal(read.downbeat, written.downbeat)
    for one, other in zip(read.tracks, written.tracks, strict=True):
        assert (one.name, one.program, one.is_drum) == (other.name, other.program, other.is_drum)
        np.testing.assert_array_equal(one.pianoroll, other.pianoroll)


def test_lpd_with_id_lists(tmp_path):
    npz = tmp_path / "lpd_5"
    for number, track in enumerate(TRACKS):
        write_npz(npz, track, f"{number:032x}", lpd5_song(seed=number))
    write_npz(npz, TRACKS[0], "f" * 32, lpd5_song(seed=9))
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "id_list_Rock.txt").write_text(f"{A}\n{B}\n")
    (lists / "id_list_Jazz.txt").write_text(f"{B}\n{2:032x}\n")
    source = LpdSource(npz, labels=[lists])
    summary = build(source, tmp_path / "set", workers=0)
    labels = {song["title"]: song["labels"] for song in rows(tmp_path / "set").values()}
    assert labels == {A: ["Rock"], B: ["Jazz", "Rock"], C: ["Jazz"], D: ["none"]}
    assert (summary.songs, summary.groups) == (5, 4)
    assert Dataset.open(tmp_path / "set").layout == get_layout("lpd5")


def test_piano_takes_the_place_of_a_silent_guitar(tmp_path):
    song = lpd5_song()
    song.tracks[2].notes = song.tracks[2].notes[:0]
    path = write_npz(tmp_path, A, "0" * 32, song)
    grid = tokenize(read_pianoroll(path), get_layout("band"))
    assert (grid.tokens[:, :, 2] < 128).sum() > 0
    assert grid.losses["outside_layout"] == 0


def test_pianorolls_that_are_none(tmp_path):
    good = write_npz(tmp_path, A, "0" * 32, lpd5_song())
    bad = tmp_path / "bad.npz"
    np.savez(bad, a=np.zeros(3))
    with pytest.raises(MusicError, match=r"bad.npz is not a readable pianoroll file"):
        read_pianoroll(bad)
    bad.write_bytes(good.read_bytes()[:1000])
    with pytest.raises(MusicError, match="is not a readable pianoroll file: BadZipFile"):
        read_pianoroll(bad)
    with pytest.raises(MusicError, match=r"cannot read .*gone.npz: No such file"):
        read_pianoroll(tmp_path / "gone.npz")
