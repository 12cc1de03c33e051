"""The gRPC services: what the server registers and the client calls.

Everything here is read from the compiled .proto files.
"""

from dataclasses import dataclass

from google.protobuf.message import Message

from musae_tf.protocol.messages import POOL, message_class

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"


@dataclass(frozen=True)
class Method:
    """One remote procedure.

    Attributes:
        service: full name of its service.
        name: its name in the service.
        request: class of the message that it takes.
        response: class of the message that it gives.
    """

    service: str
    name: str
    request: type[Message]
    response: type[Message]

    @property
    def path(self) -> str:
        """The method as gRPC names it on the wire."""
        return f"/{self.service}/{self.name}"


def methods(service: str) -> dict[str, Method]:
    """The methods of a service by name.

    Raises:
        KeyError: no such service.
    """
    return {
        method.name: Method(
            service,
            method.name,
            message_class(method.input_type.full_name),
            message_class(method.output_type.full_name),
        )
        for method in POOL.FindServiceByName(service).methods
    }


_PREDICTION, _MODEL = methods(PREDICTION_SERVICE), methods(MODEL_SERVICE)

PREDICT = _PREDICTION["Predict"]
CLASSIFY = _PREDICTION["Classify"]
REGRESS = _PREDICTION["Regress"]
MULTI_INFERENCE = _PREDICTION["MultiInference"]
GET_MODEL_METADATA = _PREDICTION["GetModelMetadata"]
GET_MODEL_STATUS = _MODEL["GetModelStatus"]
HANDLE_RELOAD_CONFIG_REQUEST = _MODEL["HandleReloadConfigRequest"]
