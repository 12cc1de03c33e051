"""Layouts by name: those that come with the package, and those of files."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from musae_tf.errors import MusicError, require
from musae_tf.music.layouts import Layout, TrackSpec
from musae_tf.music.vocabulary import KIT, MELODIC
from musae_tf.time_grid import SIXTEENTHS, TimeGrid

SUFFIXES = (".yaml", ".yml")
"""Of files with a layout."""

_MOST_CHARACTERS = 100_000


def _drums() -> TrackSpec:
    return TrackSpec("drums", 0, KIT, "drums")


def _played(name: str, program: int, rule: str, voices: int = 1) -> TrackSpec:
    return TrackSpec(name, program, MELODIC, rule, voices=voices, dynamics=True)


# Programs written: choir aahs for all voices; General MIDI 25 steel guitar, 33 finger bass, 48 string ensemble.
LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout("voices", tuple(TrackSpec(n, 52, MELODIC, "register") for n in ("soprano", "alto", "tenor", "bass"))),
        # One family of instruments a track, so that its line is one that somebody plays. Guitars (and banjo, sitar,
        # shamisen, koto), or where there are none the pianos, or the organs. Bowed strings, string ensembles and
        # voices, or organs, brass, reeds, pipes and pads, or synthesiser leads. A tuba plays the bass where there is no
        # other. Tuned percussion, orchestra hits and sound effects are no line and are left out.
        Layout(
            "band",
            (
                _drums(),
                TrackSpec("bass", 33, MELODIC, "programs 32-39 or 58-58,87-87"),
                TrackSpec("guitar", 25, MELODIC, "programs 24-31,104-107 or 0-7 or 16-23"),
                TrackSpec(
                    "strings", 48, MELODIC, "programs 40-46,48-54,110-110 or 16-23,56-79,88-95,109-109,111-111 or 80-87"
                ),
            ),
        ),
        # The map of MusAE (Valenti et al., 2020): pianos, tuned percussion and organs count as guitar, and all that is
        # no drum, guitar or bass is strings.
        Layout(
            "band_paper",
            (
                _drums(),
                TrackSpec("bass", 33, MELODIC, "programs 32-39"),
                TrackSpec("guitar", 25, MELODIC, "programs 0-31"),
                TrackSpec("strings", 48, MELODIC, "others"),
            ),
        ),
        # The map of the Lakh Pianoroll Dataset, LPD-5 (Dong et al., 2018): whatever is no drum, piano, guitar or bass,
        # tuned percussion (8-15) and organs (16-23) too, counts as strings.
        Layout(
            "lpd5",
            (
                _drums(),
                TrackSpec("piano", 0, MELODIC, "programs 0-7"),
                TrackSpec("guitar", 25, MELODIC, "programs 24-31"),
                TrackSpec("bass", 33, MELODIC, "programs 32-39"),
                TrackSpec("strings", 48, MELODIC, "others"),
            ),
        ),
        # Whole songs: every General MIDI program has a place, and chords and dynamics stay.
        Layout(
            "band_full",
            (
                replace(_drums(), dynamics=True),
                _played("bass", 33, "programs 32-39,87-87"),
                _played("guitar", 25, "programs 24-31,104-107", 4),
                _played("keys", 0, "programs 0-23,108-108,112-119", 4),
                _played("strings", 48, "programs 40-79,88-103,110-110,120-127", 4),
                _played("lead", 80, "programs 80-86,109-109,111-111"),
            ),
        ),
        # All that is no drum, as one would play it on a piano.
        Layout("piano", (_played("piano", 0, "others", 6),)),
        # The tracks of POP909 (Wang et al., 2020), by their names.
        Layout(
            "pop909", (_played("melody", 0, "named"), _played("bridge", 0, "named"), _played("piano", 0, "others", 5))
        ),
        # Any song: its parts from the highest to the lowest, chords and all.
        Layout("ensemble", tuple(_played(f"part {number}", 0, "register", 3) for number in range(1, 7))),
    )
}

DESCRIPTIONS = {
    "voices": "four voices from the highest to the lowest, one note each",
    "band": "drums, bass, guitar, strings, one note each; one family of instruments a track, with stand-ins",
    "band_paper": "the same tracks by the programs of MusAE's authors",
    "lpd5": "drums, piano, guitar, bass, strings, one note each: the map of the Lakh Pianoroll Dataset",
    "band_full": "drums, bass, guitar, keys, strings, lead with chords and dynamics: every program has a place",
    "piano": "all that is no drum as one piano, six notes at once, with dynamics",
    "pop909": "melody, bridge and piano of POP909, the piano with five notes at once, with dynamics",
    "ensemble": "up to six parts from the highest to the lowest, three notes each, with dynamics",
}
"""What each of them takes, in words."""


def get_layout(
    name: str | os.PathLike, drums: str = "kit", keep: str | None = None, grid: str | TimeGrid = SIXTEENTHS
) -> Layout:
    """A built-in layout, or one of a file.

    Args:
        name: One of `LAYOUTS`, or the path of a YAML file, see `read_layout`.
        drums: "kit" for nine pieces struck together, "voice" for a single voice of 130 symbols (MusAE as published).
        keep: "highest" or "lowest" note of several wins, on all tracks; None for each track's own rule.
        grid: The steps of a bar, or their name as `TimeGrid.parse` takes it.

    Raises:
        MusicError: An argument is none of these, or the file is no layout.
    """
    name = os.fspath(name)
    layout = LAYOUTS.get(name) or (read_layout(name) if Path(name).suffix in SUFFIXES else None)
    if layout is None:
        raise MusicError(f"layout is {name!r}, must be one of {', '.join(LAYOUTS)}, or a file that ends in .yaml")
    if drums not in ("kit", "voice"):
        raise MusicError(f"drums is {drums!r}, must be 'kit' or 'voice'")
    tracks = layout.tracks
    if drums == "voice":
        tracks = tuple(replace(track, vocabulary=MELODIC) if track.is_drum else track for track in tracks)
    if keep is not None:
        tracks = tuple(replace(track, keep=keep) for track in tracks)
    return Layout(layout.name, tracks, TimeGrid.parse(grid) if isinstance(grid, str) else grid)


def read_layout(path: str | os.PathLike) -> Layout:
    """Read a layout from a YAML file: `tracks`, a list of what `TrackSpec` has but the vocabulary.

    A track needs `name`, `program` and `rule`; it may have `keep`, `voices`, `dynamics`. The layout is named after the
    file.

    Raises:
        MusicError: It cannot be read, or is no layout: the file, and what is wrong with it.
    """
    yaml = require("yaml", "layouts from files", "pyyaml")
    try:
        with open(path, encoding="utf-8") as file:
            tree = yaml.safe_load(file.read(_MOST_CHARACTERS))
    except (OSError, UnicodeDecodeError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else "it is not text"
        raise MusicError(f"cannot read layout {path}: {reason}") from None
    except RecursionError:
        raise MusicError(f"layout {path} is no layout: it is nested without end") from None
    except yaml.YAMLError as cause:
        raise MusicError(f"layout {path} is no YAML: {' '.join(str(cause).split())}") from None
    try:
        return Layout(Path(path).stem, tuple(map(_track, _tracks(tree))))
    except MusicError as cause:
        raise MusicError(f"{path}: {cause}") from None


def _tracks(tree: object) -> list[dict[str, Any]]:
    if not isinstance(tree, dict) or list(tree) != ["tracks"] or not isinstance(tree["tracks"], list):
        raise MusicError("a layout has the key 'tracks' with a list, and no other")
    for number, track in enumerate(tree["tracks"], 1):
        if not isinstance(track, dict):
            raise MusicError(f"track {number} is {track!r}, must have keys and values such as 'name: bass'")
        unknown, missing = set(map(str, track)) - _KEYS.keys(), {"name", "program", "rule"} - set(map(str, track))
        if unknown or missing:
            found = f"has the unknown key {min(unknown)!r}" if unknown else f"lacks the key {min(missing)!r}"
            raise MusicError(f"track {number} {found}; allowed: {', '.join(_KEYS)}")
        for key, value in track.items():
            if type(value) is not _KEYS[key]:
                raise MusicError(f"track {number}: {key} is {value!r}, must be {_WORDS[_KEYS[key]]}")
    return tree["tracks"]


def _track(values: dict[str, Any]) -> TrackSpec:
    return TrackSpec(**values, vocabulary=KIT if values["rule"] == "drums" else MELODIC)


_KEYS = {"name": str, "program": int, "rule": str, "keep": str, "voices": int, "dynamics": bool}
_WORDS = {str: "text", int: "a whole number", bool: "true or false"}


def to_yaml(layout: Layout) -> str:
    """A layout as a file that `read_layout` takes."""
    lines = ["tracks:"]
    for track in layout.to_dict()["tracks"]:
        del track["vocabulary"]
        pairs = [f"{key}: {json.dumps(value)}" for key, value in track.items()]
        lines += [f"  - {pairs[0]}", *(f"    {pair}" for pair in pairs[1:])]
    return "\n".join(lines) + "\n"
