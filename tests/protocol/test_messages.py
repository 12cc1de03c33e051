"""The messages against TensorFlow's own, in processes that load them in either order."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from musae_tf.protocol import COMPILED, messages, services
from musae_tf.protocol.messages import POOL, PredictRequest

# Messages that TensorFlow carries in its own package, by the module that has them.
TENSORFLOW = {
    "tensorflow.core.framework.tensor_pb2": ["TensorProto"],
    "tensorflow.core.framework.tensor_shape_pb2": ["TensorShapeProto"],
    "tensorflow.core.protobuf.named_tensor_pb2": ["NamedTensorProto"],
    "tensorflow.core.protobuf.meta_graph_pb2": ["SignatureDef", "TensorInfo"],
    "tensorflow.core.example.example_pb2": ["Example"],
    "tensorflow.core.example.feature_pb2": ["Features", "Feature", "BytesList", "FloatList", "Int64List"],
}

# Prints [[what, ours, theirs], ...] for every message of ours, and those nested in it, that the default pool knows.
COMPARE = """
import json
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from musae_tf.protocol import COMPILED, messages

def facts(field):
    kind = field.message_type or field.enum_type
    oneof = field.containing_oneof
    return [field.name, field.number, field.type, field.is_repeated, field.is_packed, field.json_name,
            kind.full_name if kind else "", oneof.name if oneof else "", field.has_presence]

def compare(descriptor):
    try:
        theirs = descriptor_pool.Default().FindMessageTypeByName(descriptor.full_name)
    except KeyError:
        return
    others = {field.number: facts(field) for field in theirs.fields}
    for field in descriptor.fields:
        rows.append([field.full_name, facts(field), others.get(field.number)])
    for enum in descriptor.enum_types:
        compare_enum(enum, theirs.enum_types_by_name[enum.name])
    for nested in descriptor.nested_types:
        compare(nested)

def compare_enum(ours, theirs):
    known = {value.name: value.number for value in theirs.values}
    for value in ours.values:
        rows.append([f"{ours.full_name}.{value.name}", value.number, known.get(value.name)])

rows = []
for file in FileDescriptorSet.FromString(COMPILED.read_bytes()).file:
    for message in messages.POOL.FindFileByName(file.name).message_types_by_name.values():
        compare(message)
    for enum in messages.POOL.FindFileByName(file.name).enum_types_by_name.values():
        try:
            compare_enum(enum, descriptor_pool.Default().FindEnumTypeByName(enum.full_name))
        except KeyError:
            pass
print(json.dumps(rows))
"""


def run(code: str):
    """What code prints as JSON in a fresh interpreter."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check(rows: list) -> set[str]:
    """Every row equal; the full names of what was compared."""
    assert [row for row in rows if row[1] != row[2]] == []
    return {row[0] for row in rows}


@pytest.mark.parametrize("first", ["tensorflow", "musae_tf.protocol.messages"])
def test_fields_are_those_of_tensorflow_whichever_is_imported_first(first):
    imports = f"import {first}\n" + "".join(f"import {module}\n" for module in TENSORFLOW)
    names = check(run(imports + COMPARE))
    assert {name.rpartition(".")[0].split(".")[1] for name in names if name.startswith("tensorflow.")} >= {
        message for found in TENSORFLOW.values() for message in found
    }
    assert "tensorflow.DataType.DT_FLOAT" in names
    assert "tensorflow.error.Code.UNAVAILABLE" in names


needs_official = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_serving") is None, reason="the package tensorflow-serving-api is not installed"
)

OFFICIAL = "".join(
    f"import tensorflow_serving.{module}_pb2\n"
    for module in (
        "apis.prediction_log",
        "apis.model_management",
        "apis.get_model_status",
        "apis.get_model_metadata",
        "config.platform_config",
        "config.model_server_config",
    )
)


@needs_official
@pytest.mark.parametrize("ours_first", [False, True])
def test_fields_are_those_of_tensorflow_serving_whichever_is_imported_first(ours_first):
    ours = "import musae_tf.protocol.messages\n"
    imports = ours + OFFICIAL if ours_first else OFFICIAL + ours
    names = check(run(imports + COMPARE))
    compared = {name.split(".")[2] for name in names if name.startswith("tensorflow.serving.")}
    ours = {
        message.name
        for file in ("serving.proto", "config.proto")
        for message in POOL.FindFileByName(file).message_types_by_name.values()
    }
    # Of these the package has no counterpart: they only stand in files that the model server reads.
    assert ours - compared == {
        "BatchingParameters", "SessionBundleConfig", "SavedModelBundleSourceAdapterConfig", "PrometheusConfig",
        "MonitoringConfig", "SSLConfig",
    }  # fmt: skip


@needs_official
def test_requests_have_the_bytes_of_tensorflow_serving_api():
    code = """
import json
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest as Official
from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap as OfficialMap
from google.protobuf.any_pb2 import Any as OfficialAny
from musae_tf.protocol.codec import to_proto
from musae_tf.protocol.messages import Any, PredictRequest, SignatureDefMap

rng = np.random.default_rng(0)
shapes = [(), (1,), (2, 3), (0, 4), (3, 1, 2)]
dtypes = ["float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "bool", "complex64", "complex128"]
arrays = {f"{t}{s}": np.asarray(rng.integers(0, 100, s)).astype(t) for t in dtypes for s in shapes}
arrays["strings"] = np.array([[b"a\\0", b""], [b"xyz", "\\u00e9".encode()]], object)
arrays["string"] = np.array(b"text", object)

def fill(request, make):
    request.model_spec.name, request.model_spec.signature_name = "musae", "sample"
    request.model_spec.version.value = 3
    request.output_filter.extend(["tokens", "latent"])
    for name, array in arrays.items():
        request.inputs[name].MergeFromString(make(array).SerializeToString())
    return request

rows = [["request", fill(PredictRequest(), to_proto).SerializeToString(deterministic=True).hex(),
         fill(Official(), tf.make_tensor_proto).SerializeToString(deterministic=True).hex()]]

def signatures(map_class, any_class):
    signatures = map_class()
    info = signatures.signature_def["serving_default"].inputs["x"]
    info.name, info.dtype = "x:0", 1
    info.tensor_shape.dim.add(size=-1)
    packed = any_class()
    packed.Pack(signatures)
    return packed

ours, theirs = signatures(SignatureDefMap, Any), signatures(OfficialMap, OfficialAny)
rows.append(["any", *(packed.SerializeToString(deterministic=True).hex() for packed in (ours, theirs))])
unpacked = SignatureDefMap()
assert Any.FromString(theirs.SerializeToString()).Unpack(unpacked)
rows.append(["unpacked", list(unpacked.signature_def), ["serving_default"]])
print(json.dumps(rows))
"""
    assert check(run(code)) == {"request", "any", "unpacked"}


@pytest.mark.skipif(importlib.util.find_spec("grpc_tools") is None, reason="the package grpcio-tools is not installed")
def test_the_compiled_descriptors_and_stubs_are_those_of_the_proto_files(tmp_path):
    def ours(path: Path) -> dict:
        # Without protobuf's own files, which differ from version to version in what means nothing here.
        files = FileDescriptorSet.FromString(path.read_bytes()).file
        return {file.name: file for file in files if not file.name.startswith("google/")}

    # In a process of its own: the compiler's C++ code does not go with TensorFlow's.
    new, stubs = tmp_path / "new", tmp_path / "stubs"
    stubs.mkdir()
    run(
        "from pathlib import Path; from musae_tf.protocol.compile import compile_protos, type_messages; "
        f"compile_protos(Path({str(new)!r}), Path({str(stubs)!r})); "
        f"type_messages(Path({str(stubs / 'messages.pyi')!r})); print('null')"
    )
    assert ours(new) == ours(COMPILED)
    package = COMPILED.parent
    committed = [*package.glob("proto/*.pyi"), package / "messages.pyi"]
    assert {path.name: path.read_text() for path in committed} == {
        path.name: path.read_text() for path in stubs.iterdir()
    }


def test_the_messages_leave_no_trace_in_the_default_pool_and_load_no_tensorflow():
    code = """
import json, sys
import musae_tf.protocol.services, musae_tf.protocol.codec
from google.protobuf import descriptor_pool
try:
    descriptor_pool.Default().FindMessageTypeByName("tensorflow.TensorProto")
    found = True
except KeyError:
    found = False
print(json.dumps([found, [name for name in ("tensorflow", "grpc", "google.protobuf.any_pb2") if name in sys.modules]]))
"""
    assert run(code) == [False, []]


def test_every_method_has_its_path_and_its_messages():
    assert services.PREDICT.path == "/tensorflow.serving.PredictionService/Predict"
    assert services.PREDICT.request is PredictRequest
    assert services.HANDLE_RELOAD_CONFIG_REQUEST.path == "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
    assert services.HANDLE_RELOAD_CONFIG_REQUEST.response is messages.ReloadConfigResponse
    assert sorted(services.methods(services.PREDICTION_SERVICE)) == [
        "Classify", "GetModelMetadata", "MultiInference", "Predict", "Regress",
    ]  # fmt: skip


def test_configuration_files_are_read_with_everything_in_them():
    config = text_format.Parse(
        """
        model_config_list { config {
          name: "musae" base_path: "/models/musae" model_platform: "tensorflow"
          model_version_policy { specific { versions: 3 versions: 4 } }
          version_labels { key: "stable" value: 3 }
          logging_config { sampling_config { sampling_rate: 0.1 } }
        } }""",
        messages.ModelServerConfig(),
    )
    (model,) = config.model_config_list.config
    assert list(model.model_version_policy.specific.versions) == [3, 4]
    assert dict(model.version_labels) == {"stable": 3}
    batching = text_format.Parse(
        """
        max_batch_size { value: 64 } batch_timeout_micros { value: 0 } num_batch_threads { value: 2 }
        thread_pool_name { value: "pool" } allowed_batch_sizes: 1 allowed_batch_sizes: 64
        enable_large_batch_splitting { value: true } max_execution_batch_size { value: 32 }""",
        messages.BatchingParameters(),
    )
    assert (batching.max_batch_size.value, batching.HasField("batch_timeout_micros")) == (64, True)
    assert not batching.HasField("max_enqueued_batches")
    platform = text_format.Parse(
        """
        platform_configs { key: "tensorflow" value { source_adapter_config {
          [type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig] {
            legacy_config { batching_parameters { max_batch_size { value: 8 } } } } } } }""",
        messages.PlatformConfigMap(),
        descriptor_pool=POOL,
    )
    adapter = messages.SavedModelBundleSourceAdapterConfig()
    assert platform.platform_configs["tensorflow"].source_adapter_config.Unpack(adapter)
    assert adapter.legacy_config.batching_parameters.max_batch_size.value == 8
    with pytest.raises(text_format.ParseError, match="max_batch"):
        text_format.Parse("max_batch: 3", messages.BatchingParameters())
