"""What the exported graph is made of."""

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework import kernels

from musae_tf.config import load_config
from musae_tf.export import ModelSignatures, export_run, signatures, version
from musae_tf.export.verify import requests
from musae_tf.models import MusAE
from tests.conftest import CONFIGS

# Ops that the wheel has kernels for and the container of TensorFlow Serving has not, or turns off.
ABSENT = re.compile(r"Cudnn|Xla|TPU|.*PyFunc")


def nodes(graph: tf.compat.v1.GraphDef):
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def unservable(graph: tf.compat.v1.GraphDef) -> set[str]:
    """Ops of a graph and of its functions that stock TensorFlow Serving on a CPU cannot run."""
    own = {function.signature.name for function in graph.library.function}
    found = set()
    for node in nodes(graph):
        registered = kernels.get_registered_kernels_for_op(node.op).kernel
        on_cpu = any(kernel.device_type in ("CPU", "DEFAULT") for kernel in registered)
        if ABSENT.match(node.op) or not (on_cpu or node.op in own) or "GPU" in node.device:
            found.add(node.op)
        if node.attr["_XlaMustCompile"].b:
            found.add(f"{node.op}, compiled by XLA")
    return found


def graph_of(folder: Path) -> tf.compat.v1.GraphDef:
    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    return saved.meta_graphs[0].graph_def


def graphs(servable: ModelSignatures) -> list[tf.compat.v1.GraphDef]:
    return [function.graph.as_graph_def() for function in servable.functions.values()]


def test_stock_tensorflow_serving_has_every_op(exported):
    graph = graph_of(exported.folder)
    ops = {node.op for node in nodes(graph)}
    assert {"MatMul", "StatelessRandomUniformV2", "Assert", "EnsureShape"} <= ops
    assert unservable(graph) == set()


def test_the_check_of_ops_finds_what_it_is_for():
    @tf.function(input_signature=[tf.TensorSpec([2], tf.float32)])
    def bad(x):
        compiled = tf.function(lambda y: y + 1.0, jit_compile=True, autograph=False)(x)
        return tf.numpy_function(np.sin, [compiled], tf.float32)

    found = unservable(bad.get_concrete_function().graph.as_graph_def())
    assert "PyFunc" in found
    assert any("XLA" in op for op in found)


@pytest.fixture
def gpu(monkeypatch):
    """A process that sees a GPU, as far as anything that looks before it chooses can tell."""
    real = tf.config.list_logical_devices
    seen = [tf.config.LogicalDevice("/device:GPU:0", "GPU")]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: seen if kind == "GPU" else real(kind))


def test_no_recurrence_is_left_to_cudnn(gpu):
    config = load_config(CONFIGS / "tiny.yaml", ["music.bars=1"])
    served = graphs(ModelSignatures(MusAE.for_training(config, (130, 130), ("only",)), str))
    assert set().union(*map(unservable, served)) == set()


def test_where_a_gpu_is_seen_cudnn_must_be_kept_out(gpu, tiny_run, monkeypatch):
    monkeypatch.setattr(signatures, "leave_cudnn", lambda model: None)
    careless = graphs(ModelSignatures(tiny_run.load_model(), str))
    assert any("CudnnRNNV3" in unservable(graph) for graph in careless)


def test_a_model_built_for_a_gpu_is_exported_for_any_machine(gpu, tiny_run, tmp_path, monkeypatch):
    # One signature runs both networks; other tests check them all.
    monkeypatch.setattr(version, "requests", lambda *them: requests(*them)[-1:])
    published = export_run(tiny_run, tmp_path / "tunes", lambda sentence: None)
    assert unservable(graph_of(published.folder)) == set()
