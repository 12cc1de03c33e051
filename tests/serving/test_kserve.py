"""The InferenceService: its own fields, and the pod that KServe makes of the rest."""

import re

import pytest

from tests.serving.files import MODEL, SERVING, documents, flags
from tests.serving.test_image import KNOWN_FLAGS
from tests.serving.test_kubernetes import KUBERNETES, RELEASES, build, kubernetes_validate

jsonschema = pytest.importorskip("jsonschema")

CONTAINER = "args command env image imagePullPolicy lifecycle livenessProbe name ports readinessProbe resources "
CONTAINER += "securityContext startupProbe volumeMounts"
NUMBER, TEXT = {"type": "integer", "minimum": 0}, {"type": "string", "minLength": 1}
MODEL_FIELDS = {
    "modelFormat": {
        "type": "object", "properties": {"name": TEXT, "version": TEXT}, "required": ["name"],
        "additionalProperties": False,
    },
    "protocolVersion": {"enum": ["v1", "v2", "grpc-v1", "grpc-v2"]},
    "runtime": TEXT, "runtimeVersion": TEXT, "storageUri": {"type": "string", "pattern": "^[a-z0-9]+://."},
}  # fmt: skip
PREDICTOR_FIELDS = {
    "minReplicas": NUMBER, "maxReplicas": NUMBER, "scaleTarget": NUMBER, "timeout": NUMBER,
    "scaleMetric": {"enum": ["cpu", "memory", "concurrency", "rps"]}, "containerConcurrency": NUMBER,
    "canaryTrafficPercent": {"type": "integer", "minimum": 0, "maximum": 100},
}  # fmt: skip
SCHEMA = {
    "type": "object",
    "properties": {
        "apiVersion": {"const": "serving.kserve.io/v1beta1"},
        "kind": {"const": "InferenceService"},
        "metadata": {"type": "object", "required": ["name"]},
        "spec": {
            "type": "object", "additionalProperties": False, "required": ["predictor"],
            "properties": {"predictor": {
                "type": "object", "required": ["model"],
                "properties": {**PREDICTOR_FIELDS, "model": {
                    "type": "object", "additionalProperties": False, "required": ["modelFormat", "storageUri"],
                    "properties": {**MODEL_FIELDS, **{name: {} for name in CONTAINER.split()}},
                }},
            }},
        },
    },
    "required": ["apiVersion", "kind", "metadata", "spec"], "additionalProperties": False,
}  # fmt: skip
"""KServe's fields of a predictor; whatever else one has are fields of a pod, and of its container."""


def pod_of(service: dict) -> dict:
    """The pod of a predictor, without what the runtime adds: Kubernetes' own schema knows its fields."""
    predictor = dict(service["spec"]["predictor"])
    model = {name: value for name, value in predictor.pop("model").items() if name not in MODEL_FIELDS}
    pod = {name: value for name, value in predictor.items() if name not in PREDICTOR_FIELDS}
    container = {"name": "kserve-container", "image": "tensorflow/serving", **model}
    spec = {**pod, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "predictor"}, "spec": spec}


def check(service: dict, release: str) -> None:
    jsonschema.validate(service, SCHEMA)
    kubernetes_validate.validate(pod_of(service), release, strict=True)


@pytest.fixture(scope="module")
def built() -> dict:
    return build(KUBERNETES / "kserve")


@pytest.fixture
def service(built) -> dict:
    return built["InferenceService/musae"]


@pytest.mark.parametrize("release", RELEASES)
def test_it_follows_the_schemas(built, service, release):
    check(service, release)
    kubernetes_validate.validate(built["PersistentVolumeClaim/musae-model"], release, strict=True)


@pytest.mark.parametrize("where", ["predictor", "model"])
def test_the_schemas_would_find_something(where):
    (service,) = documents(KUBERNETES / "kserve" / "inferenceservice.yaml")
    predictor = service["spec"]["predictor"]
    (predictor if where == "predictor" else predictor["model"])["minReplica"] = 2
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        check(service, RELEASES[-1])


def test_it_serves_the_model_of_the_volume_by_the_name_that_clients_ask_for(built, service):
    model = service["spec"]["predictor"]["model"]
    assert service["metadata"]["name"] == MODEL
    assert f"PersistentVolumeClaim/{model['storageUri'].removeprefix('pvc://')}" in built
    assert {item["metadata"]["namespace"] for item in built.values()} == {"musae"}
    assert model["modelFormat"]["name"] == "tensorflow"
    assert model["protocolVersion"] == "grpc-v1"
    (port,) = model["ports"]  # one: gRPC is what the service in front leads to
    assert (port["name"], port["containerPort"]) == ("h2c", 9000)


def test_it_is_the_server_of_the_image_with_flags_that_it_knows(service):
    model = service["spec"]["predictor"]["model"]
    makefile = (SERVING.parent / "Makefile").read_text(encoding="utf-8")
    assert model["runtimeVersion"] == re.search(r"^TF_SERVING_TAG \?= (.*)$", makefile, re.MULTILINE)[1]
    given = flags(model["args"])
    assert set(given) <= KNOWN_FLAGS
    assert given["tensorflow_inter_op_parallelism"] == model["resources"]["requests"]["cpu"]


def test_its_pods_are_restricted(service):
    predictor = service["spec"]["predictor"]
    assert predictor["securityContext"]["runAsNonRoot"] is True
    assert predictor["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert predictor["automountServiceAccountToken"] is False
    assert predictor["shareProcessNamespace"] is True
    assert 2 <= predictor["minReplicas"] <= predictor["maxReplicas"]
