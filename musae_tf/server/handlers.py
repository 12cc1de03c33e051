"""The methods of the API, whatever port they come in by."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, NoReturn, TypeAlias

import numpy as np
from google.protobuf.text_format import MessageToString

from musae_tf.protocol.codec import fill_proto
from musae_tf.protocol.messages import (
    Any,
    ClassificationRequest,
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelSpec,
    MultiInferenceRequest,
    PredictRequest,
    PredictResponse,
    RegressionRequest,
    ReloadConfigRequest,
    ReloadConfigResponse,
    SignatureDef,
)
from musae_tf.server.core import ServerCore
from musae_tf.server.manager import Lease
from musae_tf.server.signature import DEFAULT
from musae_tf.server.status import Code, StatusError, as_status, invalid, wire_message
from musae_tf.server.tasks import Task

CLASSIFY_METHOD, REGRESS_METHOD = "tensorflow/serving/classify", "tensorflow/serving/regress"
_SIGNATURES = "signature_def"


Request: TypeAlias = "PredictRequest | ClassificationRequest | RegressionRequest"


class Prediction(NamedTuple):
    """The answer to a Predict request.

    Attributes:
        model: name of the model, as requested.
        version: the version that answered.
        signature: the effective signature.
        outputs: arrays by name; strings as objects of type bytes.
    """

    model: str
    version: int
    signature: str
    outputs: dict[str, np.ndarray]

    def response(self, as_content: bool = False) -> PredictResponse:
        """The PredictResponse: values in typed fields, or, if asked for, in `tensor_content`."""
        response = PredictResponse()
        spec = response.model_spec
        spec.name, spec.version.value, spec.signature_name = self.model, self.version, self.signature
        for alias, array in self.outputs.items():
            fill_proto(response.outputs[alias], array, typed=not as_content)
        return response


class Handlers:
    """Answers requests of a ServerCore. Deadlines are times of the monotonic clock, None for never."""

    def __init__(self, core: ServerCore):
        self.core = core

    def predict(
        self,
        request: PredictRequest,
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
            prepared = lease.loaded.prepare(request, self.core.limits)
            started = time.monotonic()

            def finish(outputs: list[np.ndarray] | None, error: StatusError | None) -> None:
                lease.release()
                if outputs is None:
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

    def classify(self, request: ClassificationRequest) -> NoReturn:
        """Refuse it: `refuse_examples`."""
        self.refuse_examples(request, CLASSIFY_METHOD)

    def regress(self, request: RegressionRequest) -> NoReturn:
        """Refuse it: `refuse_examples`."""
        self.refuse_examples(request, REGRESS_METHOD)

    def multi_inference(self, request: MultiInferenceRequest) -> NoReturn:
        """Refuse it, as `refuse_examples` does.

        Raises:
            StatusError: always.
        """
        tasks = request.tasks
        with self.core.lease(tasks[0].model_spec if tasks else ModelSpec()) as lease:
            seen: set[str] = set()
            for task in tasks:
                if not task.model_spec.name:
                    raise invalid("Found ModelSpec with an empty model name.")
                if task.model_spec.name != tasks[0].model_spec.name:
                    raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
                name = task.model_spec.signature_name or DEFAULT
                if name in seen:
                    raise invalid(f"Duplicate evaluation of signature: {name}")
                seen.add(name)
                if name not in lease.loaded.signatures:
                    raise invalid(f"Requested signature not found in model graph: {name}")
                if task.method_name not in (CLASSIFY_METHOD, REGRESS_METHOD):
                    raise StatusError(Code.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}")
                _check_for_examples(lease.loaded.signatures[name].definition, task.method_name)
        raise _only_predict()

    def metadata(self, request: GetModelMetadataRequest) -> GetModelMetadataResponse:
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

    def status(self, request: GetModelStatusRequest) -> GetModelStatusResponse:
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
                listed.status.error_code = int(entry.error.code)  # type: ignore[assignment]
                listed.status.error_message = wire_message(entry.error.message)
        return response

    def reload(self, request: ReloadConfigRequest) -> ReloadConfigResponse:
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
    def counted(self, request: Request, api: str, entrypoint: str) -> Iterator[None]:
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

    def _lease(self, request: Request) -> Lease:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        return self.core.lease(request.model_spec)

    def refuse_examples(self, request: Request, method: str) -> NoReturn:
        """Refuse a request of examples, in the container's words if the signature is not for them.

        This package exports no signature that is.

        Raises:
            StatusError: always.
        """
        name = request.model_spec.signature_name or DEFAULT
        with self._lease(request) as lease:
            if name not in lease.loaded.signatures:
                raise invalid(f"No signature was found with the name: {name}")
            _check_for_examples(lease.loaded.signatures[name].definition, method)
        raise _only_predict()


def _check_for_examples(definition: SignatureDef, method: str) -> None:
    """Raise what the container says of a signature whose tensors are not those of classification or regression."""
    classifies, outputs = method == CLASSIFY_METHOD, definition.outputs
    if len(definition.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if classifies and len(outputs) not in (1, 2):
        raise invalid(f"Expected one or two output Tensors, found {len(outputs)}")
    if not classifies and len(outputs) != 1:
        raise invalid("Expected one output Tensor.")
    if "inputs" not in definition.inputs:
        kind = "classification" if classifies else "regression"
        raise invalid(f"No {kind} inputs found in SignatureDef: {MessageToString(definition)}")
    if classifies and not {"classes", "scores"} & outputs.keys():
        raise invalid(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". Signature '
            f"was: {MessageToString(definition)}"
        )
    if not classifies and "outputs" not in outputs:
        raise invalid(f"No regression outputs found in SignatureDef: {definition}")


def _only_predict() -> StatusError:
    return StatusError(Code.UNIMPLEMENTED, "this server answers Predict; requests of examples need the container")
