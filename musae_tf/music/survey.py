"""Which grid suits music, before any of it is put on one: bars by metre, and notes off each grid."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music.song import Song
from musae_tf.time_grid import TimeGrid, compound

STEPS_PER_BEAT = {False: (4, 6, 12), True: (3, 6, 12)}
"""What is tried, from the coarsest on, of metres whose beats have two halves and of those whose beats have three."""

MOST_OFF = 1 / 32
"""Quarters that a note may lie off a step and still count as on it: fewer than half the finest step that is tried."""

WORTH = 0.1
"""Share of notes that a finer grid must bring nearer than that to be taken: its steps make training as much longer."""


@dataclass
class Survey:
    """Counts over songs.

    Bars that make up bars of 4/4, as `Placement` joins and splits them, count as bars of 4/4 in `taken` and `off`, too.

    Attributes:
        songs: How many.
        bars: Bars by metre, such as "4/4"; bars that are cut off count as of their metre.
        notes: Notes that begin in bars of each metre.
        taken: By metre, notes in bars of it and in those that make it up, of songs that follow the beat of their bars.
        off: By the name of a grid, those of the notes `taken` by its metre that lie off its steps.
    """

    songs: int = 0
    bars: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    off: Counter[str] = field(default_factory=Counter)

    def add(self, song: Song, on_beat: bool = True) -> None:
        """Count a song; one that has another beat than its bars says nothing of grids.

        Raises:
            MusicError: It has too many bars.
        """
        self.songs += 1
        bars = song.bars()
        if not len(bars):
            return
        starts = np.concatenate([np.empty(0, np.int64), *(track.notes["start"] for track in song.tracks)])
        metres = ["4/4", *(f"{metre.numerator}/{metre.denominator}" for metre in song.metres)]
        kinds = list(dict.fromkeys(metres))
        of_change = np.array([kinds.index(name) for name in metres])
        of_bar = of_change[np.searchsorted([metre.tick for metre in song.metres], bars[:, 0], side="right")]
        bar = np.maximum(np.searchsorted(bars[:, 0], starts, side="right") - 1, 0)
        place = (starts - bars[bar, 0]) / song.ticks_per_quarter
        for number in np.unique(of_bar).tolist():
            name, mine = kinds[number], place[of_bar[bar] == number]
            self.bars[name] += int((of_bar == number).sum())
            self.notes[name] += len(mine)
            if not on_beat:
                continue
            for metre in {name, "4/4"} if fits(name, "4/4") else {name}:
                self.taken[metre] += len(mine)
                for grid in grids_of(metre):
                    step = grid.quarters / grid.steps
                    self.off[grid.name] += int((np.abs(mine / step - np.rint(mine / step)) * step > MOST_OFF).sum())

    def join(self, other: "Survey") -> None:
        """Count the songs of another one as well."""
        self.songs += other.songs
        for own, more in zip(self._counters(), other._counters(), strict=True):
            own.update(more)

    def to_dict(self) -> dict[str, Any]:
        """The counts as plain JSON values."""
        return {key: value if isinstance(value, int) else dict(value) for key, value in vars(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Survey":
        """Inverse of `to_dict`."""
        return cls(values["songs"], *(Counter(values[key]) for key in ("bars", "notes", "taken", "off")))

    def _counters(self) -> tuple[Counter[str], ...]:
        return self.bars, self.notes, self.taken, self.off

    def other_bars(self, grid: str) -> dict[str, int]:
        """Bars by metre that a grid cannot hold, the most frequent first."""
        metre = grid.partition("x")[0]
        return {name: count for name, count in self.bars.most_common() if not fits(name, metre)}

    @property
    def grids(self) -> list[str]:
        """The grids of all metres that are tried, those of the most frequent metre first."""
        return [grid.name for metre, _ in self.taken.most_common() for grid in grids_of(metre)]

    def share_off(self, grid: str) -> float:
        """Share of the notes in bars of a grid's metre that lie off its steps; NaN if there are none."""
        notes = self.taken[grid.partition("x")[0]]
        return self.off[grid] / notes if notes else float("nan")

    @property
    def best(self) -> str:
        """The grid of the metre that takes most notes with as few steps as it can: "4/4x4" if there are none.

        A finer one is taken where `WORTH` of the notes more lie on it.
        """
        metre = max(self.taken, key=lambda name: (self.taken[name], name == "4/4"), default="4/4")
        grids = [grid.name for grid in grids_of(metre)]
        if not grids:
            return TimeGrid().name
        chosen = grids[0]
        for grid in grids[1:]:
            if self.share_off(chosen) - self.share_off(grid) >= WORTH:
                chosen = grid
        return chosen


def fits(metre: str, wanted: str) -> bool:
    """Whether bars of a metre are as long as those of a wanted one, or `Placement` joins or splits them to it."""
    (over, under), (wanted_over, wanted_under) = (map(int, name.split("/")) for name in (metre, wanted))
    length, whole = Fraction(over, under), Fraction(wanted_over, wanted_under)
    same_beats = compound(over, under) == compound(wanted_over, wanted_under)
    return same_beats and (max(length, whole) / min(length, whole)).denominator == 1


def grids_of(metre: str) -> list[TimeGrid]:
    """The grids of a metre that are tried, from the coarsest on; none of metres that no grid can have."""
    numerator, denominator = map(int, metre.split("/"))
    found = []
    for steps in STEPS_PER_BEAT[compound(numerator, denominator)]:
        try:
            found.append(TimeGrid(numerator, denominator, steps))
        except MusicError:
            continue
    return found


def survey(songs: Iterable[Song]) -> Survey:
    """Count songs; those that are too long are left out."""
    found = Survey()
    for song in songs:
        try:
            found.add(song)
        except MusicError:
            continue
    return found


def best_grid(song: Song) -> str:
    """The name of the grid that suits a song best, see `Survey.best`."""
    return survey([song]).best
