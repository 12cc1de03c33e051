"""The signatures that write what is not known, of a tiny model on a layout with a kit, chords and velocities."""

import numpy as np
import pytest
import tensorflow as tf

from musae_tf.config import config_from_dict
from musae_tf.export import ModelSignatures
from musae_tf.models import MusAE
from musae_tf.models.filling import TRUST
from musae_tf.music import HOLD, REST
from musae_tf.music.known import FREE, KNOWN, ONSET, PITCH
from musae_tf.music.pieces import row_seeds

ROWS = 5
SIZES = np.array([512, 9, 130, 130, 9])


@pytest.fixture(scope="module")
def model() -> MusAE:
    parts = {
        "model": {"decoder": "autoregressive", "hidden_parts": True, "known_ahead": True, "latent": 32, "embedding": 6,
                  "encoder_units": 16, "decoder_units": 16},
        "prior": {"axes": 2, "fitted": True},
        "critic": {"units": [16]},
    }  # fmt: skip
    config = config_from_dict(parts, "test")
    return MusAE(config.architecture, SIZES.tolist(), ("bach", "folk", "pop"))


@pytest.fixture(scope="module")
def signatures(model) -> ModelSignatures:
    return ModelSignatures(model)


def request(model: MusAE, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = (ROWS, model.steps, len(SIZES))
    return {
        "tokens": rng.integers(0, SIZES, shape).astype(np.int32),
        "known": rng.choice([FREE, KNOWN, ONSET, PITCH], shape, p=[0.4, 0.4, 0.1, 0.1]).astype(np.int32),
        "genre": np.array([-1, 0, 1, 2, -1], np.int32),
        "temperature": np.array([0, 0, 1, 1, 1], np.float32),
        "seed": row_seeds(seed, 0, ROWS),
    }


def test_what_is_known_comes_back_and_notes_begin_where_they_must(model, signatures):
    asked = request(model)
    tokens, known = signatures("fill", asked)["tokens"], asked["known"]
    np.testing.assert_array_equal(tokens[known == KNOWN], asked["tokens"][known == KNOWN])
    melodic = SIZES == 130
    assert (tokens[..., melodic][known[..., melodic] == ONSET] < REST).all()
    after = np.isin(known[:, 1:, melodic], (FREE, PITCH)) & (known[:, :-1, melodic] == KNOWN)
    assert not (tokens[:, 1:, melodic][after] == HOLD).any()


def test_a_row_is_the_same_whatever_it_is_batched_with(model, signatures):
    asked = request(model)
    together = signatures("fill", asked)
    for row in range(ROWS):
        alone = signatures("fill", {name: array[row : row + 1] for name, array in asked.items()})
        for name, array in alone.items():
            np.testing.assert_array_equal(array[0], together[name][row])


def test_the_code_is_that_of_what_is_known(model, signatures):
    """Symbols that are not known do not matter; a genre that is asked for moves the code."""
    asked = request(model)
    filled = signatures("fill", asked)
    of_use = np.isin(asked["known"], (KNOWN, PITCH))
    other = np.where(of_use, asked["tokens"], 0).astype(np.int32)
    np.testing.assert_array_equal(signatures("fill", {**asked, "tokens": other})["latent"], filled["latent"])
    changed = np.where(asked["known"] == KNOWN, (asked["tokens"] + 1) % SIZES, asked["tokens"]).astype(np.int32)
    assert np.abs(signatures("fill", {**asked, "tokens": changed})["latent"] - filled["latent"]).max() > 1e-3
    model.prior.means.assign(tf.random.stateless_normal(model.prior.means.shape, [1, 2]))
    unmoved = signatures("fill", {**asked, "genre": np.full(ROWS, -1, np.int32)})["latent"]
    moved = np.abs(signatures("fill", asked)["latent"] - unmoved).max(axis=1) > 0.1
    np.testing.assert_array_equal(moved, asked["genre"] >= 0)


def test_a_code_may_be_given(model, signatures):
    asked = request(model)
    filled = signatures("fill", asked)
    del asked["genre"]
    given = {**asked, "latent": filled["latent"], "trust": np.full(ROWS, TRUST, np.float32)}
    again = signatures("decode_known", given)
    for name in ("tokens", "log_probability"):
        np.testing.assert_array_equal(again[name], filled[name])


def test_with_nothing_known_it_is_decoding(model, signatures):
    asked = request(model)
    drawn = {"latent": np.random.default_rng(2).normal(size=(ROWS, model.latent)).astype(np.float32),
             **{name: asked[name] for name in ("temperature", "seed")}}  # fmt: skip
    nothing = {"tokens": asked["tokens"], "known": np.zeros_like(asked["known"]), "trust": np.ones(ROWS, np.float32)}
    one, other = signatures("decode", drawn), signatures("decode_known", {**drawn, **nothing})
    np.testing.assert_array_equal(one["tokens"], other["tokens"])
    without, _ = model.decode(*(tf.constant(drawn[name]) for name in ("latent", "temperature", "seed")))
    np.testing.assert_array_equal(one["tokens"], without)


@pytest.mark.parametrize(("name", "value", "words"), [("known", 4, "known must be from 0 to 3"),
                                                      ("known", -1, "known must be from 0 to 3"),
                                                      ("genre", 3, "genre must be from 0 to 2, or -1"),
                                                      ("genre", -2, "genre must be from 0 to 2, or -1")])  # fmt: skip
def test_what_is_out_of_range_is_refused(model, signatures, name, value, words):
    asked = request(model)
    asked[name] = np.full_like(asked[name], value)
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        signatures("fill", asked)


def test_only_models_that_learnt_it_have_the_signatures(model):
    config = config_from_dict({"model": {"decoder": "autoregressive", "latent": 32, "decoder_units": 16}}, "test")
    without = ModelSignatures(MusAE(config.architecture, (130,), ("bach",))).signatures
    assert not {"fill", "decode_known"} & set(without)
