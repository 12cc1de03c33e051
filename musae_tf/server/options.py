"""Everything that can be set, as one checked value, and the configuration files, in protobuf's text format.

Names and defaults are the container's where it has the option.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from musae_tf.cores import available_cores
from musae_tf.protocol.messages import (
    POOL,
    BatchingParameters,
    ModelConfig,
    ModelServerConfig,
    MonitoringConfig,
    SSLConfig,
)
from musae_tf.server.status import ServeError, invalid

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

MessageT = TypeVar("MessageT", bound=Message)

_PLATFORMS = {0: "", 1: "tensorflow"}  # ModelType, the deprecated way to name a platform


def read_text_message(path: Path, kind: type[MessageT]) -> MessageT:
    """Read a message in text format.

    Raises:
        ServeError: the file cannot be read or is not such a message. Its content is never part of the sentence: it may
            hold keys.
    """
    name = kind.DESCRIPTOR.name
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ServeError(f"{path} cannot be read: {reason}") from None
    try:
        return text_format.Parse(text, kind(), descriptor_pool=POOL)
    except text_format.ParseError as error:
        line = error.GetLine()
        unknown = re.search(r'has no field named "?(\w+)', str(error))
        what = f"it has no field {unknown[1]}" if unknown else "it is not in protobuf's text format"
        raise ServeError(f"{path} is not a {name}: {what}{f', line {line}' if line else ''}") from None


def one_model(name: str, base_path: str) -> ModelServerConfig:
    """The configuration that --model-name and --model-base-path stand for."""
    config = ModelServerConfig()
    config.model_config_list.config.append(ModelConfig(name=name, base_path=base_path, model_platform="tensorflow"))
    return config


def check_models(models: Sequence[ModelConfig]) -> None:
    """Check what can be wrong in a list of ModelConfig messages by itself.

    Raises:
        StatusError: INVALID_ARGUMENT.
    """
    seen = set()
    for model in models:
        if model.name in seen:
            raise invalid(f"Illegal to list model {model.name} multiple times in config list")
        seen.add(model.name)
    for model in models:
        if not model.base_path.startswith("/"):
            raise invalid(
                f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
            )
        policy = model.model_version_policy
        if policy.WhichOneof("policy_choice") == "specific" and not policy.specific.versions:
            raise invalid(f"Model {model.name}: specific version policy needs at least one version")


def platform_of(model: ModelConfig) -> str:
    """The platform of a ModelConfig.

    Raises:
        StatusError: INVALID_ARGUMENT, none, two, or one that is not supported.
    """
    if model.model_type:
        if model.model_platform:
            raise invalid(
                "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform."
            )
        if model.model_type not in _PLATFORMS:
            raise invalid(f"ModelServerConfig::model_type choice {model.model_type} not supported.")
        return _PLATFORMS[model.model_type]
    if not model.model_platform:
        raise invalid(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform."
        )
    return model.model_platform


METRICS_PATH = "/monitoring/prometheus/metrics"
_CORES = available_cores()


@dataclass(frozen=True)
class Batching:
    """Dynamic batching.

    Attributes:
        parameters: a BatchingParameters message.
        per_model: take them from batching_params.pbtxt in each version's folder; a model without is not batched.
    """

    parameters: BatchingParameters = field(default_factory=BatchingParameters)
    per_model: bool = False

    @property
    def threads(self) -> int:
        """Batches that run at once."""
        return self.parameters.num_batch_threads.value if self.parameters.HasField("num_batch_threads") else _CORES

    @property
    def cores_each(self) -> int:
        """Cores for each of the batches that run at once, at least 1."""
        return max(1, _CORES // self.threads)

    @property
    def pool_name(self) -> str:
        """The label of the threads in the metrics."""
        named = self.parameters.HasField("thread_pool_name")
        return self.parameters.thread_pool_name.value if named else "batch_threads"


@dataclass(frozen=True)
class ServerTls:
    """Keys of the gRPC port; PEM texts, never shown."""

    key: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    client_ca: bytes | None = field(default=None, repr=False)
    client_verify: bool = False


@dataclass(frozen=True)
class Options:
    """How to serve.

    Attributes:
        models: a ModelServerConfig message: which models, from where.
        config_file: where `models` was read from, if it was.
        config_poll_seconds: how often to read `config_file` again; 0 for never.
        host: address to listen on.
        port: gRPC port; 0 takes a free one, None opens none.
        rest_port: port of the REST API and the metrics; 0 takes a free one, None opens none.
        socket_path: a Unix domain socket to listen on too.
        poll_seconds: how often to look for new versions; 0 only at the start, less than 0 never.
        batching: dynamic batching, if it is on.
        tls: keys, if the gRPC port speaks TLS.
        metrics_path: path of the Prometheus metrics, None for no metrics.
        threads: requests that run at once without batching.
        max_waiting_requests: requests that may wait for one of them.
        max_request_rows: most rows (dimension 0) of any input.
        max_request_bytes: most bytes of a request, as a message and as tensors. All others wait while a message is
            copied, for some milliseconds a megabyte; a row of an exported model has 0.5 to 4 KB.
        load_threads: versions that load at once.
        max_load_retries: further attempts after a load that failed.
        load_retry_seconds: time between them.
        labels_for_unavailable: whether a new label may name a version that is not available yet.
        warm_up: whether to run warm-up records.
        warmup_iterations: how often to run each.
        tags: tags of the MetaGraph to load.
        intra_op_threads: threads for one operation; 0 leaves it to TensorFlow, and with batching gives each of the
            batches that run at once its share of the cores.
        inter_op_threads: threads for operations side by side; 0 leaves it to TensorFlow.
        rest_timeout: seconds that a REST request may take.
        rest_connections: REST connections open at once.
        rest_connections_each: REST connections of one address.
        max_rest_bytes: most bytes of the body of a REST request: while JSON is read, everything else goes slower.
        cors: whether browsers on other sites may call the REST API.
        as_content: answer with `tensor_content` in place of typed fields.
        health: whether to offer the gRPC health service; the container does so only if asked.
        drain_seconds: time that requests under way get when the server stops.
        channel_arguments: options of the gRPC server.
        tracer_provider: of OpenTelemetry, where spans go; None for no traces.
    """

    models: ModelServerConfig
    config_file: Path | None = None
    config_poll_seconds: float = 0
    host: str = "127.0.0.1"
    port: int | None = 8500
    rest_port: int | None = 8501
    socket_path: str | None = None
    poll_seconds: float = 1
    batching: Batching | None = None
    tls: ServerTls | None = None
    metrics_path: str | None = None
    threads: int = 4 * _CORES
    max_waiting_requests: int = 1000
    max_request_rows: int = 4096
    max_request_bytes: int = 16 * 2**20
    load_threads: int = 4 * _CORES
    max_load_retries: int = 5
    load_retry_seconds: float = 60
    labels_for_unavailable: bool = False
    warm_up: bool = True
    warmup_iterations: int = 1
    tags: tuple[str, ...] = ("serve",)
    intra_op_threads: int = 0
    inter_op_threads: int = 0
    rest_timeout: float = 30
    rest_connections: int = 256
    rest_connections_each: int = 64
    max_rest_bytes: int = 8 * 2**20
    cors: bool = False
    as_content: bool = False
    health: bool = True
    drain_seconds: float = 25
    channel_arguments: tuple[tuple[str, str | int], ...] = ()
    tracer_provider: "TracerProvider | None" = field(default=None, repr=False)

    @property
    def engine_threads(self) -> int:
        """Threads for one operation, as the engine is told: 0 for as many as there are cores.

        Batches that run side by side and each want all cores only wait for each other.
        """
        return self.intra_op_threads or (self.batching.cores_each if self.batching else 0)

    def read_models(self) -> ModelServerConfig:
        """The configuration that `config_file` holds now.

        Raises:
            ServeError: it is not one.
        """
        assert self.config_file is not None
        return read_models(self.config_file)


def read_models(path: Path) -> ModelServerConfig:
    """Read a --model-config-file.

    Raises:
        ServeError: not a ModelServerConfig with a model_config_list.
    """
    config = read_text_message(path, ModelServerConfig)
    if config.WhichOneof("config") != "model_config_list":
        raise ServeError(f"{path} must hold a model_config_list")
    return config


def read_batching(path: Path | None, per_model: bool) -> Batching:
    """Read a --batching-parameters-file; without one, the container's defaults.

    Raises:
        ServeError: not BatchingParameters.
    """
    if path is None:
        parameters = BatchingParameters()
        parameters.thread_pool_name.value = "model_server_batch_threads"
    else:
        parameters = read_text_message(path, BatchingParameters)
    batching = Batching(parameters, per_model)
    if batching.threads < 1:
        raise ServeError(f"{path}: num_batch_threads is {batching.threads}, must be 1 or more")
    return batching


def read_monitoring(path: Path) -> str | None:
    """Path of the Prometheus metrics out of a --monitoring-config-file; None if they are off.

    Raises:
        ServeError: not a MonitoringConfig.
    """
    prometheus = read_text_message(path, MonitoringConfig).prometheus_config
    if not prometheus.enable:
        return None
    metrics_path = prometheus.path or METRICS_PATH
    if not metrics_path.startswith("/"):
        raise ServeError(f"{path}: prometheus_config.path is {metrics_path!r}, must begin with /")
    return metrics_path


def read_tls(path: Path) -> ServerTls:
    """Read an --ssl-config-file.

    Raises:
        ServeError: not an SSLConfig, or one that lacks a key.
    """
    config = read_text_message(path, SSLConfig)
    for name in ("server_key", "server_cert"):
        if "-----BEGIN" not in getattr(config, name):
            raise ServeError(f"{path}: {name} must hold a PEM text itself, not the path of one")
    if config.client_verify and "-----BEGIN" not in config.custom_ca:
        raise ServeError(f"{path}: client_verify needs custom_ca, the PEM text of the authority that signs clients")
    return ServerTls(
        config.server_key.encode(), config.server_cert.encode(), config.custom_ca.encode() or None, config.client_verify
    )
