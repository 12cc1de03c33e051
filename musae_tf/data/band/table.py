"""Which groove files of mma's library make each genre, and which of them must stay together.

The facts are in grooves.json: names of files, of their grooves by what these are for (introductions and endings of at
most four bars and fills of at most two, with their lengths), and of drum patterns. The grouping into genres is ours:
mma has none.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

MERGED = {
    "ballad": "ballad",
    "blues": "blues",
    "bossa_samba": "latin",
    "country_folk": "country",
    "dance": "pop",
    "funk_soul": "pop",
    "hardrock": "rock",
    "jazz": "jazz",
    "latin": "latin",
    "march_polka": "oldtime",
    "oldtime": "oldtime",
    "pop": "pop",
    "rock": "rock",
    "rocknroll": "rock",
}
"""The fourteen genres, and the eight that they are merged to. Neighbours that no classifier tells apart share one."""


class Groove(NamedTuple):
    """A groove that lasts a given number of bars."""

    name: str
    bars: int


class GrooveFile(NamedTuple):
    """A file of the library, its genre, and its grooves as mma takes them (`file:groove`).

    `drums` are drum patterns of other files that only this file's family may use, so that songs of two families share
    none. Files of one `family` have grooves in common and stay in one part of the split.
    """

    path: str
    genre: str
    family: str
    main: tuple[str, ...]
    intro: tuple[Groove, ...]
    fill: tuple[Groove, ...]
    end: tuple[Groove, ...]
    drums: tuple[str, ...]


@cache
def groove_files() -> dict[str, tuple[GrooveFile, ...]]:
    """The groove files of every genre, in the order of the table."""
    table = json.loads(files(__package__).joinpath("grooves.json").read_text(encoding="utf-8"))
    family = {path: twins[0] for twins in table["twins"] for path in twins}
    return {genre: _of_genre(genre, entry, family) for genre, entry in sorted(table["genres"].items())}


def _of_genre(genre: str, entry: dict[str, Any], family: dict[str, str]) -> tuple[GrooveFile, ...]:
    patterns = [f"{path}:{name}" for path, names in entry["drums"].items() for name in names]
    families = list(dict.fromkeys(family.get(path, path) for path in entry["files"]))
    # Neighbouring patterns of a file are often alike, so each family gets a stretch of them.
    dealt: dict[str, list[str]] = {name: [] for name in families}
    for number, pattern in enumerate(patterns):
        dealt[families[number * len(families) // len(patterns)]].append(pattern)
    found = []
    for path, grooves in entry["files"].items():
        kinds = {
            kind: tuple(Groove(f"{path}:{name}", bars) for name, bars in grooves.get(kind, {}).items())
            for kind in ("intro", "fill", "end")
        }
        own = family.get(path, path)
        main = tuple(f"{path}:{name}" for name in grooves["main"])
        found.append(GrooveFile(path, genre, own, main, **kinds, drums=tuple(dealt[own])))
    return tuple(found)
