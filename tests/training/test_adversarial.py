"""The adversarial term does its work: with it the codes of each genre match its prior, without it they do not."""

import numpy as np
import pytest

from musae_tf.config import config_from_dict
from musae_tf.data import Dataset, FolderSource, build
from musae_tf.evaluation import HeldOut, QuickEvaluator
from musae_tf.evaluation.quick import prior_match
from musae_tf.models.inference import encode
from musae_tf.music import get_layout
from musae_tf.training import Run, train
from tests.conftest import write_songs

CONFIG = {
    "name": "adversarial",
    "music": {"bars": 1},
    "model": {"latent": 8, "embedding": 8, "encoder_units": 32, "decoder_units": 32, "min_posterior_std": 0.5},
    "prior": {"separation": 4.0, "axes": 2},
    "critic": {"units": [128, 128], "steps": 8, "learning_rate": 1e-3},
    "training": {
        "steps": 900, "batch_size": 64, "learning_rate": 1e-3, "warmup_steps": 10, "clip_norm": 5.0,
        "log_every": 100, "evaluate_every": 900, "checkpoint_every": 900,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("adversarial")
    write_songs(folder / "songs", songs=48, bars=12)
    build(FolderSource(folder / "songs"), folder / "dataset", get_layout("voices"), split=(0.5, 0.1, 0.4))
    return Dataset.open(folder / "dataset")


def accuracies(dataset: Dataset, folder, weight: float) -> dict[str, float]:
    config = config_from_dict({**CONFIG, "regularisation": {"weight_schedule": [[0, weight]]}}, "test")
    run = Run.create(folder, config, dataset)
    assert train(run, dataset, QuickEvaluator(run, dataset)) == 0
    held_out = HeldOut.read(dataset, config, "test")
    model = run.load_model()
    return prior_match(model, held_out, *encode(model, held_out.tokens), seed=1)


def test_posteriors_match_their_components_only_with_the_adversarial_term(dataset, tmp_path):
    without = accuracies(dataset, tmp_path / "without", 0.0)
    assert set(without) == {"hymns", "dances"}
    assert min(without.values()) >= 0.90, without
    with_it = accuracies(dataset, tmp_path / "with", 2.0)
    assert max(with_it.values()) <= 0.70, with_it


def test_the_two_sample_test_knows_equal_from_different():
    from musae_tf.evaluation.prior_match import two_sample_test

    rng = np.random.default_rng(0)
    songs = np.repeat(np.arange(40), 10)
    same, other = rng.normal(size=(2, 400, 8))
    assert two_sample_test(same, other, songs).right.mean() == pytest.approx(0.5, abs=0.06)
    assert two_sample_test(same, other + 1.0, songs).right.mean() > 0.85
    assert two_sample_test(same, other * 3.0, songs).right.mean() > 0.9
    assert two_sample_test(same[:15], other[:15], songs[:15]) is None
