"""The benchmarks of speed run, count right and report what they measured. How fast anything is, is not tested here."""

import json
import sys

import pytest
import tensorflow as tf

from benchmarks import arithmetic, cost_growth, inference, pytorch, run, training_step
from benchmarks.arithmetic import matrix_products
from benchmarks.measure import in_turns, times_faster


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """`quick(script)`: run its quick path here; its report."""

    def start(script) -> dict:
        name = script.__name__.rpartition(".")[2]
        monkeypatch.setattr(sys, "argv", [name, "--quick", "--out", str(tmp_path)])
        script.main()
        return json.loads((tmp_path / f"{name}.json").read_text())

    return start


def test_training_step(quick):
    report = quick(training_step)
    assert len(report["claims"]) == 3
    assert set(report["voices by step"]["phrases_a_second"]) == {
        "ours", "authors", "authors, our threads", "beat core", "autoregressive"
    }  # fmt: skip
    assert report["paper_gm"]["times_faster"]["authors"]["median"] > 0


def test_arithmetic(quick):
    report = quick(arithmetic)
    assert report["operations_a_step"] > 1e5
    assert report["share"]["median"] > 0


def test_cost_growth(quick, tmp_path):
    report = quick(cost_growth)
    assert set(report["rows"]) == {"bars", "columns", "genres"}
    assert (tmp_path / "cost_growth.png").read_bytes().startswith(b"\x89PNG")


def test_inference(quick):
    report = quick(inference)
    assert len(report["phrases_a_second"]) == 4
    assert report["seconds_to_warm"][0] > 0


def test_pytorch(quick):
    if not pytorch.ready():
        pytest.skip("the environment with PyTorch is not there: python -m benchmarks.pytorch makes it")
    report = quick(pytorch)
    assert report["train"]["times_faster"]["median"] > 0
    assert report["decode"]["times_faster"]["median"] > 0


def test_matrix_products_are_counted_and_nothing_else():
    @tf.function
    def graph(x, y, z):
        inner = tf.function(lambda a, b: tf.matmul(a, b, transpose_a=True))
        batched = tf.matmul(tf.stack([x, x]), tf.stack([x, x]), transpose_b=True)
        return inner(x, y) + 1.0, batched, tf.einsum("bi,cij->bcj", x, z), tf.nn.softmax(x)

    traced = graph.get_concrete_function(tf.zeros([3, 5]), tf.zeros([3, 7]), tf.zeros([2, 5, 4]))
    assert matrix_products(traced.graph) == 2 * (5 * 3 * 7 + 2 * 3 * 5 * 3 + 3 * 2 * 4 * 5)


def test_what_cannot_be_counted_is_not():
    unknown = tf.function(lambda x: tf.matmul(x, x)).get_concrete_function(tf.TensorSpec([None, 3]))
    with pytest.raises(ValueError, match="no known shape"):
        matrix_products(unknown.graph)
    loop = tf.function(lambda x: tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, tf.matmul(x, x)), (0, x)))
    with pytest.raises(ValueError, match="loop"):
        matrix_products(loop.get_concrete_function(tf.zeros([3, 3])).graph)


def test_ratios_are_of_rounds_and_everyone_starts_one():
    order = []
    runs = {name: lambda name=name: order.append(name) for name in "ab"}
    seconds = in_turns(runs, rounds=2, warm_up=1)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert [len(found) for found in seconds.values()] == [2, 2]
    ratio = times_faster({"a": [1.0, 2.0, 1.0], "b": [3.0, 4.0, 9.0]}, "a", "b")
    assert ratio == {"median": 3.0, "least": 2.0, "greatest": 9.0}


def test_the_page_has_every_claim_and_says_where_it_was_measured(quick):
    reports = [quick(arithmetic)]
    page = run.page(reports)
    for report in reports:
        for found in report["claims"]:
            assert f"| {found['claim']} | {found['value']:.2f} |" in page
    assert reports[0]["machine"]["processor"] in page
    assert f"cores {reports[0]['machine']['cores']}" in page


def test_a_missed_bar_is_said():
    assert "MISSED" in run.sentence({"claim": "x", "value": 1.0, "bar": 2.0, "at_most": False, "holds": False})
