"""Configuration: YAML and `--set` to frozen dataclasses and back; every mistake names its key and its file."""

import dataclasses
import difflib
import hashlib
import json
import math
import os
import types
import typing
from pathlib import Path
from typing import Any, Literal

import yaml

from musae_tf.config.schema import (
    Architecture,
    Config,
    CriticConfig,
    DataConfig,
    ModelConfig,
    MusicConfig,
    PhraseShape,
    PriorConfig,
    RegularisationConfig,
    StyleConfig,
    TrainingConfig,
)
from musae_tf.errors import ConfigError
from musae_tf.renamed import first_config, refuse_old_config, renew_config
from musae_tf.yaml_files import in_words, parse_yaml

__all__ = [
    "Architecture",
    "Config",
    "CriticConfig",
    "DataConfig",
    "ModelConfig",
    "MusicConfig",
    "PhraseShape",
    "PriorConfig",
    "RegularisationConfig",
    "StyleConfig",
    "TrainingConfig",
    "config_from_dict",
    "config_hash",
    "config_to_dict",
    "config_to_yaml",
    "find_config",
    "load_config",
    "presets",
]

# In the repository a link to `configs/`, their one source; in an installed package a folder with those files.
_FOLDER = Path(__file__).parent.parent / "presets"


def load_config(path: str | Path, overrides: typing.Sequence[str] = (), stored: bool = False) -> Config:
    """Read a YAML file over the defaults, then apply overrides such as `model.latent=64`.

    The file may begin with `base: other.yaml` (a path beside it, or a preset), which is read first.

    Args:
        path: the file, or the name of a preset.
        overrides: texts key=value.
        stored: whether this is what a program wrote, perhaps an earlier version of it, whose names are known too.

    Raises:
        ConfigError: unreadable file, unknown key, wrong type or impossible value.
    """
    tree = _read(find_config(path), seen=())
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {override!r}: write key=value, for instance model.latent=64")
        _assign(tree, key.strip(), _parse(text, f"--set {key.strip()}"))
    origin = f"{path}" + (f" with --set {' '.join(overrides)}" if overrides else "")
    return config_from_dict(tree, origin, stored)


def presets() -> dict[str, str]:
    """Names of all presets, and what each is: the sentence that its first line begins with."""
    found = {}
    for path in sorted(_FOLDER.glob("*.yaml")):
        first = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        found[path.stem] = first.partition(". ")[0].removesuffix(".")
    return found


def find_config(name: str | os.PathLike, beside: Path = Path()) -> Path:
    """The file of a configuration: a path, seen from the folder `beside`, or the name of a preset.

    A file that is there wins over a preset of its name; `voices` and `voices.yaml` name the same preset.

    Raises:
        ConfigError: it is neither; the message lists the presets.
    """
    path = beside / name
    if path.is_file():
        return path
    preset = _FOLDER / f"{os.fspath(name).removesuffix('.yaml')}.yaml"
    # A name with a folder in it is a path.
    if Path(name).name == os.fspath(name) and preset.is_file():
        return preset
    raise ConfigError(
        f"there is no configuration {name}: it is a YAML file, or one of {', '.join(presets())} (see musae configs)"
    )


def config_from_dict(tree: dict[str, Any], origin: str, stored: bool = False) -> Config:
    """Build a checked `Config`; keys that are missing take their defaults. `stored` as for `load_config`."""
    try:
        if stored:
            tree = renew_config(tree)
        else:
            refuse_old_config(tree)
        return _build(Config, tree, "")
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}") from None


def config_to_dict(config: Any) -> dict[str, Any]:
    """A configuration or a section of it as plain lists, dicts, numbers and texts, as YAML and JSON hold them."""
    return _plain(dataclasses.asdict(config))


def config_to_yaml(config: Config) -> str:
    """The whole configuration as YAML; `load_config` reads it back to an equal `Config`."""
    return yaml.safe_dump(config_to_dict(config), sort_keys=False, default_flow_style=None, width=110)


def config_hash(config: Config) -> str:
    """Hash of all that a configuration says, but for where the dataset lies: its content has a hash of its own.

    It is taken under the names of version 0.1, so that what was measured before a key was renamed is known again.
    """
    tree = first_config(config_to_dict(config))
    del tree["data"]["path"]
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else "it is not text"
        raise ConfigError(f"cannot read configuration {path}: {reason}") from None
    tree = _parse(text, str(path)) or {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: found {type(tree).__name__}, expected keys and values such as 'model:'")
    base = tree.pop("base", None)
    if base is None:
        return tree
    try:
        base_path = find_config(str(base), path.parent).resolve()
    except ConfigError as error:
        raise ConfigError(f"{path}: base: {error}") from None
    if base_path in seen:
        raise ConfigError(f"{path}: base {base} leads back to itself")
    return _merge(_read(base_path, (*seen, path.resolve())), tree)


def _parse(text: str, origin: str) -> Any:
    try:
        return parse_yaml(text)
    except yaml.YAMLError as cause:
        raise ConfigError(f"{origin}{in_words(cause)}") from None


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _assign(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"--set {dotted}: {parent} is a value, not a section")
    tree[last] = value


def _build(kind: type, tree: Any, prefix: str) -> Any:
    if not isinstance(tree, dict):
        raise ConfigError(f"{prefix.rstrip('.') or 'the file'} is {tree!r}; expected a section with keys")
    hints = typing.get_type_hints(kind)
    for key in tree:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1)
            hint = f" (did you mean {prefix}{near[0]}?)" if near else ""
            raise ConfigError(f"unknown key {prefix}{key}{hint}; allowed here: {', '.join(hints)}")
    values = {}
    for key, value in tree.items():
        expected = hints[key]
        if isinstance(expected, type) and dataclasses.is_dataclass(expected):
            values[key] = _build(expected, value, f"{prefix}{key}.")
        else:
            values[key] = _convert(expected, value, f"{prefix}{key}")
    return kind(**values)


def _convert(expected: Any, value: Any, key: str) -> Any:
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin is Literal:
        if value in arguments:
            return value
        raise ConfigError(f"{key} is {value!r}; allowed: {', '.join(map(str, arguments))}")
    if origin is tuple and isinstance(value, list | tuple):
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_convert(arguments[0], item, f"{key}[{i}]") for i, item in enumerate(value))
        if len(value) == len(arguments):
            return tuple(
                _convert(kind, item, f"{key}[{i}]") for i, (kind, item) in enumerate(zip(arguments, value, strict=True))
            )
    if expected is bool and isinstance(value, bool):
        return value
    if expected is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if expected is float and not isinstance(value, bool):
        number = _number(value)
        if math.isfinite(number):
            return number
    if expected is str and isinstance(value, str):
        return value
    raise ConfigError(f"{key} is {value!r} ({type(value).__name__}); expected {_spell(expected)}")


def _number(value: Any) -> float:
    try:
        return float(value)  # YAML 1.1 reads 1e-3 (no dot) as text
    except (TypeError, ValueError):
        return math.nan


def _spell(expected: Any) -> str:
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return f"a list of {_spell(arguments[0])}"
        return f"[{', '.join(_spell(item) for item in arguments)}]"
    if isinstance(expected, types.UnionType):
        return " or ".join(_spell(item) for item in arguments)
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text"}.get(expected, str(expected))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
