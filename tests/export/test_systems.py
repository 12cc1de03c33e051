"""Every system answers through the same signatures, and its file holds all that it needs."""

import keras
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


@pytest.fixture(scope="module")
def listener() -> ModelSignatures:
    keras.utils.set_random_seed(1)
    return ModelSignatures(MusAE.for_training(tiny("autoregressive"), (130,) * 4, ("a", "b")), str)


def test_trust_counts_row_by_row_and_all_of_it_is_what_decode_takes(listener):
    random = np.random.default_rng(1)
    inputs = {
        "latent": random.normal(size=(21, 8)).astype(np.float32),
        "temperature": np.ones(21, np.float32),
        "seed": random.integers(0, 99, (21, 2)).astype(np.int32),
    }
    whole = listener("decode_trusted", {**inputs, "trust": np.ones(21, np.float32)})
    for key, array in listener("decode", inputs).items():
        np.testing.assert_array_equal(whole[key], array)
    trust = np.float32([0.0, 0.5, 1.0] * 7)
    mixed = listener("decode_trusted", {**inputs, "trust": trust})
    for key in ("tokens", "log_probability"):
        np.testing.assert_array_equal(mixed[key][trust == 1], whole[key][trust == 1])
    # Tokens may be the same by chance, their probability is not.
    assert (mixed["log_probability"] != whole["log_probability"])[trust < 1].all()
    assert (mixed["tokens"] != whole["tokens"])[trust == 0].any()
    alone = listener("decode_trusted", {**{key: array[1:2] for key, array in inputs.items()}, "trust": trust[1:2]})
    for key, array in alone.items():
        np.testing.assert_array_equal(array[0], mixed[key][1])


@pytest.mark.parametrize("trust", [-0.01, 1.01, np.nan])
def test_the_graph_refuses_a_trust_outside_its_range(listener, trust):
    inputs = {"latent": np.zeros((1, 8), np.float32), "trust": np.float32([trust]),
              "temperature": np.zeros(1, np.float32), "seed": np.zeros((1, 2), np.int32)}  # fmt: skip
    with pytest.raises(tf.errors.InvalidArgumentError, match="trust must be from 0 to 1"):
        listener("decode_trusted", inputs)


@pytest.mark.parametrize("kind", ["musae_gm", "vae"])
def test_a_decoder_in_one_pass_is_not_asked_for_trust(kind):
    assert "decode_trusted" not in ModelSignatures(MusAE.for_training(tiny(kind), (130,), ("a",)), str).signatures
