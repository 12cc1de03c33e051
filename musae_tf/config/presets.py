"""The configurations that come with the package, by name."""

import os
from pathlib import Path

from musae_tf.errors import ConfigError

# In the repository a link to `configs/`, their one source; in an installed package a folder with those files.
_FOLDER = Path(__file__).parent.parent / "presets"


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
