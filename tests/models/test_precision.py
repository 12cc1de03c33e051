"""Mixed precision: encoder and decoder compute in bfloat16, everything that the critics turn on is float32."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from musae_tf.config import config_from_dict, config_to_dict
from musae_tf.models import MusAE
from musae_tf.models.layers import computing_in
from tests.training.systems import KINDS, tiny


def build(kind: str, core: str = "beat") -> MusAE:
    tree = config_to_dict(tiny(kind, precision="bfloat16"))
    tree["model"]["core"] = core
    return MusAE.for_training(config_from_dict(tree, "test"), (130,) * 4, ("a", "b"))


@pytest.mark.parametrize("core", ["beat", "step"])
@pytest.mark.parametrize("kind", KINDS)
def test_networks_are_mixed_and_what_they_meet_is_float32(kind, core):
    model = build(kind, core)
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    for network in (model.encoder, model.decoder):
        kinds = (keras.layers.RNN, keras.layers.Bidirectional)
        recurrences = [layer for layer in network._flatten_layers() if isinstance(layer, kinds)]
        assert recurrences
        assert {layer.compute_dtype for layer in recurrences} == {"bfloat16"}
    heads = [output.dtype for output in (*model.encoder.outputs, *model.decoder.outputs)]
    assert set(heads) == {"float32"}
    for critic in model.critics:
        assert {layer.compute_dtype for layer in critic.network.layers} == {"float32"}
    assert model.prior.compute_dtype == "float32"
    assert keras.config.dtype_policy().name == "float32", "what is built afterwards is not concerned"


def test_codes_keep_the_resolution_of_float32():
    model = build("musae_gm")
    tokens = np.random.default_rng(0).integers(0, 130, (4, 16, 4)).astype(np.int32)
    mean, deviation = model.encode(tf.constant(tokens))
    rounded = tf.cast(tf.cast(mean, tf.bfloat16), tf.float32)
    assert float(tf.reduce_max(tf.abs(mean - rounded))) > 0
    assert (mean.dtype, deviation.dtype) == (tf.float32, tf.float32)


def test_the_policy_is_put_back_whatever_happens():
    def fail() -> None:
        with computing_in(keras.DTypePolicy("mixed_bfloat16")):
            assert keras.layers.Dense(1).compute_dtype == "bfloat16"
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert keras.layers.Dense(1).compute_dtype == "float32"
