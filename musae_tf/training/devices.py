"""Which devices a run uses, and the `tf.distribute` strategy for them."""

import json
import os

import tensorflow as tf

from musae_tf.errors import ConfigError


def choose_strategy(kind: str) -> tuple[tf.distribute.Strategy, str]:
    """The strategy of `training.strategy` and one sentence that says what it uses and why.

    `auto` takes several workers when TF_CONFIG names them, all GPUs when there are two or more, else the one device.

    Raises:
        ConfigError: `multiworker` without TF_CONFIG.
    """
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        # Without growth one process takes all the memory of every GPU that it sees.
        tf.config.experimental.set_memory_growth(gpu, True)
    workers = _workers()
    if kind == "multiworker" and workers == 0:
        raise ConfigError("training.strategy is 'multiworker' but TF_CONFIG names no workers; set it or use 'auto'")
    if kind == "multiworker" or (kind == "auto" and workers > 1):
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        return strategy, f"{workers} workers of TF_CONFIG, {strategy.num_replicas_in_sync} replicas in all"
    if kind == "mirrored" or (kind == "auto" and len(gpus) > 1):
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
        return strategy, f"{strategy.num_replicas_in_sync} replicas on the {devices[0].device_type}s of this machine"
    if gpus:
        return tf.distribute.OneDeviceStrategy("/gpu:0"), "one GPU, the only one found"
    return tf.distribute.OneDeviceStrategy("/cpu:0"), f"the CPU with {os.cpu_count()} cores: no GPU found"


def _workers() -> int:
    try:
        return len(json.loads(os.environ.get("TF_CONFIG", "{}")).get("cluster", {}).get("worker", []))
    except json.JSONDecodeError as cause:
        raise ConfigError(f"TF_CONFIG is not JSON: {cause}") from None
