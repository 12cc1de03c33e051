"""The pretrained model from the command line and behind a server; it is the tiny run, packed."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from musae_tf import Musae
from musae_tf.cli import main, serve, studio
from musae_tf.client import MusaeClient
from musae_tf.config import config_hash
from musae_tf.export.map import map_of_draws
from musae_tf.models.inference import decode, encode
from musae_tf.music import Song
from musae_tf.pretrained import archive as store
from musae_tf.pretrained.package import MOST_BYTES, round_weights
from musae_tf.pretrained.package import main as build_main
from musae_tf.training import Run
from tests.corpus import four_voice_song
from tests.pretrained.test_archive import CODE

EXPORT = "export/musae/1"
FILES_OF_THE_ARCHIVE = {
    store.FILES, "run.json", "config.yaml", "attributes.npz", "log.jsonl", "evaluation/evaluation.json",
    "evaluation/songs.csv", f"{EXPORT}/saved_model.pb", f"{EXPORT}/fingerprint.pb",
    f"{EXPORT}/variables/variables.index", f"{EXPORT}/variables/variables.data-00000-of-00001",
    f"{EXPORT}/assets.extra/musae.json", f"{EXPORT}/assets.extra/tf_serving_warmup_requests",
}  # fmt: skip


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def song(cache) -> Song:
    song = four_voice_song(4, seed=3)
    song.name = "mine"
    song.write("mine.mid")
    return song


def refused(capsys, *arguments: str) -> str:
    assert main(arguments) == 2
    return capsys.readouterr().err


def test_the_packed_model_is_the_trained_one_in_half_precision(shipped, evaluated_run, tiny_dataset):
    run = Run.open(store.pretrained_run())
    assert not run.checkpoints.exists()
    packed, trained = run.load_model(), evaluated_run.load_model()
    tokens = tiny_dataset.phrases("train", 2, sounding="any").tokens()[:200]
    before = decode(trained, encode(trained, tokens)[0])
    round_weights(trained)
    for one, other in zip(packed.music_variables, trained.music_variables, strict=True):
        np.testing.assert_array_equal(one.value, other.value)
        np.testing.assert_array_equal(one.value, np.asarray(one.value).astype(np.float16))
    after = decode(packed, encode(packed, tokens)[0])
    assert np.mean(before == after) > 0.99


def test_what_goes_with_it_says_what_made_it_and_nothing_of_the_machine(shipped, package, evaluated_run, tiny_dataset):
    folder = store.pretrained_run()
    run, card = Run.open(folder), (package / "card.md").read_text()
    evaluation = json.loads((folder / "evaluation" / "evaluation.json").read_text())
    f1 = evaluation["headlines"]["onset_f1"]
    for words in (
        tiny_dataset.hash, tiny_dataset.manifest["licence"], config_hash(evaluated_run.config), "| seed | 1 |",
        f"| onset F1 | {f1['value']:.3f} | {f1['low']:.3f} to {f1['high']:.3f} |", "tensorflow 2.",
        run.facts["command"], "## Limits",
    ):  # fmt: skip
        assert words in card.replace("\n", " ")
    assert re.search(r"dances \d+ \(\d+\), hymns \d+ \(\d+\)", card)
    assert config_hash(run.config) == config_hash(evaluated_run.config)
    assert run.facts["dataset"]["path"] == f"datasets/{tiny_dataset.manifest['name']}"
    texts = [card, *(path.read_text() for path in folder.rglob("*") if path.suffix in (".json", ".yaml", ".csv"))]
    assert not [text for text in texts if str(tiny_dataset.path.parent) in text]
    assert sum(path.stat().st_size for path in package.iterdir()) < MOST_BYTES


def in_it(arrays: np.ndarray, contents: bytes) -> list[int]:
    """Which rows are in a file: half a row is enough to know it by, wherever and in whatever order rows are stored."""
    return [number for number, row in enumerate(arrays) if row[: len(row) // 2].tobytes() in contents]


def test_no_music_of_the_training_songs_goes_with_it(shipped, tiny_dataset, evaluated_run, model_folder):
    folder = store.pretrained_run()
    assert files_of(folder) == FILES_OF_THE_ARCHIVE
    training = [song for song in tiny_dataset.songs if song["split"] == "train"]
    contents = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert not [song["title"] for song in training if song["title"].encode() in contents]
    packed, tokens = Run.open(folder).load_model(), tiny_dataset.phrases("train", 2, sounding="any").tokens()
    draws = map_of_draws(packed)
    assert len(in_it(draws.latent, contents)) == len(draws.title)
    assert in_it(encode(packed, tokens)[0], contents) == []
    # An export has them.
    exported = (model_folder / "1" / "saved_model.pb").read_bytes()
    assert len(in_it(encode(evaluated_run.load_model(), tokens)[0], exported)) == len(training)
    facts = json.loads((folder / EXPORT / "assets.extra" / "musae.json").read_text())["map"]
    assert (facts["of"], facts["points"]) == ("draws", len(draws.title))
    np.testing.assert_allclose(facts["axes"], draws.axes, atol=1e-4)


def test_it_makes_music_without_training(shipped, song, capsys):
    assert main(["sample", "--pretrained", "--bars", "4", "--seed", "2", "--temperature", "0.9"]) == 0
    assert "musae transfer --pretrained samples/dances-2.mid --to hymns" in capsys.readouterr().out
    run = Run.open(store.pretrained_run())
    here = Musae.from_preset("voices")
    expected = here.sample("hymns", 4, 0.9, 2)
    assert expected.tempos[0].bpm == pytest.approx(run.facts["tempos"]["hymns"], abs=0.01)
    assert Path("samples/hymns-2.mid").read_bytes() == expected.to_bytes()
    assert main(["reconstruct", "--pretrained", "mine.mid", "--out", "again.mid"]) == 0
    assert Path("again.mid").read_bytes() == here.reconstruct(song).to_bytes()
    assert main(["transfer", "mine.mid", "--to", "hymns", "--pretrained"]) == 0
    how = ["--pretrained", "--bars", "2"]
    assert main(["interpolate", "mine.mid", "again.mid", "--path", "spherical", "--points", "3", *how]) == 0
    assert main(["change", "mine.mid", "--more", "notes", *how]) == 0
    assert main(["change", "mine.mid", "--sweep", "bass:register", "--points", "3", *how]) == 0
    assert "fitting" not in capsys.readouterr().out
    names = {path.stem for path in Path("samples").glob("*.mid")}
    assert names >= {"mine-to-hymns", "mine-to-again-3", "mine-more_notes", "mine-bass_register-1"}
    assert store.is_whole(run.path)


def test_it_is_served_and_gives_the_same(shipped, song, tmp_path):
    socket = tmp_path / "socket"
    code = CODE + "sys.argv[1:2] = []\nfrom musae_tf.cli import main\nsys.exit(main(sys.argv[1:]))"
    flags = ["--port", "0", "--rest-api-port", "0", "--grpc-socket-path", str(socket), "--enable-model-warmup=false"]
    command = [sys.executable, "-c", code, str(shipped), "serve", "--pretrained", *flags]
    here = Musae.from_preset()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        with MusaeClient(f"unix:{socket}", deadline=120.0) as musae:
            musae.wait_until_ready(120)
            made = musae.sample("dances", 4, 0.9, seed=5, tempo=90.0)
            assert made.to_bytes() == here.sample("dances", 4, 0.9, 5, 90.0).to_bytes()
            assert musae.reconstruct(song).to_bytes() == here.reconstruct(song).to_bytes()
            assert musae.describe().attributes is not None
            points = musae.map()
            assert points.of == musae.describe().points_of == here.map().of == "draws"
            assert points.title == here.map().title
            np.testing.assert_allclose(points.axes, here.map().axes, atol=1e-4)
            assert points.title[0] == "draw 1 of dances"
    finally:
        process.terminate()
        process.wait(30)
    assert process.returncode == 0


def test_serve_and_studio_find_it(shipped):
    folder = store.pretrained_run()
    assert serve._base_path(None, True) == folder / "export" / "musae"
    assert studio._model(None, False) == studio._model(None, True) == folder
    Path("runs/mine/export/musae").mkdir(parents=True)
    Path("runs/mine/run.json").write_text("{}")
    assert studio._model(None, False) == Path("runs/mine")
    assert studio._model(None, True) == folder


def test_mistakes_are_a_sentence(shipped, song, tmp_path, monkeypatch, capsys):
    assert "runs/x and --pretrained were given" in refused(capsys, "reconstruct", "runs/x", "mine.mid", "--pretrained")
    assert "runs/x and --pretrained were given" in refused(capsys, "serve", "runs/x", "--pretrained")
    assert "leave out --model-config" in refused(capsys, "serve", "--pretrained", "--model-base-path", "/models")
    assert "--pretrained and --server were given" in refused(
        capsys, "studio", "--pretrained", "--server", "localhost:1", "--no-browser"
    )
    assert "or take --pretrained" in refused(capsys, "sample")
    monkeypatch.setattr(store, "ARCHIVE", tmp_path / "voices.tar.xz")
    for command in (["sample"], ["serve"], ["studio", "--no-browser"], ["evaluate"]):
        assert "comes without a pretrained model" in refused(capsys, *command, "--pretrained")
    assert "no run in ./runs" in refused(capsys, "studio", "--no-browser")


def test_only_a_finished_and_measured_run_is_packed(tiny_run, evaluated_run, tiny_dataset, tmp_path, capsys):
    arguments = ["--dataset", str(tiny_dataset.path), "--to", str(tmp_path)]
    assert build_main([str(tiny_run.path), *arguments]) == 2
    assert "was not evaluated" in capsys.readouterr().err
    shutil.copytree(evaluated_run.path, tmp_path / "run")
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps({**facts, "state": "training"}))
    assert build_main([str(tmp_path / "run"), *arguments]) == 2
    assert "not finished" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.tar.xz"))


def test_the_model_of_this_checkout(cache):
    """What `make pretrained` has written, if it has."""
    if not store.has_pretrained():
        pytest.skip(f"no {store.ARCHIVE.name} in this checkout")
    card = store.ARCHIVE.with_name("card.md")
    assert store.ARCHIVE.stat().st_size + card.stat().st_size <= MOST_BYTES
    run = Run.open(store.pretrained_run())
    assert config_hash(run.config) in card.read_text()
    assert run.facts["dataset"]["hash"] in card.read_text()
    facts = json.loads((run.export / "1" / "assets.extra" / "musae.json").read_text())
    assert facts["map"]["of"] == "draws"
    assert files_of(run.path) == FILES_OF_THE_ARCHIVE | {"form.npz"}
    song = Musae.from_preset().sample(run.genres[0], 4, seed=1)
    assert sum(len(track.notes) for track in song.tracks) > 16
