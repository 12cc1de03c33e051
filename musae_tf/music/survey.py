"""Which grid suits music, before any of it is put on one: bars by metre, and notes off each grid."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music.song import Song
from musae_tf.time_grid import TimeGrid, compound

STEPS_PER_BEAT = {False: (4, 6, 12), True: (3, 6, 12)}
"""What is tried, from the coarsest on, of metres whose beats have two halves and of those whose beats have three."""

MOST_OFF = 1 / 24
"""Quarters that a note may lie off a step and still count as on it."""

WORTH = 0.03
"""Share of notes that a finer grid must bring nearer than that to be taken."""


@dataclass
class Survey:
    """Counts over songs.

    Attributes:
        songs: How many.
        bars: Bars by metre, such as "4/4"; bars that are cut off count as of their metre.
        notes: Notes that begin in bars of each metre.
        off: By the name of a grid, notes in bars of its metre that lie off its steps.
    """

    songs: int = 0
    bars: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    off: Counter[str] = field(default_factory=Counter)

    def add(self, song: Song) -> None:
        """Count a song.

        Raises:
            MusicError: It has too many bars.
        """
        self.songs += 1
        bars = song.bars()
        if not len(bars):
            return
        starts = np.concatenate([np.empty(0, np.int64), *(track.notes["start"] for track in song.tracks)])
        metres = [(4, 4), *((metre.numerator, metre.denominator) for metre in song.metres)]
        of_bar = np.searchsorted([metre.tick for metre in song.metres], bars[:, 0], side="right")
        bar = np.maximum(np.searchsorted(bars[:, 0], starts, side="right") - 1, 0)
        place = (starts - bars[bar, 0]) / song.ticks_per_quarter
        names = [f"{numerator}/{denominator}" for numerator, denominator in metres]
        for number in np.unique(of_bar).tolist():
            name, mine = names[number], place[of_bar[bar] == number]
            self.bars[name] += int((of_bar == number).sum())
            self.notes[name] += len(mine)
            for grid in grids_of(*metres[number]):
                step = grid.quarters / grid.steps
                self.off[grid.name] += int((np.abs(mine / step - np.rint(mine / step)) * step > MOST_OFF).sum())

    def share_off(self, grid: str) -> float:
        """Share of the notes in bars of a grid's metre that lie off its steps; NaN if there are none."""
        notes = self.notes[grid.partition("x")[0]]
        return self.off[grid] / notes if notes else float("nan")

    @property
    def best(self) -> str:
        """The grid of the metre with the most notes that has as few steps as it can: "4/4x4" if there are none.

        A finer one is taken where `WORTH` of the notes more lie on it.
        """
        metre = max(self.notes, key=lambda name: self.notes[name], default="4/4")
        # Equal bars are taken together, and 4/4 is what they make.
        metre = "4/4" if metre in ("2/2", "2/4") and self.notes["4/4"] else metre
        grids = [grid.name for grid in grids_of(*map(int, metre.split("/")))]
        if not grids:
            return TimeGrid().name
        chosen = grids[0]
        for grid in grids[1:]:
            if self.share_off(chosen) - self.share_off(grid) >= WORTH:
                chosen = grid
        return chosen


def grids_of(numerator: int, denominator: int) -> list[TimeGrid]:
    """The grids of a metre that are tried, from the coarsest on; none of metres that no grid can have."""
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
