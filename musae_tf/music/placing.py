"""Notes onto steps: the work of `tokenize`, shared among all the ways in which tracks can play a layout."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music.columns import lay_chords, lay_notes, lay_velocities
from musae_tf.music.layouts import Layout, TrackSpec
from musae_tf.music.roles import POOLED, split_chords
from musae_tf.music.song import Metre, Song, Tempo, Track
from musae_tf.music.vocabulary import KIT, KIT_BITS, STROKES
from musae_tf.time_grid import TimeGrid, compound

DEFAULT_TEMPO = 120.0
SAME_TEMPO = 1.05
"""Tempos whose ratio is no larger than this are one tempo, played freely."""

_TOGETHER = 2**20  # steps that are laid in one go, those of all rows counted


@dataclass(frozen=True, eq=False)
class Grid:
    """The part of a song that lies in bars of the layout's metre, as tokens.

    Attributes:
        tokens: uint16 [bars, S, C], S steps of a bar; `layout.columns` says what the symbols of each column mean.
        runs: (first bar, bars) of each maximal stretch of bars that are neighbours in the song, in bars of `tokens`.
            No note crosses from one run to the next.
        tempo: Quarter notes a minute, at which most notes of the song are played.
        tempos: All tempos of these bars, in ticks of `layout.time.ticks_per_step` a step from the first bar on, the
            first at 0.
        programs: General MIDI program of each track: that of its source with the most notes, or the layout's.
        names: Name of each track, of the same source, or the layout's.
        roles: int64 [source tracks], the track of the layout that took each, as `roles.assign` gives them.
        stretches: int64 [n, 3]: of each run its first tick in the song, and as in `runs` its first bar and its bars.
        losses: What the grid could not hold. `notes` all notes of the song, of which `outside_layout` belong to no
            track or kit piece, `other_metre` start in a bar of another metre, `overlapped` lost to others that sound
            at once, `same_step` lost to one that they meet on a step by rounding alone, and the
            remaining ones are onsets in `tokens`; `off_grid` of the notes inside layout and metre started off a step
            and were moved. `bars` all bars of the song, of which `bars_other_metre` are left out.
        layout: The layout of the tokens.
    """

    tokens: np.ndarray
    runs: list[tuple[int, int]]
    tempo: float
    programs: tuple[int, ...]
    losses: dict[str, int]
    layout: Layout
    tempos: tuple[Tempo, ...]
    names: tuple[str, ...]
    roles: np.ndarray
    stretches: np.ndarray


# Source tracks that play one track of a layout: its number, the tracks, and those that are shared out chord by chord.
_Row = tuple[int, tuple[int, ...], tuple[int, ...]]


class Placement:
    """The bars of a song that a grid can hold; `grids` puts the notes there.

    Bars fit that are as long as the layout's, in beats of the same kind: 3/4 is no 6/8. Equal ones that divide such a
    bar are joined (of 4/4: 2/4, 1/4, 4/16), those that are made of several are split (4/2, 8/4).

    Attributes:
        layout: What is taken.
        bars: How many bars there are.
        stretches: int64 [n, 3] of neighbouring bars: first tick, first bar among all that fit, bars.
    """

    def __init__(self, song: Song, layout: Layout, settled: bool = False) -> None:
        """Find the bars.

        Args:
            song: The song.
            layout: What to take from it.
            settled: Take bars and tempo as they are: shorter bars are not joined and longer ones not split, and the
                tempo is the one at the first bar, not that of most notes.

        Raises:
            MusicError: No note, no bar of this metre, or the song is too long.
        """
        self._song, self.layout, self._settled = song, layout, settled
        self._steps = layout.bar_steps
        bars = song.bars()
        if len(bars) == 0:
            raise MusicError("the song has no notes")
        time = layout.time
        # A bar has S steps and is 4 Q N / D ticks long, Q ticks a quarter: a tick is `self._scale` of `self._step`.
        self._scale, self._step = time.steps * time.denominator, 4 * song.ticks_per_quarter * time.numerator
        shared = math.gcd(self._scale, self._step)
        self._scale, self._step = self._scale // shared, self._step // shared
        whole = self._steps * self._step
        length = whole // self._scale if whole % self._scale == 0 else 0
        bars[_in_other_beats(bars[:, 0], song.metres, time), 1] *= -1
        if not settled:
            bars = _regrouped(bars, length)
        first, self._count = _runs(bars, length)
        if len(first) == 0:
            found = ", ".join(sorted({f"{metre.numerator}/{metre.denominator}" for metre in song.metres})) or "4/4"
            raise MusicError(f"{no_bar(time)}: found {found}")
        self._start = bars[first, 0]
        self._offset = np.cumsum(self._count) - self._count
        self.bars = int(self._count.sum())
        self.stretches = np.stack([self._start, self._offset, self._count], axis=1)
        self._all_bars = len(bars)
        self._kits = np.array([spec.vocabulary == KIT for spec in layout.tracks])
        self._low = np.array([spec.keep == "lowest" for spec in layout.tracks])
        self._voices = np.array([spec.voices for spec in layout.tracks])
        self._dynamics = np.array([spec.dynamics for spec in layout.tracks])
        rests = np.array([column.vocabulary.rest for column in layout.columns], np.uint16)
        self._rests = np.split(rests, layout.first_columns[1:])

    def grids(self, ways: Sequence[np.ndarray]) -> Iterator[Grid]:
        """The song on the grid, once for each way to play it.

        Args:
            ways: int [source tracks] each: which track of the layout takes each source track, -1 for none, `POOLED`.
        """
        steps = self.bars * self._steps
        batch = max(1, _TOGETHER // (steps * len(self.layout.columns)))
        for first in range(0, len(ways), batch):
            yield from self._grids(ways[first : first + batch], steps)

    def _grids(self, ways: Sequence[np.ndarray], steps: int) -> Iterator[Grid]:
        """Ways have most of their rows in common, and a row is laid once."""
        wanted = [self._rows_of(roles.tolist()) for roles in ways]
        rows = {row: number for number, row in enumerate(dict.fromkeys(row for way in wanted for row in way))}
        flat, first, losses = self._laid(list(rows), steps)
        runs = list(zip(self._offset.tolist(), self._count.tolist(), strict=True))
        tempo, tempos = self._tempo(), self._tempos()
        notes = sum(len(track.notes) for track in self._song.tracks)
        for roles, way in zip(ways, wanted, strict=True):
            numbers = [rows[row] for row in way]
            columns = [column for number in numbers for column in range(first[number], first[number + 1])]
            inside, other_metre, off_grid, overlapped, same_step = losses[numbers].sum(axis=0).tolist()
            yield Grid(
                tokens=np.ascontiguousarray(flat[columns].T).reshape(self.bars, self._steps, len(columns)),
                programs=tuple(self._busiest(row).program for row in way),
                names=tuple(self._busiest(row).name or self.layout.names[row[0]] for row in way),
                roles=np.array(roles, np.int64),
                stretches=self.stretches,
                losses={
                    "notes": notes,
                    "off_grid": off_grid,
                    "overlapped": overlapped,
                    "same_step": same_step,
                    "outside_layout": notes - inside,
                    "other_metre": other_metre,
                    "bars": self._all_bars,
                    "bars_other_metre": self._all_bars - self.bars,
                },
                runs=runs,
                tempo=tempo,
                layout=self.layout,
                tempos=tempos,
            )

    def _rows_of(self, roles: Sequence[int]) -> list[_Row]:
        sources: dict[int, list[int]] = {}
        for source, role in enumerate(roles):
            sources.setdefault(role, []).append(source)
        pool = tuple(sources.get(POOLED, ()))
        return [
            (track, tuple(sources.get(track, ())), pool if spec.rule == "register" else ())
            for track, spec in enumerate(self.layout.tracks)
        ]

    def _laid(self, rows: Sequence[_Row], steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The columns of all rows, uint16 [columns, steps], and what each row holds and lost.

        The former come with the first column of each row and the end of the last, int64 [R + 1]. The latter is int64
        [R, 5]: notes inside layout and kit, of these in another metre, off the grid, overlapped, lost to another of
        their step. The rows among which a pool is shared out have them right in their sum.
        """
        track = np.array([number for number, _, _ in rows])
        kits, low = self._kits[track], self._low[track]
        pools: dict[tuple[int, ...], list[int]] = {}
        for number, (_, _, pool) in enumerate(rows):
            if pool:
                pools.setdefault(pool, []).append(number)
        # Notes of a pool are counted with the first of its rows.
        parts = [(number, sources) for number, (_, sources, _) in enumerate(rows)]
        parts += [(voices[0], pool) for pool, voices in pools.items()]
        notes = [self._song.tracks[source].notes for _, sources in parts for source in sources]
        part = np.repeat(
            [number for number, (_, sources) in enumerate(parts) for _ in sources], [len(own) for own in notes]
        ).astype(np.int64)
        row = np.array([number for number, _ in parts])[part]
        # Column by column: joining whole notes, of ten bytes each, is several times slower.
        tick, duration, pitch = (
            np.concatenate([np.empty(0, np.int64), *(own[column] for own in notes)])
            for column in ("start", "duration", "pitch")
        )
        is_kit, bits = kits[row], KIT_BITS[pitch]
        inside = ~is_kit | (bits != 0)
        start, end, in_metre, moved = self.quantised(tick, duration)
        counts = np.bincount(row * 8 + inside * 4 + in_metre * 2 + moved, minlength=8 * len(rows))
        counts = counts.reshape(len(rows), 2, 2, 2)[:, 1]

        kept = inside & in_metre
        start, end, pitch, row, part = start[kept], end[kept], pitch[kept], row[kept], part[kept]
        for number, voices in enumerate(pools.values(), len(rows)):
            own = part == number
            row[own] = np.array(voices)[split_chords(start[own], end[own], pitch[own], len(voices))]
        is_kit, bits = is_kit[kept], bits[kept]
        several = self._voices[track] > 1
        same_step = np.zeros(len(rows), np.int64)
        if moved[kept].any():
            # Notes of one voice meet on a step whatever their pitches, others if they are of one.
            kind = np.where(is_kit, bits.astype(np.int64), np.where(several[row], pitch, -1)) + 1
            same_step = _met(row << 17 | kind, tick[kept], start, len(rows))
        first = np.cumsum([0, *(len(self._rests[number]) for number in track)])
        flat = np.repeat(np.concatenate([self._rests[number] for number in track]), steps).reshape(-1, steps)
        np.bitwise_or.at(flat, (first[row[is_kit]], start[is_kit]), bits[is_kit])
        onsets = np.zeros(len(rows), np.int64)
        onsets[kits] = STROKES[flat[first[:-1][kits]]].sum(axis=1)
        line = ~is_kit & ~several[row]
        low = np.repeat(low, np.diff(first))
        onsets += lay_notes(flat, first[row[line]], start[line], end[line], pitch[line], low)[first[:-1]]
        for number in np.flatnonzero(several).tolist():
            own, columns = row == number, flat[first[number] : first[number] + self._voices[track[number]]]
            onsets[number] = lay_chords(columns, start[own], end[own], pitch[own])
        if self._dynamics[track].any():
            velocity = np.concatenate([np.empty(0, np.uint8), *(own["velocity"] for own in notes)])[kept]
            for number in np.flatnonzero(self._dynamics[track]).tolist():
                own, last = row == number, first[number + 1] - 1
                columns = flat[first[number] : last]
                lay_velocities(flat[last], columns, start[own], pitch[own], velocity[own], bool(kits[number]))
        here = counts[:, 1].sum(axis=1)
        other_metre = counts[:, 0].sum(axis=1)
        overlapped = here - onsets - same_step
        held = np.stack([here + other_metre, other_metre, counts[:, 1, 1], overlapped, same_step], axis=1)
        return flat, first, held

    def quantised(
        self, tick: np.ndarray, duration: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Start and end of every note, from ticks int64 [notes], in steps of the token array.

        With them come whether it starts in a run, and whether it was moved: bool [notes] each.

        Inside a run all bars are alike, so that steps count from the run's first tick. Ticks are scaled to round to
        steps in integers. A note up to half a step early belongs to the run that follows.
        """
        scale, step = self._scale, self._step
        scaled = 2 * scale * tick
        run: int | np.ndarray = 0
        if len(self._start) == 1:  # as most songs are
            in_run = scaled + step >= 2 * scale * self._start[0]
        else:
            found = np.searchsorted(2 * scale * self._start, scaled + step, side="right") - 1
            in_run, run = found >= 0, np.maximum(found, 0)
        origin, last = self._start[run], self._count[run] * self._steps
        in_run &= (tick - origin) * scale < last * step
        # From the run's first tick, and half a step later, so that division rounds.
        scaled += step - 2 * scale * origin
        start = scaled // (2 * step)
        end = (scaled + 2 * scale * duration) // (2 * step)
        start = np.minimum(start, last - 1)
        end = np.minimum(np.maximum(end, start + 1), last)
        # A whole tick off: where the resolution is no multiple of the steps', steps lie between ticks.
        moved = np.abs(scaled - step - 2 * step * start) >= 2 * scale
        shift = self._offset[run] * self._steps
        return start + shift, end + shift, in_run, moved

    def _tempo(self) -> float:
        """The tempo at which most notes are played, those of a few percent less or more counted with it."""
        changes = {-1: DEFAULT_TEMPO, **{tempo.tick: tempo.bpm for tempo in self._song.tempos}}
        ticks, tempos = np.array(list(changes)), np.array(list(changes.values()))
        starts = [track.notes["start"] for track in self._song.tracks if len(track.notes)]
        if not starts or self._settled:
            return float(tempos[np.searchsorted(ticks, self._start[0], side="right") - 1])
        played = np.bincount(np.searchsorted(ticks, np.concatenate(starts), side="right") - 1, minlength=len(ticks))
        values, places = np.unique(tempos, return_inverse=True)
        notes = np.bincount(places, played)
        before = np.append(0, np.cumsum(notes))
        near = before[np.searchsorted(values, values * SAME_TEMPO, side="right")]
        near = near - before[np.searchsorted(values, values / SAME_TEMPO)]
        return float(values[np.lexsort((notes, near * (notes > 0)))[-1]])

    def _tempos(self) -> tuple[Tempo, ...]:
        """The tempo map of the song, without what lies in bars that are left out."""
        changes = self._song.tempos
        before = [tempo.bpm for tempo in changes if tempo.tick <= self._start[0]]
        found = [Tempo(0, before[-1] if before else DEFAULT_TEMPO)]
        if len(before) == len(changes):
            return tuple(found)
        ticks = np.array([tempo.tick for tempo in changes])
        bar, length = self._steps * self.layout.time.ticks_per_step, self._steps * self._step // self._scale
        for start, count, offset in zip(self._start.tolist(), self._count.tolist(), self._offset.tolist(), strict=True):
            first = int(np.searchsorted(ticks, start, side="right"))
            last = int(np.searchsorted(ticks, start + count * length))
            if first:
                found.append(Tempo(offset * bar, changes[first - 1].bpm))
            found += [Tempo(offset * bar + (tick - start) * bar // length, bpm) for tick, bpm in changes[first:last]]
        # Of several at one tick the last one counts; what does not change is not said again.
        latest = sorted({tempo.tick: tempo for tempo in found}.values())
        return tuple(tempo for number, tempo in enumerate(latest) if not number or tempo.bpm != latest[number - 1].bpm)

    def _busiest(self, row: _Row) -> Track | TrackSpec:
        """The source of a row with the most notes, or the layout's track."""
        track, sources, pool = row
        playing: list[Track] = [self._song.tracks[source] for source in (*sources, *pool)]
        return max(playing, key=lambda one: len(one.notes), default=self.layout.tracks[track])


def _regrouped(bars: np.ndarray, length: int) -> np.ndarray:
    """Bars int64 [n, 2] of start and ticks, with those that divide or make up `length` ticks joined or split to it.

    Bars are joined from the beginning of a stretch of equal ones, where a down-beat is; those left over stay short.
    """
    if (bars[:, 1] == length).all():
        return bars
    whole = []
    for stretch in np.split(bars, np.flatnonzero(np.diff(bars[:, 1])) + 1):
        size = int(stretch[0, 1])
        if 0 < length < size and size % length == 0:
            first = stretch[0, 0] + np.arange(len(stretch) * size // length) * length
            stretch = np.column_stack([first, np.full(len(first), length)])
        elif 0 < size < length and length % size == 0:
            joined = len(stretch) * size // length
            first = stretch[0, 0] + np.arange(joined) * length
            stretch = np.concatenate(
                [np.column_stack([first, np.full(joined, length)]), stretch[joined * length // size :]]
            )
        whole.append(stretch)
    return np.concatenate(whole)


def no_bar(time: TimeGrid) -> str:
    """What to say of a song without a bar of a metre."""
    if (time.numerator, time.denominator) == (4, 4):
        return "no bar is 16 sixteenths long (such as 4/4 or 2/2)"
    return f"no bar is in {time.numerator}/{time.denominator}, nor as long in beats of the same kind"


def _in_other_beats(ticks: np.ndarray, metres: Sequence[Metre], time: TimeGrid) -> np.ndarray:
    """Which bars, by their first ticks, have beats of three units where the grid's have not, or the other way round."""
    others = np.array([False, *(compound(m.numerator, m.denominator) != time.is_compound for m in metres)])
    others[0] = time.is_compound  # before the first metre: 4/4
    return others[np.searchsorted([metre.tick for metre in metres], ticks, side="right")]


def _runs(bars: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """First bar (of the song) and number of bars of each stretch of bars that are `length` ticks long."""
    fits = np.concatenate([[False], bars[:, 1] == length, [False]])
    edges = np.flatnonzero(fits[1:] != fits[:-1]).reshape(-1, 2)
    return edges[:, 0], edges[:, 1] - edges[:, 0]


def _met(key: np.ndarray, tick: np.ndarray, step: np.ndarray, rows: int) -> np.ndarray:
    """Onsets that rounding brings to a step with an earlier one: of one key, the row above 17 bits, at several ticks.

    Returns:
        int64 [rows].
    """
    at_ticks, at_steps = (_distinct(key << 32 | time, rows) for time in (tick, step))
    return at_ticks - at_steps


def _distinct(values: np.ndarray, rows: int) -> np.ndarray:
    values.sort()
    first = values[np.append(True, values[1:] != values[:-1])] if len(values) else values
    return np.bincount(first >> 49, minlength=rows)
