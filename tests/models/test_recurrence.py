"""The fast recurrences are the LSTM of Keras: same weights, same numbers, same gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from musae_tf.models import layers, recurrence
from musae_tf.models.layers import LSTM, Repeated
from tests.models.test_musae import small, tokens_for

ROWS, STEPS, WIDTH, UNITS = 3, 6, 5, 4


@pytest.fixture(params=["unrolled", "loop"])
def way(request, monkeypatch):
    """Both ways of running the steps; the graph of a test's function is traced inside the test."""
    monkeypatch.setattr(recurrence, "UNROLL_LIMIT", STEPS if request.param == "unrolled" else 1)


@pytest.fixture
def by_keras(monkeypatch):
    """A call gives what `layer` gives, and its gradients, by the LSTM of Keras."""

    def run(function, variables, *inputs):
        with monkeypatch.context() as changed:
            changed.setattr(layers, "_by_ourselves", lambda layer: False)
            return results(function, variables, *inputs)

    return run


def results(function, variables, *inputs) -> list[np.ndarray]:
    """Outputs of a function of tensors, and gradients to its inputs and to variables, as one graph."""

    @tf.function(autograph=False)
    def run(*inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = tf.nest.flatten(function(*inputs))
            # Every number weighs differently, so that no gradient is right by symmetry.
            loss = tf.add_n([tf.reduce_sum(x * tf.random.stateless_normal(tf.shape(x), [1, 2])) for x in outputs])
        sources = [*inputs, *[variable.value for variable in variables]]
        gradients = tape.gradient(loss, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return outputs, [tf.convert_to_tensor(gradient) for gradient in gradients]

    return [x.numpy() for x in tf.nest.flatten(run(*inputs))]


def same(ours: list[np.ndarray], theirs: list[np.ndarray]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def noise(number: int, *shape: int) -> tf.Tensor:
    return tf.random.stateless_normal(shape, [number, 0])


def vary(layer: keras.layers.Layer) -> None:
    """Biases are zeros and ones at first, which hides what is done with them."""
    for number, variable in enumerate(layer.trainable_variables):
        variable.assign(0.5 * noise(number, *variable.shape))


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("backwards", [True, False])
def test_an_lstm_is_that_of_keras(way, by_keras, sequences, backwards):
    layer = LSTM(UNITS, return_sequences=sequences, go_backwards=backwards)
    layer.build((None, STEPS, WIDTH))
    vary(layer)
    function = lambda x, hidden, carry: layer(x, initial_state=[hidden, carry], training=True)  # noqa: E731
    arguments = noise(7, ROWS, STEPS, WIDTH), noise(8, ROWS, UNITS), noise(9, ROWS, UNITS)
    same(
        results(function, layer.trainable_variables, *arguments),
        by_keras(function, layer.trainable_variables, *arguments),
    )


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_both_directions_are_those_of_keras(way, by_keras, sequences, training):
    layer = keras.layers.Bidirectional(LSTM(UNITS, return_sequences=sequences))
    layer.build((None, STEPS, WIDTH))
    vary(layer)
    function, arguments = (lambda x: layer(x, training=training)), noise(7, ROWS, STEPS, WIDTH)
    same(
        results(function, layer.trainable_variables, arguments),
        by_keras(function, layer.trainable_variables, arguments),
    )


@pytest.mark.parametrize("training", [True, False])
def test_zeros_are_not_multiplied_and_nobody_can_tell(by_keras, training):
    layer = keras.layers.Bidirectional(LSTM(UNITS, return_sequences=True, one_hot=True))
    layer.build((None, STEPS, WIDTH))
    vary(layer)
    inputs = tf.one_hot(np.arange(ROWS * STEPS).reshape(ROWS, STEPS) % WIDTH, WIDTH)
    function = tf.function(lambda x: layer(x, training=training), autograph=False)
    operations = {operation.type for operation in function.get_concrete_function(inputs).graph.get_operations()}
    assert ("SparseMatMul" in operations) == training
    function = lambda x: layer(x, training=training)  # noqa: E731
    for rows in (inputs, noise(7, ROWS, STEPS, WIDTH)):
        same(results(function, layer.trainable_variables, rows), by_keras(function, layer.trainable_variables, rows))


def test_a_repeated_input_is_that_of_keras(way, by_keras):
    layer = Repeated(LSTM(UNITS, return_sequences=True), STEPS)
    arguments = noise(7, ROWS, WIDTH), noise(8, ROWS, UNITS), noise(9, ROWS, UNITS)
    layer(arguments[0], list(arguments[1:]))
    vary(layer)

    def function(x, *states):
        return layer(x, list(states), training=True)

    ours = results(function, layer.trainable_variables, *arguments)
    assert ours[0].shape == (ROWS, STEPS, UNITS)
    same(ours, by_keras(function, layer.trainable_variables, *arguments))


def test_a_model_has_the_same_numbers_either_way(by_keras):
    from musae_tf.models import MusAE

    keras.utils.set_random_seed(1)
    sizes = (130, 130)
    model = MusAE.for_training(
        small("step", 3, encoder_layers=2, decoder_layers=2), sizes, ("a", "b")
    )  # 48 steps: loops
    tokens = tf.constant(tokens_for(sizes, bars=3))
    variables = [*model.encoder.trainable_variables, *model.decoder.trainable_variables]
    function = lambda x: model.decoder(model.encoder(tokens, training=True)[0] + x, training=True)  # noqa: E731
    same(results(function, variables, tf.zeros([3, 8])), by_keras(function, variables, tf.zeros([3, 8])))


def test_recurrences_run_without_a_graph(way):
    layer = keras.layers.Bidirectional(LSTM(UNITS, return_sequences=True))
    x = noise(7, ROWS, STEPS, WIDTH)
    outputs = layer(x)
    np.testing.assert_allclose(outputs, tf.function(layer, autograph=False)(x), atol=1e-6)


@pytest.mark.parametrize("one_hot", [True, False])
@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "float32"])
def test_they_compute_in_the_dtype_of_the_policy(way, dtype, one_hot):
    cell = LSTM(UNITS, return_sequences=True, one_hot=one_hot, dtype=dtype)
    layer = keras.layers.Bidirectional(cell, dtype=dtype)
    x = noise(7, ROWS, STEPS, WIDTH)
    outputs = layer(x)
    assert outputs.dtype == ("bfloat16" if dtype == "mixed_bfloat16" else "float32")
    assert all(variable.dtype == "float32" for variable in layer.trainable_variables)
    gradients = results(lambda x: tf.cast(layer(x, training=True), tf.float32), layer.trainable_variables, x)[1:]
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


def test_layers_survive_keras_serialisation():
    layer = Repeated(LSTM(UNITS, return_sequences=True, name="own"), STEPS)
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert (again.member.name, again.steps) == ("own", STEPS)
    assert type(again.member) is LSTM
    pair = keras.layers.deserialize(keras.layers.serialize(keras.layers.Bidirectional(LSTM(UNITS))))
    assert type(pair.backward_layer) is LSTM
