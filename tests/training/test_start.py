"""A training that starts from the weights of another."""

import numpy as np
import pytest

from musae_tf.config import load_config
from musae_tf.errors import RunError
from musae_tf.training import Run
from musae_tf.training.start import take_weights
from tests.conftest import CONFIGS


def new_run(folder, dataset, *changes: str) -> Run:
    options = [f"data.path={dataset.path}", "model.decoder=autoregressive", "model.hidden_parts=true",
               "model.known_ahead=true", *changes]  # fmt: skip
    return Run.create(folder, load_config(CONFIGS / "tiny.yaml", options), dataset)


def test_all_weights_are_those_of_the_other_run(autoregressive_run, tiny_dataset, tmp_path):
    model = new_run(tmp_path / "new", tiny_dataset, "seed=9").build_model()
    theirs = autoregressive_run.load_model()
    assert any((own.numpy() != other.numpy()).any() for own, other in zip(model.weights, theirs.weights, strict=True))
    take_weights(model, str(autoregressive_run.path))
    for own, other in zip(model.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(own.numpy(), other.numpy())


def test_with_another_critic_encoder_and_decoder_are(autoregressive_run, tiny_dataset, tmp_path):
    model = new_run(tmp_path / "new", tiny_dataset, "seed=9", "critic.units=[16]").build_model()
    take_weights(model, str(autoregressive_run.path))
    theirs = autoregressive_run.load_model()
    for part in ("encoder", "decoder"):
        pairs = zip(getattr(model, part).weights, getattr(theirs, part).weights, strict=True)
        assert all((own.numpy() == other.numpy()).all() for own, other in pairs)


def test_other_sizes_are_refused(autoregressive_run, tiny_dataset, tmp_path):
    model = new_run(tmp_path / "new", tiny_dataset, "model.encoder_units=16").build_model()
    with pytest.raises(RunError, match=r"the encoder of .* has other sizes"):
        take_weights(model, str(autoregressive_run.path))
    with pytest.raises(RunError, match="is not a run folder"):
        take_weights(model, str(tmp_path))
