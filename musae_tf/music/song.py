"""A song in memory: tracks of notes in ticks, tempo map, metres and the end of the piece."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.files import write_bytes

NOTE = np.dtype([("start", np.int32), ("duration", np.int32), ("pitch", np.uint8), ("velocity", np.uint8)])
"""One note: start and duration in ticks, MIDI pitch and velocity."""

MAX_BARS = 100_000
"""Longest piece that is cut into bars. A damaged file with a stray event hours away must not fill the memory."""


class Tempo(NamedTuple):
    """A tempo change: tick and quarter notes a minute."""

    tick: int
    bpm: float


class Metre(NamedTuple):
    """A time signature that begins at a tick."""

    tick: int
    numerator: int
    denominator: int


@dataclass(eq=False)
class Track:
    """One instrument.

    Attributes:
        name: Free text; a track named like a track of a layout is taken for it.
        program: General MIDI program, 0..127.
        is_drum: Whether the pitches mean percussion (MIDI channel 10).
        notes: Array of `NOTE`, kept sorted by start, then pitch. Anything that numpy can turn into one is accepted.
    """

    name: str = ""
    program: int = 0
    is_drum: bool = False
    notes: np.ndarray = field(default_factory=lambda: np.empty(0, NOTE))

    def __post_init__(self) -> None:
        if not 0 <= self.program <= 127:
            raise MusicError(f"track {self.name!r}: program is {self.program}, must be 0 to 127")
        notes = np.atleast_1d(np.asarray(self.notes, dtype=NOTE))
        if len(notes):
            # Start and pitch as one number, which tells in one look whether anything is out of order or negative.
            place = notes["start"].astype(np.int64) * 256 + notes["pitch"]
            if (place[1:] < place[:-1]).any():
                order = np.argsort(place, kind="stable")
                notes, place = notes[order], place[order]
            if place[0] < 0 or notes["duration"].min() < 0:
                raise MusicError(f"track {self.name!r}: a note has a negative start or duration")
            if notes["pitch"].max() > 127 or notes["velocity"].max() > 127:
                raise MusicError(f"track {self.name!r}: a note has a pitch or velocity above 127")
        self.notes = notes

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Track):
            return NotImplemented
        return (self.name, self.program, self.is_drum) == (other.name, other.program, other.is_drum) and np.array_equal(
            self.notes, other.notes
        )

    __hash__ = None  # type: ignore[assignment]


def make_tracks(kinds: Sequence[tuple[str, int, bool]], notes: np.ndarray, sizes: Sequence[int]) -> list[Track]:
    """Tracks of these names, programs and kinds, with the first `sizes[0]` notes, the next `sizes[1]` and so on.

    They are put in order together: a song has many short ones, and every call on an array costs as much as a hundred
    notes.
    """
    start, pitch = notes["start"].astype(np.int64), notes["pitch"]
    ends = list(accumulate(sizes))
    valid = len(notes) > 0 and bool(
        start.min() >= 0 and notes["duration"].min() >= 0 and max(pitch.max(), notes["velocity"].max()) <= 127
    )
    if valid:
        place = (np.repeat(np.arange(len(sizes)), sizes) << 40) + start * 256 + pitch
        if (place[1:] < place[:-1]).any():
            notes = notes[np.argsort(place, kind="stable")]
    own = [notes[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    if not valid or not all(0 <= program <= 127 for _, program, _ in kinds):  # one of them will say what is wrong
        return [Track(*kind, mine) for kind, mine in zip(kinds, own, strict=True)]
    tracks = []
    for kind, mine in zip(kinds, own, strict=True):
        track = object.__new__(Track)
        track.name, track.program, track.is_drum = kind
        track.notes = mine
        tracks.append(track)
    return tracks


@dataclass
class Song:
    """A piece of music, as a MIDI file holds it.

    Attributes:
        ticks_per_quarter: Resolution of every tick in the song.
        tracks: The instruments, silent ones too.
        tempos: Tempo changes by tick. None means 120 quarters a minute.
        metres: Time signatures by tick. None means 4/4.
        end: Tick where the piece ends, never before the end of its last note; may lie later (silence at the end).
        name: Title; after `Song.read(path)` that of a score, or else the file's stem.
        warnings: What reading the file mended or left unused, counts by kind: `values_above_127` (taken as 127),
            `unknown_events` (left out), `notes_without_end` (ended with the next note of their pitch or the track),
            `pedals_ignored`, `percussion_ignored` (strokes of a score that name no drum), `tunes_left_out` (of a file
            with several), `files_of_beats` (on which it was put); and `without_new_pitch`
            and `without_new_place`, notes that were left out where a rhythm or pitches were kept. No
            part of the music, and of what makes songs equal.
    """

    ticks_per_quarter: int = 480
    tracks: list[Track] = field(default_factory=list)
    tempos: list[Tempo] = field(default_factory=list)
    metres: list[Metre] = field(default_factory=list)
    end: int = 0
    name: str = ""
    warnings: dict[str, int] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= self.ticks_per_quarter <= 32767:
            raise MusicError(f"ticks per quarter is {self.ticks_per_quarter}, must be 1 to 32767")
        # Stable sorts: of several changes at one tick the last one counts.
        self.tempos = sorted((Tempo(int(tick), float(bpm)) for tick, bpm in self.tempos), key=lambda tempo: tempo.tick)
        self.metres = sorted((Metre(*map(int, metre)) for metre in self.metres), key=lambda metre: metre.tick)
        for metre in self.metres:
            if metre.numerator < 1 or metre.denominator < 1 or metre.denominator & (metre.denominator - 1):
                raise MusicError(
                    f"metre at tick {metre.tick} is {metre.numerator}/{metre.denominator}, "
                    "must be a positive count over a power of two"
                )
        for tempo in self.tempos:
            if not 0 < tempo.bpm < float("inf"):
                raise MusicError(f"tempo at tick {tempo.tick} is {tempo.bpm:g}, must be above 0 quarters a minute")
        self.end = self._stop()

    @classmethod
    def read(cls, source: str | os.PathLike | bytes) -> "Song":
        """Read a file of music, in the format of its suffix (see `musae_tf.music.reading`), or the bytes of MIDI.

        Raises:
            MusicError: The file is missing, is none of these or is damaged.
        """
        if isinstance(source, (bytes, bytearray, memoryview)):
            from musae_tf.music import midi

            return midi.from_bytes(bytes(source))
        from musae_tf.music.reading import read_file

        return read_file(source)

    def to_bytes(self) -> bytes:
        """The song as a standard MIDI file of type 1."""
        from musae_tf.music import midi

        return midi.to_bytes(self)

    def write(self, path: str | os.PathLike) -> None:
        """Write a file in one atomic step, in the format of its ending (see `musae_tf.music.writing`).

        Raises:
            MusicError: The name has another ending, the format cannot hold the song, or the file cannot be written.
        """
        from musae_tf.music.writing import as_file

        write_bytes(path, as_file(self, path), MusicError)

    def _repr_html_(self) -> str:
        """What a notebook shows, see `musae_tf.music.notebook`."""
        from musae_tf.music.notebook import song_html

        return song_html(self)

    def bars(self) -> np.ndarray:
        """Where the bars lie.

        Bars follow the metres. A metre change always starts a new bar, so a pick-up or an irregular bar is written as a
        metre of its own and a bar cut off by a metre change is as long as what is left of it. The last bar is whole
        even where the piece ends inside it.

        Returns:
            int64 [bars, 2] of start tick and length in ticks.

        Raises:
            MusicError: The song has more than `MAX_BARS` bars.
        """
        end = self._stop()
        metres = {0: Metre(0, 4, 4)} | {metre.tick: metre for metre in self.metres if metre.tick < end}
        ticks = sorted(metres)
        edges = []
        total = 0
        for tick, following in zip(ticks, [*ticks[1:], None], strict=True):
            stop = end if following is None else following
            whole = 4 * self.ticks_per_quarter * metres[tick].numerator
            denominator = metres[tick].denominator
            count = -(-(stop - tick) * denominator // whole)
            total += count
            if total > MAX_BARS:
                raise MusicError(f"the song ends at tick {end}: more than {MAX_BARS:,} bars, the most allowed")
            # Integer arithmetic on the whole stretch: bars whose length is no whole number of ticks must not drift.
            starts = tick + np.arange(count + 1, dtype=np.int64) * whole // denominator
            if following is not None:
                starts[-1] = following
            edges.append(np.stack([starts[:-1], np.diff(starts)], axis=1))
        bars = np.concatenate(edges)
        return bars[bars[:, 1] > 0]

    def seconds_at(self, ticks: np.ndarray | int) -> np.ndarray:
        """When ticks sound: float64 seconds from the beginning, of the shape of `ticks`."""
        changes = [Tempo(0, 120.0), *self.tempos]
        begin = np.array([tempo.tick for tempo in changes], np.float64)
        pace = 60.0 / (np.array([tempo.bpm for tempo in changes]) * self.ticks_per_quarter)
        time = np.append(0.0, np.cumsum(np.diff(begin) * pace[:-1]))
        # Of several tempos at one tick the last one counts.
        number = np.searchsorted(begin, ticks, side="right") - 1
        return time[number] + (ticks - begin[number]) * pace[number]

    def _stop(self) -> int:
        """`end`, or the end of the last note where notes were added since."""
        sounding = [track.notes for track in self.tracks if len(track.notes)]
        return max([int(self.end), *([_last_tick(sounding)] if sounding else [])])


def _last_tick(tracks: list[np.ndarray]) -> int:
    """Tick at which the last note of some tracks ends. A note of no length lasts a tick, as it is written."""
    # Column by column: joining whole notes, of ten bytes each, is several times slower.
    start, duration = (np.concatenate([notes[column] for notes in tracks]) for column in ("start", "duration"))
    end = int((start.astype(np.int64) + np.maximum(duration, 1)).max())
    if end >= 2**31:
        raise MusicError(f"a note ends at tick {end}, must lie before {2**31}")
    return end
