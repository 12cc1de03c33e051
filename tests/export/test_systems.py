"""Every system answers through the same signatures, and its file holds all that it needs."""

import numpy as np
import pytest
import tensorflow as tf

from musae_tf.export import ModelSignatures
from musae_tf.export.verify import requests
from musae_tf.models import FittedPrior, MusAE
from tests.training.systems import SYSTEMS, tiny

OTHERS = [kind for kind in SYSTEMS if kind != "musae_gm"]  # that one is tested throughout


@pytest.mark.parametrize("kind", OTHERS)
def test_a_saved_model_answers_like_the_live_one(kind, tmp_path):
    model = MusAE.for_training(tiny(kind), (130,) * 4, ("a", "b"))
    if isinstance(model.prior, FittedPrior):
        rng = np.random.default_rng(0)
        model.prior.fit(rng.normal(2.0, 3.0, (90, 8)), np.full((90, 8), 0.1), np.arange(90) % 2)
    servable = ModelSignatures(model, str)
    servable.save(tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    for name, inputs in requests(model, servable.signatures):
        if name == "describe" or len(next(iter(inputs.values()))) != 8:
            continue
        expected = servable(name, inputs)
        answer = loaded.signatures[name](**{key: tf.constant(array) for key, array in inputs.items()})
        assert set(answer) == set(expected)
        for key, array in expected.items():
            np.testing.assert_allclose(answer[key].numpy(), array, rtol=1e-5, atol=1e-5)
            assert np.isfinite(array).all()
    assert servable.signatures["decode"].inputs["latent"].shape[-1] == model.latent
