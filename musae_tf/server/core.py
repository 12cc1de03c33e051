"""The server without its ports: configuration, models, labels, and how a request finds its version."""

import logging
import threading
from collections.abc import Sequence

from musae_tf.protocol.messages import ModelConfig, ModelServerConfig, ModelSpec
from musae_tf.server.batching import BatchScheduler
from musae_tf.server.loader import Loader
from musae_tf.server.manager import Lease, Manager
from musae_tf.server.options import Options, check_models, platform_of
from musae_tf.server.prometheus import Metrics
from musae_tf.server.signature import RequestLimits
from musae_tf.server.status import Code, ServeError, StatusError, invalid
from musae_tf.server.tasks import DirectRunner
from musae_tf.server.versions import AVAILABLE, Monitor, VersionState, VersionWatcher

_log = logging.getLogger(__name__)


class ServerCore:
    """Serves the models of a ModelServerConfig.

    Attributes:
        metrics: counts what happens.
        monitor: knows the state of every version.
        limits: how large a request may be.
    """

    def __init__(self, options: Options):
        """Start the threads; nothing is loaded before `start`."""
        self.metrics = Metrics()
        self.monitor = Monitor()
        self.limits = RequestLimits(options.max_request_rows, options.max_request_bytes)
        self._options = options
        self._direct = DirectRunner(options.threads, options.max_waiting_requests)
        batching = options.batching
        self._scheduler: BatchScheduler | None = None
        if batching is not None:
            self._scheduler = BatchScheduler(batching.threads, batching.pool_name, self.metrics)
        loader = Loader(options, self.metrics, self._direct, self._scheduler)
        self._manager = Manager(
            loader.load, self.monitor, options.load_threads, options.max_load_retries, options.load_retry_seconds
        )
        self._source = VersionWatcher(self._manager.want, options.poll_seconds)
        self._config = ModelServerConfig()
        self._labels: dict[str, dict[str, int]] = {}
        self._reloading = threading.Lock()
        self._closed = threading.Event()
        self._config_poll: threading.Thread | None = None

    def start(self) -> None:
        """Load the configured models, and wait until each of them has a version available.

        Raises:
            ServeError: the configuration is wrong, or a model did not load.
        """
        try:
            self._apply(self._options.models)
            failed = self.monitor.wait_available(model.name for model in self.models)
        except StatusError as error:
            raise ServeError(f"Failed to start server. Error: {error}") from None
        if failed:
            raise ServeError(
                f"Failed to start server. Error: Unknown: {len(failed)} servable(s) did not become available: "
                f"{_listed(failed)}"
            )
        if self._options.config_file and self._options.config_poll_seconds > 0:
            self._config_poll = threading.Thread(target=self._poll_config, name="musae-config", daemon=True)
            self._config_poll.start()

    @property
    def models(self) -> Sequence[ModelConfig]:
        """The configured models, ModelConfig messages."""
        return self._config.model_config_list.config

    def lease(self, spec: ModelSpec) -> Lease:
        """The version that a ModelSpec asks for.

        Raises:
            StatusError: no name, an unknown label, or a version that is not loaded.
        """
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        if choice == "version":
            return self._manager.lease(spec.name, spec.version.value)
        if choice == "version_label":
            version = self._labels.get(spec.name, {}).get(spec.version_label)
            if version is None:
                raise invalid(f"Unrecognized servable version label: {spec.version_label}")
            return self._manager.lease(spec.name, version)
        return self._manager.lease(spec.name)

    def versions(self, name: str) -> dict[int, VersionState]:
        """The versions of a model that were ever seen, highest first."""
        return self.monitor.versions(name)

    def reload(self, config: ModelServerConfig) -> None:
        """Replace the whole configuration, and wait until every model that is new is available.

        Raises:
            StatusError: the configuration is refused, or a new model did not load.
        """
        with self._reloading:
            before, news = {model.name for model in self.models}, self.monitor.news
            self._apply(config)
            # A model of this name may have been here before: what became of it then does not count.
            new = [model.name for model in self.models if model.name not in before]
            failed = self.monitor.wait_available(new, since=news)
        if failed:
            raise StatusError(Code.UNKNOWN, f"{len(failed)} model(s) did not become available: {_listed(failed)}")

    def stop_waiting(self) -> None:
        """End what waits for a model to become available."""
        self._closed.set()
        self.monitor.close()

    def close(self) -> None:
        """Unload everything; requests under way are cut."""
        self.stop_waiting()
        self._source.close()
        if self._config_poll is not None:
            self._config_poll.join()
        self._manager.close()
        self._direct.close()
        if self._scheduler is not None:
            self._scheduler.close()

    def _apply(self, config: ModelServerConfig) -> None:
        models = config.model_config_list.config
        check_models(models)
        old = {model.name: platform_of(model) for model in self.models}
        for model in models:
            platform = platform_of(model)
            if old.get(model.name, platform) != platform:
                raise invalid(
                    f"Illegal to change a model's platform. For model {model.name} platform was {old[model.name]} and "
                    f"new platform requested is {platform}"
                )
        # As in the container, the configuration counts as current even if its labels are refused.
        self._config = ModelServerConfig.FromString(config.SerializeToString())
        self._labels = self._checked_labels(models)
        for model in models:
            if platform_of(model) != "tensorflow":
                raise invalid(f"Model {model.name} requests unsupported platform {platform_of(model)}")
        self._source.configure(self.models)

    def _checked_labels(self, models: Sequence[ModelConfig]) -> dict[str, dict[str, int]]:
        for model in models:
            states = self.monitor.versions(model.name)
            for label, version in model.version_labels.items():
                current = self._labels.get(model.name, {}).get(label, version)
                if self._options.labels_for_unavailable and current == version:
                    continue
                if version not in states or states[version].state != AVAILABLE:
                    raise StatusError(
                        Code.FAILED_PRECONDITION,
                        f"Request to assign label to version {version} of model {model.name}, which is not currently "
                        "available for inference",
                    )
        return {model.name: dict(model.version_labels) for model in models}

    def _poll_config(self) -> None:
        applied = self._options.models
        while not self._closed.wait(self._options.config_poll_seconds):
            try:
                config = self._options.read_models()
                if config != applied:
                    self.reload(config)
                    applied = config
                    _log.info("%s was read again", self._options.config_file)
            except (ServeError, StatusError) as error:
                _log.warning("the new %s is not used: %s", self._options.config_file, error)


def _listed(failed: dict[tuple[str, int], StatusError]) -> str:
    entries = (f"{{{{name: {name} version: {version}}} due to error: {error}}}, "
               for (name, version), error in failed.items())  # fmt: skip
    return "{" + "".join(entries) + "}"
