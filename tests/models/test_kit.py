"""Drum kits as pieces: the networks see and say nine pieces instead of 512 symbols."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from musae_tf.models import MusAE
from musae_tf.models.layers import TokenEmbedding
from musae_tf.models.tokens import expected_strokes, kit_logits, struck, widths
from musae_tf.music.vocabulary import KIT, KIT_BITS
from tests.models.test_musae import SIZES, small, tokens_for

KICK, SNARE, HAT = (int(KIT_BITS[pitch]) for pitch in (36, 38, 42))


def test_a_symbol_is_the_pieces_that_it_strikes():
    np.testing.assert_array_equal(
        struck(tf.constant([0, KICK, KICK | HAT]), "float32")[:, :3], [[0] * 3, [1, 0, 0], [1, 0, 1]]
    )
    shares = np.zeros((1, 1, KIT.size), np.float32)
    shares[..., [KICK, KICK | SNARE]] = 0.25, 0.75
    np.testing.assert_allclose(expected_strokes(tf.constant(shares))[0, 0, :3], [1.0, 0.75, 0.0])


def test_the_softmax_of_a_kit_is_the_product_of_its_strokes():
    log_odds = np.random.default_rng(0).normal(size=(2, 3, 9)).astype(np.float32)
    logits = kit_logits(tf.constant(log_odds))
    odds = tf.nn.sigmoid(log_odds).numpy()
    np.testing.assert_allclose(expected_strokes(tf.nn.softmax(logits)), odds, atol=1e-5)
    np.testing.assert_allclose(
        tf.nn.softmax(logits)[..., KICK | HAT],
        np.prod(np.where([True, False, True] + 6 * [False], odds, 1 - odds), axis=-1),
        rtol=1e-4,
    )


@pytest.mark.parametrize("width", [0, 4])
@pytest.mark.parametrize("sizes", [SIZES["band"], (130, 512, 130, 512), (512,), SIZES["voices"]])
def test_embedding_of_tokens_and_of_probabilities_agree(sizes, width):
    layer, tokens = TokenEmbedding(sizes, width), tokens_for(sizes)
    vectors = layer(tokens).numpy()
    assert vectors.shape == (3, 16, len(sizes) * width or sum(widths(sizes)))
    sure = [tf.one_hot(tokens[..., track], size) for track, size in enumerate(sizes)]
    np.testing.assert_allclose(layer.expected(sure), vectors, atol=1e-5)
    again = TokenEmbedding.from_config(layer.get_config())
    again(tokens)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(tokens), vectors)


def test_kit_symbols_share_what_their_pieces_mean_and_melodic_ones_do_not():
    layer = TokenEmbedding((512, 130), 4)
    both, kick, snare = (layer(tf.constant([[[symbol, 60]]]))[0, 0, :4] for symbol in (KICK | SNARE, KICK, SNARE))
    np.testing.assert_allclose(both, kick + snare, atol=1e-6)
    assert sum(weight.size for weight in layer.get_weights()) == (9 + 1 + 130) * 4


def test_layouts_without_a_kit_have_the_variables_that_they_had():
    layer = TokenEmbedding(SIZES["voices"], 4)
    layer(tokens_for(SIZES["voices"]))
    assert [(weight.path.split("/")[-2:], weight.shape) for weight in layer.weights] == [
        (["table", "embeddings"], (520, 4))
    ]
    for core in ("beat", "step"):
        decoder = MusAE.for_training(small(core), SIZES["voices"], ("a",)).decoder
        assert not [name for name in (layer.name for layer in decoder.layers) if "kit" in name]


@pytest.mark.parametrize("core", ["beat", "step"])
@pytest.mark.parametrize("decoder", ["flat", "hierarchical"])
def test_a_decoder_says_nine_numbers_a_step_of_a_kit_and_survives_saving(core, decoder, tmp_path):
    model = MusAE.for_training(small(core, 2, decoder=decoder, decoder_units=8), SIZES["band"], ("a", "b"))
    name, width = ("logits", 4 * (9 + 390)) if core == "beat" else ("track_0_logits", 9)
    assert model.decoder.get_layer(name).units == width
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    tokens = tokens_for(SIZES["band"], bars=2)
    for one, other in zip(model(tokens), again(tokens), strict=True):
        np.testing.assert_array_equal(one, other)
