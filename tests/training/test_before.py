"""Runs of version 0.1, with the keys that it had, load and go on."""

import tarfile
from pathlib import Path

import pytest

from musae_tf.evaluation import QuickEvaluator
from musae_tf.training import Run, read_log, train

BEFORE = Path(__file__).parent.parent / "fixtures" / "before_0_2"


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(BEFORE / "old.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "runs"


def test_an_interrupted_run_goes_on_to_its_end(runs, tiny_dataset):
    run = Run.open(runs / "interrupted")
    assert (run.config.model.min_posterior_std, run.config.prior.transfer_scale) == (0.2, 1.2)
    before = read_log(run.path)
    assert train(run, tiny_dataset, QuickEvaluator(run, tiny_dataset)) == 0
    lines = read_log(run.path)
    assert lines[: len(before)] == before
    went_on = [line for line in lines if line["kind"] == "train"]
    assert [line["step"] for line in went_on] == [10, 20, 30, 40]
    assert list(went_on[-1]) == list(before[-1])
    assert went_on[1]["reconstruction"] > went_on[2]["reconstruction"] > went_on[3]["reconstruction"]
    assert went_on[3]["learning_rate"] == pytest.approx(run.config.training.learning_rate * 0.05, rel=1e-4)
