"""The `musae` command: in this process where that is enough, as a program for signals and what lands on the screen."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import wave
from pathlib import Path

import numpy as np
import pytest

from musae_tf.cli import main
from musae_tf.data import Dataset
from musae_tf.music import Song
from tests.conftest import CONFIGS, write_songs
from tests.corpus import BAR, broken_files, changing_metre_song, drum_song, four_voice_song, waltz
from tests.waiting import LIMIT, wait_for

MUSAE = [sys.executable, "-c", "import sys; from musae_tf.cli import main; sys.exit(main())"]
TINY = str(CONFIGS / "tiny.yaml")


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch) -> Path:
    """Every test works in a folder of its own."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def song_file(tmp_path) -> str:
    four_voice_song(5, seed=1).write(tmp_path / "song.mid")
    return str(tmp_path / "song.mid")


def refused(capsys, *arguments: str) -> str:
    """Run a command that must fail with exit code 2 and one sentence; nothing may appear in the working folder."""
    before = sorted(Path().rglob("*"))
    try:
        code = main(arguments)
    except SystemExit as stop:  # from argparse
        code = stop.code
    message = capsys.readouterr().err
    assert code == 2
    assert message.startswith("musae")
    assert message.count("\n") == 1, message
    assert sorted(Path().rglob("*")) == before
    return message


# --- data -------------------------------------------------------------------------------------------------------------


def test_a_folder_becomes_a_dataset_once(tmp_path, capsys):
    write_songs(tmp_path / "music", songs=4, bars=4)
    build = ["data", "build", "folder", str(tmp_path / "music"), "--layout", "voices", "--workers", "1"]
    assert main(build) == 0
    shown = capsys.readouterr().out
    assert "hymns" in shown
    assert "musae train voices --set data.path=datasets/music" in shown
    first = Dataset.open("datasets/music").hash
    stamp = Path("datasets/music/manifest.json").stat().st_mtime_ns

    assert main(build) == 0
    assert "already built" in capsys.readouterr().out
    assert Path("datasets/music/manifest.json").stat().st_mtime_ns == stamp

    assert main([*build, "--force"]) == 0
    assert "already built" not in capsys.readouterr().out
    assert Path("datasets/music/manifest.json").stat().st_mtime_ns > stamp
    assert Dataset.open("datasets/music").hash == first

    for change in ("--seed=5", "--layout=band"):
        assert main([*build, change]) == 0
        assert "already built" not in capsys.readouterr().out
    four_voice_song(4, seed=77).write(tmp_path / "music" / "hymns" / "new.mid")
    assert main(build) == 0
    assert len(Dataset.open("datasets/music").songs) == 9

    assert main(["data", "info", "datasets/music"]) == 0
    assert Dataset.open("datasets/music").hash in capsys.readouterr().out


def test_a_dataset_is_named_as_its_folder_was_called(tmp_path, monkeypatch):
    write_songs(tmp_path / "music", songs=4, bars=4)
    Path("link").symlink_to(tmp_path / "music")
    build = ["--layout", "voices", "--workers", "1"]
    assert main(["data", "build", "folder", "link", *build]) == 0
    monkeypatch.chdir(tmp_path / "music")
    assert main(["data", "build", "folder", ".", *build]) == 0
    assert Dataset.open("datasets/music").hash == Dataset.open(tmp_path / "work/datasets/link").hash


def test_music_that_leaves_tracks_silent_can_still_be_trained_on(tmp_path, capsys):
    write_songs(tmp_path / "my music", bars=4)
    build = ["data", "build", "folder", str(tmp_path / "my music"), "--layout", "band", "--workers", "1"]
    assert main(build) == 0
    shown = capsys.readouterr().out
    assert re.search(r"sounding +drums in 0, bass in 80, guitar in 0, strings in 80\n", shown)
    asked = shlex.split(shown.splitlines()[-1])[1:]

    here = ["--set", "data.path=datasets/my music", "--set", "music.layout=band"]
    message = refused(capsys, "train", TINY, *here, "--set", "data.sounding=all")
    assert "all of the tracks sound" in message
    assert "drums in 0, bass in 80" in message
    assert "data.sounding=any" in message

    assert asked[:2] == ["train", "band"]
    assert asked[2:] == ["--set", "data.path=datasets/my music", "--set", "data.sounding=any"]
    short = ["--set", "music.layout=band", "--set", "training.steps=2", "--run", "runs/mine", "--no-evaluate"]
    assert main(["train", TINY, *asked[2:], *short]) == 0


def test_too_few_songs_are_said_before_a_training(tmp_path, capsys):
    write_songs(tmp_path / "two", songs=1, bars=4)
    assert main(["data", "build", "folder", str(tmp_path / "two"), "--layout", "voices", "--workers", "1"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("nothing to train a model on yet: datasets/two has no song in its validation part: 2 songs")
    assert "no song in its validation part" in refused(capsys, "train", TINY, "--set", "data.path=datasets/two")


def test_a_table_says_the_genres(tmp_path):
    write_songs(tmp_path / "music", songs=2, bars=4)
    table = tmp_path / "labels.csv"
    table.write_text("path,labels\nhymns/hymn 0.mid,slow;old\ndances/dance 0.mid,fast\n")
    build = ["data", "build", "folder", str(tmp_path / "music"), "--layout", "voices", "--workers", "1"]
    assert main([*build, "--labels", str(table), "--out", "mine"]) == 0
    assert set(Dataset.open("mine").genres) == {"slow", "old", "fast"}


def test_data_mistakes(tmp_path, capsys):
    assert "nowhere" in refused(capsys, "data", "build", "folder", "nowhere")
    assert "jazz" in refused(capsys, "data", "build", "folder", str(tmp_path), "--layout", "jazz")
    assert "musae data build corpus" in refused(capsys, "data", "info", "nowhere")
    assert "0" in refused(capsys, "data", "build", "corpus", "--workers", "0")


# --- train ------------------------------------------------------------------------------------------------------------


def test_training_makes_a_run_evaluates_it_and_says_what_next(tiny_dataset, capsys):
    settings = [f"--set=data.path={tiny_dataset.path}", "--set", "training.steps=20", "--set", "model.latent=8"]
    assert main(["train", TINY, *settings]) == 0
    shown = capsys.readouterr().out
    (run,) = Path("runs").iterdir()
    assert run.name.startswith("tiny-2")
    facts = json.loads((run / "run.json").read_text())
    assert (facts["state"], facts["steps"]) == ("finished", 20)
    assert facts["tempos"] == {"dances": 140.0, "hymns": 96.0}
    assert "latent: 8" in (run / "config.yaml").read_text()
    assert (run / "evaluation" / "evaluation.json").is_file()
    assert main(["sample", str(run), "--genre", "dances", "--bars", "1"]) == 0
    assert Song.read(run / "samples" / "dances-0.mid").tempos[0].bpm == 140.0
    for command in ("sample", "reconstruct", "transfer", "interpolate"):
        assert f"musae {command} {run}" in shown

    # A finished run has nothing left to train.
    log = (run / "log.jsonl").read_bytes()
    assert main(["train", "--resume", str(run), "--no-evaluate"]) == 0
    assert "20 steps are done" in capsys.readouterr().out
    assert (run / "log.jsonl").read_bytes() == log


def test_train_mistakes(tiny_dataset, tiny_run, capsys, tmp_path):
    data = f"--set=data.path={tiny_dataset.path}"
    assert "model.latent" in refused(capsys, "train", TINY, data, "--set", "model.latnet=3")
    typo = tmp_path / "typo.yaml"
    typo.write_text("trainig: {steps: 3}\n")
    message = refused(capsys, "train", str(typo))
    assert "typo.yaml" in message
    assert "trainig" in message
    assert "training" in message
    assert "nowhere.yaml" in refused(capsys, "train", "nowhere.yaml")
    assert "musae data build corpus --out lost" in refused(capsys, "train", TINY, "--set", "data.path=lost")
    assert "music.layout" in refused(capsys, "train", TINY, data, "--set", "music.layout=band")
    assert "--resume" in refused(capsys, "train")
    assert "leave out" in refused(capsys, "train", TINY, "--resume", str(tiny_run.path))
    assert "not a run folder" in refused(capsys, "train", "--resume", str(tmp_path))
    assert "already there" in refused(capsys, "train", TINY, data, "--run", str(tiny_run.path))
    assert "not allowed with" in refused(capsys, "train", TINY, "--run", "a", "--resume", "b")


def test_ctrl_c_saves_a_checkpoint_and_resuming_finishes_the_run(tiny_dataset, capsys):
    settings = ["--set", f"data.path={tiny_dataset.path}", "--set", "training.steps=4000", "--run", "run"]
    started = subprocess.Popen(
        [*MUSAE, "train", TINY, *settings], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: logged(Path("run")), process=started)
    started.send_signal(signal.SIGINT)
    shown, errors = started.communicate(timeout=LIMIT)
    assert started.returncode == 130
    assert "musae train --resume run" in shown
    assert "Traceback" not in errors
    facts = json.loads(Path("run/run.json").read_text())
    assert 0 < facts["steps"] < 4000

    # The same run, made short, so that the rest does not take minutes.
    config = Path("run/config.yaml").read_text()
    Path("run/config.yaml").write_text(config.replace("steps: 4000", f"steps: {facts['steps'] + 5}"))
    assert main(["train", "--resume", "run", "--no-evaluate"]) == 0
    assert f"going on from step {facts['steps']}" in capsys.readouterr().out
    assert json.loads(Path("run/run.json").read_text())["state"] == "finished"


def test_sigterm_saves_a_checkpoint_and_leaves_with_143(tiny_dataset, capsys):
    def terminate():
        wait_for(lambda: logged(Path("run")))
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    killer = threading.Thread(target=terminate)
    killer.start()
    code = main(["train", TINY, f"--set=data.path={tiny_dataset.path}", "--set=training.steps=100000", "--run=run"])
    killer.join()
    assert code == 143
    assert "musae train --resume run" in capsys.readouterr().out
    assert json.loads(Path("run/run.json").read_text())["steps"] > 0
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def logged(run: Path) -> bool:
    """Whether a training has logged a step."""
    return (run / "log.jsonl").is_file() and (run / "log.jsonl").stat().st_size > 0


def test_ctrl_c_elsewhere_is_one_sentence(monkeypatch, capsys):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("musae_tf.cli.data.info", interrupted)
    assert main(["data", "info", "somewhere"]) == 130
    assert capsys.readouterr().err == "\nmusae: stopped; nothing was written\n"


# --- evaluate ---------------------------------------------------------------------------------------------------------


def test_evaluate_finds_a_dataset_that_was_moved(tiny_run, tiny_dataset, capsys):
    shutil.copytree(tiny_run.path, "run")
    facts = json.loads(Path("run/run.json").read_text())
    facts["dataset"]["path"] = "gone"
    Path("run/run.json").write_text(json.dumps(facts))
    assert "gone" in refused(capsys, "evaluate", "run")
    assert main(["evaluate", "run", "--quick", "--dataset", str(tiny_dataset.path)]) == 0
    assert json.loads(Path("run/evaluation/evaluation.json").read_text())


# --- music ------------------------------------------------------------------------------------------------------------


def test_samples_of_every_genre_in_midi_picture_and_sound(tiny_run, capsys):
    assert main(["sample", str(tiny_run.path), "--bars", "3", "--wav", "--out", "here"]) == 0
    shown = capsys.readouterr().out
    assert sorted(path.name for path in Path("here").iterdir()) == [
        f"{genre}-0.{kind}" for genre in ("dances", "hymns") for kind in ("mid", "png", "wav")
    ]
    for genre in ("dances", "hymns"):
        assert f"here/{genre}-0.mid" in shown
        assert len(Song.read(f"here/{genre}-0.mid").bars()) == 3
        assert Path(f"here/{genre}-0.png").read_bytes().startswith(b"\x89PNG")
        with wave.open(f"here/{genre}-0.wav") as sound:
            assert sound.getnframes() / sound.getframerate() > 3 * 4 * 60 / 120  # 120 to the minute by default


def test_the_same_seed_gives_the_same_file(tiny_run):
    sample = ["sample", str(tiny_run.path), "--genre", "hymns", "--temperature", "1"]
    for seed, out in ((7, "a"), (7, "b"), (8, "c")):
        assert main([*sample, "--seed", str(seed), "--bars=2", "--out", f"{out}.mid"]) == 0
    first, second, third = (Path(f"{name}.mid").read_bytes() for name in "abc")
    assert first == second != third


def test_the_newest_run_is_taken_if_none_is_named(tiny_run, song_file, capsys):
    shutil.copytree(tiny_run.path, "runs/old")
    shutil.copytree(tiny_run.path, "runs/new")
    os.utime("runs/old/run.json", (1, 1))
    assert main(["reconstruct", song_file]) == 0
    assert "using runs/new" in capsys.readouterr().out
    assert sorted(path.name for path in Path("runs/new/samples").iterdir()) == [
        "song-reconstructed.mid",
        "song-reconstructed.png",
    ]
    assert len(Song.read("runs/new/samples/song-reconstructed.mid").bars()) == 5


def test_options_may_stand_between_the_arguments(tiny_run, song_file, tmp_path, capsys):
    other = tmp_path / "other.mid"
    four_voice_song(4, seed=2).write(other)
    run = str(tiny_run.path)
    assert main(["transfer", run, "--to", "dances", song_file, "--strength=0.8", "--bars", "3", "--out", "t.mid"]) == 0
    assert "taken for" in capsys.readouterr().out
    assert len(Song.read("t.mid").bars()) == 3
    assert main(["interpolate", run, song_file, "--points", "3", str(other), "--out", "path"]) == 0
    made = sorted(Path("path").glob("*.mid"))
    assert [path.name for path in made] == [f"song-to-other-{point}.mid" for point in (1, 2, 3)]
    assert all(len(Song.read(path).bars()) == 5 for path in made)


def test_first_bars_only_are_those_of_the_whole_piece(tiny_run, song_file):
    run = str(tiny_run.path)
    assert main(["reconstruct", run, song_file, "--out", "whole.mid"]) == 0
    assert main(["reconstruct", run, song_file, "--out", "part.mid", "--bars", "4"]) == 0
    whole, part = Song.read("whole.mid"), Song.read("part.mid")
    assert len(part.bars()) == 4
    for long, short in zip(whole.tracks, part.tracks, strict=True):
        assert np.array_equal(long.notes["start"][long.notes["start"] < 4 * BAR], short.notes["start"])


def test_what_the_model_cannot_take_is_said(tiny_run, tmp_path, capsys):
    changing_metre_song().write(tmp_path / "mixed.mid")
    assert main(["reconstruct", str(tiny_run.path), str(tmp_path / "mixed.mid"), "--out", "x.mid"]) == 0
    assert "mixed.mid: 3 of 9 bars are not 16 sixteenths long: the model cannot take them" in capsys.readouterr().out


def test_music_mistakes(tiny_run, song_file, tmp_path, capsys):
    run = str(tiny_run.path)
    drum_song().write(tmp_path / "drums.mid")
    waltz().write(tmp_path / "waltz.mid")
    (tmp_path / "text.mid").write_bytes(broken_files()["text"])
    known = "dances, hymns"
    assert known in refused(capsys, "sample", run, "--genre", "polka")
    assert known in refused(capsys, "transfer", run, song_file, "--to", "polka")
    assert known in refused(capsys, "transfer", run, song_file, "--to", "hymns", "--source", "polka")
    assert "--to" in refused(capsys, "transfer", run, song_file)
    assert "not a run folder" in refused(capsys, "sample", str(tmp_path))
    assert "./runs" in refused(capsys, "sample")
    for name in ("drums", "waltz", "text", "missing"):
        assert f"{name}.mid" in refused(capsys, "reconstruct", run, str(tmp_path / f"{name}.mid"))
    assert "drums.mid" in refused(capsys, "interpolate", run, song_file, str(tmp_path / "drums.mid"))
    assert "folder" in refused(capsys, "sample", run, "--out", "one.mid")
    assert "folder" in refused(capsys, "interpolate", run, song_file, song_file, "--out", "one.mid")
    for option, text in (("--temperature", "-1"), ("--temperature", "nan"), ("--bars", "0"), ("--seed", "x")):
        assert text in refused(capsys, "sample", run, f"{option}={text}")
    assert "sample" in refused(capsys, "smaple")
    assert "unrecognized" in refused(capsys, "sample", run, "two")


def test_a_run_without_a_checkpoint_says_how_to_train_it(tiny_run, capsys):
    shutil.copytree(tiny_run.path, "run", ignore=shutil.ignore_patterns("checkpoints"))
    assert "musae train --resume run" in refused(capsys, "sample", "run")


# --- the machine around -----------------------------------------------------------------------------------------------


def test_the_program_says_nothing_but_its_own_words(tiny_run):
    silent = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    command = [*MUSAE, "sample", str(tiny_run.path), "--genre", "hymns", "--out", "one.mid"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**silent, "KERAS_BACKEND": "jax"}, timeout=LIMIT
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.splitlines()[:2] == ["one.mid", "one.png"]


def test_a_missing_package_is_named(monkeypatch, tiny_run, capsys):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    message = refused(capsys, "sample", str(tiny_run.path))
    assert "pip install 'musae-tf[train]'" in message


def test_a_closed_pipe_is_no_error_message(tiny_dataset):
    command = " ".join(f"'{part}'" for part in [*MUSAE, "data", "info", str(tiny_dataset.path)])
    done = subprocess.run(f"{command} | true", shell=True, capture_output=True, text=True, timeout=LIMIT)
    assert done.stderr == ""
