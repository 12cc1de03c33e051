"""The examples that use a server, on a real one; tests/docs runs `train_on_your_folder.py` as the page says it."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples import latent_arithmetic
from examples.style_watcher import Watcher
from musae_tf.client import MusaeClient
from musae_tf.music import Song
from musae_tf.server import ModelServer, Options
from musae_tf.server.options import one_model
from tests.corpus import broken_files, drum_song, four_voice_song

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def target(model_folder) -> Iterator[str]:
    options = Options(one_model("musae", str(model_folder)), port=0, rest_port=None, drain_seconds=1, warm_up=False)
    with ModelServer(options) as server:
        yield f"localhost:{server.port}"


@pytest.fixture(scope="module")
def musae(target) -> Iterator[MusaeClient]:
    with MusaeClient(target) as client:
        yield client


@pytest.fixture
def inbox(tmp_path) -> Path:
    (tmp_path / "inbox" / "answers").mkdir(parents=True)
    return tmp_path / "inbox"


def watcher(inbox: Path, musae: MusaeClient) -> Watcher:
    return Watcher(inbox, inbox / "answers", musae, "dances", 1.0)


def answers(inbox: Path) -> set[str]:
    return {path.name for path in (inbox / "answers").iterdir()}


def test_a_file_is_answered_when_it_has_stopped_growing(inbox, musae):
    data = four_voice_song(4, seed=1).to_bytes()
    watch = watcher(inbox, musae)
    for part in (b"", data[:100], data[:200], data):
        (inbox / "one.mid").write_bytes(part)
        assert watch.look() == 1
        assert answers(inbox) == set()
    assert watch.look() == 0
    assert answers(inbox) == {"one.mid"}
    expected = musae.transfer(Song.read(inbox / "one.mid"), "dances", None, 1.0)
    assert (inbox / "answers/one.mid").read_bytes() == expected.to_bytes()
    # Once, until it changes.
    stamp = (inbox / "answers/one.mid").stat().st_mtime_ns
    assert watch.look() == 0
    assert (inbox / "answers/one.mid").stat().st_mtime_ns == stamp
    four_voice_song(5, seed=2).write(inbox / "one.mid")
    assert [watch.look(), watch.look()] == [1, 0]
    assert len(Song.read(inbox / "answers/one.mid").bars()) == 5


def test_what_cannot_be_answered_gets_a_note_until_it_can(inbox, musae):
    (inbox / "broken.mid").write_bytes(broken_files()["text"])
    drum_song().write(inbox / "drums.mid")
    (inbox / "notes.txt").write_text("no music")
    watch = watcher(inbox, musae)
    assert [watch.look(), watch.look(), watch.look()] == [2, 0, 0]
    assert answers(inbox) == {"broken.mid.txt", "drums.mid.txt"}
    assert "broken.mid" in (inbox / "answers/broken.mid.txt").read_text()
    four_voice_song(4).write(inbox / "broken.mid")
    assert [watch.look(), watch.look()] == [1, 0]
    assert answers(inbox) == {"broken.mid", "drums.mid.txt"}


def test_files_wait_while_the_server_is_away(inbox):
    four_voice_song(4).write(inbox / "one.mid")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with MusaeClient(f"127.0.0.1:{nobody.getsockname()[1]}", deadline=0.5) as away:
            watch = watcher(inbox, away)
            assert [watch.look(), watch.look(), watch.look()] == [1, 1, 1]
    assert answers(inbox) == set()


def watching(inbox: Path, target: str, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "examples.style_watcher", str(inbox), "--to", "dances", "--server", target, *more]
    return subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_it_answers_what_is_dropped_and_ends_with_ctrl_c(inbox, target):
    process = watching(inbox, target, "--every", "0.05")
    limit = threading.Timer(120, process.kill)
    limit.start()
    try:
        assert process.stdout.readline().startswith("watching")
        four_voice_song(4).write(inbox / "one.mid")
        assert process.stdout.readline() == f"{inbox / 'answers/one.mid'}\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr.read() == ""
    finally:
        limit.cancel()
        process.kill()
        process.wait()


def test_a_genre_that_the_model_has_not(inbox, target):
    process = watching(inbox, target, "--to", "polka")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "dances, hymns" in errors
    assert "Traceback" not in errors


# --- arithmetic -------------------------------------------------------------------------------------------------------


def notes(song: Song) -> list[list[tuple]]:
    return [track.notes.tolist() for track in song.tracks]


def test_arithmetic_of_nothing_is_the_reconstruction(musae, tmp_path):
    path = tmp_path / "mine.mid"
    four_voice_song(4, seed=3).write(path)
    rebuilt = notes(musae.reconstruct(path))
    assert any(rebuilt)
    assert notes(latent_arithmetic.compute(musae, path, [], [])) == rebuilt


def test_a_piece_plus_another_minus_itself(musae, tmp_path):
    """With one phrase each, the sum is the other one's code."""
    paths = [tmp_path / "one.mid", tmp_path / "other.mid"]
    for seed, path in enumerate(paths):
        four_voice_song(2, seed=seed).write(path)
    one, other = (musae.encode(path).mean for path in paths)
    summed = latent_arithmetic.compute(musae, paths[0], [str(paths[1])], [str(paths[0])])
    assert notes(summed) == notes(musae.decode(one + other - one))


def test_arithmetic_from_the_command_line(target, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    four_voice_song(4, seed=3).write("mine.mid")

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["latent_arithmetic.py", "mine.mid", "--server", target, *arguments])
        return latent_arithmetic.main()

    assert run("--plus", "dances", "--minus", "hymns", "--out", "sum.mid") == 0
    assert len(Song.read("sum.mid").bars()) == 4
    assert run("--plus", "polka", "--minus", "hymns") == 2
    assert "dances, hymns" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run("--plus", "dances")
