"""Public names that earlier versions had: what was written with them still loads, and who writes them is told the new.

The one table of them. Needs nothing beyond the standard library.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from musae_tf.errors import ConfigError

# Keys of configurations: old name to new.
CONFIG_KEYS: dict[str, str] = {
    "model.noise_floor": "model.min_posterior_std",
    "prior.drawn_noise": "prior.sample_noise_scale",
    "prior.reach": "prior.transfer_scale",
    "regularisation.between": "regularisation.interpolation",
    "regularisation.points": "regularisation.weight_schedule",
}
# Keys of configurations that are gone, with what is done now whatever they say: a run whose value was another cannot
# be loaded.
REMOVED_CONFIG_KEYS: dict[str, Any] = {
    "critic.label": "concatenate",
    "critic.spectral": False,
    "model.cell": "lstm",
    "regularisation.free_bits": 0.0,
    "regularisation.noise_warmup_steps": 0,
    "regularisation.sliced_wasserstein": 0.0,
    "training.average": 0.0,
    "training.token_noise": 0.0,
    "training.weight_decay": 0.0,
}
# Keys of configurations that are new, with the value that says what was done before.
NEW_CONFIG_KEYS: dict[str, Any] = {
    "model.hidden_parts": False,
    "model.known_ahead": False,
    "music.grid": "4/4x4",
    "prior.sample_mean_scale": 1.0,
    "training.start_from": "",
}
# Keys of JSON files, by the name of the file (run.json, evaluation.json, ...), at whatever depth: old name to new.
JSON_KEYS: dict[str, dict[str, str]] = {
    # Of songs.csv, the same names of metrics.
    "evaluation.json": {
        "interpolation_surprise": "interpolation_nll",
        "real_surprise": "real_nll",
        "surprise": "nll",
        "judge": "genre_classifier",
        "judge_real": "classifier_real",
        "judge_reconstructions": "classifier_reconstructions",
        "reach": "range",
    },
    "claims.json": {"judge_on_real_phrases": "classifier_on_real_phrases"},
}


def renew_config(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of an earlier version, as a run folder or a saved model has it, with the names of this one.

    Raises:
        ConfigError: it asks for something that this version no longer does.
    """
    renewed = _copy(tree)
    for old, value in _leaves(tree):
        if old in REMOVED_CONFIG_KEYS:
            if value != REMOVED_CONFIG_KEYS[old]:
                raise ConfigError(f"{old} is {value!r}; since 0.2 only {REMOVED_CONFIG_KEYS[old]!r} can be loaded")
            _take(renewed, old)
        elif old in CONFIG_KEYS:
            _put(renewed, CONFIG_KEYS[old], _take(renewed, old))
    return renewed


def first_config(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration of this version, complete, with names of version 0.1, and new keys if they change anything."""
    first = _copy(tree)
    for new, before in NEW_CONFIG_KEYS.items():
        value = _take(first, new)
        if value != before:
            _put(first, new, value)
    for old, new in CONFIG_KEYS.items():
        _put(first, old, _take(first, new))
    for old, value in REMOVED_CONFIG_KEYS.items():
        _put(first, old, value)
    return first


def refuse_old_config(tree: Mapping[str, Any]) -> None:
    """Look for old names in what a user wrote.

    Raises:
        ConfigError: there is one; the sentence says the new name.
    """
    for old, value in _leaves(tree):
        if old in REMOVED_CONFIG_KEYS:
            raise ConfigError(f"{old} was removed in 0.2 (found {value!r}; what is done now is what "
                              f"{REMOVED_CONFIG_KEYS[old]!r} stood for): leave it out")  # fmt: skip
        if old in CONFIG_KEYS:
            raise ConfigError(f"{old} is called {CONFIG_KEYS[old]} since 0.2")


def renew_json(value: Any, file: str) -> Any:
    """What an earlier version wrote to a JSON file of this name, with the names of this version."""
    names = JSON_KEYS.get(file, {})
    if isinstance(value, Mapping):
        return {names.get(key, key): renew_json(item, file) for key, item in value.items()}
    if isinstance(value, list):
        return [renew_json(item, file) for item in value]
    return value


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        yield f"{prefix}{key}", value
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")


def _copy(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, Mapping) else value for key, value in tree.items()}


def _put(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *sections, last = dotted.split(".")
    for name in sections:
        tree = tree.setdefault(name, {})
    tree[last] = value


def _take(tree: dict[str, Any], dotted: str) -> Any:
    *sections, last = dotted.split(".")
    for name in sections:
        tree = tree[name]
    return tree.pop(last)
