"""Layouts as YAML files: read with a sentence for whatever is wrong with them, and written."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from musae_tf.errors import MusicError, require
from musae_tf.music.layouts import Layout, TrackSpec
from musae_tf.music.vocabulary import KIT, MELODIC

SUFFIXES = (".yaml", ".yml")
"""Of files with a layout."""

MOST_TRACKS = 16
"""Of a layout in a file."""

_MOST_CHARACTERS = 100_000


def read_layout(path: str | os.PathLike) -> Layout:
    """Read a layout from a YAML file: `tracks`, a list of what `TrackSpec` has but the vocabulary.

    A track needs `name`, `program` and `rule`; it may have `keep`, `voices`, `dynamics`. The layout is named after the
    file.

    Raises:
        MusicError: It cannot be read, or is no layout: the file, and what is wrong with it. Or pyyaml is missing.
    """
    yaml = require("yaml", f"reading the layout {path}", "pyyaml")
    from musae_tf.yaml_files import in_words, parse_yaml

    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_MOST_CHARACTERS + 1)
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else "it is not text"
        raise MusicError(f"cannot read layout {str(path)!r}: {reason}") from None
    try:
        if len(text) > _MOST_CHARACTERS:
            raise MusicError(f"it has more than {_MOST_CHARACTERS:,} characters, the most that are read")
        return Layout(Path(path).stem, tuple(map(_track, _tracks(parse_yaml(text)))))
    except MusicError as cause:
        raise MusicError(f"{path}: {cause}") from None
    except RecursionError:
        raise MusicError(f"{path}: it is nested too deeply; {_WANTED}") from None
    except yaml.YAMLError as cause:
        raise MusicError(f"{path}{in_words(cause)}") from None
    except (ValueError, LookupError, TypeError, AttributeError):  # of values such as !!int x, or the 99th of a month
        raise MusicError(f"{path}: not YAML: a value is not what it is written as; {_WANTED}") from None


def _tracks(tree: object) -> list[dict[str, Any]]:
    other = [key for key in tree if key != "tracks"] if isinstance(tree, dict) else []
    if other:
        raise MusicError(f"the key {_shown(other[0])} is unknown; {_WANTED}")
    if not isinstance(tree, dict) or not tree:
        raise MusicError(f"found {_shown(tree)}; {_WANTED}")
    tracks = tree["tracks"]
    if not isinstance(tracks, list):
        raise MusicError(f"tracks is {_shown(tracks)}; {_WANTED}")
    if not 1 <= len(tracks) <= MOST_TRACKS:
        raise MusicError(f"tracks has {len(tracks)} entries, must have 1 to {MOST_TRACKS}")
    for number, track in enumerate(tracks, 1):
        if not isinstance(track, dict):
            raise MusicError(f"track {number} is {_shown(track)}, must have keys and values such as 'name: bass'")
        unknown = [key for key in track if key not in _KEYS]
        missing = [key for key in ("name", "program", "rule") if key not in track]
        if unknown or missing:
            found = f"has the unknown key {_shown(unknown[0])}" if unknown else f"lacks the key {missing[0]}"
            raise MusicError(f"track {number} {found}; allowed: {', '.join(_KEYS)}")
        for key, value in track.items():
            kind, words, fits = _KEYS[key]
            if type(value) is not kind or not fits(value):
                raise MusicError(f"track {number}: {key} is {_shown(value)}, must be {words}")
    return tracks


def _track(values: dict[str, Any]) -> TrackSpec:
    return TrackSpec(**values, vocabulary=KIT if values["rule"] == "drums" else MELODIC)


def _shown(value: object) -> str:
    """A value of a file in a few words: anchors make small files that are endless when they are written out."""
    if isinstance(value, (list, dict, set)):
        return "a list" if isinstance(value, list) else "keys and values"
    if value is None:
        return "empty"
    if isinstance(value, int) and abs(value) > _LARGE:
        return "a very large number"
    text = repr(value[: 2 * _SHOWN]) if isinstance(value, (str, bytes)) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


_SHOWN = 80  # characters
_LARGE = 10**9
_WANTED = "a layout has the key 'tracks' with a list of tracks, and no other (musae layouts band prints one)"
_TEXT = (str, "text of 1 to 500 characters", lambda value: 1 <= len(value) <= 500 and value.isprintable())
_NUMBER = (int, "a whole number", lambda value: abs(value) <= _LARGE)
_KEYS: dict[str, tuple[type, str, Callable[[Any], bool]]] = {
    "name": _TEXT,
    "program": _NUMBER,
    "rule": _TEXT,
    "keep": _TEXT,
    "voices": _NUMBER,
    "dynamics": (bool, "true or false", lambda value: True),
}


_EXPLAINED = (
    "# Source tracks with the name of a track are taken for it; where no name decides, its rule does:",
    "#   drums                    percussion",
    "#   programs 24-31 or 0-7    these General MIDI programs, or in songs that have none of them those after the or",
    "#   others                   melodic tracks that no other rule takes",
    "#   register                 the parts of the song from the highest to the lowest",
    "#   named                    no others",
    "# program is written, 0 to 127. voices: notes at once, 1 to 16 (drums 1). dynamics: true keeps velocities.",
    "# Of a track with one voice, keep says which of several notes stays, highest or lowest.",
)


def to_yaml(layout: Layout) -> str:
    """A layout as a file that `read_layout` takes."""
    lines = [*_EXPLAINED, "tracks:"]
    for track in layout.to_dict()["tracks"]:
        del track["vocabulary"]
        pairs = [f"{key}: {json.dumps(value)}" for key, value in track.items()]
        lines += [f"  - {pairs[0]}", *(f"    {pair}" for pair in pairs[1:])]
    return "\n".join(lines) + "\n"
