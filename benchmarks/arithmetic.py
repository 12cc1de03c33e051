"""Claim: the training step of `voices` at batch 128 does at least half of the arithmetic that matrix products alone do.

    python -m benchmarks.arithmetic

The work of a step is counted from its graph, matrix products only; its rate is that work divided by the
time of the whole step. The peer is the float32 product of two square matrices, twice at once so that all cores have
work however operations share them, of the size that is fastest here, in the same process, in turns with the step.
"""

import math
import statistics
from collections.abc import Iterator

import tensorflow as tf

from benchmarks.measure import Report, in_turns, parser, spread
from benchmarks.steps import TrainingStep
from benchmarks.training_step import CONFIGS, SIZES, TOY
from musae_tf.config import load_config

BAR = 0.5
ROWS = (1024, 2048, 3072)


class Product:
    """Call it to multiply pairs of square matrices, often enough to take some time."""

    def __init__(self, rows: int, operations: float):
        self.repeats = max(1, round(operations / (4 * rows**3)))
        self.work = 4 * rows**3 * self.repeats
        factors = tf.unstack(tf.random.stateless_normal([4, rows, rows], [1, 2]))
        self._multiply = tf.function(lambda: (tf.matmul(*factors[:2]), tf.matmul(*factors[2:])), autograph=False)

    def __call__(self) -> None:
        """Multiply."""
        for _ in range(self.repeats):
            products = self._multiply()
        for product in products:
            product.numpy()


def matrix_products(graph: tf.Graph) -> int:
    """Operations of one run of a graph whose shapes are known: 2 n m k for each matrix product, and nothing else.

    Additions, activations, softmax, random numbers and the optimizer count as no work, so that a rate from these
    numbers says less than the machine does, never more.

    Raises:
        ValueError: a product whose shape is not known, or a loop, whose rounds are not.
    """
    return sum(_of(operation) for operation in _operations(graph))


def _operations(graph: tf.Graph) -> Iterator[tf.Operation]:
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


def main() -> None:
    """Measure."""
    arguments = parser(__doc__, quick=True).parse_args()
    quick = arguments.quick
    report = Report("arithmetic", arguments)
    toy = [*TOY, "prior.axes=2"]
    step = TrainingStep(
        load_config(CONFIGS / "voices_one_pass.yaml", toy if quick else ["training.batch_size=128"]), SIZES, 4
    )
    work = matrix_products(step.function.graph)
    products = {rows: Product(rows, 1e6 if quick else 4e10) for rows in ((64,) if quick else ROWS)}
    runs = {"step": step, **{f"product of {rows} rows": product for rows, product in products.items()}}
    seconds = in_turns(runs, 1 if quick else max(arguments.rounds, 9), warm_up=2)
    best = max(products, key=lambda rows: products[rows].work / statistics.median(seconds[f"product of {rows} rows"]))
    beside = seconds[f"product of {best} rows"]
    shares = [work / own / (products[best].work / other) for own, other in zip(seconds["step"], beside, strict=True)]
    report.content |= {
        "operations_a_step": work,
        "rate": work / statistics.median(seconds["step"]),
        "product_rate": products[best].work / statistics.median(beside),
        "product_rows": best,
        "share": spread(shares),
        "seconds": seconds,
    }
    print(f"a step: {work / 1e9:.2f} G operations in matrix products, {report.content['rate'] / 1e9:.0f} G a second")
    print(f"a product of {best} rows: {report.content['product_rate'] / 1e9:.0f} G a second")
    report.add("share of the matrix-product rate", statistics.median(shares), BAR)
    report.write()


if __name__ == "__main__":
    main()
