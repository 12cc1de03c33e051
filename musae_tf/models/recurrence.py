"""LSTMs of one size that run together on a CPU, with a gradient of their own.

The straightforward graph leaves most of a machine idle: every step multiplies its input by the kernel again, its
gradient adds a matrix of the kernels' size to a sum at every step, and every recurrence of a model pays for a dozen
small operations a step. Here the inputs of all steps are one product, an input that is the same at every step is
multiplied once, the gradients of the kernels are one product over all steps each, and K recurrences share the small
operations.

The weights are those of K keras.layers.LSTM (gates in the order input, forget, candidate, output), which is the form
of checkpoints; on a GPU the same layers run through cuDNN. Shapes: K recurrences, B rows, T steps, U units.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

# Longer recurrences are loops: the graph of an unrolled one grows with its steps.
UNROLL_LIMIT = 32


class _Step(NamedTuple):
    """What a step leaves for the gradient, [K, B, U] each; `before` is the carry that it found."""

    input: tf.Tensor
    forget: tf.Tensor
    candidate: tf.Tensor
    output: tf.Tensor
    before: tf.Tensor
    squashed: tf.Tensor


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
        products: K tensors, each the inputs' product with the kernel, bias added: [B, T, 4 U], or [B, 4 U] for an
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
            gates, d_hidden, d_carry = work.backward(upstream, states, kernels, steps)
            before = tf.concat([hidden[:, :, tf.newaxis], outputs[:, :, :-1]], axis=2)
            rows = [tf.reshape(x, [count, -1, x.shape[-1]]) for x in (before, gates)]
            d_kernels = [tf.matmul(h, g, transpose_a=True) for h, g in zip(*map(tf.unstack, rows), strict=True)]
            d_products = [
                own if product.shape.rank == 3 else tf.reduce_sum(own, axis=1)
                for own, product in zip(tf.unstack(gates), products, strict=True)
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
    return out * squashed, after, _Step(into, forget, candidate, out, carry, squashed)


def _backward_step(state: _Step, kernels, d_hidden, d_carry) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Gradients to the gates before their activations [K, B, 4 U], to the hidden state and to the carry before."""
    d_carry += tf.raw_ops.TanhGrad(y=state.squashed, dy=d_hidden * state.output)
    gates = tf.concat(
        [
            tf.raw_ops.SigmoidGrad(y=state.input, dy=d_carry * state.candidate),
            tf.raw_ops.SigmoidGrad(y=state.forget, dy=d_carry * state.before),
            tf.raw_ops.TanhGrad(y=state.candidate, dy=d_carry * state.input),
            tf.raw_ops.SigmoidGrad(y=state.output, dy=d_hidden * state.squashed),
        ],
        axis=-1,
    )
    pairs = zip(tf.unstack(gates), kernels, strict=True)
    d_before = tf.stack([tf.matmul(own, kernel, transpose_b=True) for own, kernel in pairs])
    return gates, d_before, d_carry * state.forget


class _Unrolled:
    """The steps one after the other in the graph."""

    @staticmethod
    def forward(products, kernels, hidden, carry, steps: int, keep: bool) -> tuple[tf.Tensor, list[_Step]]:
        by_step = [tf.unstack(x, axis=1) if x.shape.rank == 3 else [x] * steps for x in products]
        outputs, states = [], []
        for step in range(steps):
            hidden, carry, state = _forward_step([x[step] for x in by_step], kernels, hidden, carry)
            outputs.append(hidden)
            states.append(state)
        return tf.stack(outputs, axis=2), states

    @staticmethod
    def backward(upstream, states: list[_Step], kernels, steps: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        d_outputs, gates = tf.unstack(upstream, axis=2), []
        d_hidden, d_carry = tf.zeros_like(d_outputs[0]), tf.zeros_like(d_outputs[0])
        for state, d_output in zip(reversed(states), reversed(d_outputs), strict=True):
            own, d_hidden, d_carry = _backward_step(state, kernels, d_hidden + d_output, d_carry)
            gates.append(own)
        return tf.stack(gates[::-1], axis=2), d_hidden, d_carry


class _Loop:
    """A loop in the graph. Arrays of tensors have the steps first."""

    @staticmethod
    def forward(products, kernels, hidden, carry, steps: int, keep: bool) -> tuple[tf.Tensor, list[tf.TensorArray]]:
        arrays = [_filled(tf.transpose(x, [1, 0, 2])) if x.shape.rank == 3 else None for x in products]

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
    def backward(upstream, states: list[tf.TensorArray], kernels, steps: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        d_outputs = _filled(tf.transpose(upstream, [2, 0, 1, 3]))

        def body(step, d_hidden, d_carry, gates):
            state = _Step(*(array.read(step) for array in states))
            own, d_hidden, d_carry = _backward_step(state, kernels, d_hidden + d_outputs.read(step), d_carry)
            return step - 1, d_hidden, d_carry, gates.write(step, own)

        zeros = tf.zeros_like(upstream[:, :, 0])
        _, d_hidden, d_carry, gates = tf.while_loop(
            lambda step, *_: step >= 0,
            body,
            (steps - 1, zeros, zeros, _empty(upstream.dtype, steps)),
            maximum_iterations=steps,
        )
        return tf.transpose(gates.stack(), [1, 2, 0, 3]), d_hidden, d_carry


def _empty(dtype: tf.DType, steps: int) -> tf.TensorArray:
    return tf.TensorArray(dtype, steps, clear_after_read=False)


def _filled(by_step: tf.Tensor) -> tf.TensorArray:
    return _empty(by_step.dtype, by_step.shape[0]).unstack(by_step)


def _stacked(outputs: tf.TensorArray, like: tf.Tensor) -> tf.Tensor:
    # The loop forgets the shape.
    return tf.ensure_shape(outputs.stack(), [None, *like.shape])
