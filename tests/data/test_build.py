import json
import signal
import time

import pytest

from musae_tf.data.build import build
from musae_tf.data.dataset import Dataset
from musae_tf.data.folder import FolderSource
from musae_tf.errors import DatasetError, MusicError
from musae_tf.music.layouts import get_layout
from tests import corpus
from tests.data.makers import VOICES, build_voices, content, output, python, write_song, write_tree


def rejections(folder):
    return [json.loads(line) for line in (folder / "rejected.jsonl").read_text().splitlines()]


def hidden(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


class CountingSource(FolderSource):
    """A folder that notes what is loaded."""

    def load(self, item):
        self.loaded = [*getattr(self, "loaded", []), item.path]
        return super().load(item)


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
    assert next(song for song in opened.songs if song["id"] == "pop/tempos.mid")["tempo"] == pytest.approx(97.3)
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
            "no usable song in {root}: 4 files found, 2 unreadable, 2 with no track or bar for layout voices",
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
    assert str(error.value) == sentence.format(root=root)
    assert list(target.parent.iterdir()) == []


# --- the same bytes, whatever happens ---------------------------------------------------------------------------------


def test_workers_make_no_difference(tree, dataset, tmp_path):
    build_voices(tree, tmp_path / "tree", workers=2)
    assert content(tmp_path / "tree") == content(dataset.path)


SLOW = """
import sys, time
from musae_tf.data.build import build
from musae_tf.data.folder import FolderSource
from musae_tf.music.layouts import get_layout

class Slow(FolderSource):
    def load(self, item):
        time.sleep(0.01)
        return super().load(item)

if __name__ == "__main__":
    build(Slow(sys.argv[1]), sys.argv[2], get_layout("voices"), workers=2)
"""


def test_killed_build_goes_on(tmp_path):
    root = write_tree(tmp_path / "music", a=80, b=80)
    build_voices(root, tmp_path / "whole" / "set")
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    target = tmp_path / "killed" / "set"
    partial = target.with_name(".set.partial")
    process = python(script, root, target)
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    try:
        while not list(partial.glob("part-*.npz")):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        with open(children) as file:
            workers = list(map(int, file.read().split()))
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not target.exists()
    deadline = time.monotonic() + 10
    while any(alive(worker) for worker in workers):
        assert time.monotonic() < deadline, "workers outlive their parent"
        time.sleep(0.01)

    finished = len(list(partial.glob("part-*.npz")))
    source = CountingSource(root)
    build(source, target, VOICES, workers=0)
    assert content(target) == content(tmp_path / "whole" / "set")
    assert 0 < finished < 5
    assert len(source.loaded) == 160 - 32 * finished
    assert hidden(target.parent) == []


def alive(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_parts_of_other_files_are_not_used(tmp_path):
    root, target = write_tree(tmp_path / "music", a=3), tmp_path / "sets" / "mine"
    stop_build(root, target)
    assert list(target.with_name(".mine.partial").glob("part-*.npz"))
    write_song(root / "a" / "00.mid", 99, bars=12)
    build_voices(root, target)
    build_voices(root, tmp_path / "fresh" / "mine")
    assert content(target) == content(tmp_path / "fresh" / "mine")


def stop_build(root, target):
    """Leave a build with finished parts behind: it stops for a genre that is not there."""
    with pytest.raises(DatasetError, match="no usable song has the genre 'x'; genres found: a"):
        build_voices(root, target, genres=["x"])
    assert not target.exists()


def test_one_build_at_a_time(tmp_path):
    root, target = write_tree(tmp_path / "music", a=3), tmp_path / "set"

    class Nested(FolderSource):
        def items(self):
            with pytest.raises(DatasetError, match="set is being built by another process"):
                build_voices(root, target)
            return super().items()

    assert build(Nested(root), target, VOICES, workers=0).songs == 3


# --- disks and targets ------------------------------------------------------------------------------------------------


LIMITED = """
import resource, sys
from musae_tf.data.build import build
from musae_tf.data.folder import FolderSource
from musae_tf.errors import DatasetError
from musae_tf.music.layouts import get_layout

if __name__ == "__main__":
    root, target, limit, workers = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    try:
        build(FolderSource(root), target, get_layout("voices"), workers=int(workers))
    except DatasetError as error:
        print(error)
"""


@pytest.mark.parametrize(("limit", "workers", "parts"), [(10_000, 2, 0), (110_000, 0, 5)])
def test_disk_full(tmp_path, limit, workers, parts):
    """No file may grow beyond a limit that no part passes, or all parts do and the whole array does not."""
    root, target = write_tree(tmp_path / "music", a=160), tmp_path / "sets" / "mine"
    script = tmp_path / "limited.py"
    script.write_text(LIMITED)
    printed = output(script, root, target, limit, workers)
    assert "File too large" in printed
    assert printed.startswith(f"cannot {'build' if parts else 'write'} {target.parent}")
    assert ("finished parts are kept in" in printed) == bool(parts)
    assert not target.exists()
    left = sorted(path.name for path in target.parent.rglob("*"))
    numbered = [f"part-{number:06d}.npz" for number in range(parts)]
    assert left == ([".mine.partial", "lock", *numbered, "signature"] if parts else [])
    source = CountingSource(root)
    build(source, target, VOICES, workers=0)
    assert len(getattr(source, "loaded", [])) == 160 - 32 * parts
    assert Dataset.open(target, verify=True).manifest["counts"]["songs"] == 160


def test_dataset_is_replaced_at_the_end(tmp_path):
    first, second = write_tree(tmp_path / "first", a=3), write_tree(tmp_path / "second", b=4)
    target = tmp_path / "sets" / "mine"
    build_voices(first, target)
    with pytest.raises(DatasetError, match="genre 'x'"):
        build_voices(second, target, genres=["x"])
    assert Dataset.open(target).genres == ("a",)
    build_voices(second, target)
    assert Dataset.open(target).genres == ("b",)
    assert hidden(target.parent) == []


def test_interrupted_replacement_is_mended(tmp_path):
    target = tmp_path / "sets" / "mine"
    build_voices(write_tree(tmp_path / "music", a=3), target)
    target.rename(target.with_name(".mine.old"))  # killed between the two renames
    with pytest.raises(DatasetError, match="cannot read the folder"):
        build_voices(tmp_path / "gone", target)
    assert Dataset.open(target, verify=True).genres == ("a",)
    assert hidden(target.parent) == []


def test_other_folders_are_not_replaced(tmp_path):
    root = write_tree(tmp_path / "music", a=3)
    with pytest.raises(DatasetError, match="music exists and is not a dataset; it is not replaced"):
        build_voices(root, root)
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="file exists and is not a dataset"):
        build_voices(root, tmp_path / "file")
    with pytest.raises(DatasetError, match=r"cannot build .*file/set: Not a directory"):
        build_voices(root, tmp_path / "file" / "set")
    (tmp_path / "empty").mkdir()
    build_voices(root, tmp_path / "empty")
    assert Dataset.open(tmp_path / "empty").genres == ("a",)


# --- processes --------------------------------------------------------------------------------------------------------


HARMFUL = """
import os, sys, time
import numpy as np
from musae_tf.data import workers
from musae_tf.data.build import build
from musae_tf.data.folder import FolderSource
from musae_tf.data.guard import Limits
from musae_tf.music.layouts import get_layout

class Harmful(FolderSource):
    def load(self, item):
        if item.path in ("a/03.mid", "a/05.mid"):
            os.abort()
        if item.path == "a/04.mid":
            time.sleep(60)
        if item.path == "a/06.mid":
            while True:
                pass
        if item.path == "a/35.mid":
            self.memory = np.ones(10**9, np.uint8)
        if item.path == "a/36.mid":
            self.memory = np.ones(10**8, np.uint8)
        return super().load(item)

if __name__ == "__main__":
    workers.Limits = lambda: Limits(seconds=0.5, memory=5 * 10**8, patience=2)
    summary = build(Harmful(sys.argv[1]), sys.argv[2], get_layout("voices"), workers=2)
    print(summary.songs, summary.rejected)
"""


def test_files_that_crash_hang_or_swell_the_reader_are_listed(tmp_path):
    root, target = write_tree(tmp_path / "music", a=40), tmp_path / "set"
    script = tmp_path / "harmful.py"
    script.write_text(HARMFUL)
    counts = "{'crashed the reader': 2, 'too large': 1, 'too slow': 2}"
    assert output(script, root, target).strip() == f"35 {counts}"
    assert {rejection["source"]: rejection["reason"].partition(": ")[2] for rejection in rejections(target)} == {
        "a/03.mid": "the process that read it died",
        "a/04.mid": "takes more than 0.5 seconds to read",
        "a/05.mid": "the process that read it died",
        "a/06.mid": "takes more than 0.5 seconds to read",
        "a/35.mid": "needs more than 500 MB of memory to read",
    }


def test_script_without_a_guard(tmp_path):
    root = write_tree(tmp_path / "music", a=70)
    script = tmp_path / "script.py"
    script.write_text(
        SLOW.split("if __name__")[0] + 'build(Slow(sys.argv[1]), sys.argv[2], get_layout("voices"), workers=2)'
    )
    process = python(script, root, tmp_path / "set")
    _, error = process.communicate(timeout=60)
    assert "DatasetError: worker processes do not start; a script that builds a dataset" in error


def test_unexpected_errors_are_listed(tmp_path):
    root = write_tree(tmp_path / "music", a=3)

    class Odd(FolderSource):
        def load(self, item):
            if item.path == "a/01.mid":
                raise ZeroDivisionError("division by zero")
            return super().load(item)

    assert build(Odd(root), tmp_path / "set", VOICES, workers=0).rejected == {"failed unexpectedly": 1}
    assert rejections(tmp_path / "set")[0]["reason"] == "a/01.mid: ZeroDivisionError: division by zero"


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
