"""Floating-point operations of a graph by one rule: its matrix products, 2 n m k each, and nothing else.

Additions, activations, softmax, random numbers and the optimizer count as no work, so that a rate from these numbers
says less than the machine does, never more.
"""

import math

import tensorflow as tf


def matrix_products(graph: tf.Graph) -> int:
    """Operations of one run of a graph whose shapes are known.

    Raises:
        ValueError: a product whose shape is not known, or a loop, whose rounds are not.
    """
    return sum(_of(operation) for operation in _operations(graph))


def _operations(graph: tf.Graph):
    for operation in graph.get_operations():
        if operation.type in ("While", "StatelessWhile"):
            raise ValueError(f"{operation.name} is a loop: how often it runs is not in the graph")
        if operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
            yield from _operations(graph._get_function(operation.get_attr("f").name).graph)
        yield operation


def _of(operation: tf.Operation) -> int:
    if operation.type == "Einsum":
        return 2 * math.prod(_lengths(operation).values())
    if operation.type not in ("MatMul", "BatchMatMulV2", "BatchMatMulV3"):
        return 0
    inner = "transpose_a" if operation.type == "MatMul" else "adj_x"
    left = operation.inputs[0].shape
    shared = left[-2 if operation.get_attr(inner) else -1]
    return 2 * _known(operation, operation.outputs[0].shape.num_elements(), shared)


def _lengths(operation: tf.Operation) -> dict[str, int]:
    """Length of each letter of an equation."""
    letters = operation.get_attr("equation").decode().partition("->")[0].split(",")
    lengths = {}
    for term, tensor in zip(letters, operation.inputs, strict=True):
        lengths |= zip(term, tensor.shape.as_list(), strict=True)
    _known(operation, *lengths.values())
    return lengths


def _known(operation: tf.Operation, *numbers: int | None) -> int:
    if None in numbers:
        raise ValueError(f"{operation.name} ({operation.type}) has no known shape")
    return math.prod(numbers)
