"""Tensors of several requests into those of one batch, and the results back."""

import itertools
from collections.abc import Sequence

import numpy as np

from musae_tf.server.runner import Task
from musae_tf.server.status import Code, StatusError, invalid
from musae_tf.server.tensor import Tensor


def rows_of(inputs: Sequence[Tensor]) -> int:
    """The size that dimension 0 of all inputs has.

    Raises:
        StatusError: INVALID_ARGUMENT, a scalar, different sizes, or no input at all.
    """
    if not inputs:
        raise invalid("Batching session Run() must have at least one input tensor")
    if not all(tensor.shape for tensor in inputs):
        raise invalid("Batching session Run() input tensors must have at least one dimension")
    if len({tensor.shape[0] for tensor in inputs}) > 1:
        raise invalid("Batching session Run() input tensors must have equal 0th-dimension size")
    return inputs[0].shape[0]


def merge(tasks: Sequence[Task], padding: int, feeds: Sequence[str], pad_inputs: bool) -> list[Tensor]:
    """The inputs of several requests below one another.

    Args:
        tasks: requests, all of one form, whose rows were counted.
        padding: rows to add at the end: copies of the first row of the last request that has one.
        feeds: names of the inputs, for messages.
        pad_inputs: whether row shapes may differ; they are padded with the first element of their tensor.

    Returns:
        A tensor for each input.
    """
    if len(tasks) == 1 and not padding and not tasks[0].is_piece():
        return list(tasks[0].inputs)
    merged = []
    for name, *parts in zip(feeds, *(task.arrays() for task in tasks), strict=True):
        if pad_inputs:
            parts = _padded(name, parts)
        if padding:
            model = next(part for part in reversed(parts) if len(part))
            parts.append(np.repeat(model[:1], padding, axis=0))
        merged.append(Tensor.joined(parts))
    return merged


def split(outputs: Sequence[Tensor], rows: Sequence[int], total: int) -> list[list[np.ndarray]]:
    """The outputs of a batch by request.

    Args:
        outputs: what the session returned.
        rows: rows of each request.
        total: rows that were fed, padding included.

    Raises:
        StatusError: FAILED_PRECONDITION, an output is not batched.
    """
    for tensor in outputs:
        if not tensor.shape:
            raise StatusError(Code.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions")
        if tensor.shape[0] != total:
            raise StatusError(
                Code.FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
                "tensors",
            )
    arrays = [tensor.array() for tensor in outputs]
    ends = list(itertools.accumulate(rows))
    return [[array[end - count : end] for array in arrays] for end, count in zip(ends, rows, strict=True)]


def _padded(name: str, parts: list[np.ndarray]) -> list[np.ndarray]:
    if not 1 <= parts[0].ndim <= 6:
        raise invalid(f"Only tensors with rank from 1 to 6 can be padded; {name} has rank {parts[0].ndim}")
    shape = tuple(max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True))
    padded = []
    for part in parts:
        if part.shape[1:] == shape:
            whole = part
        elif not part.size:  # no first element: zeros, or empty strings
            whole = np.full((len(part), *shape), b"" if part.dtype == object else 0, part.dtype)
        else:
            whole = np.full((len(part), *shape), part.flat[0], part.dtype)
            whole[(slice(None), *map(slice, part.shape[1:]))] = part
        padded.append(whole)
    return padded
