"""Configuration: frozen dataclasses filled from YAML and `--set`."""

from musae_tf.config.load import config_from_dict, config_hash, config_to_dict, config_to_yaml, load_config
from musae_tf.config.schema import (
    Config,
    CriticConfig,
    DataConfig,
    ModelConfig,
    MusicConfig,
    PriorConfig,
    RegularisationConfig,
    StyleConfig,
    TrainingConfig,
)

__all__ = [
    "Config",
    "CriticConfig",
    "DataConfig",
    "ModelConfig",
    "MusicConfig",
    "PriorConfig",
    "RegularisationConfig",
    "StyleConfig",
    "TrainingConfig",
    "config_from_dict",
    "config_hash",
    "config_to_dict",
    "config_to_yaml",
    "load_config",
]
