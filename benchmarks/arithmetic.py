"""Claim: the training step of `voices` at batch 128 does at least half of the arithmetic that matrix products alone do.

    python -m benchmarks.arithmetic

The work of a step is counted from its graph, matrix products only (see flops.py); its rate is that work divided by the
time of the whole step. The peer is the float32 product of two square matrices, twice at once so that all cores have
work however operations share them, of the size that is fastest here, in the same process, in turns with the step.
"""

import statistics

import tensorflow as tf

from benchmarks.flops import matrix_products
from benchmarks.game import TrainingStep
from benchmarks.measure import Report, in_turns, parser
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


def main() -> None:
    """Measure."""
    arguments = parser(__doc__).parse_args()
    quick = arguments.quick
    report = Report("arithmetic", arguments)
    toy = [*TOY, "critic.steps=1", "prior.axes=2", "training.batch_size=4"]
    step = TrainingStep(load_config(CONFIGS / "voices.yaml", toy if quick else ["training.batch_size=128"]), SIZES, 4)
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
        "share": {"median": statistics.median(shares), "least": min(shares), "greatest": max(shares)},
        "seconds": seconds,
    }
    print(f"a step: {work / 1e9:.2f} G operations in matrix products, {report.content['rate'] / 1e9:.0f} G a second")
    print(f"a product of {best} rows: {report.content['product_rate'] / 1e9:.0f} G a second")
    report.add("share of the matrix-product rate", statistics.median(shares), BAR)
    report.write()


if __name__ == "__main__":
    main()
