"""A plain client for the server tests: stubs on the wire's messages, nothing else."""

import grpc
import numpy as np

from musae_tf.protocol import services
from musae_tf.protocol.codec import to_array, to_proto
from musae_tf.protocol.messages import GetModelStatusRequest, MultiInferenceRequest, PredictRequest


class Client:
    """Calls to one server; a context manager."""

    def __init__(self, port: int, credentials: grpc.ChannelCredentials | None = None, host: str = "localhost"):
        options = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        address = f"{host}:{port}"
        if credentials is None:
            self.channel = grpc.insecure_channel(address, options)
        else:
            self.channel = grpc.secure_channel(address, credentials, options)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.channel.close()

    def stub(self, method: services.Method):
        return self.channel.unary_unary(
            method.path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=method.response.FromString,
        )

    def call(self, method: services.Method, request, timeout: float = 30):
        return self.stub(method)(request, timeout=timeout)

    def predict(self, *arguments, timeout: float = 30, **inputs) -> dict[str, np.ndarray]:
        response = self.call(services.PREDICT, predict_request(*arguments, **inputs), timeout)
        return {name: to_array(tensor) for name, tensor in response.outputs.items()}

    def states(self, model: str = "model") -> dict[int, tuple[str, str, str]]:
        """Version to state, error code and error message."""
        request = GetModelStatusRequest()
        request.model_spec.name = model
        response = self.call(services.GET_MODEL_STATUS, request)
        listed = response.model_version_status
        state_name = listed[0].DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number
        code_name = listed[0].status.DESCRIPTOR.fields_by_name["error_code"].enum_type.values_by_number
        return {
            entry.version: (
                state_name[entry.state].name,
                code_name[entry.status.error_code].name,
                entry.status.error_message,
            )
            for entry in listed
        }


def predict_request(signature: str = "", model: str = "model", version: int | None = None, **inputs) -> PredictRequest:
    request = PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(to_proto(value))
    return request


def asked(method: services.Method, spec: dict | None, **more):
    """A request with a ModelSpec, or without one."""
    request = method.request(**({} if spec is None else {"model_spec": spec}), **more)
    if method is services.GET_MODEL_METADATA:
        request.metadata_field.append("signature_def")
    return request


def multi(*tasks: dict) -> MultiInferenceRequest:
    return MultiInferenceRequest(tasks=[{"method_name": "tensorflow/serving/classify", **task} for task in tasks])


def rows(count: int = 1) -> np.ndarray:
    return np.arange(2 * count, dtype=np.float32).reshape(count, 2)


def model_inputs(facts: dict, signature: str, rows: int, temperature: float = 0.9) -> dict[str, np.ndarray]:
    """Inputs that an exported model takes, by what it says of itself (its musae.json)."""
    random = np.random.default_rng(rows)
    inputs = {}
    for name, spec in facts["signatures"][signature]["inputs"].items():
        shape = (rows, *spec["shape"][1:])
        if name == "temperature":
            values = np.full(shape, temperature)
        elif name == "seed":
            values = random.integers(-(2**31), 2**31, shape)
        elif spec["dtype"] == "float32":
            values = random.uniform(size=shape)
        else:
            values = random.integers(0, facts["vocabulary_sizes"] if len(shape) == 3 else len(facts["genres"]), shape)
        inputs[name] = values.astype(spec["dtype"])
    return inputs
