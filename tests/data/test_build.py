"""What a build makes of a folder, and what its options do."""

import csv

import pytest

from musae_tf.data.build import build
from musae_tf.data.dataset import Dataset
from musae_tf.data.export import export_songs
from musae_tf.data.folder import FolderSource
from musae_tf.data.info import check, describe, facts, list_labels
from musae_tf.data.source import Piece
from musae_tf.errors import DatasetError, MusicError
from musae_tf.music import Metre, Song, Track
from musae_tf.music.named_layouts import get_layout
from tests import corpus
from tests.corpus import four_voice_song, notes
from tests.data.makers import VOICES, build_voices, hidden, rejections, write_song, write_tree

# --- a folder as users have it ----------------------------------------------------------------------------------------


def test_folder_of_good_and_bad_files(tmp_path):
    root, target = tmp_path / "music", tmp_path / "sets" / "mine"
    good = {
        "rock/type0.mid": corpus.type0_file(),
        "rock/band.mid": corpus.band_song(8, 1).to_bytes(),
        "rock/fine.MID": corpus.band_song(8, 2, quarter=960).to_bytes(),
        "pop/no_metre.midi": corpus.type1_file_without_metre(),
        "pop/tempos.mid": corpus.changing_tempo_song().to_bytes(),
        "pop/metres.mid": corpus.changing_metre_song().to_bytes(),
        "pop/sub/empty_track.kar": corpus.songs()["empty track"].to_bytes(),
        "drums.mid": corpus.drum_song().to_bytes(),
    }
    bad = {
        "rock/waltz.mid": corpus.waltz().to_bytes(),
        "rock/text.mid": b"Dear reader, this is no MIDI file. " * 40,
        "pop/cut.mid": corpus.band_song(8, 3).to_bytes()[:400],
        "pop/zero.mid": b"",
    }
    for path, data in {**good, **bad}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    (root / "pop" / "gone.mid").symlink_to(root / "nowhere.mid")
    (root / "readme.txt").write_text("not music")

    summary = build(FolderSource(root), target, workers=2)

    opened = Dataset.open(target, verify=True)
    assert {song["id"] for song in opened.songs} == set(good)
    assert opened.layout == get_layout("band")
    assert opened.genres == ("pop", "rock", "none")
    assert next(song for song in opened.songs if song["id"] == "drums.mid")["labels"] == ["none"]
    assert next(song for song in opened.songs if song["id"] == "pop/tempos.mid")["tempo"] == pytest.approx(60.0)
    assert (opened.tokens[:, :, 0] > 0).any()
    reasons = {rejection["source"]: rejection["reason"] for rejection in rejections(target)}
    assert set(reasons) == {*bad, "pop/gone.mid"}
    assert "3/4" in reasons["rock/waltz.mid"]
    assert reasons["pop/gone.mid"] == "pop/gone.mid: No such file or directory"
    assert summary.rejected == {"unreadable": 4, "with no track or bar for layout band": 1}
    assert (summary.songs, summary.bars, summary.hash) == (len(good), len(opened.tokens), opened.hash)
    assert hidden(target.parent) == []


def test_every_broken_file_is_read_or_listed(tmp_path):
    root = tmp_path / "music"
    write_song(root / "good.mid", 1)
    broken = corpus.broken_files()
    for number, data in enumerate(broken.values()):
        (root / f"{number}.mid").write_bytes(data)
    summary = build_voices(root, tmp_path / "set", workers=2)
    assert summary.songs + sum(summary.rejected.values()) == 1 + len(broken)
    assert set(summary.rejected) <= {"unreadable", "with no track or bar for layout voices"}


def test_losses_are_counted(tmp_path):
    root = tmp_path / "music"
    root.mkdir()
    corpus.changing_metre_song().write(root / "a.mid")
    corpus.four_voice_song().write(root / "b.mid")
    build_voices(root, tmp_path / "set")
    opened = Dataset.open(tmp_path / "set")
    losses = opened.manifest["losses"]
    losses["overlapped"] += losses.pop("same_step")
    assert losses == {key: sum(song["losses"][key] for song in opened.songs) for key in losses}
    assert losses["bars"] - losses["bars_other_metre"] == len(opened.tokens)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "no usable song in {root}: 0 files found"),
        (
            {
                "a.mid": b"",
                "b.mid": b"text",
                "c.mid": corpus.waltz().to_bytes(),
                "d.mid": corpus.drum_song().to_bytes(),
            },
            "no usable song in {root}: 4 files found, 2 unreadable, 2 with no track or bar for layout voices"
            "; for instance {root}/a.mid is not a readable MIDI file: invalid midi file! File size is less than 14"
            "; all are listed in {target}/rejected.jsonl",
        ),
    ],
)
def test_nothing_usable(tmp_path, files, sentence):
    root, target = tmp_path / "music", tmp_path / "sets" / "mine"
    root.mkdir()
    for name, data in files.items():
        (root / name).write_bytes(data)
    with pytest.raises(DatasetError) as error:
        build_voices(root, target)
    assert str(error.value) == sentence.format(root=root, target=target)
    assert list(target.parent.glob("*/*")) == ([target / "rejected.jsonl"] if files else [])
    assert hidden(target.parent) == []


# --- options ----------------------------------------------------------------------------------------------------------


def test_genres(tmp_path):
    root = write_tree(tmp_path / "music", a=3, b=5, c=4, none=1)
    labels = lambda: {song["id"]: song["labels"] for song in Dataset.open(tmp_path / "set").songs}  # noqa: E731
    assert build_voices(root, tmp_path / "set").genres == ("a", "b", "c", "none")
    assert build_voices(root, tmp_path / "set", genres=["c", "a"]).genres == ("c", "a", "none")
    assert labels()["b/00.mid"] == ["none"]
    assert build_voices(root, tmp_path / "set", genres=2).genres == ("b", "c", "none")
    summary = build_voices(root, tmp_path / "set", genres=["c", "a"], unlabelled=False)
    assert (summary.genres, summary.songs, summary.rejected) == (("c", "a"), 7, {"without a label": 6})
    assert set(labels()) == {f"a/{n:02}.mid" for n in range(3)} | {f"c/{n:02}.mid" for n in range(4)}
    assert Dataset.open(tmp_path / "set", verify=True).phrases("train", 2).labels.any(axis=1).all()


def test_seed_and_split(tree, tmp_path):
    one = build_voices(tree, tmp_path / "set", seed=1)
    assert build_voices(tree, tmp_path / "set", seed=2).hash != one.hash
    assert build_voices(tree, tmp_path / "set", seed=1).hash == one.hash
    build_voices(tree, tmp_path / "set", split=(1, 0, 0), name="all of it")
    opened = Dataset.open(tmp_path / "set")
    assert {song["split"] for song in opened.songs} == {"train"}
    assert opened.manifest["name"] == "all of it"
    with pytest.raises(DatasetError, match=r"split is \[0.5, 0.1, 0.1\]"):
        build_voices(tree, tmp_path / "set", split=(0.5, 0.1, 0.1))


def test_duplicates_are_kept_but_not_used(tmp_path):
    root = write_tree(tmp_path / "music", a=6, b=6)
    song = corpus.four_voice_song(10, 77)
    song.write(root / "a" / "long.mid")
    for track in song.tracks:
        track.notes["pitch"] += 3
    song.write(root / "b" / "higher.mid")
    corpus.four_voice_song(10, 77).write(root / "short.mid")
    summary = build_voices(root, tmp_path / "set")
    opened = Dataset.open(tmp_path / "set")
    songs = {song["id"]: song for song in opened.songs}
    assert summary.duplicates == 2
    assert songs["a/long.mid"]["duplicate_of"] is None
    assert songs["b/higher.mid"]["duplicate_of"] == songs["short.mid"]["duplicate_of"] == "a/long.mid"
    assert all(songs[name]["labels"] == ["a", "b"] for name in ("a/long.mid", "b/higher.mid", "short.mid"))
    assert len({songs[name]["split"] for name in ("a/long.mid", "b/higher.mid", "short.mid")}) == 1
    used = {
        opened.songs[song]["id"] for split in ("train", "validation", "test") for song in opened.phrases(split, 2).songs
    }
    assert used == set(songs) - {"b/higher.mid", "short.mid"}


class Two:
    """A source that breaks the rules: an item twice, or one id for two items."""

    name, licence, layout = "two", "none", "voices"

    def __init__(self, items):
        self._items = items

    def items(self):
        return self._items

    def load(self, item):
        from musae_tf.data.source import Piece

        if item == 0:
            raise MusicError("item 0: no music")
        return Piece(corpus.four_voice_song(8, item), "same", f"item {item}")

    def rejected(self):
        return []


def test_sources_that_break_the_rules(tmp_path):
    with pytest.raises(DatasetError, match="source two lists an item twice"):
        build(Two([1, 1]), tmp_path / "set", workers=0)
    with pytest.raises(DatasetError, match="1 songs have the id of another, 'same' for one"):
        build(Two([1, 2]), tmp_path / "set", workers=0)
    with pytest.raises(DatasetError, match="no usable song in source two: 1 files found, 1 unreadable"):
        build(Two([0]), tmp_path / "set", workers=0)
    assert build(Two([0, 1]), tmp_path / "set", workers=0).songs == 1
    assert rejections(tmp_path / "set") == [{"source": "0", "reason": "item 0: no music", "kind": "unreadable"}]


def test_every_refusal_names_its_file(tmp_path):
    root = tmp_path / "music"
    (root / "a").mkdir(parents=True)
    Song(tracks=[Track("x", notes=notes((0, 480, 60)))], metres=[Metre(0, 3, 4)]).write(root / "a" / "waltz.mid")
    write_song(root / "b" / "good.mid", 0)
    build_voices(root, tmp_path / "set")
    assert [refused["reason"] for refused in rejections(tmp_path / "set")] == [
        "a/waltz.mid: no bar is 16 sixteenths long (such as 4/4 or 2/2): found 3/4"
    ]


def test_refusals_are_listed_also_where_nothing_is_usable(tmp_path):
    root, target = tmp_path / "music", tmp_path / "set"
    for number in range(3):
        (root / "a").mkdir(parents=True, exist_ok=True)
        (root / "a" / f"{number}.mid").write_text("no music")
    for _ in range(2):  # the list is in nobody's way
        with pytest.raises(
            DatasetError, match=r"3 unreadable; for instance .*a/0\.mid is not .*; all are listed in .*set/"
        ):
            build_voices(root, target)
        assert [refused["source"] for refused in rejections(target)] == ["a/0.mid", "a/1.mid", "a/2.mid"]
    write_song(root / "a" / "good.mid", 0)
    build_voices(root, target)
    for file in root.glob("a/good.mid"):
        file.unlink()
    with pytest.raises(DatasetError, match=r"all are listed in .*set\.rejected\.jsonl"):
        build_voices(root, target)
    assert len(Dataset.open(target).songs) == 1


NASTY = ("all", "none", "(all)", "a,b", "x;y", "a|b", "<b>&amp;", '"quoted"', "line\nbreak", "tab\tbed", "..", "~",
         "-x", " ", "{}", "%s", "ünïcödé", "\U0001f3b5", "con", "a'b", "=1+1")  # fmt: skip


def test_no_name_of_a_genre_breaks_a_dataset(tmp_path):
    class Named:
        name, licence, layout = "named", "", "voices"

        def items(self):
            return list(range(len(NASTY)))

        def load(self, item):
            name = NASTY[item]
            return Piece(four_voice_song(4, item), f"{item}/{name}", f"{item}/{name}", (name,), title=name)

        def rejected(self):
            return []

    build(Named(), tmp_path / "set", VOICES, workers=0)
    dataset = Dataset.open(tmp_path / "set", verify=True)
    assert set(dataset.genres) == set(NASTY)
    assert facts(dataset)["genres"]["((all))"]["train"]["songs"] > 0
    describe(dataset)
    list_labels(dataset)
    assert list(check(tmp_path / "set"))
    export_songs(dataset, range(len(dataset.songs)), tmp_path / "out")
    with open(tmp_path / "out" / "songs.csv", newline="") as file:
        assert {row["title"] for row in csv.DictReader(file)} == set(NASTY)
