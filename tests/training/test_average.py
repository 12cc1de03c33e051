import keras
import numpy as np
import pytest
import tensorflow as tf

from musae_tf.training.average import WeightAverage


def test_the_average_follows_and_is_only_lent_to_the_variables():
    variable = keras.Variable([1.0, 2.0])
    average = WeightAverage([variable], decay=0.5)
    np.testing.assert_array_equal(average.averages[0], [1.0, 2.0])
    variable.assign([3.0, 4.0])
    average.update(tf.constant(1000, tf.int64))
    np.testing.assert_allclose(average.averages[0], [2.0, 3.0])
    with average.in_place():
        np.testing.assert_allclose(variable.numpy(), [2.0, 3.0])
    np.testing.assert_array_equal(variable.numpy(), [3.0, 4.0])
    with pytest.raises(KeyError), average.in_place():
        raise KeyError
    np.testing.assert_array_equal(variable.numpy(), [3.0, 4.0])


def test_the_first_steps_forget_the_start_sooner():
    variable = keras.Variable([1.0])
    average = WeightAverage([variable], decay=0.999)
    variable.assign([0.0])
    average.update(tf.constant(0, tf.int64))
    assert average.averages[0].numpy() == pytest.approx([0.1])
