"""The archive and the cache, without a model: any folder will do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from musae_tf.errors import RunError
from musae_tf.pretrained import archive as store
from musae_tf.pretrained.archive import FILES, cache_folder, is_whole, pack, pretrained_run, unpack

CODE = (
    "import sys, pathlib; from musae_tf.pretrained import archive as store; store.ARCHIVE = pathlib.Path(sys.argv[1])\n"
)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "run" / "export" / "1").mkdir(parents=True)
    (tmp_path / "run" / "run.json").write_text("{}")
    (tmp_path / "run" / "export" / "1" / "weights").write_bytes(bytes(range(256)) * 4000)
    return tmp_path / "run"


@pytest.fixture
def archive(folder, cache, monkeypatch) -> Path:
    path = folder.parent / "voices.tar.xz"
    path.write_bytes(pack(folder))
    monkeypatch.setattr(store, "ARCHIVE", path)
    return path


def test_what_is_packed_comes_back_and_the_same_files_make_the_same_archive(folder, tmp_path):
    data = pack(folder)
    unpack(data, tmp_path / "new")
    found = files(tmp_path / "new")
    found.pop(FILES)
    assert found == files(folder)
    os.utime(folder / "run.json", (1, 1))
    (folder / "run.json").chmod(0o600)
    assert pack(folder) == data
    assert pack(tmp_path / "new") == data


def test_half_precision_is_what_makes_it_small(folder):
    import numpy as np

    weights = np.random.default_rng(0).normal(0, 0.1, 200_000).astype(np.float32)
    sizes = []
    for array in (weights, weights.astype(np.float16).astype(np.float32)):
        (folder / "export" / "1" / "weights").write_bytes(array.tobytes())
        sizes.append(len(pack(folder)))
    assert sizes[0] > 0.8 * weights.nbytes
    assert sizes[1] < 0.5 * weights.nbytes


def test_it_is_unpacked_once(archive, folder, cache):
    path = pretrained_run()
    assert path.parent == cache
    assert files(path).keys() - {FILES} == files(folder).keys()
    before = path.stat().st_ino
    assert pretrained_run() == path
    assert path.stat().st_ino == before
    assert {entry.name for entry in cache.iterdir()} == {".lock", path.name}


def test_another_archive_has_a_folder_of_its_own(archive, folder):
    first = pretrained_run()
    (folder / "run.json").write_text("[]")
    archive.write_bytes(pack(folder))
    assert pretrained_run() != first
    assert is_whole(first)


def test_a_cache_from_which_something_was_removed_is_mended(archive, folder):
    path = pretrained_run()
    (path / "export" / "1" / "weights").unlink()
    assert pretrained_run() == path
    assert (path / "export" / "1" / "weights").read_bytes() == (folder / "export" / "1" / "weights").read_bytes()
    (path / FILES).write_text("{")
    assert is_whole(pretrained_run())


def test_several_processes_at_once(archive, cache):
    command = [sys.executable, "-c", CODE + "print(store.pretrained_run())", str(archive)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0] * 4
    (path,) = said
    assert is_whole(Path(path))
    assert {entry.name for entry in cache.iterdir()} == {".lock", Path(path).name}


def test_a_process_killed_halfway_leaves_nothing_that_counts(archive, cache):
    stuck = """
import sys
def unpack(data, folder):
    folder.mkdir()
    (folder / "run.json").write_text("half")
    print("here", flush=True)
    sys.stdin.read()
store.unpack = unpack
store.pretrained_run()
"""
    command = [sys.executable, "-c", CODE + stuck, str(archive)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline()
    process.kill()
    process.communicate()
    path = pretrained_run()
    assert (path / "run.json").read_text() == "{}"
    assert {entry.name for entry in cache.iterdir()} == {".lock", path.name}


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.delenv("MUSAE_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == tmp_path / ".cache" / "musae-tf"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "musae-tf"
    monkeypatch.setenv("MUSAE_CACHE", "~/own")
    assert cache_folder() == tmp_path / "own"


def test_what_can_go_wrong_is_a_sentence(archive, cache, monkeypatch):
    whole = archive.read_bytes()
    for damaged in (whole[:-1000], b"version https://git-lfs.github.com/spec/v1\n", b""):
        archive.write_bytes(damaged)
        with pytest.raises(RunError, match=r"voices\.tar\.xz is damaged .*: install musae-tf again"):
            pretrained_run()
    assert [entry.name for entry in cache.iterdir()] == [".lock"]
    archive.write_bytes(whole)
    (cache.parent / "file").write_text("")
    monkeypatch.setenv("MUSAE_CACHE", str(cache.parent / "file"))
    with pytest.raises(RunError, match=r"cannot unpack the pretrained model into .*file: .*MUSAE_CACHE names another"):
        pretrained_run()
    archive.unlink()
    with pytest.raises(RunError, match=r"comes without a pretrained model: .*make pretrained RUN="):
        pretrained_run()
