"""`musae export` and `serve`: publish a trained model, and answer the TF Serving API with it.

The flags of `serve` have the names, meanings and defaults of TensorFlow Serving's model server; there are a few more.
"""

import argparse
import logging
import os
import shlex
import signal
from argparse import Namespace
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musae_tf.cli.parser import (
    Commands,
    Parser,
    add_full_help,
    add_json,
    add_rare,
    boolean,
    command,
    integer,
    number,
    pairs,
)
from musae_tf.cli.shared import add_model, add_run, find_run, load_tensorflow, print_next, standard_error_held_back
from musae_tf.errors import RunError
from musae_tf.files import check_model_folder
from musae_tf.signals import STOPPING, wakeup_pipe

if TYPE_CHECKING:
    from musae_tf.server import ModelServer, Options


def add_export(commands: Commands) -> None:
    """Add `musae export`."""
    summary = "publish a trained model as a version that a server loads"
    example = "musae export runs/NAME --to exports/musae"
    parser = command(commands, "export", export, summary, example, "nothing was published")
    add_run(parser)
    to = "model folder, named as the model is to be called (default: RUN/export/musae)"
    parser.add_argument("--to", metavar="DIR", help=to)
    keep = "keep the newest N versions and remove older ones (default: keep all)"
    parser.add_argument("--keep", type=integer(1), metavar="N", help=keep)
    kind = "SavedModel for servers, or files for LiteRT in a new folder (default: savedmodel)"
    parser.add_argument("--format", choices=("savedmodel", "litert"), default="savedmodel", help=kind)
    add_json(parser)


def export(arguments: Namespace) -> None:
    """`musae export RUN`."""
    path = find_run(arguments.run)
    if arguments.format == "litert":
        return _export_litert(path, arguments)
    if arguments.to is not None:
        check_model_folder(arguments.to)
    load_tensorflow()
    import tensorflow as tf

    from musae_tf.export import export_run, prune
    from musae_tf.training import Run

    # The graph is to run anywhere, and layers choose the form that suits the devices they see.
    tf.config.set_visible_devices([], "GPU")
    published = export_run(Run.open(path), arguments.to)
    base = published.folder.parent
    arguments.report = {"folder": str(published.folder), "version": published.number}
    if arguments.keep is not None:
        arguments.stopped = f"{published.folder} is published"
        for old in prune(base, arguments.keep):
            print(f"removed {old.folder}")
    print_next((("serve", base), "answer requests with it from here"))
    name = base.resolve().name
    mount = shlex.quote(f"{base.resolve()}:/models/{name}:ro")
    print("  # or with the container of TensorFlow Serving")
    print(f"  docker run -p 8500:8500 -p 8501:8501 -e MODEL_NAME={shlex.quote(name)} -v {mount} tensorflow/serving")


def _export_litert(path: Path, arguments: Namespace) -> None:
    if arguments.keep is not None:
        raise RunError("--keep is for versions, and files for LiteRT have none: leave it out")
    to = path / "export" / "litert" if arguments.to is None else Path(arguments.to)
    load_tensorflow()
    from musae_tf.export.litert import export_litert
    from musae_tf.training import Run

    arguments.report = {"folder": str(export_litert(Run.open(path), to))}


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
    Flag("max-request-bytes", int, "most bytes of a request, as a message and as tensors (default: 16 MiB)",
         16 * 2**20, low=1),
    Flag("max-rest-request-bytes", int, "most bytes of the body of a REST request (default: 8 MiB)", 8 * 2**20, low=1),
    Flag("max-rest-connections", int, "REST connections open at once (default: 256)", 256, low=1),
    Flag("max-rest-connections-per-address", int, "of them from one address (default: 64)", 64, low=1),
    Flag("enable-tracing", bool, "OpenTelemetry traces, to OTEL_EXPORTER_OTLP_ENDPOINT (default: false)", common=True),
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


def add_serve(commands: Commands) -> None:
    """Add `musae serve`."""
    note = "The flags are those of its container."
    summary, example = "answer the TF Serving API with a model", "musae serve exports/musae --enable-batching"
    parser = command(commands, "serve", serve, summary, example, "nothing was served", note)
    add_model(parser)
    add_full_help(parser)
    for flag in FLAGS:
        _add_flag(parser, flag)


def _add_flag(parser: Parser, flag: Flag) -> None:
    kinds = {int: integer(flag.low, flag.high), float: number(flag.low, flag.high), dict: pairs, bool: boolean}
    settings: dict[str, Any] = {"type": kinds.get(flag.kind, str), "metavar": flag.metavar, "default": flag.default}
    if flag.kind is bool:
        settings |= {"nargs": "?", "const": True, "metavar": "true|false", "default": bool(flag.default)}
    name = flag.name.replace("-", "_")
    if flag.common:
        parser.add_argument(f"--{flag.name}", dest=name, help=flag.help, **settings)
    else:
        add_rare(parser, f"--{flag.name}", dest=name, help=flag.help, **settings)
    settings["default"] = argparse.SUPPRESS
    names = {name, *([flag.also, flag.also.replace("-", "_")] if flag.also else [])} - {flag.name}
    for other in sorted(names):
        parser.add_argument(f"--{other}", dest=name, help=argparse.SUPPRESS, **settings)


def serve(arguments: Namespace) -> int:
    """`musae serve [RUN|MODEL_DIR]`. Returns the exit code."""
    options = _options(arguments)
    with standard_error_held_back():
        from musae_tf.server.engine import start_engine

        start_engine()
    from musae_tf.server import ModelServer
    from musae_tf.server.server import collect_seldom
    from musae_tf.server.telemetry import exporting_provider

    traces = exporting_provider() if arguments.enable_tracing else None
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("musae_tf.server").setLevel(logging.INFO)
    arguments.stopped = "the server was not ready yet"
    server = ModelServer(replace(options, tracer_provider=traces))
    print("loading ...", flush=True)
    server.start()
    collect_seldom()
    try:
        _print_ready(server)
        arguments.stopped = "requests under way were cut"
        _wait_for_signal()
        print("\nstopping: no new requests, those under way are finished", flush=True)
    finally:
        server.stop()
        if traces is not None:
            traces.shutdown()
    return 0


def _wait_for_signal() -> None:
    """Return at the first SIGTERM or SIGINT; after it, these do again what they did before."""
    with wakeup_pipe() as (reading, _):
        before = [signal.signal(number, lambda *_: None) for number in STOPPING]
        try:
            while not set(os.read(reading, 64)) & set(STOPPING):
                pass
        finally:
            for number, handler in zip(STOPPING, before, strict=True):
                signal.signal(number, handler)


def _options(arguments: Namespace) -> "Options":
    from musae_tf.server import options
    from musae_tf.server.options import one_model
    from musae_tf.server.status import ServeError

    config_file = _path(arguments.model_config_file)
    if arguments.pretrained and (config_file is not None or arguments.model_base_path is not None):
        raise ServeError("--pretrained names the model: leave out --model-config-file and --model-base-path")
    if config_file is not None:
        models = options.read_models(config_file)
    elif arguments.model_base_path is not None:
        models = one_model(arguments.model_name or "default", arguments.model_base_path)
    else:
        base = _base_path(arguments.model, arguments.pretrained)
        models = one_model(arguments.model_name or base.name, str(base))
    if arguments.batching_parameters_file is not None and not arguments.enable_batching:
        raise ServeError("--batching-parameters-file is set without setting --enable-batching to true")
    batching = monitoring = tls = None
    if arguments.enable_batching:
        per_model = arguments.enable_per_model_batching_parameters
        batching = options.read_batching(_path(arguments.batching_parameters_file), per_model)
    if arguments.monitoring_config_file is not None:
        monitoring = options.read_monitoring(Path(arguments.monitoring_config_file))
    if arguments.ssl_config_file is not None:
        tls = options.read_tls(Path(arguments.ssl_config_file))
    threads = {"threads": arguments.grpc_max_threads} if arguments.grpc_max_threads else {}
    load = {"load_threads": arguments.num_load_threads} if arguments.num_load_threads else {}
    session = arguments.tensorflow_session_parallelism
    return options.Options(
        models=models,
        config_file=config_file,
        config_poll_seconds=arguments.model_config_file_poll_wait_seconds,
        host=arguments.host,
        port=arguments.port or None,
        rest_port=arguments.rest_api_port or None,
        socket_path=arguments.grpc_socket_path,
        poll_seconds=arguments.file_system_poll_wait_seconds,
        batching=batching,
        tls=tls,
        metrics_path=monitoring,
        max_request_rows=arguments.max_request_rows,
        max_request_bytes=arguments.max_request_bytes,
        max_rest_bytes=arguments.max_rest_request_bytes,
        rest_connections=arguments.max_rest_connections,
        rest_connections_each=arguments.max_rest_connections_per_address,
        max_load_retries=arguments.max_num_load_retries,
        load_retry_seconds=arguments.load_retry_interval_micros / 1e6,
        labels_for_unavailable=arguments.allow_version_labels_for_unavailable_models,
        warm_up=arguments.enable_model_warmup,
        warmup_iterations=arguments.num_request_iterations_for_warmup,
        tags=tuple(tag for tag in arguments.saved_model_tags.split(",") if tag),
        intra_op_threads=arguments.tensorflow_intra_op_parallelism or session,
        inter_op_threads=arguments.tensorflow_inter_op_parallelism or session,
        rest_timeout=arguments.rest_api_timeout_in_ms / 1e3,
        cors=arguments.rest_api_enable_cors_support,
        as_content=arguments.enable_serialization_as_tensor_content,
        drain_seconds=arguments.drain_seconds,
        health=arguments.enable_grpc_healthcheck_service,
        channel_arguments=arguments.grpc_channel_arguments or (),
        **threads,
        **load,
    )


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _base_path(named: str | None, pretrained: bool) -> Path:
    """The folder of versions of a run, of a model folder or of the pretrained model.

    Raises:
        RunError: there is none.
    """
    path = find_run(named, pretrained) if named is None or pretrained else Path(named)
    if (path / "run.json").is_file():
        base = path / "export" / "musae"
        if not base.is_dir():
            raise RunError(f"{path} has no exported model yet: publish it with musae export {shlex.quote(str(path))}")
        return base.resolve()
    if (path / "saved_model.pb").is_file():
        raise RunError(f"{path} is one version of a model; name the folder that holds the versions: {path.parent}")
    if not path.is_dir():
        raise RunError(f"{path} is neither a run nor a model folder: there is no such folder")
    return path.resolve()


def _print_ready(server: "ModelServer") -> None:
    from musae_tf.server.versions import AVAILABLE

    options = server.options
    for model in server.core.models:
        ready = [number for number, entry in server.core.versions(model.name).items() if entry.state == AVAILABLE]
        print(f"serving {model.name}, version {', '.join(map(str, sorted(ready)))}, from {model.base_path}")
    shown = "localhost" if options.host in ("127.0.0.1", "0.0.0.0", "::", "::1") else options.host
    if server.port is not None:
        kind = "none" if options.tls is None else "mutual" if options.tls.client_verify else "server"
        print(f"gRPC: {options.host}:{server.port}{'' if options.tls is None else f' (TLS, {kind} certificates)'}")
    if options.socket_path:
        print(f"gRPC: unix:{options.socket_path}")
    if server.rest_port is not None:
        print(f"REST: http://{shown}:{server.rest_port}/v1/models/{server.core.models[0].name}")
        if options.metrics_path is not None:
            print(f"metrics: http://{shown}:{server.rest_port}{options.metrics_path}")
    if options.host in ("127.0.0.1", "::1", "localhost"):
        print("only this machine can reach it; --host 0.0.0.0 lets others in")
    if server.port is not None and options.tls is None:
        name = server.core.models[0].name
        option = () if name == "musae" else ("--model", name)
        print_next((("request", "sample", "--server", f"{shown}:{server.port}", *option), "a new piece over the wire"))
    print("", end="", flush=True)
