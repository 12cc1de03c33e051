"""Tracks as they are written down: bars, voices, chords, rests, ties, note values and tuplets.

What the writers of MusicXML and of ABC share. Times are in ticks of `score.TICKS` a quarter, which holds 128th notes
and their triplets, quintuplets, septuplets and nonuplets exactly. A song of another resolution is rounded to them,
which moves a note by at most 1/20160 of a quarter.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music.score import TICKS, TIE_BACK, TIE_NEXT, WHOLE, irregular_metre, metre_ticks
from musae_tf.music.song import Metre, Song, Track
from musae_tf.time_grid import compound

FINEST = TICKS // 32
"""Ticks of a 128th, the shortest value that is written."""

KINDS = ("breve", "whole", "half", "quarter", "eighth", "16th", "32nd", "64th", "128th")
"""Note values by the names of MusicXML, each half as long as the one before."""

VALUES = {
    ticks + ticks // 2 * dots: (kind, dots)
    for kind, ticks in ((kind, 2 * WHOLE >> number) for number, kind in enumerate(KINDS))
    for dots in (0, 1)
    if ticks > FINEST or not dots
}
"""Kind and dots of every length that one sign can have."""

TUPLETS = ((1, 1), (3, 2), (5, 4), (7, 4), (9, 8))
"""So many notes in the time of so many: none, triplets, quintuplets, septuplets, nonuplets."""


class Head(NamedTuple):
    """One note of a chord: MIDI pitch, velocity, TIE_NEXT | TIE_BACK."""

    pitch: int
    velocity: int
    tie: int


class Event(NamedTuple):
    """A chord, a single note or, without heads, a rest, as one sign.

    Attributes:
        onset: Ticks from the start of the bar.
        duration: Ticks.
        heads: From the lowest pitch up.
        kind: One of `KINDS`; None where no sign is so long.
        dots: 0 or 1.
        tuplet: (actual, normal) notes; (1, 1) for none.
        window: Where the tuplet begins, in ticks from the start of the bar.
    """

    onset: int
    duration: int
    heads: tuple[Head, ...]
    kind: str | None
    dots: int = 0
    tuplet: tuple[int, int] = (1, 1)
    window: int = 0


class WrittenBar(NamedTuple):
    """A bar: ticks from the start of the piece, ticks long, and its metre, which is as long unless none can be."""

    start: int
    length: int
    metre: tuple[int, int]


Voices: TypeAlias = list[list[Event]]
"""The voices of a part in one bar, each filling it; without a note there is one, a rest."""


def written_bars(song: Song, largest: tuple[int, int] = (255, 64)) -> list[WrittenBar]:
    """The bars of a song, one at least. A bar that a change of metre cuts short has a metre of its own.

    Raises:
        MusicError: The song has too many bars, or a metre beyond the `largest` numerator and denominator.
    """
    for metre in song.metres:
        if metre.numerator > largest[0] or metre.denominator > largest[1]:
            raise MusicError(
                f"metre at tick {metre.tick} is {metre.numerator}/{metre.denominator}: "
                f"scores are written up to {largest[0]}/{largest[1]}"
            )
    changes = iter(sorted({metre.tick: metre for metre in song.metres}.values()))
    following, metre = next(changes, None), Metre(0, 4, 4)
    edges = song.bars()
    if not len(edges):
        edges = np.array([[0, metre_ticks((4, 4)) * song.ticks_per_quarter // TICKS]])
    bars = []
    for tick, length in edges.tolist():
        while following is not None and following.tick <= tick:
            metre, following = following, next(changes, None)
        start, stop = scaled(np.array([tick, tick + length]), song.ticks_per_quarter).tolist()
        if stop == start:
            continue
        own = (metre.numerator, metre.denominator)
        if stop - start != metre_ticks(own):
            own = irregular_metre(stop - start)
        bars.append(WrittenBar(start, stop - start, own))
    return bars


def scaled(ticks: np.ndarray, ticks_per_quarter: int) -> np.ndarray:
    """Ticks of a song as ticks of a score, int64, rounded to the nearest."""
    return (2 * np.asarray(ticks, np.int64) * TICKS + ticks_per_quarter) // (2 * ticks_per_quarter)


def written_track(track: Track, ticks_per_quarter: int, bars: list[WrittenBar], voices: int) -> list[Voices]:
    """A track bar by bar, in at most so many voices.

    Notes that start and end together are a chord. What finds no free voice goes into the last one, where chords are cut
    and tied whenever a note starts or ends. A pitch sounds once at a time: a note ends where its pitch starts anew, and
    of equal ones the longest is written.
    """
    lines: list[list[list[tuple[int, int, int, int]]]] = [[[] for _ in bars] for _ in range(voices)]
    edges = np.array([*(bar.start for bar in bars), bars[-1].start + bars[-1].length])
    for note, voice in _in_voices(_single(track, ticks_per_quarter, int(edges[-1])), voices):
        first, last = np.searchsorted(edges, (note[0], note[1] - 1), "right").tolist()
        for number in range(first - 1, last):
            lines[voice][number].append(note)
    written = []
    for number, bar in enumerate(bars):
        sounding = [line[number] for line in lines if line[number]]
        written.append([_signs(bar, notes) for notes in sounding or [[]]])
    return written


def _single(track: Track, ticks_per_quarter: int, stop: int) -> np.ndarray:
    """int64 [notes, 4] of start, end, pitch and velocity, in which no pitch sounds twice at a time."""
    notes = track.notes
    begin = notes["start"].astype(np.int64)
    start = np.minimum(scaled(begin, ticks_per_quarter), stop - 1)
    end = scaled(begin + notes["duration"], ticks_per_quarter)
    end = np.minimum(np.maximum(end, start + 1), stop)
    rows = np.stack([start, end, notes["pitch"], notes["velocity"]], axis=1)
    rows = rows[np.lexsort((-end, start, notes["pitch"]))]
    same = rows[1:, 2] == rows[:-1, 2]
    rows = rows[np.append(True, ~(same & (rows[1:, 0] == rows[:-1, 0])))[: len(rows)]]
    same = rows[1:, 2] == rows[:-1, 2]
    rows[:-1, 1] = np.where(same, np.minimum(rows[:-1, 1], rows[1:, 0]), rows[:-1, 1])
    return rows


def _in_voices(rows: np.ndarray, voices: int) -> Iterator[tuple[tuple[int, int, int, int], int]]:
    """Every note with its voice: chords go to the first that is free, the highest chord first."""
    free = [0] * voices
    taken: dict[tuple[int, int], int] = {}
    for start, end, pitch, velocity in rows[np.lexsort((-rows[:, 2], rows[:, 0]))].tolist():
        voice = taken.get((start, end))
        if voice is None:
            voice = next((number for number, until in enumerate(free) if until <= start), voices - 1)
            taken[start, end] = voice
            free[voice] = max(free[voice], end)
        yield (start, end, pitch, velocity), voice


def _signs(bar: WrittenBar, notes: list[tuple[int, int, int, int]]) -> list[Event]:
    """One voice of a bar as signs, rests where nothing sounds."""
    if not notes:
        return [Event(0, bar.length, (), None)]
    stop = bar.start + bar.length
    ends = {tick for note in notes for tick in note[:2] if bar.start < tick < stop}
    points = [0, *(tick - bar.start for tick in sorted(ends)), bar.length]
    pieces = _Pieces(bar, points)
    signs = []
    for begin, end in pairwise(points):
        first, last = begin + bar.start, end + bar.start
        sounding = sorted((note[2], note[3], note[0], note[1]) for note in notes if note[0] <= first < note[1])
        for onset, until, kind, dots, ratio, window in pieces.of(begin, end, not sounding):
            heads = tuple(
                Head(
                    pitch,
                    velocity,
                    (TIE_BACK if start < first or onset > begin else 0)
                    | (TIE_NEXT if finish > last or until < end else 0),
                )
                for pitch, velocity, start, finish in sounding
            )
            signs.append(Event(onset, until - onset, heads, kind, dots, ratio, window))
    return signs


_Piece: TypeAlias = tuple[int, int, str | None, int, tuple[int, int], int]


class _Pieces:
    """Cuts stretches of a bar into lengths that one sign can have."""

    def __init__(self, bar: WrittenBar, points: list[int]):
        self.bar = bar
        self.windows = [(first, last, tuplet(first, last, points)) for first, last in pairwise(beats(bar))]

    def of(self, begin: int, end: int, rest: bool) -> Iterator[_Piece]:
        """Start, end, kind, dots, tuplet and start of the window, from `begin` to `end`; plain windows are one."""
        plain = begin
        for first, last, ratio in self.windows:
            if last <= begin or first >= end or ratio == (1, 1):
                continue
            yield from self._plain(plain, first, rest)
            start, stop = max(begin, first), min(end, last)
            plain = stop
            if ratio is None:
                yield start, stop, None, 0, (1, 1), first
                continue
            while start < stop:
                written = (stop - start) * ratio[0] // ratio[1]
                value = max(value for value in VALUES if value <= written)
                until = start + value * ratio[1] // ratio[0]
                yield start, until, *VALUES[value], ratio, first
                start = until
        yield from self._plain(plain, end, rest)

    def _plain(self, begin: int, end: int, rest: bool) -> Iterator[_Piece]:
        if begin < end:
            for start, stop in _split(begin, end, self.bar.length, self.bar.metre, rest):
                yield start, stop, *VALUES.get(stop - start, (None, 0)), (1, 1), start


def beats(bar: WrittenBar) -> list[int]:
    """Where the beats of a bar begin, in ticks from its start, and its end.

    Compound metres beat in threes; of others no beat is longer than a quarter.
    """
    beat = WHOLE // bar.metre[1]
    size = 3 * beat if compound(*bar.metre) else min(beat, TICKS)
    return [*range(0, bar.length, size), bar.length]


def tuplet(first: int, last: int, points: Iterable[int]) -> tuple[int, int] | None:
    """The tuplet in which all points from `first` to `last` have signs; None if there is no such."""
    inside = [point - first for point in (*points, last) if first < point <= last]
    for actual, normal in TUPLETS:
        if all(point * actual % (FINEST * normal) == 0 for point in inside):
            return actual, normal
    return None


@lru_cache(maxsize=4096)
def _split(begin: int, end: int, length: int, metre: tuple[int, int], rest: bool) -> tuple[tuple[int, int], ...]:
    """A stretch of a bar in pieces that one sign can have, cut where the metre is strongest.

    A piece may run over a place of the bar that is no stronger than the stronger one of its ends; a note without a dot
    over one that is stronger by one level, which is a syncope. Rests have dots in compound metres only.
    """
    levels = _levels(length, metre)

    def strength(place: int) -> int:
        return next(level for level, spacing in enumerate(levels) if place % spacing == 0 or level == len(levels) - 1)

    inside = next(
        (level for level, spacing in enumerate(levels) if begin // spacing * spacing + spacing < end), len(levels)
    )
    sign = VALUES.get(end - begin)
    # Levels count downwards: 0 is the bar.
    ends = min(strength(begin), strength(end) if end < length else 0)
    if rest and sign is not None and sign[1] and not compound(*metre):
        sign = None
    if sign is not None and ends - inside <= (0 if rest or sign[1] else 1):
        return ((begin, end),)
    if inside == len(levels):
        return ((begin, end),)
    spacing = levels[inside]
    # From a strong place as far as one can, else to the next strong place.
    cut = (end - 1) // spacing * spacing if strength(begin) <= inside else begin // spacing * spacing + spacing
    return (*_split(begin, cut, length, metre, rest), *_split(cut, end, length, metre, rest))


def _levels(length: int, metre: tuple[int, int]) -> list[int]:
    """Distances of the strong places of a bar, from the bar itself to 128ths."""
    count, unit = metre
    beat = WHOLE // unit
    levels = [length]
    if compound(*metre) and count > 3:
        levels += [6 * beat] * (count % 6 == 0 and count > 6) + [3 * beat]
    elif count % 2 == 0:
        levels += [4 * beat] * (count % 4 == 0 and count > 4) + [2 * beat] * (count > 2)
    while beat >= FINEST:
        levels.append(beat)
        beat //= 2
    return levels
