"""The flags of `musae serve`: the names, meanings and defaults of TensorFlow Serving's model server, and a few more."""

from dataclasses import dataclass

_MOST = 2**31 - 1


@dataclass(frozen=True)
class Flag:
    """One flag.

    Attributes:
        name: with dashes; underscores work too.
        kind: str, int, float, bool, or dict for K=V,...
        help: for --help.
        default: its value when it is not given.
        metavar: what stands for the value in --help.
        low: least number.
        high: greatest number.
        also: another name.
        common: whether --help shows it; --help-all shows all.
    """

    name: str
    kind: type
    help: str
    default: str | float | None = None
    metavar: str = "N"
    low: int = 0
    high: int = _MOST
    also: str | None = None
    common: bool = False


FLAGS = (
    Flag("host", str, "address to listen on; 0.0.0.0 for all (default: 127.0.0.1)", "127.0.0.1", "HOST", common=True),
    Flag("port", int, "gRPC port; 0 for none (default: 8500)", 8500, high=65535, common=True),
    Flag("rest-api-port", int, "port of the REST API and the metrics; 0 for none (default: 8501)", 8501, high=65535,
         also="rest-port", common=True),
    Flag("grpc-socket-path", str, "Unix domain socket to listen on too (default: none)", metavar="PATH", common=True),
    Flag("model-name", str, "name that clients ask for (default: the folder's)", metavar="NAME", common=True),
    Flag("model-base-path", str, "MODEL_DIR, as the container spells it (default: none)", metavar="PATH"),
    Flag("model-config-file", str, "several models: a ModelServerConfig in text format (default: none)",
         metavar="FILE", common=True),
    Flag("model-config-file-poll-wait-seconds", float, "read that file again every S seconds; 0 never (default: 0)",
         0, "S"),
    Flag("file-system-poll-wait-seconds", float,
         "look for new versions every S seconds; 0 only at the start, -1 never (default: 1)", 1, "S",
         low=-1, common=True),
    Flag("allow-version-labels-for-unavailable-models",
         bool, "let new labels name versions that are not loaded yet (default: false)"),
    Flag("enable-batching", bool, "run requests that arrive together as one (default: false)", common=True),
    Flag("batching-parameters-file", str, "how: BatchingParameters in text format (default: the container's)",
         metavar="FILE", common=True),
    Flag("enable-per-model-batching-parameters",
         bool, "take them from batching_params.pbtxt in each version (default: false)"),
    Flag("monitoring-config-file", str, "Prometheus metrics: a MonitoringConfig in text format (default: none)",
         metavar="FILE", common=True),
    Flag("ssl-config-file", str, "keys of the gRPC port: an SSLConfig in text format (default: no TLS)",
         metavar="FILE", common=True),
    Flag("enable-grpc-healthcheck-service", bool, "the gRPC health service (default: true)", True),
    Flag("max-request-rows", int, "most rows of an input (default: 4096)", 4096, low=1, common=True),
    Flag("max-request-bytes", int, "most bytes of a request, as a message and as tensors (default: 128 MiB)",
         128 * 2**20, low=1),
    Flag("drain-seconds", float, "time that requests under way get when the server is stopped (default: 25)", 25, "S",
         common=True),
    Flag("grpc-max-threads", int, "requests run at once without batching (default: 4 a core)", low=1),
    Flag("grpc-channel-arguments", dict, "options of the gRPC server (default: none)", metavar="K=V,..."),
    Flag("rest-api-timeout-in-ms", int, "time that a REST request may take (default: 30000)", 30_000, low=1),
    Flag("rest-api-enable-cors-support", bool, "let browsers on other sites call the REST API (default: false)"),
    Flag("enable-serialization-as-tensor-content",
         bool, "answer with tensor_content in place of typed fields (default: false)"),
    Flag("num-load-threads", int, "versions that load at once (default: 0, 4 a core)", 0),
    Flag("max-num-load-retries", int, "further attempts to load a version (default: 5)", 5),
    Flag("load-retry-interval-micros", int, "time between them (default: 60000000)", 60_000_000),
    Flag("enable-model-warmup", bool, "run warm-up records (default: true)", True),
    Flag("num-request-iterations-for-warmup", int, "how often to run each (default: 1)", 1, low=1),
    Flag("saved-model-tags", str, "tags of the graph to load (default: serve)", "serve", "TAGS"),
    Flag("tensorflow-session-parallelism", int, "threads of the engine (default: 0, one a core)", 0),
    Flag("tensorflow-intra-op-parallelism", int,
         "threads for one operation (default: 0, as above; batches at the same time share the cores)", 0),
    Flag("tensorflow-inter-op-parallelism", int, "operations side by side (default: 0, as above)", 0),
)  # fmt: skip
