"""The methods of the API, whatever port they come in by."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from google.protobuf.message import Message

from musae_tf.protocol.messages import (
    Any,
    ClassificationResponse,
    GetModelMetadataResponse,
    GetModelStatusResponse,
    ModelSpec,
    RegressionResponse,
    ReloadConfigResponse,
)
from musae_tf.server.core import ServerCore
from musae_tf.server.inference import classify, multi_infer, regress
from musae_tf.server.manager import Lease
from musae_tf.server.predict import Prediction, prepare
from musae_tf.server.runner import Task
from musae_tf.server.signature import DEFAULT
from musae_tf.server.status import Code, StatusError, as_status, invalid, wire_message

_SIGNATURES = "signature_def"


class Handlers:
    """Answers requests of a ServerCore. Deadlines are times of the monotonic clock, None for never."""

    def __init__(self, core: ServerCore):
        self.core = core

    def predict(
        self,
        request: Message,
        deadline: float | None,
        done: Callable[[Prediction | None, StatusError | None], None],
        settled: Callable[[], None] | None = None,
    ) -> Task:
        """Start a Predict; `done` gets the answer or the error on another thread, unless this raises.

        `settled` is called there afterwards, once for all answers of a batch.

        Raises:
            StatusError: the request is wrong or cannot be queued.
        """
        lease = self._lease(request)
        try:
            prepared = prepare(lease.loaded, request, self.core.limits)
            started = time.monotonic()

            def finish(outputs, error) -> None:
                lease.release()
                if error is not None:
                    done(None, error)
                    return
                name = request.model_spec.name
                self.core.metrics.runtime_latency.observe((time.monotonic() - started) * 1e6, name, "Predict", "TF1")
                named = dict(zip(prepared.outputs, outputs, strict=True))
                done(Prediction(name, lease.version, prepared.signature, named), None)

            task = Task(prepared.inputs, deadline, finish, settled)
            lease.loaded.submit(prepared.feeds, prepared.fetches, task)
            return task
        except BaseException:
            lease.release()
            raise

    def predict_and_wait(self, request: Message, deadline: float | None) -> Prediction:
        """Predict on this thread.

        Raises:
            StatusError: it fails.
        """
        answer: SimpleQueue = SimpleQueue()
        self.predict(request, deadline, lambda *result: answer.put(result))
        prediction, error = answer.get()
        if error is not None:
            raise error
        return prediction

    def classify(self, request: Message, deadline: float | None) -> Message:
        """The ClassificationResponse."""
        return self._infer(request, deadline, classify, ClassificationResponse)

    def regress(self, request: Message, deadline: float | None) -> Message:
        """The RegressionResponse."""
        return self._infer(request, deadline, regress, RegressionResponse)

    def multi_inference(self, request: Message, deadline: float | None) -> Message:
        """The MultiInferenceResponse."""
        with self.core.lease(request.tasks[0].model_spec if request.tasks else ModelSpec()) as lease:
            response = multi_infer(lease.loaded, request.tasks, request.input, deadline)
            for result in response.results:
                result.model_spec.version.value = lease.version
            return response

    def metadata(self, request: Message) -> Message:
        """The GetModelMetadataResponse."""
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for name in request.metadata_field:
            if name != _SIGNATURES:
                raise invalid(f"Metadata field {name} is not supported")
        with self.core.lease(request.model_spec) as lease:
            response = GetModelMetadataResponse()
            response.model_spec.name = request.model_spec.name
            response.model_spec.version.value = lease.version
            packed = Any()
            packed.Pack(lease.loaded.definitions)
            response.metadata[_SIGNATURES].CopyFrom(packed)
            return response

    def status(self, request: Message) -> Message:
        """The GetModelStatusResponse."""
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        spec = request.model_spec
        versions = self.core.versions(spec.name)
        if spec.WhichOneof("version_choice") == "version":
            asked = spec.version.value
            if asked not in versions:
                raise StatusError(Code.NOT_FOUND, f"Could not find version {asked} of model {spec.name}")
            versions = {asked: versions[asked]}
        if not versions:
            raise StatusError(Code.NOT_FOUND, f"Could not find any versions of model {spec.name}")
        response = GetModelStatusResponse()
        for number, entry in versions.items():
            listed = response.model_version_status.add(version=number, state=entry.state)
            listed.status.SetInParent()
            if entry.error is not None:
                listed.status.error_code = entry.error.code
                listed.status.error_message = wire_message(entry.error.message)
        return response

    def reload(self, request: Message) -> Message:
        """The ReloadConfigResponse, once all models that are new are available."""
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently "
                "supported"
            )
        metrics = self.core.metrics
        before = {name: metrics.first(name) for name in request.metric_names}
        self.core.reload(request.config)
        response = ReloadConfigResponse()
        response.status.SetInParent()
        for name, count in before.items():
            response.metric.add(name=name, int64_value_increase=metrics.first(name) - count)
        return response

    @contextmanager
    def counted(self, request: Message, api: str, entrypoint: str) -> Iterator[None]:
        """Count a request to a model in the metrics, with its latency if it succeeds."""
        started, status = time.monotonic(), Code.OK
        try:
            yield
        except Exception as error:
            status = as_status(error).code
            raise
        finally:
            self.count(request.model_spec.name, status, started, api, entrypoint)

    def count(self, model: str, status: Code, started: float, api: str, entrypoint: str) -> None:
        """Count a request that started at a time of the monotonic clock."""
        self.core.metrics.request_count.add(model, status.name)
        if status is Code.OK:
            latency = (time.monotonic() - started) * 1e6
            self.core.metrics.request_latency.observe(latency, model, api, entrypoint)

    def _lease(self, request: Message) -> Lease:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        return self.core.lease(request.model_spec)

    def _infer(self, request: Message, deadline: float | None, function: Callable, kind: type[Message]) -> Message:
        with self._lease(request) as lease:
            response = kind()
            response.result.CopyFrom(function(lease.loaded, request.model_spec.signature_name, request.input, deadline))
            response.model_spec.name = request.model_spec.name
            response.model_spec.version.value = lease.version
            response.model_spec.signature_name = request.model_spec.signature_name or DEFAULT
            return response
