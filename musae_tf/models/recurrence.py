"""LSTMs of one size that run together on a CPU, with a gradient of their own.

The straightforward graph leaves most of a machine idle: every step multiplies its input by the kernel again, its
gradient adds a matrix of the kernels' size to a sum at every step, and every recurrence of a model pays for a dozen
small operations a step. Here the inputs of all steps are one product, an input that is the same at every step is
multiplied once, the gradients of the kernels are one product over all steps each, kernels are transposed once for all
steps, and K recurrences share the small operations.

The weights are those of K keras.layers.LSTM (gates in the order input, forget, candidate, output), which is the form
of checkpoints; on a GPU the same layers run through cuDNN. Shapes: K recurrences, B rows, T steps, U units.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

# Longer recurrences are loops: the graph of an unrolled one grows with its steps.
UNROLL_LIMIT = 32


class _Step(NamedTuple):
    """What a step leaves for the gradient, [K, B, U] each; `hidden` and `carry` are the states that it found."""

    input: tf.Tensor
    forget: tf.Tensor
    candidate: tf.Tensor
    output: tf.Tensor
    squashed: tf.Tensor
    hidden: tf.Tensor
    carry: tf.Tensor


def run_together(
    products: Sequence[tf.Tensor],
    kernels: Sequence[tf.Tensor],
    hidden: tf.Tensor,
    carry: tf.Tensor,
    steps: int,
    keep: bool = True,
) -> tf.Tensor:
    """Run K LSTMs over T steps.

    Args:
        products: K tensors, each the inputs' product with the kernel, bias added: [T, B, 4 U], or [B, 4 U] for an
            input that is the same at every step.
        kernels: K recurrent kernels [U, 4 U].
        hidden: first hidden states [K, B, U].
        carry: first carries [K, B, U].
        steps: T.
        keep: whether a loop should keep for the gradient what it would otherwise have to compute once more.

    Returns:
        Hidden states of all steps, [K, B, T, U].
    """
    count = len(kernels)

    @tf.custom_gradient
    def run(*flat: tf.Tensor):
        products, kernels, (hidden, carry) = flat[:count], flat[count : 2 * count], flat[2 * count :]
        work = _Unrolled if steps <= UNROLL_LIMIT else _Loop
        outputs, kept = work.forward(products, kernels, hidden, carry, steps, keep)

        def gradient(upstream: tf.Tensor):
            states = kept if keep else work.forward(products, kernels, hidden, carry, steps, True)[1]
            gates, d_hidden, d_carry = work.backward(upstream, states, [_turned(x) for x in kernels], steps)
            d_kernels = [
                tf.matmul(_rows(found), _rows(own), transpose_a=True)
                for found, own in zip(work.found(states), gates, strict=True)
            ]
            d_products = [
                own if product.shape.rank == 3 else tf.reduce_sum(own, axis=0)
                for own, product in zip(gates, products, strict=True)
            ]
            return *d_products, *d_kernels, d_hidden, d_carry

        return outputs, gradient

    return run(*products, *kernels, hidden, carry)


def _forward_step(products, kernels, hidden, carry) -> tuple[tf.Tensor, tf.Tensor, _Step]:
    # Products apart and small operations together is the fastest on a CPU: batched products of few rows are not.
    gates = tf.stack(
        [tf.matmul(h, kernel) + x for h, kernel, x in zip(tf.unstack(hidden), kernels, products, strict=True)]
    )
    into, forget, candidate, out = tf.split(gates, 4, axis=-1)
    into, forget, candidate, out = tf.sigmoid(into), tf.sigmoid(forget), tf.tanh(candidate), tf.sigmoid(out)
    after = forget * carry + into * candidate
    squashed = tf.tanh(after)
    return out * squashed, after, _Step(into, forget, candidate, out, squashed, hidden, carry)


def _backward_step(state: _Step, transposed, d_hidden, d_carry) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
    """Gradients to the gates before their activations, K of [B, 4 U], to the hidden state and to the carry before.

    `transposed` are the recurrent kernels, [4 U, U]: of few rows a product with a matrix as it lies in memory is up to
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
    gates = tf.unstack(gates)
    d_before = tf.stack([tf.matmul(own, kernel) for own, kernel in zip(gates, transposed, strict=True)])
    return gates, d_before, d_carry * state.forget


def _turned(kernel: tf.Tensor) -> tf.Tensor:
    # As three dimensions: TensorFlow would take the transpose of a matrix back into every product with it.
    return tf.reshape(tf.transpose(kernel[tf.newaxis], [0, 2, 1]), kernel.shape[::-1])


def _rows(by_step: tf.Tensor) -> tf.Tensor:
    return tf.reshape(by_step, [-1, by_step.shape[-1]])


class _Unrolled:
    """The steps one after the other in the graph."""

    @staticmethod
    def forward(products, kernels, hidden, carry, steps: int, keep: bool) -> tuple[tf.Tensor, list[_Step]]:
        by_step = [tf.unstack(x) if x.shape.rank == 3 else [x] * steps for x in products]
        outputs, states = [], []
        for step in range(steps):
            hidden, carry, state = _forward_step([x[step] for x in by_step], kernels, hidden, carry)
            outputs.append(hidden)
            states.append(state)
        return tf.stack(outputs, axis=2), states

    @staticmethod
    def found(states: list[_Step]) -> list[tf.Tensor]:
        """The hidden states that the steps found, K of [T, B, U]."""
        return [tf.stack(own) for own in zip(*(tf.unstack(state.hidden) for state in states), strict=True)]

    @staticmethod
    def backward(upstream, states: list[_Step], transposed, steps: int) -> tuple[list, tf.Tensor, tf.Tensor]:
        """Gradients to the gates of all steps, K of [T, B, 4 U], and to the first states."""
        d_outputs, gates = tf.unstack(upstream, axis=2), []
        d_hidden, d_carry = tf.zeros_like(d_outputs[0]), tf.zeros_like(d_outputs[0])
        for state, d_output in zip(reversed(states), reversed(d_outputs), strict=True):
            own, d_hidden, d_carry = _backward_step(state, transposed, d_hidden + d_output, d_carry)
            gates.append(own)
        return [tf.stack(own) for own in zip(*reversed(gates), strict=True)], d_hidden, d_carry


class _Loop:
    """A loop in the graph; what it keeps are arrays of tensors, a tensor a step."""

    @staticmethod
    def forward(products, kernels, hidden, carry, steps: int, keep: bool) -> tuple[tf.Tensor, list[tf.TensorArray]]:
        arrays = [_filled(x) if x.shape.rank == 3 else None for x in products]

        def body(step, hidden, carry, outputs, *kept):
            now = [x if array is None else array.read(step) for x, array in zip(products, arrays, strict=True)]
            hidden, carry, state = _forward_step(now, kernels, hidden, carry)
            kept = [array.write(step, tensor) for array, tensor in zip(kept, state, strict=False)]
            return step + 1, hidden, carry, outputs.write(step, hidden), *kept

        empty = [_empty(hidden.dtype, steps) for _ in range(1 + keep * len(_Step._fields))]
        _, _, _, outputs, *kept = tf.while_loop(
            lambda step, *_: step < steps, body, (0, hidden, carry, *empty), maximum_iterations=steps
        )
        return tf.transpose(_stacked(outputs, hidden), [1, 2, 0, 3]), kept

    @staticmethod
    def found(states: list[tf.TensorArray]) -> list[tf.Tensor]:
        """The hidden states that the steps found, K of [T, B, U]."""
        return tf.unstack(_Step(*states).hidden.stack(), axis=1)

    @staticmethod
    def backward(upstream, states: list[tf.TensorArray], transposed, steps: int) -> tuple[list, tf.Tensor, tf.Tensor]:
        """Gradients to the gates of all steps, K of [T, B, 4 U], and to the first states."""
        d_outputs = _filled(tf.transpose(upstream, [2, 0, 1, 3]))

        def body(step, d_hidden, d_carry, *gates):
            state = _Step(*(array.read(step) for array in states))
            own, d_hidden, d_carry = _backward_step(state, transposed, d_hidden + d_outputs.read(step), d_carry)
            return step - 1, d_hidden, d_carry, *(array.write(step, x) for array, x in zip(gates, own, strict=True))

        zeros = tf.zeros_like(upstream[:, :, 0])
        _, d_hidden, d_carry, *gates = tf.while_loop(
            lambda step, *_: step >= 0,
            body,
            (steps - 1, zeros, zeros, *(_empty(upstream.dtype, steps) for _ in transposed)),
            maximum_iterations=steps,
        )
        shape = [steps, None, 4 * upstream.shape[-1]]
        return [tf.ensure_shape(array.stack(), shape) for array in gates], d_hidden, d_carry


def _empty(dtype: tf.DType, steps: int) -> tf.TensorArray:
    return tf.TensorArray(dtype, steps, clear_after_read=False)


def _filled(by_step: tf.Tensor) -> tf.TensorArray:
    return _empty(by_step.dtype, by_step.shape[0]).unstack(by_step)


def _stacked(outputs: tf.TensorArray, like: tf.Tensor) -> tf.Tensor:
    # The loop forgets the shape.
    return tf.ensure_shape(outputs.stack(), [None, *like.shape])
