"""The work of a build on one file, whatever engine runs it: read, filtered, put on the grid, written to a part file."""

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from musae_tf.data.source import TOO_LARGE, UNREADABLE, Piece, Rejection, Source, UnfitError, place
from musae_tf.data.split import fingerprints, identity
from musae_tf.errors import DatasetError, MusicError
from musae_tf.files import atomic_path
from musae_tf.music.beat import has_another_beat, has_no_beat
from musae_tf.music.grid import heads, sounding_bars
from musae_tf.music.layouts import Layout
from musae_tf.music.placing import Grid, Placement
from musae_tf.music.roles import CANDIDATES, assign, choices
from musae_tf.music.song import Song

FOUR_FOUR = "four-four"
ALL_PARTS = "all-parts"
NO_SILENT_BARS = "no-silent-bars"
FILTERS = (FOUR_FOUR, ALL_PARTS, NO_SILENT_BARS)
OFF_GRID = ("refuse", "allow")


@dataclass(frozen=True)
class Filters:
    """Which songs and bars a dataset takes.

    Attributes:
        names: Any of `FILTERS`. "four-four" refuses a song with any other metre. "all-parts" refuses a song in which a
            track of the layout never sounds. "no-silent-bars" cuts out every bar in which a track is silent, so that
            in each phrase of neighbouring bars all tracks sound in every bar.
        phrase: Bars. With "no-silent-bars", stretches shorter than this are cut out too: no phrase fits in them.
        off_grid: "refuse" refuses a song whose notes follow no beat (`musae_tf.music.beat`), "allow" takes it.
    """

    names: Iterable[str] = ()
    phrase: int = 1
    off_grid: str = "refuse"

    def __post_init__(self) -> None:
        wanted = set(self.names)
        unknown = sorted(wanted - set(FILTERS))
        if unknown:
            raise DatasetError(f"filter {', '.join(map(repr, unknown))} is unknown; known: {', '.join(FILTERS)}")
        if not 1 <= self.phrase <= 1024:
            raise DatasetError(f"a phrase of {self.phrase} bars; must be 1 to 1024")
        if self.off_grid not in OFF_GRID:
            raise DatasetError(f"off_grid is {self.off_grid!r}; allowed: {', '.join(OFF_GRID)}")
        object.__setattr__(self, "names", tuple(name for name in FILTERS if name in wanted))

    def check_song(self, song: Song) -> None:
        """Raises UnfitError if the song may not be used, whatever its tracks."""
        others = sorted({f"{m.numerator}/{m.denominator}" for m in song.metres if m[1:] != (4, 4)})
        if FOUR_FOUR in self.names and others:
            raise UnfitError(f"has bars of {', '.join(others[:5])}", "not in 4/4 throughout")

    def check_beat(self, song: Song) -> None:
        """Raises UnfitError if the notes of the song follow no beat and such songs are refused."""
        found = has_no_beat(song) if self.off_grid == "refuse" else ""
        if found:
            raise UnfitError(f"{found} (--off-grid allow takes it as it is)", WITHOUT_BEAT)

    def select(self, grid: Grid, sounds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, int]]:
        """The bars of a song that are used.

        Args:
            grid: The song on the grid.
            sounds: bool [bars, K], which tracks sound in which bars.

        Returns:
            tokens uint16 [bars, S, C], heads uint16 [bars, C] (first symbols of the bars with holds resolved), runs
            int64 [runs, 2] and counts of what was cut out.

        Raises:
            UnfitError: Nothing of the song is used.
        """
        runs = np.array(grid.runs, np.int64).reshape(-1, 2)
        present = np.logical_or.reduce(sounds, axis=0).tolist()
        if ALL_PARTS in self.names and not all(present):
            silent = [name for name, sounding in zip(grid.layout.names, present, strict=True) if not sounding]
            raise UnfitError(f"has no {', '.join(silent)}", "without a part of the layout")
        if NO_SILENT_BARS not in self.names:
            return grid.tokens, heads(grid.tokens, grid.runs, grid.layout), runs, {}
        first, bars = _stretches(np.logical_and.reduce(sounds, axis=1), runs)
        first, bars = first[bars >= self.phrase], bars[bars >= self.phrase]
        if len(first) == 0:
            raise UnfitError(
                f"has no {self.phrase} neighbouring bars in which all tracks sound",
                "without a phrase free of silent bars",
            )
        kept = np.repeat(first - np.cumsum(bars) + bars, bars) + np.arange(bars.sum())
        tokens, first_symbols = grid.tokens[kept], heads(grid.tokens, grid.runs, grid.layout)[kept]
        starts = np.cumsum(bars) - bars
        # A note that sounded into a bar that is now the first of its stretch is struck there.
        tokens[starts, 0] = first_symbols[starts]
        runs = np.stack([starts, bars], axis=1)
        return tokens, first_symbols, runs, {"bars_with_silence": len(grid.tokens) - len(kept)}


def _stretches(wanted: np.ndarray, runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First bars and lengths of maximal stretches of wanted bars that no boundary of `runs` crosses."""
    starts = np.zeros(len(wanted) + 1, bool)
    starts[runs[:, 0]] = starts[-1] = True
    apart = np.zeros(len(wanted) + 2, bool)
    apart[1:-1] = wanted
    first = np.flatnonzero(wanted & (~apart[:-2] | starts[:-1]))
    last = np.flatnonzero(wanted & (~apart[2:] | starts[1:]))
    return first, last - first + 1


WITHOUT_BEAT = "without a beat"
UNEXPECTED = "failed unexpectedly"
MOST_BARS = 10_000
"""Bars of one song, all its combinations of tracks taken together. Ten thousand are five hours."""


def unfit(layout: Layout) -> str:
    """The kind of rejection of a song that the layout or the grid cannot hold."""
    return f"with no track or bar for layout {layout.name}"


class Chunk(NamedTuple):
    """Items that go to one part file."""

    path: Path
    items: Sequence[Hashable]


class Arrays(NamedTuple):
    """A song: tokens uint16 [bars, S, C], heads uint16 [bars, C], runs int64 [runs, 2], fingerprints uint64 [n]."""

    tokens: np.ndarray
    heads: np.ndarray
    runs: np.ndarray
    prints: np.ndarray


@dataclass(frozen=True)
class Reader:
    """The per-file function of a build. It is pickled to every worker, of whatever engine.

    Attributes:
        source: Where the items come from.
        layout: What to take from every song.
        candidates: What to do with several source tracks for one track of the layout, see `choices`.
        filters: Which songs and bars to take.
    """

    source: Source
    layout: Layout
    candidates: str = "merge"
    filters: Filters = field(default_factory=Filters)

    def __post_init__(self) -> None:
        if self.candidates not in CANDIDATES:
            raise DatasetError(f"candidates is {self.candidates!r}; allowed: {', '.join(CANDIDATES)}")

    def read(self, item: Hashable) -> list[tuple[Arrays, dict[str, Any]]] | Rejection:
        """The songs that one file gives, one for each combination of its tracks, or why there is none.

        Raises:
            MemoryError: It is for the process that runs this to say what becomes of a file that is too large for it.
            DatasetError: The source cannot go on.
        """
        where = place(item)
        kind = UNREADABLE
        try:
            piece = self.source.load(item)
            kind = unfit(self.layout)
            return self.songs(piece)
        except MusicError as cause:
            reason = str(cause) if where in str(cause) else f"{where}: {cause}"
            return Rejection(where, reason, getattr(cause, "kind", kind))
        except (MemoryError, DatasetError):  # not the file's fault
            raise
        except Exception as cause:  # one strange file must not end a build of a hundred thousand
            return Rejection(where, f"{where}: {type(cause).__name__}: {cause}", UNEXPECTED)

    def songs(self, piece: Piece) -> list[tuple[Arrays, dict[str, Any]]]:
        """Put a piece on the grid: arrays and plain values of each combination of its tracks that passes the filters.

        Raises:
            MusicError: None does; an UnfitError where a filter says so.
        """
        self.filters.check_song(piece.song)
        if not piece.settled:
            self.filters.check_beat(piece.song)
        ways = choices(piece.song, self.layout, assign(piece.song, self.layout), self.candidates)
        placement = Placement(piece.song, self.layout, piece.settled)
        if placement.bars > MOST_BARS:
            raise UnfitError(f"has {placement.bars:,} bars, at most {MOST_BARS:,} are taken", TOO_LARGE)
        songs, refused, bars = [], None, 0
        for number, grid in enumerate(placement.grids(ways), 1):
            try:
                arrays, song = self._song(piece, grid)
            except UnfitError as cause:
                refused = cause
                continue
            bars += len(arrays.tokens)
            if bars > MOST_BARS:
                raise UnfitError(f"has more than {MOST_BARS:,} bars", TOO_LARGE)
            songs.append((arrays, song if len(ways) == 1 else {**song, "id": f"{song['id']}#{number}"}))
        if not songs and refused is not None:
            raise refused
        return songs

    def _warnings(self, piece: Piece) -> dict[str, int]:
        """What reading the song mended, and whether it was taken though it has no beat, or another: counts by kind."""
        warnings = dict(piece.song.warnings)
        if not piece.settled:
            if self.filters.off_grid == "allow" and has_no_beat(piece.song):
                warnings["songs_without_beat"] = 1
            elif has_another_beat(piece.song):
                warnings["songs_with_another_beat"] = 1
        return warnings

    def _song(self, piece: Piece, grid: Grid) -> tuple[Arrays, dict[str, Any]]:
        sounds = sounding_bars(grid.tokens, self.layout)
        if not sounds.any():
            raise MusicError(
                f"{piece.source}: no note lies on a track of layout {self.layout.name} in a bar of its grid, "
                f"{self.layout.time.name}"
            )
        tokens, heads, runs, cut = self.filters.select(grid, sounds)
        prints = fingerprints(tokens, heads, runs, self.layout)
        song = {
            "id": piece.id,
            "source": piece.source,
            "title": piece.title,
            "labels": sorted(set(piece.labels)),
            "tempo": float(grid.tempo),
            "key": piece.key,
            "bars": len(tokens),
            "losses": {name: int(count) for name, count in {**grid.losses, **cut}.items()},
            "warnings": self._warnings(piece),
            "hints": sorted(set(piece.hints)),
            "split": piece.split,
            "identity": identity(tokens, prints),
            "runs": len(runs),
            "prints": len(prints),
        }
        return Arrays(tokens.astype(np.uint16, copy=False), heads.astype(np.uint16, copy=False), runs, prints), song


@dataclass(frozen=True)
class Part:
    """What a chunk gave: songs as plain values, their arrays end to end, and the items that gave none."""

    songs: list[dict[str, Any]]
    rejected: list[Rejection]
    tokens: np.ndarray
    heads: np.ndarray
    runs: np.ndarray
    prints: np.ndarray


def write_part(
    chunk: Chunk, reader: Reader, harmful: Mapping[int, Rejection], begin: Callable[[int], None] = lambda position: None
) -> None:
    """Read the items of a chunk and write what they give to its part file (.npz) in one atomic step.

    Args:
        chunk: What to read, and where to.
        reader: What to do with each item.
        harmful: By position, items that must not be read again because the process died of them.
        begin: Called with the position of every item before it is read, and with -1 when all are read.

    Raises:
        DatasetError: The file cannot be written. An item that gives no song is recorded, never raised.
        MemoryError: An item needs more memory than there is.
    """
    songs, rejected = [], []
    columns = len(reader.layout.columns)
    collected = [
        Arrays(
            np.empty((0, reader.layout.bar_steps, columns), np.uint16), np.empty((0, columns), np.uint16),
            np.empty((0, 2), np.int64), np.empty(0, np.uint64),
        )
    ]  # fmt: skip
    for position, item in enumerate(chunk.items):
        if position in harmful:
            rejected.append(harmful[position])
            continue
        begin(position)
        result = reader.read(item)
        if isinstance(result, Rejection):
            rejected.append(result)
            continue
        for arrays, song in result:
            songs.append(song)
            collected.append(arrays)
    begin(-1)
    text = json.dumps({"songs": songs, "rejected": rejected}).encode("ascii")
    joined: dict[str, Any] = {
        name: np.concatenate(arrays) for name, arrays in zip(Arrays._fields, zip(*collected, strict=True), strict=True)
    }
    with atomic_path(chunk.path, DatasetError) as temporary:
        np.savez(temporary, **joined, text=np.frombuffer(text, np.uint8))


def read_part(path: Path) -> Part:
    """Read a part file."""
    with np.load(path) as arrays:
        text = json.loads(arrays["text"].tobytes())
        rejected = [Rejection(*fields) for fields in text["rejected"]]
        return Part(text["songs"], rejected, *(arrays[name] for name in Arrays._fields))


def songs_of(part: Part) -> Iterator[tuple[dict[str, Any], slice, np.ndarray, np.ndarray]]:
    """The songs of a part: plain values, its bars in `part.tokens`, its runs int64 [r, 2] and its fingerprints."""
    bar = run = first_print = 0
    for song in part.songs:
        bars = slice(bar, bar + song["bars"])
        yield song, bars, part.runs[run : run + song["runs"]], part.prints[first_print : first_print + song["prints"]]
        bar, run, first_print = bars.stop, run + song["runs"], first_print + song["prints"]
