"""The same bytes whatever happens: workers, interruptions, full disks, and targets that are there already."""

import signal

import pytest

from musae_tf.data.build import build
from musae_tf.data.dataset import Dataset
from musae_tf.data.folder import FolderSource
from musae_tf.errors import DatasetError
from tests.data.makers import STUCK, VOICES, build_voices, content, hidden, output, python, write_song, write_tree
from tests.waiting import children, has_ended, wait_for


class CountingSource(FolderSource):
    """A folder that notes what is loaded."""

    def load(self, item):
        self.loaded = [*getattr(self, "loaded", []), item.path]
        return super().load(item)


def test_workers_make_no_difference(tree, dataset, tmp_path):
    build_voices(tree, tmp_path / "tree", workers=2)
    assert content(tmp_path / "tree") == content(dataset.path)


def test_killed_build_goes_on(tmp_path):
    root = write_tree(tmp_path / "music", a=80, b=80)
    build_voices(root, tmp_path / "whole" / "set")
    script = tmp_path / "stuck.py"
    script.write_text(STUCK)
    target = tmp_path / "killed" / "set"
    partial = target.with_name(".set.partial")
    process = python(script, root, target)
    try:
        wait_for(lambda: len(list(partial.glob("part-*.npz"))) == 2, process=process)
        workers = children(process.pid)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not target.exists()
    wait_for(lambda: all(map(has_ended, workers)))  # else they outlive their parent

    finished = len(list(partial.glob("part-*.npz")))
    source = CountingSource(root)
    build(source, target, VOICES, workers=0)
    assert content(target) == content(tmp_path / "whole" / "set")
    assert finished == 2
    assert len(source.loaded) == 160 - 32 * finished
    assert hidden(target.parent) == []


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
from musae_tf.music.named_layouts import get_layout

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
