import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from musae_tf.models.tokens import order_of
from musae_tf.music import HOLD, REST, get_layout
from musae_tf.music.grid import canonical
from musae_tf.music.properties import PROPERTIES, phrase_properties


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 0.95, 1.0]))
def test_order_is_that_of_the_properties_that_are_measured(seed, held):
    """Two implementations, one for training and one for numpy, that know nothing of each other."""
    rng, layout = np.random.default_rng(seed), get_layout("band")
    tokens = rng.integers(30, 100, (3, 2, 16, 4))
    event = rng.random(tokens.shape)
    tokens = np.where(event < held, HOLD, np.where(event > 0.98, REST, tokens))
    tokens[..., 0] = np.where(event[..., 0] < 0.6, 0, rng.integers(0, 512, tokens.shape[:-1]))
    tokens = np.stack([canonical(phrase, layout) for phrase in tokens]).reshape(3, 32, 4)
    values, known = (tensor.numpy() for tensor in order_of(tf.constant(tokens, tf.int32), layout.vocabulary_sizes))
    assert values.shape == known.shape == (3, 4, len(PROPERTIES))
    truth = phrase_properties(tokens, layout)
    truth[:, 0, 2] = (tokens[..., 0] > 0).sum(axis=1)  # steps with strokes, where the measured count all strokes
    np.testing.assert_array_equal(known > 0, np.isfinite(truth))
    expected = np.concatenate([truth[..., :3] / 4, (truth[..., 3:] - 60) / 4], axis=-1)
    np.testing.assert_allclose(values, np.nan_to_num(expected), atol=1e-5)
