"""Beats that a file of music does not have: read from a file beside it, and the song on them.

What was played freely, or to a click that the file knows nothing of, has a tempo track that is not the beat. A file of
beats is text with a beat a line, in order of time:

    # seconds, whether a bar begins
    0.055 1
    0.722 0
    1.389 0

Columns are separated by spaces, tabs or commas. The first one is the time from the beginning of the song. The second,
if there is one, is 1 where a bar begins, and 0 or the number of the beat in its bar elsewhere. A third one is another
opinion on the same, as in the files of POP909 (Wang et al. 2020), which mark half bars and bars. The last column counts
with which most beats lie in bars of at most four; where none has such bars, the last one. Empty lines, and those that
begin with #, are left out.
"""

import os
import re
import stat
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music.song import Metre, Song, Tempo, Track

SUFFIX = ".beats.txt"
"""Of the file of beats of a MIDI file: `song.beats.txt` is that of `song.mid`."""

LARGEST = 4 * 2**20
"""Bytes of a file of beats that is read; a song of ten minutes has some thirty thousand."""

MOST = 100_000
"""Beats of a song."""

LATEST = 86_400.0
"""Seconds: the time of the last beat is at most this."""

SHORTEST, LONGEST = 0.01, 10.0
"""Seconds from one beat to the next; MIDI has tempos for 0.000001 to 16.7."""

MOST_IN_BAR = 32
"""Beats of the usual bar of a song."""

RESOLUTION = 480
"""Ticks a quarter of a song on its beats, or as many as it had if these are more."""

_COLUMNS = 3
_USUAL = 4
_NUMBER = re.compile(r"[+-]?(\d{1,20}\.?\d{0,40}|\.\d{1,40})(e[+-]?\d{1,3})?", re.IGNORECASE | re.ASCII)
_MICROSECONDS = 1_000_000
_MINUTE = 60 * _MICROSECONDS


@dataclass(frozen=True, eq=False)
class Beats:
    """The beats of a song.

    Attributes:
        times: float64 [n], seconds from the beginning of the song, at least two, increasing.
        downbeats: bool [n], which of them begin a bar.

    Raises:
        MusicError: They are too few, too many, not in order, or nearer or farther than `SHORTEST` and `LONGEST` allow.
    """

    times: np.ndarray
    downbeats: np.ndarray

    def __post_init__(self) -> None:
        if not 2 <= len(self.times) <= MOST or np.shape(self.times) != np.shape(self.downbeats):
            counts = f"{len(self.times):,} beats and {len(self.downbeats):,} marks of down-beats"
            raise MusicError(f"{counts}, must be as many, 2 to {MOST:,}")
        if not 0 <= self.times[0] <= self.times[-1] <= LATEST:
            raise MusicError(f"beats from {self.times[0]:g} to {self.times[-1]:g} seconds, must be 0 to {LATEST:,.0f}")
        lengths = np.diff(self.times)
        if not SHORTEST <= lengths.min() <= lengths.max() <= LONGEST:
            raise MusicError(
                f"beats are {lengths.min():g} to {lengths.max():g} seconds apart, must be {SHORTEST:g} to {LONGEST:g}"
            )


def read_beats(path: str | os.PathLike) -> Beats:
    """Read a file of beats, see above.

    Raises:
        MusicError: It cannot be read, or is no such file; the sentence names the line.
    """
    try:
        # What is no file (a pipe, say) might never end.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise MusicError(f"{path} is not a regular file")
        with Path(path).open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as cause:
        raise MusicError(f"cannot read {path}: {cause.strerror or cause}") from cause
    return parse_beats(data, os.fspath(path))


def parse_beats(data: bytes, name: str) -> Beats:
    """What a file of beats holds; `name` is its name in errors.

    Raises:
        MusicError: It is no such file; the sentence names the line.
    """
    if len(data) > LARGEST:
        raise MusicError(f"{name} has more than {LARGEST:,} bytes, the most that are read of a file of beats")
    rows: list[list[float]] = []
    lines: list[int] = []
    for number, text in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        line = text.decode("ascii", "replace").strip()
        if not line or line.startswith("#"):
            continue
        where = f"{name}, line {number}"
        row = _row(line, where)
        if rows:
            _check_next(rows[-1], row, where)
        if len(rows) == MOST:
            raise MusicError(f"{where}: more than {MOST:,} beats, the most of a song")
        rows.append(row)
        lines.append(number)
    if len(rows) < 2:
        raise MusicError(f"{name} has {len(rows)} lines of beats, must have at least 2")
    table = np.array(rows)
    downbeats = _downbeats(table[:, 1:] == 1)
    usual = _usual_bar(downbeats)
    if usual > MOST_IN_BAR:
        first = int(np.flatnonzero(downbeats)[1])
        raise MusicError(
            f"{name}, line {lines[first]}: most bars have {usual} beats, at most {MOST_IN_BAR} are allowed"
        )
    return Beats(table[:, 0], downbeats)


def _row(line: str, where: str) -> list[float]:
    fields = re.split(r"\s*,\s*|\s+", line, maxsplit=_COLUMNS)
    if len(fields) > _COLUMNS:
        raise MusicError(
            f"{where}: more than {_COLUMNS} columns; allowed: seconds, and at most two marks of down-beats"
        )
    for field in fields:
        if not _NUMBER.fullmatch(field):
            raise MusicError(f"{where}: {field[:40]!r} is not a number; allowed: seconds, and marks of down-beats")
    time, *marks = map(float, fields)
    if not 0 <= time <= LATEST:
        raise MusicError(f"{where}: the beat is at {time:g} seconds, must be 0 to {LATEST:,.0f}")
    for mark in marks:
        if not (0 <= mark <= MOST_IN_BAR and mark == int(mark)):
            raise MusicError(
                f"{where}: the mark {mark:g}; allowed: 1 where a bar begins, elsewhere 0 or the number of the beat in "
                f"its bar, up to {MOST_IN_BAR}"
            )
    return [time, *marks]


def _check_next(before: list[float], row: list[float], where: str) -> None:
    if len(row) != len(before):
        raise MusicError(f"{where}: {len(row)} columns, the line before has {len(before)}")
    length = row[0] - before[0]
    if not SHORTEST <= length <= LONGEST:
        raise MusicError(
            f"{where}: the beat is {length:g} seconds after the one before it, must be {SHORTEST:g} to {LONGEST:g}"
        )


def _downbeats(marks: np.ndarray) -> np.ndarray:
    """The column that counts of marks bool [n, columns]; no down-beat at all where there is no column."""
    columns = [column for column in marks.T[::-1] if column.any()]
    if not columns:
        return np.zeros(len(marks), bool)
    return next((column for column in columns if _usual_bar(column) <= _USUAL), columns[0])


def _usual_bar(downbeats: np.ndarray) -> int:
    """Beats of the bars in which most beats lie; 4 where there is no bar."""
    bars = Counter(np.diff(np.flatnonzero(downbeats)).tolist())
    return max(bars, key=lambda beats: (bars[beats] * beats, -beats), default=_USUAL)


# --- the song on its beats --------------------------------------------------------------------------------------------


def retimed(song: Song, beats: Beats) -> Song:
    """The song with a quarter for each beat: it sounds as before, and its notes lie where they are in the beat.

    Every note begins and ends when it did, to the tick; tempos are those of the beats, in whole microseconds. Notes
    before the first beat and after the last one lie in beats as long as the nearest. The silence before the first note
    or beat, whichever is earlier, is made of whole quarters.

    A bar of n beats is in n/4, so bars begin on down-beats. One that is longer than the usual bar of the song is cut
    into usual ones from its down-beat and a rest: a down-beat was missed, or a phrase is longer. The bars before the
    first down-beat and after the last one are usual, and the first is as long as what is left. Without any down-beat
    the first beat is taken for one, in 4/4.

    Args:
        song: As it was played; its metres are not used.
        beats: Its beats.

    Raises:
        MusicError: It has too many beats.
    """
    resolution = max(song.ticks_per_quarter, RESOLUTION)
    played = [song.seconds_at(track.notes["start"]) for track in song.tracks if len(track.notes)]
    first = min((float(starts.min()) for starts in played), default=np.inf)
    edges = _edges(np.rint(beats.times * _MICROSECONDS).astype(np.int64), first * _MICROSECONDS, resolution)
    tracks = [
        Track(track.name, track.program, track.is_drum, _notes(song, track, edges, resolution)) for track in song.tracks
    ]
    return Song(
        ticks_per_quarter=resolution,
        tracks=tracks,
        tempos=_tempos(edges, resolution),
        metres=_metres(beats.downbeats, len(edges) - len(beats.times), resolution),
        end=int(_ticks(song, song.end, edges, resolution)),
        name=song.name,
        warnings={**song.warnings, "files_of_beats": 1},
    )


def _edges(beats: np.ndarray, onset: float, resolution: int) -> np.ndarray:
    """Where the quarters begin, from tick 0 to the last beat: microseconds, int64, the first at 0 or before it.

    Args:
        beats: int64 [n], microseconds.
        onset: Microseconds of the first note.
        resolution: Ticks a quarter.
    """
    length = int(beats[1] - beats[0])
    if beats[0] > MOST * length:
        raise MusicError(
            f"the first beat is {beats[0] // length:,} beats after the beginning, at most {MOST:,} are allowed"
        )
    back = max(0, int(np.ceil((beats[0] - onset) / length))) if np.isfinite(onset) else 0
    edges = np.concatenate([beats[0] - length * np.arange(back, 0, -1), beats])
    near = np.flatnonzero(np.abs(edges) * 2 * resolution <= length)
    if len(near):  # within half a tick
        edges = edges[near[0] :]
        edges[0] = 0
    if edges[0] <= 0:
        return edges
    silent = max(1, round(int(edges[0]) / length))
    return np.concatenate([np.arange(silent) * edges[0] // silent, edges])


def _tempos(edges: np.ndarray, resolution: int) -> list[Tempo]:
    tempos = [Tempo(number * resolution, _MINUTE / int(length)) for number, length in enumerate(np.diff(edges))]
    tempos = [tempo for number, tempo in enumerate(tempos) if not number or tempo.bpm != tempos[number - 1].bpm]
    if edges[0] < 0:
        # A note before the first beat, in a quarter that began before the song did: no time passes up to the song's
        # beginning.
        begin = round(-int(edges[0]) * resolution / int(edges[1] - edges[0]))
        tempos[:1] = [Tempo(0, _MINUTE), Tempo(begin, tempos[0].bpm)]
    return tempos


def _metres(downbeats: np.ndarray, before: int, resolution: int) -> list[Metre]:
    """Metres of bars that begin on down-beats; `before` is how many quarters there are before the first beat."""
    starts = before + (np.flatnonzero(downbeats) if downbeats.any() else np.zeros(1, np.int64))
    usual = _usual_bar(downbeats)
    begin = int(starts[0]) % usual
    bars = [(0, begin)] if begin else []
    bars.append((begin, usual))
    for start, count in zip(starts[:-1].tolist(), np.diff(starts).tolist(), strict=True):
        whole = count // usual * usual
        bars += [(start, usual)] if whole else []
        bars += [(start + whole, count - whole)] if count > whole else []
    bars.append((int(starts[-1]), usual))
    # Of several at one place the last one counts, and what stays is not said again.
    latest = list(dict(bars).items())
    return [
        Metre(quarter * resolution, count, 4)
        for number, (quarter, count) in enumerate(latest)
        if not number or count != latest[number - 1][1]
    ]


def _notes(song: Song, track: Track, edges: np.ndarray, resolution: int) -> np.ndarray:
    notes = track.notes.copy()
    start = _ticks(song, track.notes["start"], edges, resolution)
    end = _ticks(song, track.notes["start"].astype(np.int64) + track.notes["duration"], edges, resolution)
    notes["start"] = start
    notes["duration"] = np.maximum(end - start, np.minimum(track.notes["duration"], 1))
    return notes


def _ticks(song: Song, ticks: np.ndarray | int, edges: np.ndarray, resolution: int) -> np.ndarray:
    """Ticks of the song as it was, as ticks of the song on its beats, int64."""
    time = song.seconds_at(ticks) * _MICROSECONDS
    quarter = np.interp(time, edges, np.arange(len(edges)))
    quarter += np.maximum(time - edges[-1], 0) / (edges[-1] - edges[-2])
    if np.max(quarter, initial=0) * resolution >= 2**31:
        raise MusicError(f"the song has {np.max(quarter):,.0f} beats, must have less than {2**31 // resolution:,}")
    return np.rint(quarter * resolution).astype(np.int64)
