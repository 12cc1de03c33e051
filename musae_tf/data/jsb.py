"""The source `jsb`: the four-part chorales of J. S. Bach as the literature splits them for comparing densities.

The public file is JSON: an object with the keys train, valid and test; each is a list of chorales, a chorale a list of
steps, a step a list of MIDI pitches. There are two forms. On the grid of sixteenths a step has four pitches, soprano
first, -1 for silence, and a note lasts for as long as its pitch stays. On the grid of quarters a step is the set of
what sounds, without voices. Both become four voices at one step of the dataset's grid for each step of the file.

A set becomes four voices by `voiced`. The set is known from its voices, so the probability of the voices is at most
that of the set, and what they cost a model in nats is an upper bound of what the sets cost.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from musae_tf.data.corpus import CHOIR, VOICES
from musae_tf.data.source import LARGEST, Piece, Rejection
from musae_tf.data.split import Split
from musae_tf.errors import DatasetError
from musae_tf.music.song import NOTE, Song, Tempo, Track

GRIDS = {"sixteenth": 4, "quarter": 1}
"""Grids of the public files: steps a quarter note."""

PARTS: dict[str, Split] = {"train": "train", "valid": "validation", "test": "test"}
"""Parts of the public files, and what datasets call them."""

SILENT = -1
STEPS = 16_384
"""Steps of a chorale that are read, far more than any has."""

_TEMPO = 92.0  # quarter notes a minute; the files have none
_VELOCITY = 90


class JsbItem(NamedTuple):
    """A chorale: its part of the file and its number there, from 0, as in test/12; and the hash of its steps."""

    path: str
    digest: str


class JsbSource:
    """Chorales of a public file, in the file's own parts.

    Args:
        file: path of the JSON file.
        grid: which of `GRIDS` it has.

    Raises:
        DatasetError: there is no such grid.
    """

    name = "jsb"
    licence = (
        "Chorales by J. S. Bach (1685-1750), which are in the public domain, from a file of yours; those who encoded "
        "and prepared it may have rights of their own."
    )
    layout = "voices"

    def __init__(self, file: str | os.PathLike, grid: str = "sixteenth"):
        if grid not in GRIDS:
            raise DatasetError(f"grid is {grid!r}; allowed: {', '.join(GRIDS)}")
        self.root = Path(file)
        self.grid = grid

    def items(self) -> list[JsbItem]:
        """All chorales of the file, sorted.

        Raises:
            DatasetError: the file cannot be read, is none of these files, or has an empty part. One chorale that is
                wrong is enough: without it the numbers of a model would not be those of the literature's parts.
        """
        chorales = self.chorales().items()
        return sorted(JsbItem(name, hashlib.sha256(steps.tobytes()).hexdigest()) for name, steps in chorales)

    def chorales(self) -> dict[str, np.ndarray]:
        """Pitches of soprano, alto, tenor and bass by the chorales' names: int16 [steps, 4], `SILENT` for none.

        Raises:
            DatasetError: as `items`.
        """
        return _chorales(self.root, self.grid)

    def load(self, item: JsbItem) -> Piece:
        """The chorale behind one key.

        Raises:
            DatasetError: the file has changed since it was listed.
        """
        pitches = self.chorales().get(item.path)
        if pitches is None or hashlib.sha256(pitches.tobytes()).hexdigest() != item.digest:
            raise DatasetError(f"{self.root} has changed since it was listed; start again")
        part, _, number = item.path.partition("/")
        # Sets do not say whether a note is held.
        held = self.grid == "sixteenth"
        tracks = [
            Track(voice, program, False, _notes(column, held))
            for voice, program, column in zip(VOICES, CHOIR, pitches.T, strict=True)
        ]
        tempo = _TEMPO * GRIDS[self.grid] / 4
        title = f"JSB chorales, {part} {int(number)}"
        return Piece(
            song=Song(4, tracks, [Tempo(0, tempo)], end=len(pitches), name=title),
            id=item.path,
            source=f"{self.root.name}: {item.path}",
            labels=("chorale",),
            title=title,
            settled=True,
            split=PARTS[part],
        )

    def rejected(self) -> Sequence[Rejection]:
        """Nothing: a file is taken as a whole or not at all."""
        return []


def voiced(chords: Sequence[Sequence[int]]) -> np.ndarray:
    """Sets of at most four pitches as four voices that do not cross, int16 [steps, 4], soprano first.

    Fewer than four are shared: of all ways in which neighbouring voices can sing in unison, the one in which the voices
    move least from where they last were; of equals, the one that shares the lowest. Nothing sounds in an empty set.
    """
    rows = np.full((len(chords), len(VOICES)), SILENT, np.int16)
    last: np.ndarray | None = None
    for row, chord in zip(rows, chords, strict=True):
        pitches = sorted(set(chord), reverse=True)
        if not pitches:
            continue
        ways = np.array([[pitches[note] for note in way] for way in _WAYS[len(pitches)]], np.int16)
        row[:] = ways[0 if last is None else int(np.abs(ways - last).sum(axis=1).argmin())]
        last = row
    return rows


def _ways(notes: int) -> list[list[int]]:
    """How four voices can share some notes, top to bottom; unisons of the lowest first."""
    borders = combinations(range(1, len(VOICES)), notes - 1)
    return [[sum(voice >= border for border in way) for voice in range(len(VOICES))] for way in borders]


_WAYS = {notes: _ways(notes) for notes in range(1, len(VOICES) + 1)}


def _notes(column: np.ndarray, held: bool) -> np.ndarray:
    """Notes of one voice, a step a tick."""
    begins = np.ones(len(column), bool)
    if held:
        begins[1:] = column[1:] != column[:-1]
    start = np.flatnonzero(begins)
    end = np.append(start[1:], len(column))
    sounds = column[start] != SILENT
    notes = np.zeros(int(sounds.sum()), NOTE)
    notes["start"], notes["duration"] = start[sounds], (end - start)[sounds]
    notes["pitch"], notes["velocity"] = column[start][sounds], _VELOCITY
    return notes


@lru_cache(maxsize=2)
def _chorales(path: Path, grid: str) -> dict[str, np.ndarray]:
    parts = _parts(path)
    chorales = {}
    for part, songs in parts.items():
        for number, steps in enumerate(songs):
            where = f"{path}: chorale {number} of {part!r}"
            _check_chorale(steps, grid, where)
            pitches = voiced(steps) if grid == "quarter" else np.array(steps, np.int16)
            if (pitches == SILENT).all():
                raise DatasetError(f"{where} is silent throughout")
            chorales[f"{part}/{number:04}"] = pitches
    return chorales


def _parts(path: Path) -> dict[str, list]:
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
    except OSError as cause:
        raise DatasetError(f"cannot read {path}: {cause.strerror or cause}") from cause
    if len(text) > LARGEST:
        raise DatasetError(f"{path} has more than {LARGEST:,} bytes; the public files have less than 2,000,000")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise DatasetError(f"{path} is not JSON: {cause}") from cause
    if not isinstance(found, dict) or found.keys() != PARTS.keys():
        what = f"has the keys {', '.join(map(repr, sorted(found)[:5]))}" if isinstance(found, dict) else "is no object"
        raise DatasetError(f"{path} {what}; the public files are an object with the keys {', '.join(PARTS)}")
    for part, songs in found.items():
        if not isinstance(songs, list) or not songs:
            raise DatasetError(f"{path}: {part!r} must be a list of one chorale or more")
    return found


def _check_chorale(steps: Any, grid: str, where: str) -> None:
    if not isinstance(steps, list) or not 1 <= len(steps) <= STEPS:
        raise DatasetError(f"{where} must be a list of 1 to {STEPS:,} steps")
    lowest = SILENT if grid == "sixteenth" else 0
    for number, chord in enumerate(steps):
        if not isinstance(chord, list):
            raise DatasetError(f"{where}, step {number}: must be a list of pitches")
        if grid == "sixteenth" and len(chord) != len(VOICES):
            raise DatasetError(
                f"{where}, step {number}: {len(chord)} pitches; allowed on the grid of sixteenths: 4, one a voice "
                "(sets without voices are read with --grid quarter)"
            )
        for pitch in chord:
            if type(pitch) is not int or not lowest <= pitch <= 127:
                silence = ", or -1 for silence" if lowest < 0 else ""
                raise DatasetError(f"{where}, step {number}: the pitch {pitch!r:.40}; allowed: 0 to 127{silence}")
        if len(set(chord)) > len(VOICES):
            raise DatasetError(f"{where}, step {number}: {len(set(chord))} pitches; allowed: at most 4")
