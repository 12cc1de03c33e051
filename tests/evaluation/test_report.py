import json
import shutil

import numpy as np
import pytest

from musae_tf.errors import RunError
from musae_tf.evaluation import HeldOut, compare_folders, evaluate_run
from musae_tf.evaluation.headlines import HEADLINES
from musae_tf.evaluation.per_song import PerSongMetrics
from musae_tf.latent import AttributeVectors
from musae_tf.training import Run

TRACKS = ("soprano", "alto", "tenor", "bass")


@pytest.fixture(scope="module")
def result(evaluated_run):
    return json.loads((evaluated_run.path / "evaluation" / "evaluation.json").read_text())


def test_held_out_phrases_are_of_songs_that_training_never_sees(tiny_dataset, tiny_run):
    songs = {
        split: set(HeldOut.read(tiny_dataset, tiny_run.config, split).songs)
        for split in ("train", "validation", "test")
    }
    assert all(songs.values())
    assert not songs["train"] & songs["test"]
    assert not songs["train"] & songs["validation"]
    assert not songs["validation"] & songs["test"]


def test_the_quick_evaluation_writes_and_tells_a_part_of_the_full_one(tiny_dataset, tiny_run, result, tmp_path):
    run = Run.open(shutil.copytree(tiny_run.path, tmp_path / "run"))
    folder = run.path / "evaluation"
    folder.mkdir()
    (folder / "index.html").write_text("of an earlier evaluation")
    said = []
    evaluate_run(run, tiny_dataset, said.append, quick=True)
    saved = json.loads((folder / "evaluation.json").read_text())
    assert sorted(file.name for file in folder.iterdir()) == [
        "curves.png", "evaluation.csv", "evaluation.json", "reconstructions.png"]  # fmt: skip
    assert saved["reconstruction"]["model"]["onset_f1"].keys() == {"all", *TRACKS}
    assert saved["reconstruction"].keys() == {"model", "copy last bar", "always hold", "most frequent"}
    assert saved["reconstruction"]["always hold"]["onset_f1"]["all"] == 0
    assert saved["prior_match"]["two_sample_accuracy"].keys() == {"dances", "hymns"}
    assert np.shape(saved["samples"]["within_5_95"]["hymns"]["each"]) == (4, 3)
    assert saved["dataset"]["hash"] == tiny_dataset.hash
    for name in ("reconstructions.png", "curves.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    text = "\n".join(said)
    for words in ("onset F1", "copy last bar", "always hold", "two-sample", "5th to 95th", "soprano", "real music",
                  "Is it any good? Not yet. Only what it gives back was measured"):  # fmt: skip
        assert words in text
    # The same code on the same phrases: what it has is what the full one has.
    assert saved.keys() < result.keys()
    for key in saved.keys() - {"quick", "headlines", "references", "verdict"}:
        assert saved[key] == result[key], key
    for key, row in saved["headlines"].items():
        assert row == result["headlines"][key]


def test_the_full_evaluation_measures_every_claim(result, evaluated_run):
    assert not result["quick"]
    # The tiny dataset has too few phrases for most two-sample tests and for linear probes of properties, and one test
    # song a genre, so that there is nothing between two.
    missing = {
        "two_sample_auc", "two_sample_auc_target", "properties_predicted", "probe_r2", "token_auc_midpoints",
        "token_auc_transfers", "token_auc_reconstructions", "grammar_midpoints", "network_auc_midpoints",
        "network_auc_transfers", "network_auc_reconstructions",
    }  # fmt: skip
    assert {headline.key for headline in HEADLINES} - result["headlines"].keys() == missing
    for key, row in result["headlines"].items():
        if "low" in row:
            assert row["low"] <= row["value"] <= row["high"], key
    assert result["references"]["samples_as_asked"].keys() == {"chance", "real music", "reconstructions"}
    assert result["references"]["transfer_chroma"].keys() == {"reconstruction", "another piece"}
    assert result["references"]["interpolation_nll"].keys() == {"cross-fade"}
    for key in ("nearest_training", "copied", "distinct"):
        assert result["references"].get(key, {}).keys() <= {"real music"}
    assert result["references"]["grammar_steps"].keys() == {"samples", "real", "shuffled"}
    assert result["realism"]["grammar"]["by_genre"].keys() == {"dances", "hymns"}
    assert result["realism"]["token_auc"]["samples"].keys() == {"dances", "hymns"}
    # A model that was trained for thirty steps makes no music.
    assert result["headlines"]["token_auc_samples"]["value"] > 0.9
    assert result["originality"]["searched"] == result["originality"]["training_phrases"] > 0
    for name in ("classifier_real", "classifier_reconstructions", "samples_as_asked"):
        np.testing.assert_allclose(np.sum(result["genre_classifier"][name], axis=1), 1, atol=1e-5)
    order = result["latent_order"]
    assert order["probe_r2"].keys() == {*TRACKS, "all"}
    assert order["sweeps"]["best"]["bass"].keys() == order["sweeps"]["axes_above_half"]["bass"].keys()
    assert result["attributes"]["2"].keys() == result["attributes"]["units"].keys()
    assert result["interpolation"]["cross-fade"]["to_start"][0] == 0
    assert result["transfer"]["success_by_pair"]["hymns"].keys() == {"dances"}
    assert result["command"] == evaluated_run.facts["command"]


def test_baselines_are_what_they_are_known_to_be(evaluated_run):
    book = PerSongMetrics.read(evaluated_run.path / "evaluation" / "songs.csv")
    assert book.ratio("interpolation_monotone", "cross-fade").value() == 1
    # Another piece of the target genre is a perfect transfer that keeps nothing.
    assert book.ratio("transfer_success", "another piece").value() > 0.8
    assert book.ratio("transfer_onset_f1", "another piece").value() < 0.3


def test_attribute_vectors_are_kept_beside_the_run(evaluated_run, result):
    attributes = AttributeVectors.load(evaluated_run.path / "attributes.npz")
    assert attributes.names == tuple(result["attributes"]["units"])
    assert attributes.directions.shape == (len(attributes.names), evaluated_run.config.model.latent)


def test_two_runs_side_by_side_on_the_same_songs(tiny_dataset, evaluated_run, tmp_path):
    other = Run.open(shutil.copytree(evaluated_run.path, tmp_path / "other"))
    comparison = compare_folders([evaluated_run.path, other.path])
    assert all(found.value == 0 for found in comparison.differences.values())
    assert len(comparison.differences) > 8


def test_another_dataset_is_refused(tiny_dataset, tiny_run, tmp_path):
    run = Run.open(shutil.copytree(tiny_run.path, tmp_path / "run"))
    run.facts["dataset"]["hash"] = "0" * 64
    with pytest.raises(RunError, match="another dataset"):
        evaluate_run(run, tiny_dataset)


def test_a_run_to_stand_beside_it_must_have_been_measured(tiny_dataset, tiny_run, evaluated_run, tmp_path):
    other = Run.open(shutil.copytree(tiny_run.path, tmp_path / "other"))
    with pytest.raises(RunError, match="other was not evaluated"):
        evaluate_run(evaluated_run, tiny_dataset, against=[other])
