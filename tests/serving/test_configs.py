"""The text protos that the server reads."""

import re

import pytest
from google.protobuf import text_format

from musae_tf.protocol import messages
from tests.serving.files import MODEL, MODEL_PATH, SERVING, entrypoint

CONFIG = SERVING / "config"
BATCHING = [CONFIG / "batching.config", SERVING / "kubernetes/overlays/gpu/batching.config"]


def parse(path, kind):
    return text_format.Parse(path.read_text(encoding="utf-8"), kind())


def check_batching(parameters) -> None:
    """The rules on which a server refuses to load a model."""
    largest = parameters.max_batch_size.value
    sizes = list(parameters.allowed_batch_sizes)
    splits = parameters.enable_large_batch_splitting.value
    assert largest >= 1
    assert sizes == sorted(set(sizes))
    assert not sizes or sizes[-1] == largest, "Last entry in allowed_batch_sizes must match max_batch_size"
    # With parts smaller than the largest request, servers differ on what the last entry has to be.
    assert not (sizes and splits)
    if splits:
        assert 1 <= parameters.max_execution_batch_size.value <= largest
    else:
        assert not parameters.HasField("max_execution_batch_size"), "has no effect without splitting"


def test_models():
    (model,) = parse(CONFIG / "models.config", messages.ModelServerConfig).model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == (MODEL, MODEL_PATH, "tensorflow")
    assert model.model_version_policy.latest.num_versions == 1


def test_models_read_the_same_with_the_official_message():
    official = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2", reason="tensorflow-serving-api")
    text = (CONFIG / "models.config").read_text(encoding="utf-8")
    theirs = text_format.Parse(text, official.ModelServerConfig())
    ours = parse(CONFIG / "models.config", messages.ModelServerConfig)
    assert theirs.SerializeToString(deterministic=True) == ours.SerializeToString(deterministic=True)
    assert theirs.model_config_list.config


@pytest.mark.parametrize("path", BATCHING, ids=lambda path: str(path.relative_to(SERVING)))
def test_batching(path):
    parameters = parse(path, messages.BatchingParameters)
    check_batching(parameters)
    # A whole piece of music is one request, and a request of 10,000 rows is refused.
    assert 256 <= parameters.max_batch_size.value < 10_000
    assert not parameters.pad_variable_length_inputs


def test_batches_on_a_cpu_are_the_blocks_that_the_graph_computes_in():
    signatures = (SERVING.parent / "musae_tf" / "export" / "signatures.py").read_text(encoding="utf-8")
    block = int(re.search(r"^BLOCK = (\d+)$", signatures, re.MULTILINE)[1])  # without TensorFlow, which it imports
    assert parse(BATCHING[0], messages.BatchingParameters).max_execution_batch_size.value == block


def test_padding_is_only_for_a_gpu():
    cpu, gpu = (parse(path, messages.BatchingParameters) for path in BATCHING)
    assert not cpu.allowed_batch_sizes
    assert len(gpu.allowed_batch_sizes) > 2


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.allowed_batch_sizes.append(2048),
        lambda config: config.allowed_batch_sizes.__delitem__(-1),
        lambda config: config.allowed_batch_sizes.insert(0, 900),
        lambda config: setattr(config.max_execution_batch_size, "value", 64),
        lambda config: setattr(config.enable_large_batch_splitting, "value", True),
    ],
)
def test_a_broken_batching_file_would_be_noticed(change):
    config = parse(BATCHING[1], messages.BatchingParameters)
    change(config)
    with pytest.raises(AssertionError):
        check_batching(config)


def test_monitoring():
    config = parse(CONFIG / "monitoring.config", messages.MonitoringConfig).prometheus_config
    assert config.enable
    assert config.path == "/monitoring/prometheus/metrics"


def test_ssl_example():
    config = parse(CONFIG / "ssl.config.example", messages.SSLConfig)
    for value, kind in (
        (config.server_key, "PRIVATE KEY"),
        (config.server_cert, "CERTIFICATE"),
        (config.custom_ca, "CERTIFICATE"),
    ):
        assert value == f"-----BEGIN {kind}-----\n...\n-----END {kind}-----\n"
    assert config.client_verify


def test_the_image_uses_every_config():
    given = entrypoint()
    used = {given[flag] for flag in ("model_config_file", "batching_parameters_file", "monitoring_config_file")}
    assert used == {f"/etc/musae/{path.name}" for path in CONFIG.glob("*.config") if path.name != "ssl.config"}
    # A parameters file without batching stops the server at its start.
    assert given["enable_batching"] == "true"
