"""One kernel, the same numbers."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from musae_tf.models.optimizer import SummedAdam


@pytest.mark.parametrize(("beta_1", "weight_decay"), [(0.9, None), (0.0, 0.1)])
def test_it_is_the_adam_of_keras(beta_1, weight_decay):
    gradients = [tf.random.stateless_normal([5, 3], [number, 0]) for number in range(6)]
    found = []
    for kind in (keras.optimizers.Adam, SummedAdam):
        variable = keras.Variable(tf.random.stateless_normal([5, 3], [7, 7]))
        optimizer = kind(0.1, beta_1=beta_1, beta_2=0.95, weight_decay=weight_decay)
        optimizer.build([variable])
        move = tf.function(partial(_move, optimizer, variable), autograph=False)
        for number, gradient in enumerate(gradients):
            optimizer.learning_rate = 0.1 / (1 + number)
            move(gradient)
        found.append([variable.numpy(), *[slot.numpy() for slot in optimizer.variables]])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def _move(optimizer, variable, gradient):
    optimizer.apply([gradient], [variable])
