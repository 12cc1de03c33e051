"""Notes onto steps: the work of `tokenize`, shared among all the ways in which tracks can play a layout."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music.layouts import Layout
from musae_tf.music.roles import POOLED, split_chords
from musae_tf.music.song import Song, Tempo, Track
from musae_tf.music.vocabulary import HOLD, KIT, KIT_BITS, STROKES

STEPS_PER_BAR = 16
TICKS_PER_STEP = 120
"""Of songs made from a grid: 480 a quarter."""
DEFAULT_TEMPO = 120.0
SAME_TEMPO = 1.05
"""Tempos whose ratio is no larger than this are one tempo, played freely."""

_TOGETHER = 2**20  # steps that are laid in one go, those of all rows counted


@dataclass(frozen=True, eq=False)
class Grid:
    """The part of a song that lies in bars of 16 sixteenths, as tokens.

    Attributes:
        tokens: uint16 [bars, 16, K]; `layout.tracks` says what the symbols of each track mean.
        runs: (first bar, bars) of each maximal stretch of bars that are neighbours in the song, in bars of `tokens`.
            No note crosses from one run to the next.
        tempo: Quarter notes a minute, at which most notes of the song are played.
        tempos: All tempos of these bars, in ticks of `TICKS_PER_STEP` a step from the first bar on, the first at 0.
        programs: General MIDI program of each track: that of its source with the most notes, or the layout's.
        losses: What the grid could not hold. `notes` all notes of the song, of which `outside_layout` belong to no
            track or kit piece, `other_metre` start in a bar that is not 16 sixteenths, `overlapped` lost to another
            note that sounds at once, `same_step` lost to one that they meet on a step by rounding alone, and the
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


# Source tracks that play one track of a layout: its number, the tracks, and those that are shared out chord by chord.
_Row = tuple[int, tuple[int, ...], tuple[int, ...]]


class Placement:
    """The bars of a song that a grid can hold; `grids` puts the notes there.

    Equal bars that divide a bar of 16 sixteenths are joined (2/4, 1/4, 4/16), those that are made of several are split
    (4/2, 8/4).

    Attributes:
        bars: How many bars of 16 sixteenths there are.
    """

    def __init__(self, song: Song, layout: Layout, settled: bool = False) -> None:
        """Find the bars.

        Args:
            song: The song.
            layout: What to take from it.
            settled: Take bars and tempo as they are: shorter bars are not joined and longer ones not split to bars of
                16 sixteenths, and the tempo is the one at the first bar, not that of most notes.

        Raises:
            MusicError: No note, no bar of 16 sixteenths, or the song is too long.
        """
        self._song, self._layout, self._settled = song, layout, settled
        bars = song.bars()
        if len(bars) == 0:
            raise MusicError("the song has no notes")
        if not settled:
            bars = _regrouped(bars, 4 * song.ticks_per_quarter)
        first, self._count = _runs(bars, 4 * song.ticks_per_quarter)
        if len(first) == 0:
            found = ", ".join(sorted({f"{metre.numerator}/{metre.denominator}" for metre in song.metres})) or "4/4"
            raise MusicError(f"no bar is 16 sixteenths long (such as 4/4 or 2/2): found {found}")
        self._start = bars[first, 0]
        self._offset = np.cumsum(self._count) - self._count
        self.bars = int(self._count.sum())
        self._all_bars = len(bars)
        self._kits = np.array([spec.vocabulary == KIT for spec in layout.tracks])
        self._low = np.array([spec.keep == "lowest" for spec in layout.tracks])
        self._rest = np.array([spec.vocabulary.rest for spec in layout.tracks], np.uint16)

    def grids(self, ways: Sequence[np.ndarray]) -> Iterator[Grid]:
        """The song on the grid, once for each way to play it.

        Args:
            ways: int [source tracks] each: which track of the layout takes each source track, -1 for none, `POOLED`.
        """
        steps = self.bars * STEPS_PER_BAR
        batch = max(1, _TOGETHER // (steps * len(self._kits)))
        for first in range(0, len(ways), batch):
            yield from self._grids(ways[first : first + batch], steps)

    def _grids(self, ways: Sequence[np.ndarray], steps: int) -> Iterator[Grid]:
        """Ways have most of their rows in common, and a row is laid once."""
        wanted = [self._rows_of(roles.tolist()) for roles in ways]
        rows = {row: number for number, row in enumerate(dict.fromkeys(row for way in wanted for row in way))}
        flat, losses = self._laid(list(rows), steps)
        runs = list(zip(self._offset.tolist(), self._count.tolist(), strict=True))
        tempo, tempos = self._tempo(), self._tempos()
        notes = sum(len(track.notes) for track in self._song.tracks)
        for way in wanted:
            numbers = [rows[row] for row in way]
            inside, other_metre, off_grid, overlapped, same_step = losses[numbers].sum(axis=0).tolist()
            yield Grid(
                tokens=np.ascontiguousarray(flat[numbers].T).reshape(self.bars, STEPS_PER_BAR, len(way)),
                programs=tuple(self._program(row) for row in way),
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
                layout=self._layout,
                tempos=tempos,
            )

    def _rows_of(self, roles: Sequence[int]) -> list[_Row]:
        sources: dict[int, list[int]] = {}
        for source, role in enumerate(roles):
            sources.setdefault(role, []).append(source)
        pool = tuple(sources.get(POOLED, ()))
        return [
            (track, tuple(sources.get(track, ())), pool if spec.rule == "register" else ())
            for track, spec in enumerate(self._layout.tracks)
        ]

    def _laid(self, rows: Sequence[_Row], steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of symbols, uint16 [R, steps], and what each one holds and lost.

        The latter is int64 [R, 5]: notes inside layout and kit, of these in another metre, off the grid, overlapped,
        lost to another of their step.
        The rows among which a pool is shared out have them right in their sum.
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
        start, end, in_metre, moved = self._quantised(tick, duration)
        counts = np.bincount(row * 8 + inside * 4 + in_metre * 2 + moved, minlength=8 * len(rows))
        counts = counts.reshape(len(rows), 2, 2, 2)[:, 1]

        kept = inside & in_metre
        start, end, pitch, row, part = start[kept], end[kept], pitch[kept], row[kept], part[kept]
        for number, voices in enumerate(pools.values(), len(rows)):
            own = part == number
            row[own] = np.array(voices)[split_chords(start[own], end[own], pitch[own], len(voices))]
        same_step = np.zeros(len(rows), np.int64)
        if moved[kept].any():
            stroke = np.where(is_kit[kept], bits[kept].astype(np.int64) + 1, 0)
            same_step = _met(row << 17 | stroke, tick[kept], start, len(rows))
        flat = np.repeat(self._rest[track], steps).reshape(len(rows), steps)
        is_kit = is_kit[kept]
        np.bitwise_or.at(flat, (row[is_kit], start[is_kit]), bits[kept][is_kit])
        onsets = np.zeros(len(rows), np.int64)
        onsets[kits] = STROKES[flat[kits]].sum(axis=1)
        line = ~is_kit
        onsets += lay_notes(flat, row[line], start[line], end[line], pitch[line], low)
        here = counts[:, 1].sum(axis=1)
        other_metre = counts[:, 0].sum(axis=1)
        overlapped = here - onsets - same_step
        return flat, np.stack([here + other_metre, other_metre, counts[:, 1, 1], overlapped, same_step], axis=1)

    def _quantised(
        self, tick: np.ndarray, duration: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Start and end of every note in steps of the token array, whether it starts in a run, whether it was moved.

        Inside a run all bars are alike, so that steps count from the run's first tick. Ticks are scaled by 8 to round
        to sixteenths in integers. A note up to half a step early belongs to the run that follows.
        """
        quarter = self._song.ticks_per_quarter
        scaled = 8 * tick
        run: int | np.ndarray = 0
        if len(self._start) == 1:  # as most songs are
            in_run = scaled + quarter >= 8 * self._start[0]
        else:
            found = np.searchsorted(8 * self._start, scaled + quarter, side="right") - 1
            in_run, run = found >= 0, np.maximum(found, 0)
        origin, last = self._start[run], self._count[run] * STEPS_PER_BAR
        in_run &= tick < origin + last * quarter // 4
        # From the run's first tick, and half a step later, so that division rounds.
        scaled += quarter - 8 * origin
        start = scaled // (2 * quarter)
        end = (scaled + 8 * duration) // (2 * quarter)
        start = np.minimum(start, last - 1)
        end = np.minimum(np.maximum(end, start + 1), last)
        # A whole tick off: where the resolution is no multiple of 4, steps lie between ticks.
        moved = np.abs(scaled - quarter - 2 * quarter * start) >= 8
        shift = self._offset[run] * STEPS_PER_BAR
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
        quarter = self._song.ticks_per_quarter
        for start, count, offset in zip(self._start.tolist(), self._count.tolist(), self._offset.tolist(), strict=True):
            first = int(np.searchsorted(ticks, start, side="right"))
            last = int(np.searchsorted(ticks, start + 4 * count * quarter))
            if first:
                found.append(Tempo(offset * STEPS_PER_BAR * TICKS_PER_STEP, changes[first - 1].bpm))
            found += [
                Tempo(offset * STEPS_PER_BAR * TICKS_PER_STEP + (tick - start) * 4 * TICKS_PER_STEP // quarter, bpm)
                for tick, bpm in changes[first:last]
            ]
        # Of several at one tick the last one counts; what does not change is not said again.
        latest = sorted({tempo.tick: tempo for tempo in found}.values())
        return tuple(tempo for number, tempo in enumerate(latest) if not number or tempo.bpm != latest[number - 1].bpm)

    def _program(self, row: _Row) -> int:
        track, sources, pool = row
        playing: list[Track] = [self._song.tracks[source] for source in (*sources, *pool)]
        busiest = max(playing, key=lambda one: len(one.notes), default=self._layout.tracks[track])
        return busiest.program


def _regrouped(bars: np.ndarray, length: int) -> np.ndarray:
    """Bars int64 [n, 2] of start and ticks, with those that divide or make up `length` ticks joined or split to it.

    Bars are joined from the beginning of a stretch of equal ones, where a down-beat is; those left over stay short.
    """
    if (bars[:, 1] == length).all():
        return bars
    whole = []
    for stretch in np.split(bars, np.flatnonzero(np.diff(bars[:, 1])) + 1):
        size = int(stretch[0, 1])
        if size > length and size % length == 0:
            first = stretch[0, 0] + np.arange(len(stretch) * size // length) * length
            stretch = np.column_stack([first, np.full(len(first), length)])
        elif size < length and length % size == 0:
            joined = len(stretch) * size // length
            first = stretch[0, 0] + np.arange(joined) * length
            stretch = np.concatenate(
                [np.column_stack([first, np.full(joined, length)]), stretch[joined * length // size :]]
            )
        whole.append(stretch)
    return np.concatenate(whole)


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


# A note as one number of 63 bits: where it begins, its rank (7 bits), its length (24 bits), from the top.
_RANK = 24
_BEGIN = _RANK + 7


def lay_notes(
    flat: np.ndarray, role: np.ndarray, start: np.ndarray, end: np.ndarray, pitch: np.ndarray, keep_low: np.ndarray
) -> np.ndarray:
    """Write notes as onsets and holds, one at a time in each track.

    The track's winner is the highest note, or the lowest where `keep_low` says so. Of notes that start on one step the
    winner stays (the longest of equal ones); a note that starts while a winner over it sounds is lost; one that wins
    over or equals the note that sounds cuts it.

    Args:
        flat: uint16 [K, steps], rests to start with; written in place.
        role: int [notes], track of each note.
        start: int [notes] in steps.
        end: int [notes] in steps, exclusive, after the start.
        pitch: int [notes].
        keep_low: bool [K].

    Returns:
        Number of notes kept in each track, int64 [K].
    """
    tracks, steps = flat.shape
    if len(start) == 0:
        return np.zeros(tracks, np.int64)
    # All tracks on one line, one after the other: no note reaches into the next track. Begin, rank and length of a note
    # make one number each, whose order is the order of the notes and which sorts many times faster than three arrays.
    low = keep_low[role]
    keys = (role * steps + start) << _BEGIN | np.where(low, 127 - pitch, pitch) << _RANK | (end - start)
    keys.sort()
    begin = keys >> _BEGIN
    keys = keys[np.append(begin[1:] != begin[:-1], True)]
    begin, rank = keys >> _BEGIN, keys >> _RANK & 127
    finish = begin + (keys & ((1 << _RANK) - 1))

    beats = (finish[:-1] > begin[1:]) & (rank[:-1] > rank[1:])
    if beats.any():
        kept = np.ones(len(begin), bool)
        kept[_lost(begin.tolist(), finish.tolist(), rank.tolist(), np.flatnonzero(beats).tolist())] = False
        begin, finish, rank = begin[kept], finish[kept], rank[kept]

    finish[:-1] = np.minimum(finish[:-1], begin[1:])
    length = finish - begin
    line = flat.reshape(-1)
    line[np.repeat(finish - np.cumsum(length), length) + np.arange(length.sum())] = HOLD
    role = begin // steps
    line[begin] = np.where(keep_low[role], 127 - rank, rank)
    return np.bincount(role, minlength=tracks)


def _lost(begin: list[int], finish: list[int], rank: list[int], winners: list[int]) -> list[int]:
    """Indices of the notes, in order of start, that start while a winner over them sounds.

    `winners` are those that win over the note right after them. Each choice hangs on the one before it (a lost note
    blocks nothing), hence the loop; it runs over the lost notes alone.
    """
    lost: list[int] = []
    following, count = 0, len(begin)
    for winner in winners:
        if winner < following:  # itself lost
            continue
        until, top, following = finish[winner], rank[winner], winner + 1
        while following < count and begin[following] < until and rank[following] < top:
            lost.append(following)
            following += 1
    return lost
