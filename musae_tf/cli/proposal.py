"""Which training is proposed for a dataset: the preset that fits, with what has to be changed of it."""

from typing import TYPE_CHECKING

from musae_tf.cli.shared import print_next

if TYPE_CHECKING:
    from musae_tf.config import Config
    from musae_tf.data import Dataset

PRESETS = ("voices", "band", "pop", "voices_waltz")
"""Those that are proposed. For layouts that none of them has: `pop` where tracks have several columns, `band` where
there are drums, else `voices`."""


def print_training(dataset: "Dataset", layout: str, drums: str) -> None:
    """Say how a model is trained on a dataset, or why none can be.

    Args:
        dataset: the dataset.
        layout: name or file of its layout.
        drums: as `get_layout` takes it.
    """
    from musae_tf.config import load_config
    from musae_tf.data.info import PHRASE_BARS

    lacks = {sounding: dataset.lacks(PHRASE_BARS, sounding) for sounding in ("all", "any")}
    if lacks["any"]:
        print(f"\nnothing to train a model on yet: {lacks['any']}")
        return
    sounding = "any" if lacks["all"] else "all"
    reason = ", on phrases in which any track sounds: those in which all do are too few" if lacks["all"] else ""
    tiny, real = (_line(dataset, config, layout, drums, sounding) for config in (load_config("tiny"), _preset(dataset)))
    print_next((tiny, "see that it can be trained on"), (real, f"train a model on it{reason}"))


def _line(dataset: "Dataset", preset: "Config", layout: str, drums: str, sounding: str) -> list[str]:
    """`train` with a preset and all that has to be changed of it."""
    changes = {
        "data.path": (str(dataset.path), preset.data.path),
        "music.layout": (layout, preset.music.layout),
        "music.drums": (drums, preset.music.drums),
        "music.grid": (dataset.layout.time.name, preset.music.grid),
        "model.latent": (_latent(dataset, preset), preset.model.latent),
    }
    if preset.data.sounding == "all":
        changes["data.sounding"] = (sounding, "all")
    sets = [word for key, (value, now) in changes.items() if value != now for word in ("--set", f"{key}={value}")]
    return ["train", preset.name, *sets]


def _preset(dataset: "Dataset") -> "Config":
    from musae_tf.config import load_config

    layout = dataset.layout
    presets = {name: load_config(name) for name in PRESETS}
    same = [config for config in presets.values() if config.music.layout == layout.name]
    on_grid = [config for config in same if config.music.grid == layout.time.name]
    if same:
        return (on_grid or same)[0]
    if len(layout.columns) > len(layout.tracks):
        return presets["pop"]
    return presets["band" if any(track.is_drum for track in layout.tracks) else "voices"]


def _latent(dataset: "Dataset", preset: "Config") -> int:
    """As many axes a beat as the preset has: the code of a phrase is divided among its beats."""
    time = dataset.layout.time
    return preset.model.latent * time.beats * preset.music.bars // preset.music.phrase.beats
