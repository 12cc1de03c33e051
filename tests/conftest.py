"""A small dataset and a tiny trained run, made once for all tests and all test processes."""

import fcntl
import gc
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from musae_tf.data import Dataset, FolderSource, build
from musae_tf.music import Song, Tempo, Track, get_layout
from tests.corpus import four_voice_song
from tests.studio.driver import BROWSERS, chromium

# Before anything imports TensorFlow: its start-up messages would bury those of the tests.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Test processes run side by side, so an operation of one of them does best with one core.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
# TensorFlow's modules and graphs are millions of objects that stay: to look through them again after every 700 new
# ones, as Python does by itself, takes a tenth of the time.
gc.set_threshold(10_000, 20, 20)

CONFIGS = Path(__file__).parent.parent / "configs"

LONG = (
    "training/test_distribution.py", "studio/test_page.py", "training/test_systems.py", "benchmarks/test_bench.py",
    "docs/test_blocks.py", "studio/test_failures.py", "training/test_resume.py", "pretrained/test_pretrained.py",
    "training/test_adversarial.py", "cli/test_main.py", "evaluation/test_report.py", "test_chords.py",
    "studies/test_claims.py", "export/test_export.py", "export/test_signatures.py", "examples/test_examples.py",
    "training/test_fit.py", "examples/test_browser_example.py", "export/test_litert.py", "studies/test_jsb.py",
    "training/test_before.py",
)  # fmt: skip
"""Files of a minute or so, the longest first. With several processes they begin with these, so that none waits at the
end for another that has just started one."""

SLOW = (
    *LONG, "benchmarks/test_data.py", "cli/test_full_disk.py", "cli/test_json.py",
    "cli/test_measure_and_change.py", "client/test_request_command.py", "data/test_corpus_round_trip.py",
    "data/test_beam.py", "export/test_graph.py", "export/test_systems.py", "export/test_verify.py",
    "models/test_autoregressive.py", "models/test_recurrence.py", "models/test_systems.py", "server/test_fuzz.py",
    "server/test_load.py", "server/test_other_clients.py", "server/test_robustness.py", "server/test_soak.py",
    "serving/test_compose.py", "studies/test_frontier.py", "data/test_workers.py",
    "cli/test_early.py", "examples/test_tutorial.py", "test_trust.py",
)  # fmt: skip
"""Files of which every test has the mark `slow`; single tests of others have it themselves."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow files, and put the long ones first; `make test` tells xdist to leave the order as it is."""
    tests = CONFIGS.parent / "tests"
    place = {tests / name: number for number, name in enumerate(LONG)}
    slow = {tests / name for name in SLOW}
    for item in items:
        if item.path in slow:
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: place.get(item.path, len(LONG)))


def write_songs(folder: Path, songs: int = 10, bars: int = 8) -> None:
    """Two genres of MIDI files: hymns, and dances that are faster and detached."""
    for number in range(songs):
        hymn = four_voice_song(bars, seed=number)
        hymn.write(folder / "hymns" / f"hymn {number}.mid")
        dance = four_voice_song(bars, seed=1000 + number)
        tracks = [Track(track.name, 73, False, track.notes.copy()) for track in dance.tracks]
        for track in tracks:
            track.notes["duration"] = 120
        Song(480, tracks, [Tempo(0, 140.0)], dance.metres, dance.end).write(folder / "dances" / f"dance {number}.mid")


@pytest.fixture(scope="session")
def shared(tmp_path_factory, worker_id) -> Callable[[str, Callable[[Path], None]], Path]:
    """`shared(name, make)`: a folder that the first test process to ask makes, and all others read."""
    base = tmp_path_factory.getbasetemp()
    root = base if worker_id == "master" else base.parent

    def get(name: str, make: Callable[[Path], None]) -> Path:
        folder = root / name
        with open(root / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (root / f"{name}.done").exists():
                make(folder)
                (root / f"{name}.done").touch()
        return folder

    return get


@pytest.fixture(scope="session")
def song_folder(shared) -> Path:
    """MIDI files in the folders hymns and dances."""
    return shared("songs", write_songs)


@pytest.fixture(scope="session")
def tiny_dataset(shared, song_folder) -> Dataset:
    """A dataset of two genres, layout `voices`."""

    def make(folder: Path) -> None:
        build(FolderSource(song_folder), folder, get_layout("voices"), workers=1)

    return Dataset.open(shared("dataset", make))


@pytest.fixture(scope="session")
def tiny_run(shared, tiny_dataset):
    """A run of configs/tiny.yaml on `tiny_dataset`, trained for a few steps. Tests must leave it as it is."""
    from musae_tf.config import load_config
    from musae_tf.evaluation import QuickEvaluator
    from musae_tf.training import Run, train

    def make(folder: Path) -> None:
        config = load_config(CONFIGS / "tiny.yaml", [f"data.path={tiny_dataset.path}", "training.steps=30"])
        run = Run.create(folder, config, tiny_dataset)
        assert train(run, tiny_dataset, QuickEvaluator(run, tiny_dataset)) == 0

    return Run.open(shared("run", make))


@pytest.fixture(scope="session")
def autoregressive_run(shared, tiny_dataset):
    """A run as `tiny_run` with the decoder that listens to itself, untrained, with a form, and attributes at random.

    Tests must leave it as it is.
    """
    from musae_tf.training import Run

    def make(folder: Path) -> None:
        import numpy as np
        import tensorflow as tf

        from musae_tf.config import load_config
        from musae_tf.latent import AttributeVectors
        from musae_tf.latent.form_of_run import load_form
        from musae_tf.latent.of_run import attributes_path
        from musae_tf.music.properties import attribute_names

        options = [f"data.path={tiny_dataset.path}", "model.decoder=autoregressive", "model.hidden_parts=true",
                   "model.known_ahead=true"]  # fmt: skip
        run = Run.create(folder, load_config(CONFIGS / "tiny.yaml", options), tiny_dataset)
        tf.train.Checkpoint(model=run.build_model()).save(str(run.checkpoints / "step"))
        names = attribute_names(run.layout)
        directions = np.random.default_rng(1).normal(size=(len(names), run.config.model.latent)).astype(np.float32)
        AttributeVectors(names, directions, np.ones(len(names), np.float32)).save(attributes_path(run))
        load_form(run, run.load_model(), tiny_dataset)

    return Run.open(shared("autoregressive-run", make))


@pytest.fixture(scope="session")
def autoregressive_folder(shared, autoregressive_run) -> Path:
    """A model folder with one version, of `autoregressive_run`. Tests must leave it as it is."""

    def make(folder: Path) -> None:
        from musae_tf.export import ModelSignatures
        from musae_tf.export.version import DESCRIPTION, describe
        from musae_tf.latent import AttributeVectors
        from musae_tf.latent.form_of_run import load_form
        from musae_tf.latent.of_run import attributes_path

        run, attributes = autoregressive_run, AttributeVectors.load(attributes_path(autoregressive_run))
        # Not checked in a fresh process, as `export_run` does: for tests of exports there is `model_folder`.
        model = run.load_model()
        servable = ModelSignatures(
            model,
            lambda signatures: describe(run, "listener", 1, signatures, None, attributes),
            attributes=attributes,
            form=load_form(run, model, None),
        )
        servable.save(folder / "1")
        (folder / "1" / DESCRIPTION).parent.mkdir()
        (folder / "1" / DESCRIPTION).write_text(servable.metadata, encoding="utf-8")

    return shared("listener", make)


@pytest.fixture(scope="session")
def evaluated_run(shared, tiny_run, tiny_dataset):
    """A copy of `tiny_run` with its full evaluation. Tests must leave it as it is."""
    from musae_tf.evaluation import evaluate_run
    from musae_tf.training import Run

    def make(folder: Path) -> None:
        evaluate_run(Run.open(shutil.copytree(tiny_run.path, folder)), tiny_dataset, lambda text: None)

    return Run.open(shared("evaluated", make))


@pytest.fixture(scope="session")
def model_folder(shared, request) -> Path:
    """A model folder with one version. Tests must leave it as it is."""

    def make(folder: Path) -> None:
        from musae_tf.export import export_run

        export_run(request.getfixturevalue("tiny_run"), folder)

    return shared("tunes", make)  # a process that finds it made need not load TensorFlow


@pytest.fixture(scope="session")
def installed() -> str:
    """Where Chromium is."""
    found = chromium()
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the path (make browser installs one)")
    return found


@pytest.fixture(scope="module")
def browser(installed):
    """Headless Chromium, for one module: while its driver runs, no other test of the process can run an event loop."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        # Without a sandbox, since tests may run as root.
        headless = driver.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        yield headless
        headless.close()
