"""Which devices are chosen, and what the step looks like on a GPU, as far as a machine without one can tell."""

import keras
import pytest
import tensorflow as tf

from musae_tf.errors import ConfigError
from musae_tf.models import MusAE
from musae_tf.models.train_step import TrainStep
from musae_tf.training import Place, distribute
from musae_tf.training.distribute import choose_strategy
from tests.training.systems import tiny

WORKERS = Place(("a:1", "b:2"), 0)


@pytest.fixture
def gpus(monkeypatch):
    """`gpus(n)`: a process that sees n GPUs, as far as anything that looks before it chooses can tell."""
    growth = []
    physical, logical = tf.config.list_physical_devices, tf.config.list_logical_devices

    def see(count: int) -> list:
        found = [tf.config.PhysicalDevice(f"/physical_device:GPU:{number}", "GPU") for number in range(count)]
        shown = [tf.config.LogicalDevice(f"/device:GPU:{number}", "GPU") for number in range(count)]
        monkeypatch.setattr(
            tf.config, "list_physical_devices", lambda kind=None: found if kind == "GPU" else physical(kind)
        )
        monkeypatch.setattr(
            tf.config, "list_logical_devices", lambda kind=None: shown if kind == "GPU" else logical(kind)
        )
        experimental = tf.config.experimental
        monkeypatch.setattr(experimental, "set_memory_growth", lambda gpu, on: growth.append((gpu.name, on)))
        monkeypatch.setattr(experimental, "get_device_details", lambda gpu: {"device_name": "NVIDIA L4"})
        return growth

    return see


def test_without_a_gpu_it_is_the_cpu_and_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(distribute, "_DRIVER", tmp_path)
    monkeypatch.setattr(distribute, "available_cores", lambda: 1)
    strategy, said = choose_strategy("auto", Place())
    assert (type(strategy), said) == (tf.distribute.OneDeviceStrategy, "the CPU with 1 core: no GPU found")
    (tmp_path / "0000:01:00.0").mkdir()
    assert choose_strategy("auto", Place())[1].endswith("pip install 'musae-tf[gpu]' brings its libraries")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert choose_strategy("auto", Place())[1].endswith("CUDA_VISIBLE_DEVICES hides the GPUs")


@pytest.mark.parametrize(
    ("cores", "variable", "set_before", "threads"),
    [(8, None, 0, [4]), (2, None, 0, [1]), (1, None, 0, [1]), (8, "8", 0, []), (8, None, 3, [])],
)
def test_without_a_gpu_an_operation_has_half_of_the_cores(monkeypatch, cores, variable, set_before, threads):
    found = []
    monkeypatch.setattr(distribute, "available_cores", lambda: cores)
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: set_before)
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", found.append)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    if variable:
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", variable)
    choose_strategy("auto", Place())
    assert found == threads


@pytest.mark.parametrize(
    ("count", "kind", "said"),
    [
        (1, "auto", "one GPU (NVIDIA L4), the only one found"),
        (4, "one", "one GPU (NVIDIA L4), of 4, since training.strategy is one"),
        (2, "auto", "2 replicas on the GPUs of this machine: 2 GPUs found"),
        (2, "mirrored", "2 replicas on the GPUs of this machine: 2 GPUs found"),
    ],
)
def test_gpus_are_taken_and_their_memory_only_as_it_is_needed(gpus, count, kind, said, monkeypatch):
    growth = gpus(count)
    made = []
    # It would ask the GPUs how they are linked.
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", lambda names: made.append(names))
    strategy, found = choose_strategy(kind, Place())
    assert found == said
    assert growth == [(f"/physical_device:GPU:{number}", True) for number in range(count)]
    if "replicas" in said:
        assert made == [["/device:GPU:0", "/device:GPU:1"]]
    else:
        assert strategy.extended.worker_devices[0].endswith("device:GPU:0")


@pytest.mark.parametrize(
    ("kind", "place", "words"),
    [
        ("multiworker", Place(), "names no workers"),
        ("one", WORKERS, "'one' but TF_CONFIG names 2 workers; allowed: auto, multiworker"),
        ("mirrored", WORKERS, "'mirrored' but TF_CONFIG names 2 workers"),
    ],
)
def test_a_strategy_that_does_not_fit_the_job_is_refused(kind, place, words):
    with pytest.raises(ConfigError, match=words):
        choose_strategy(kind, place)


def ops_of_a_step(config) -> set[str]:
    keras.utils.set_random_seed(1)
    model = MusAE.for_training(config, (130,) * 4, ("a", "b"))
    train_step = TrainStep(model, config.training, config.regularisation, config.seed)
    specs = (
        tf.TensorSpec([16, 16, 4], tf.int32),
        tf.TensorSpec([16], tf.int32),
        tf.TensorSpec([], tf.int64),
    )
    graph = tf.function(train_step).get_concrete_function(*specs).graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    assert not any(node.attr["_XlaMustCompile"].b for node in nodes), "cuDNN and XLA do not go together"
    return {node.op for node in nodes}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_on_a_gpu_recurrences_and_their_gradients_are_cudnn(gpus, precision, accumulate):
    gpus(1)
    config = tiny("cvae", precision=precision, accumulate=accumulate)
    assert ops_of_a_step(config) >= {"CudnnRNNV3", "CudnnRNNBackpropV3"}


def test_on_a_cpu_they_are_not():
    assert not [op for op in ops_of_a_step(tiny("cvae")) if "Cudnn" in op]
