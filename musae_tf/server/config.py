"""The configuration files of the model server, in protobuf's text format."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from musae_tf.protocol.messages import POOL, ModelConfig, ModelServerConfig
from musae_tf.server.status import ServeError, invalid

MessageT = TypeVar("MessageT", bound=Message)

_PLATFORMS = {0: "", 1: "tensorflow"}  # ModelType, the deprecated way to name a platform


def read_text_message(path: Path, kind: type[MessageT]) -> MessageT:
    """Read a message in text format.

    Raises:
        ServeError: the file cannot be read or is not such a message. Its content is never part of the sentence: it may
            hold keys.
    """
    name = kind.DESCRIPTOR.name
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ServeError(f"{path} cannot be read: {reason}") from None
    try:
        return text_format.Parse(text, kind(), descriptor_pool=POOL)
    except text_format.ParseError as error:
        line = error.GetLine()
        unknown = re.search(r'has no field named "?(\w+)', str(error))
        what = f"it has no field {unknown[1]}" if unknown else "it is not in protobuf's text format"
        raise ServeError(f"{path} is not a {name}: {what}{f', line {line}' if line else ''}") from None


def one_model(name: str, base_path: str) -> Message:
    """The configuration that --model-name and --model-base-path stand for."""
    config = ModelServerConfig()
    config.model_config_list.config.append(ModelConfig(name=name, base_path=base_path, model_platform="tensorflow"))
    return config


def check_models(models: Sequence[Message]) -> None:
    """Check what can be wrong in a list of ModelConfig messages by itself.

    Raises:
        StatusError: INVALID_ARGUMENT.
    """
    seen = set()
    for model in models:
        if model.name in seen:
            raise invalid(f"Illegal to list model {model.name} multiple times in config list")
        seen.add(model.name)
    for model in models:
        if not model.base_path.startswith("/"):
            raise invalid(
                f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
            )
        policy = model.model_version_policy
        if policy.WhichOneof("policy_choice") == "specific" and not policy.specific.versions:
            raise invalid(f"Model {model.name}: specific version policy needs at least one version")


def platform_of(model: Message) -> str:
    """The platform of a ModelConfig.

    Raises:
        StatusError: INVALID_ARGUMENT, none, two, or one that is not supported.
    """
    if model.model_type:
        if model.model_platform:
            raise invalid(
                "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform."
            )
        if model.model_type not in _PLATFORMS:
            raise invalid(f"ModelServerConfig::model_type choice {model.model_type} not supported.")
        return _PLATFORMS[model.model_type]
    if not model.model_platform:
        raise invalid(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform."
        )
    return model.model_platform
