"""An LSTM over steps on a CPU, with a gradient of its own.

The straightforward graph leaves most of a machine idle: every step multiplies its input by the kernel again, and its
gradient adds a matrix of the kernels' size to a sum at every step. Here the inputs of all steps are one product, an
input that is the same at every step is multiplied once, the gradients of the kernels are one product over all steps
each, and the recurrent kernel is transposed once for all steps. Recurrences that do not wait for each other, those of
the tracks and of the two directions, are apart in the graph, so that each has a core to itself.

The weights are those of a keras.layers.LSTM (gates in the order input, forget, candidate, output), which is the form
of checkpoints; on a GPU the same layer runs through cuDNN. Shapes: B rows, T steps, U units.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

# Longer recurrences are loops: the graph of an unrolled one grows with its steps.
UNROLL_LIMIT = 32


class _Step(NamedTuple):
    """What a step leaves for the gradient, [B, U] each; `hidden` and `carry` are the states that it found."""

    input: tf.Tensor
    forget: tf.Tensor
    candidate: tf.Tensor
    output: tf.Tensor
    squashed: tf.Tensor
    hidden: tf.Tensor
    carry: tf.Tensor


def run(
    product: tf.Tensor, kernel: tf.Tensor, hidden: tf.Tensor, carry: tf.Tensor, steps: int, keep: bool = True
) -> tf.Tensor:
    """Run an LSTM over T steps.

    Args:
        product: the inputs' product with the kernel, bias added: [T, B, 4 U], or [B, 4 U] for an input that is the
            same at every step.
        kernel: the recurrent kernel [U, 4 U].
        hidden: first hidden state [B, U].
        carry: first carry [B, U].
        steps: T.
        keep: whether a loop should keep for the gradient what it would otherwise have to compute once more.

    Returns:
        Hidden states of all steps, [B, T, U].
    """

    @tf.custom_gradient
    def work(product: tf.Tensor, kernel: tf.Tensor, hidden: tf.Tensor, carry: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        way = _Unrolled if steps <= UNROLL_LIMIT else _Loop
        outputs, kept = way.forward(product, kernel, hidden, carry, steps, keep)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            states = kept if keep else way.forward(product, kernel, hidden, carry, steps, True)[1]
            gates, d_hidden, d_carry = way.backward(upstream, states, _turned(kernel), steps)
            d_kernel = tf.matmul(_rows(way.found(states)), _rows(gates), transpose_a=True)
            d_product = gates if product.shape.rank == 3 else tf.reduce_sum(gates, axis=0)
            return d_product, d_kernel, d_hidden, d_carry

        return outputs, gradient

    return work(product, kernel, hidden, carry)


@tf.custom_gradient
def sparse_product(rows: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """The product of matrices [N, F], mostly zeros, and [F, U]; the zeros are not multiplied."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        d_kernel = tf.raw_ops.SparseMatMul(a=rows, b=upstream, a_is_sparse=True, transpose_a=True)
        return tf.matmul(upstream, kernel, transpose_b=True), tf.cast(d_kernel, kernel.dtype)

    return tf.cast(tf.raw_ops.SparseMatMul(a=rows, b=kernel, a_is_sparse=True), rows.dtype), gradient


def _forward_step(
    product: tf.Tensor, kernel: tf.Tensor, hidden: tf.Tensor, carry: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, _Step]:
    into, forget, candidate, out = tf.split(tf.matmul(hidden, kernel) + product, 4, axis=-1)
    into, forget, candidate, out = tf.sigmoid(into), tf.sigmoid(forget), tf.tanh(candidate), tf.sigmoid(out)
    after = forget * carry + into * candidate
    squashed = tf.tanh(after)
    return out * squashed, after, _Step(into, forget, candidate, out, squashed, hidden, carry)


def _backward_step(
    state: _Step, transposed: tf.Tensor, d_hidden: tf.Tensor, d_carry: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Gradients to the gates before their activations, [B, 4 U], to the hidden state and to the carry before.

    `transposed` is the recurrent kernel, [4 U, U]: of few rows a product with a matrix as it lies in memory is up to
    three times as fast as one that has to turn it.
    """
    d_carry += tf.raw_ops.TanhGrad(y=state.squashed, dy=d_hidden * state.output)
    gates = tf.concat(
        [
            tf.raw_ops.SigmoidGrad(y=state.input, dy=d_carry * state.candidate),
            tf.raw_ops.SigmoidGrad(y=state.forget, dy=d_carry * state.carry),
            tf.raw_ops.TanhGrad(y=state.candidate, dy=d_carry * state.input),
            tf.raw_ops.SigmoidGrad(y=state.output, dy=d_hidden * state.squashed),
        ],
        axis=-1,
    )
    return gates, tf.matmul(gates, transposed), d_carry * state.forget


def _turned(kernel: tf.Tensor) -> tf.Tensor:
    # As three dimensions: TensorFlow would take the transpose of a matrix back into every product with it.
    return tf.reshape(tf.transpose(kernel[tf.newaxis], [0, 2, 1]), kernel.shape[::-1])


def _rows(by_step: tf.Tensor) -> tf.Tensor:
    return tf.reshape(by_step, [-1, by_step.shape[-1]])


class _Unrolled:
    """The steps one after the other in the graph."""

    @staticmethod
    def forward(
        product: tf.Tensor, kernel: tf.Tensor, hidden: tf.Tensor, carry: tf.Tensor, steps: int, keep: bool
    ) -> tuple[tf.Tensor, Sequence[_Step]]:
        by_step = tf.unstack(product) if product.shape.rank == 3 else [product] * steps
        outputs, states = [], []
        for now in by_step:
            hidden, carry, state = _forward_step(now, kernel, hidden, carry)
            outputs.append(hidden)
            states.append(state)
        return tf.stack(outputs, axis=1), states

    @staticmethod
    def found(states: Sequence[_Step]) -> tf.Tensor:
        """The hidden states that the steps found, [T, B, U]."""
        return tf.stack([state.hidden for state in states])

    @staticmethod
    def backward(
        upstream: tf.Tensor, states: Sequence[_Step], transposed: tf.Tensor, steps: int
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Gradients to the gates of all steps, [T, B, 4 U], and to the first states."""
        d_outputs, gates = tf.unstack(upstream, axis=1), []
        d_hidden, d_carry = tf.zeros_like(d_outputs[0]), tf.zeros_like(d_outputs[0])
        for state, d_output in zip(reversed(states), reversed(d_outputs), strict=True):
            own, d_hidden, d_carry = _backward_step(state, transposed, d_hidden + d_output, d_carry)
            gates.append(own)
        return tf.stack(gates[::-1]), d_hidden, d_carry


class _Loop:
    """A loop in the graph; what it keeps are arrays of tensors, a tensor a step."""

    @staticmethod
    def forward(
        product: tf.Tensor, kernel: tf.Tensor, hidden: tf.Tensor, carry: tf.Tensor, steps: int, keep: bool
    ) -> tuple[tf.Tensor, Sequence[tf.TensorArray]]:
        array = _filled(product) if product.shape.rank == 3 else None

        def body(
            step: tf.Tensor, hidden: tf.Tensor, carry: tf.Tensor, outputs: tf.TensorArray, *kept: tf.TensorArray
        ) -> tuple:
            now = product if array is None else array.read(step)
            hidden, carry, state = _forward_step(now, kernel, hidden, carry)
            written = [array.write(step, tensor) for array, tensor in zip(kept, state, strict=False)]
            return step + 1, hidden, carry, outputs.write(step, hidden), *written

        empty = [_empty(hidden.dtype, steps) for _ in range(1 + keep * len(_Step._fields))]
        _, _, _, outputs, *kept = tf.while_loop(
            lambda step, *_: step < steps, body, (0, hidden, carry, *empty), maximum_iterations=steps
        )
        # The loop forgets the shape.
        return tf.transpose(tf.ensure_shape(outputs.stack(), [steps, *hidden.shape]), [1, 0, 2]), kept

    @staticmethod
    def found(states: Sequence[tf.TensorArray]) -> tf.Tensor:
        """The hidden states that the steps found, [T, B, U]."""
        return _Step(*states).hidden.stack()

    @staticmethod
    def backward(
        upstream: tf.Tensor, states: Sequence[tf.TensorArray], transposed: tf.Tensor, steps: int
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Gradients to the gates of all steps, [T, B, 4 U], and to the first states."""
        d_outputs = _filled(tf.transpose(upstream, [1, 0, 2]))

        def body(step: tf.Tensor, d_hidden: tf.Tensor, d_carry: tf.Tensor, gates: tf.TensorArray) -> tuple:
            state = _Step(*(array.read(step) for array in states))
            own, d_hidden, d_carry = _backward_step(state, transposed, d_hidden + d_outputs.read(step), d_carry)
            return step - 1, d_hidden, d_carry, gates.write(step, own)

        zeros = tf.zeros_like(upstream[:, 0])
        _, d_hidden, d_carry, gates = tf.while_loop(
            lambda step, *_: step >= 0,
            body,
            (steps - 1, zeros, zeros, _empty(upstream.dtype, steps)),
            maximum_iterations=steps,
        )
        return tf.ensure_shape(gates.stack(), [steps, None, 4 * upstream.shape[-1]]), d_hidden, d_carry


def _empty(dtype: tf.DType, steps: int) -> tf.TensorArray:
    return tf.TensorArray(dtype, steps, clear_after_read=False)


def _filled(by_step: tf.Tensor) -> tf.TensorArray:
    return _empty(by_step.dtype, by_step.shape[0]).unstack(by_step)
