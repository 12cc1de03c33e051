"""Where a run computes: workers of a job, their devices, the `tf.distribute` strategy, and who gets which rows."""

import ctypes
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from musae_tf.cores import available_cores
from musae_tf.data import TrainingBatches, tf_dataset
from musae_tf.errors import ConfigError, WorkerError

# In the order in which tf.distribute counts them: the chief, where there is one, before the workers.
_ROLES = ("chief", "worker")


@dataclass(frozen=True)
class Place:
    """One of the workers of a job; without TF_CONFIG, the only one.

    Attributes:
        addresses: host:port of every worker.
        index: which of them this process is.
    """

    addresses: tuple[str, ...] = ()
    index: int = 0

    @classmethod
    def from_environment(cls) -> "Place":
        """Read TF_CONFIG.

        Raises:
            ConfigError: it is not what TensorFlow documents, or names servers that this training has no use for.
        """
        text = os.environ.get("TF_CONFIG", "")
        if not text.strip():
            return cls()
        try:
            found = json.loads(text)
            cluster, task = found.get("cluster") or {}, found.get("task") or {}
            if not cluster:
                return cls()
            addresses = {role: [str(address) for address in cluster.get(role, [])] for role in _ROLES}
            role, number = task["type"], int(task["index"])
        except (ValueError, TypeError, KeyError, AttributeError) as cause:
            raise ConfigError(
                f"TF_CONFIG is {text!r}; expected "
                '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}} '
                f"({type(cause).__name__}: {cause})"
            ) from None
        if set(cluster) - set(_ROLES) or role not in _ROLES:
            raise ConfigError(f"TF_CONFIG has the roles {sorted({*cluster, role})}; allowed: {', '.join(_ROLES)}")
        if not 0 <= number < len(addresses[role]):
            raise ConfigError(f"TF_CONFIG: task.index is {number}; cluster.{role} has {len(addresses[role])} addresses")
        before = len(addresses["chief"]) if role == "worker" else 0
        return cls((*addresses["chief"], *addresses["worker"]), before + number)

    @property
    def workers(self) -> int:
        """How many workers the job has."""
        return max(1, len(self.addresses))

    @property
    def is_chief(self) -> bool:
        """Whether this is the worker that writes; the others only compute."""
        return self.index == 0


# Has an entry for each GPU that the driver of NVIDIA knows, whether TensorFlow can use it or not.
_DRIVER = Path("/proc/driver/nvidia/gpus")
# Gradients travel over gRPC in packs of so many bytes: all at once only start when the last is known.
_PACK = 2 * 2**20
# Of the allocator of glibc, numbers of mallopt and values: memory that a step gives back stays with the process. To ask
# the system for the same pages at every step takes up to an eighth of its time.
_ALLOCATOR = {"M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_TOP_PAD": (-2, 2**26)}
# How failures of other workers look like: their connection is gone, or they have started anew.
WORKER_ERRORS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
)


def choose_strategy(kind: str, place: Place) -> tuple[tf.distribute.Strategy, str]:
    """The strategy of `training.strategy` and one sentence that says what it uses and why.

    `auto` takes several workers when TF_CONFIG names them, all GPUs when there are two or more, else the one device.
    With several workers it waits for all of them. Without a GPU one operation may use half of the cores, since the
    recurrences run side by side; whoever has set TensorFlow's threads keeps them. Call it before TensorFlow computes
    anything.

    Raises:
        ConfigError: `multiworker` without TF_CONFIG, or another strategy with several workers.
        WorkerError: another worker has gone before all had come.
    """
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        # Without growth one process takes all the memory of every GPU that it sees.
        tf.config.experimental.set_memory_growth(gpu, True)
    if not gpus:
        _share_cores()
        _keep_memory()
    if kind == "multiworker" and not place.addresses:
        raise ConfigError("training.strategy is 'multiworker' but TF_CONFIG names no workers; set it or use 'auto'")
    if kind in ("one", "mirrored") and place.workers > 1:
        raise ConfigError(
            f"training.strategy is {kind!r} but TF_CONFIG names {place.workers} workers; allowed: auto, multiworker"
        )
    if kind == "multiworker" or (kind == "auto" and place.workers > 1):
        strategy = _join(bool(gpus))
        return strategy, (
            f"{strategy.num_replicas_in_sync} replicas of the {place.workers} workers in TF_CONFIG; each has "
            f"{_count(gpus)}" + ("" if gpus else _cpu(gpus))
        )
    if kind == "mirrored" or (kind == "auto" and len(gpus) > 1):
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
        why = f"{_count(gpus)} found" if gpus else _cpu(gpus)
        return strategy, f"{len(devices)} replicas on the {devices[0].device_type}s of this machine: {why}"
    if gpus:
        why = "the only one found" if len(gpus) == 1 else f"of {len(gpus)}, since training.strategy is one"
        return tf.distribute.OneDeviceStrategy("/gpu:0"), f"one GPU{_name(gpus[0])}, {why}"
    return tf.distribute.OneDeviceStrategy("/cpu:0"), _cpu(gpus)


def _share_cores() -> None:
    threading = tf.config.threading
    if "TF_NUM_INTRAOP_THREADS" in os.environ or threading.get_intra_op_parallelism_threads():
        return
    # Once TensorFlow has computed something its threads are there, and stay.
    with suppress(RuntimeError):
        threading.set_intra_op_parallelism_threads(max(1, available_cores() // 2))


def _keep_memory() -> None:
    # Other systems' allocators have no mallopt, or none that knows these numbers.
    with suppress(OSError, AttributeError):
        allocator = ctypes.CDLL("libc.so.6")
        for number, value in _ALLOCATOR.values():
            allocator.mallopt(number, value)


def _join(gpus: bool) -> tf.distribute.Strategy:
    pack = tf.distribute.experimental.CommunicationOptions(bytes_per_pack=0 if gpus else _PACK)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(communication_options=pack)
    except (*WORKER_ERRORS, RuntimeError) as cause:
        raise gone(cause) from None


def gone(cause: Exception) -> WorkerError:
    """What to say when another worker has left the job."""
    reason = str(cause).splitlines()[0][:200]
    return WorkerError(
        f"another worker has gone, so this one leaves too; start all of them again, and they go on from the last "
        f"checkpoint ({type(cause).__name__}: {reason})"
    )


def _count(gpus: list) -> str:
    return "one GPU" if len(gpus) == 1 else f"{len(gpus)} GPUs" if gpus else ""


def _name(gpu: tf.config.PhysicalDevice) -> str:
    name = tf.config.experimental.get_device_details(gpu).get("device_name")
    return f" ({name})" if name else ""


def _cpu(gpus: list) -> str:
    cores = available_cores()
    return f"the CPU with {cores} {'core' if cores == 1 else 'cores'}: {_no_gpu()}"


def _no_gpu() -> str:
    if not _DRIVER.is_dir() or not any(_DRIVER.iterdir()):
        return "no GPU found"
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return "CUDA_VISIBLE_DEVICES hides the GPUs"
    return "there is a GPU, but TensorFlow cannot use it; pip install 'musae-tf[gpu]' brings its libraries"


def distribute(
    strategy: tf.distribute.Strategy, batches: TrainingBatches, first: int, last: int
) -> tf.distribute.DistributedDataset:
    """Batches of the steps first .. last - 1, made ahead of their use; read no more of them.

    A worker makes its own rows of every global batch, and its replicas get them in order: all rows together, and which
    replica sees which, depend on nothing but the step.
    """
    per_replica = batches.batch_size // strategy.num_replicas_in_sync

    def pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
        mine = batches.batch_size // context.num_input_pipelines
        rows = slice(context.input_pipeline_id * mine, (context.input_pipeline_id + 1) * mine)
        made = tf_dataset(batches, first, last, rows).rebatch(per_replica, drop_remainder=True)
        # Of an input that ends, workers would ask each other before every step whether the end has come.
        return made.repeat()

    return strategy.distribute_datasets_from_function(pipeline)
