"""What a song is to be: key, tempo, form, grooves and chords, drawn at random from what its genre allows.

The facts about mma's library are in grooves.json: names of files, of their grooves by what these are for (introductions
and endings of at most four bars and fills of at most two, with their lengths), and of drum patterns. The grouping into
genres is ours: mma has none.
"""

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any, NamedTuple

from musae_tf.data.band.genres import HARMONY, NOTES, Chord, Harmony, chord, progression, section

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


TEMPO = {
    "ballad": (60, 92),
    "blues": (72, 140),
    "bossa_samba": (104, 152),
    "country_folk": (80, 144),
    "dance": (116, 140),
    "funk_soul": (84, 120),
    "hardrock": (110, 168),
    "jazz": (96, 200),
    "latin": (92, 148),
    "march_polka": (104, 136),
    "oldtime": (112, 184),
    "pop": (84, 128),
    "rock": (88, 144),
    "rocknroll": (124, 180),
}
"""Slowest and fastest, in quarters a minute."""

FORMS = ("AA", "AB", "AAB", "ABA", "ABB", "AABA", "ABAB", "AABB", "ABAC")
INTRO = 0.4
END = 0.4
FILL = 0.6
OTHER_DRUMS = 0.45
SECTION = 8


class PlannedBar(NamedTuple):
    """One bar: its groove, the pattern its drums are taken from (None: the groove's own), and one or two chords."""

    groove: str
    drums: str | None
    chords: tuple[Chord, ...]


class SongPlan(NamedTuple):
    """A song before it is played.

    `main` is the range of bars between introduction and ending. `seed` decides what mma and the arrangement draw.
    """

    title: str
    genre: str
    key: str
    tonic: int
    minor: bool
    tempo: int
    bars: tuple[PlannedBar, ...]
    main: range
    seed: int


def make_plan(file: GrooveFile, dice: Random) -> SongPlan:
    """Draw a song over the grooves of one file."""
    harmony = HARMONY[file.genre]
    tonic, minor = dice.randrange(12), dice.random() < harmony.minor
    tempo = dice.randint(*TEMPO[file.genre])
    main = _main(file, harmony, tonic, minor, dice)
    before, after = [], []
    home = chord("i" if minor else "I", tonic)
    if file.intro and dice.random() < INTRO:
        groove = dice.choice(file.intro)
        before = [PlannedBar(groove.name, None, bar.chords) for bar in main[-groove.bars :]]
    if file.end and dice.random() < END:
        groove = dice.choice(file.end)
        chords = [home] if groove.bars == 1 else [*[chord("V7", tonic)] * (groove.bars - 1), home]
        after = [PlannedBar(groove.name, None, (one,)) for one in chords]
    name = main[0].groove.partition(":")[2].lower()
    key = f"{NOTES[tonic]} {'minor' if minor else 'major'}"
    return SongPlan(
        title=f"{file.path}: {name}",
        genre=file.genre,
        key=key,
        tonic=tonic,
        minor=minor,
        tempo=tempo,
        bars=(*before, *main, *after),
        main=range(len(before), len(before) + len(main)),
        seed=dice.randrange(2**31),
    )


def score(plan: SongPlan, drums: bool = False) -> str:
    """The plan in mma's language; with `drums`, of the drum patterns that come from elsewhere."""
    lines = [f"Tempo {plan.tempo}", f"RndSeed {plan.seed + drums}"]
    playing = None
    for number, bar in enumerate(plan.bars, 1):
        groove = (bar.drums if drums else None) or bar.groove
        if groove != playing:
            lines.append(f"Groove {groove}")
            playing = groove
        lines.append(f"{number} {' / '.join(one.name for one in bar.chords)}")
    return "\n".join(lines) + "\n"


def _main(file: GrooveFile, harmony: Harmony, tonic: int, minor: bool, dice: Random) -> list[PlannedBar]:
    rounds = harmony.minor_rounds if minor else harmony.rounds
    if dice.random() < harmony.round_share:
        cells = dice.choice(rounds)
        sections = [progression(cells, tonic)] * dice.choice((1, 2, 2, 3))
        letters: Sequence[str] = "ABA"[: len(sections)]
    else:
        letters = dice.choice(FORMS)
        chords = {letter: section(harmony, minor, tonic, SECTION, dice) for letter in sorted(set(letters))}
        sections = [chords[letter] for letter in letters]
    grooves = {letter: dice.choice(file.main) for letter in "ABC"}
    drums: dict[str, str | None] = dict.fromkeys("ABC")
    if file.drums and dice.random() < OTHER_DRUMS:
        drums = {letter: dice.choice(file.drums) for letter in "ABC"}
    bars = []
    for letter, chords_of in zip(letters, sections, strict=True):
        played = [PlannedBar(grooves[letter], drums[letter], bar) for bar in chords_of]
        if file.fill and dice.random() < FILL:
            fill = dice.choice(file.fill)
            played[-fill.bars :] = [PlannedBar(fill.name, None, bar.chords) for bar in played[-fill.bars :]]
        bars += played
    return bars
