"""Versions appear whole and in order, whatever happens to those who make them."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from musae_tf.export import ExportError, prune
from musae_tf.export.publish import new_version, versions

# A publisher that holds a half-made version until it is killed.
HOLD = """
import sys
from pathlib import Path
from musae_tf.export.publish import new_version
with new_version(Path(sys.argv[1])) as draft:
    (draft.folder / "saved_model.pb").write_text("half")
    print(draft.number, flush=True)
    sys.stdin.read()
"""


def publish(base: Path, text: str = "model") -> int:
    with new_version(base) as draft:
        (draft.folder / "variables").mkdir()
        (draft.folder / "variables" / "data").write_text(text)
    return draft.number


def names(base: Path) -> set[str]:
    return {path.name for path in base.iterdir()} - {".lock"}


def test_versions_count_up(tmp_path):
    base = tmp_path / "new" / "tunes"
    assert versions(base) == []
    assert [publish(base), publish(base)] == [1, 2]
    assert [version.number for version in versions(base)] == [1, 2]
    (base / "0041").mkdir()  # TensorFlow Serving takes this for 41
    for name in ("v50", "60.tmp", "notes"):
        (base / name).mkdir()
    assert publish(base) == 42
    assert {path.name for path in (base / "42").rglob("*")} == {"variables", "data"}


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_nothing(tmp_path, stop):
    def fail():
        with new_version(tmp_path) as draft:
            (draft.folder / "saved_model.pb").write_text("half")
            assert names(tmp_path) == {draft.folder.name}
            raise stop

    with pytest.raises(stop):
        fail()
    assert names(tmp_path) == set()
    assert publish(tmp_path) == 1


def test_a_killed_publisher_leaves_no_version_and_the_next_one_cleans_up(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "1\n"
    # While it is at work its number is taken and its folder is left alone.
    assert publish(tmp_path) == 2
    half = f".publishing-1-{holder.pid}"
    assert names(tmp_path) == {half, "2"}
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert names(tmp_path) == {half, "2"}
    assert publish(tmp_path) == 3
    assert names(tmp_path) == {"2", "3"}


def test_publishers_do_not_meet(tmp_path):
    together = Barrier(8)

    def make(text: str) -> int:
        together.wait()
        with new_version(tmp_path) as draft:
            (draft.folder / "data").write_text(text)
            together.wait()
        return draft.number

    with ThreadPoolExecutor(8) as pool:
        made = dict(zip("abcdefgh", pool.map(make, "abcdefgh"), strict=True))
    assert sorted(made.values()) == list(range(1, 9))
    assert {text: (tmp_path / str(number) / "data").read_text() for text, number in made.items()} == {
        text: text for text in made
    }
    assert names(tmp_path) == set("12345678")


def test_a_version_made_by_something_else_is_not_overwritten(tmp_path):
    def make():
        with new_version(tmp_path) as draft:
            (tmp_path / "1").mkdir()
            (draft.folder / "data").write_text("ours")

    with pytest.raises(ExportError, match=r"1 was made by something else"):
        make()
    assert names(tmp_path) == {"1"}
    assert list((tmp_path / "1").iterdir()) == []


def test_all_is_on_the_disk_before_it_is_seen(tmp_path, monkeypatch):
    base = tmp_path / "tunes"
    synced, real = [], os.fsync

    def fsync(descriptor):
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with new_version(base) as draft:
        (draft.folder / "variables").mkdir()
        (draft.folder / "variables" / "data").write_text("weights")
        (draft.folder / "saved_model.pb").write_text("graph")
        made = {draft.folder, *draft.folder.rglob("*")}
    assert made <= set(synced[:-1])
    assert synced[-1] == base


def test_prune_keeps_the_newest(tmp_path):
    for _ in range(12):
        publish(tmp_path)
    assert [version.number for version in prune(tmp_path, 3)] == list(range(1, 10))
    assert names(tmp_path) == {"10", "11", "12"}
    assert prune(tmp_path, 5) == []
    prune(tmp_path, 1)
    assert names(tmp_path) == {"12"}
    with pytest.raises(ValueError, match="keep is 0"):
        prune(tmp_path, 0)


def test_a_killed_prune_is_finished_by_the_next_publisher(tmp_path, monkeypatch):
    publish(tmp_path)
    publish(tmp_path)

    def killed(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("musae_tf.export.publish.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            prune(tmp_path, 1)
    assert names(tmp_path) == {"2", f".removing-1-{os.getpid()}"}
    assert publish(tmp_path) == 3
    assert names(tmp_path) == {"2", "3"}


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match=r"cannot write .*file.*"):
        publish(tmp_path / "file" / "tunes")
