import json
import shutil

import numpy as np
import pytest

from musae_tf.errors import RunError
from musae_tf.evaluation import HeldOut, evaluate_run
from musae_tf.training import Run


def test_held_out_phrases_are_of_songs_that_training_never_sees(tiny_dataset, tiny_run):
    songs = {
        split: set(HeldOut.read(tiny_dataset, tiny_run.config, split).songs)
        for split in ("train", "validation", "test")
    }
    assert all(songs.values())
    assert not songs["train"] & songs["test"]
    assert not songs["train"] & songs["validation"]
    assert not songs["validation"] & songs["test"]


def test_evaluation_writes_and_tells_everything(tiny_dataset, tiny_run, tmp_path):
    run = Run.open(shutil.copytree(tiny_run.path, tmp_path / "run"))
    said = []
    result = evaluate_run(run, tiny_dataset, said.append)
    folder = run.path / "evaluation"
    saved = json.loads((folder / "evaluation.json").read_text())
    assert saved["reconstruction"]["model"]["onset_f1"].keys() == {"all", "soprano", "alto", "tenor", "bass"}
    assert saved["reconstruction"].keys() == {"model", "copy last bar", "always hold", "most frequent"}
    assert saved["reconstruction"]["always hold"]["onset_f1"]["all"] == 0
    assert result["prior_match"]["two_sample_accuracy"].keys() == {"dances", "hymns"}
    assert saved["samples"]["within_5_95"].keys() == {"dances", "hymns"}
    assert np.shape(saved["samples"]["within_5_95"]["hymns"]["each"]) == (4, 3)
    assert saved["dataset"]["hash"] == tiny_dataset.hash
    for name in ("reconstructions.png", "curves.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    text = "\n".join(said)
    for words in ("onset F1", "copy last bar", "always hold", "two-sample", "5th to 95th", "soprano", "real music"):
        assert words in text
    # The same run gives the same numbers again.
    again = evaluate_run(run, tiny_dataset, said.append)
    assert again["reconstruction"] == result["reconstruction"]
    assert again["prior_match"]["posterior_deviation"] == result["prior_match"]["posterior_deviation"]


def test_another_dataset_is_refused(tiny_dataset, tiny_run, tmp_path):
    run = Run.open(shutil.copytree(tiny_run.path, tmp_path / "run"))
    run.facts["dataset"]["hash"] = "0" * 64
    with pytest.raises(RunError, match="another dataset"):
        evaluate_run(run, tiny_dataset)
