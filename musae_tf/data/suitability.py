"""Which grid and which layout suit the songs of a source, before any of them is built.

A sample of the songs is read twice by the guarded processes of a build: for their metres and for the grids that their
notes lie on, then for what each layout takes of them on the grid that suits them best.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from musae_tf.cores import available_cores
from musae_tf.data.reader import MOST_BARS, Arrays, Chunk, Reader, read_part
from musae_tf.data.source import TOO_LARGE, Piece, Source, UnfitError
from musae_tf.data.workers import make_parts
from musae_tf.errors import MusicError
from musae_tf.music.beat import has_another_beat
from musae_tf.music.layouts import Layout
from musae_tf.music.named_layouts import LAYOUTS, get_layout
from musae_tf.music.placing import Placement
from musae_tf.music.roles import assign
from musae_tf.music.song import Song
from musae_tf.music.survey import Survey
from musae_tf.progress import progress

MOST_FILES = 300
"""Files of a source that are read, evenly spaced."""

REASONS = ("outside_layout", "other_metre", "overlapped", "same_step")
"""For which notes are lost, as `Grid.losses` has them."""

WITHIN = 0.02
"""A layout is recommended if no other keeps a larger share of the notes by more than this; the one with the fewest
columns of several.
"""

_CHUNK = 8


@dataclass
class Sample:
    """Songs of a source, and what of them is known.

    Attributes:
        items: Keys of the songs that are read.
        files: How many keys the source has.
        survey: Their metres and grids.
        refused: By kind, those that a build would refuse whatever the layout.
        another_beat: How many follow another beat than their tempo track; their notes are not asked for grids.
    """

    items: Sequence[Hashable]
    files: int
    survey: Survey = field(default_factory=Survey)
    refused: Counter[str] = field(default_factory=Counter)
    another_beat: int = 0


@dataclass(frozen=True)
class Retention:
    """What a layout takes of songs.

    Attributes:
        layout: The layout.
        notes: All notes of the songs.
        lost: Those that it does not take, by reason.
    """

    layout: Layout
    notes: int
    lost: Mapping[str, int]

    @property
    def kept(self) -> float:
        """Share of the notes that it takes; 0 where there are none."""
        return 1 - sum(self.lost.values()) / self.notes if self.notes else 0.0


def sample(source: Source, most: int = MOST_FILES, workers: int | None = None) -> Sample:
    """Read songs of a source for their metres and grids.

    Args:
        source: Where the songs come from.
        most: At most so many are read, evenly spaced.
        workers: Processes, as for `build`.

    Raises:
        DatasetError: The source cannot be read.
    """
    every = list(source.items())
    items = [every[place] for place in np.unique(np.linspace(0, len(every) - 1, min(most, len(every))).astype(int))]
    found = Sample(items, len(every), refused=Counter(rejection.kind for rejection in source.rejected()))
    songs, refused = _read(source, _metres, items, f"looking at {source.name}", workers)
    found.refused.update(refused)
    for song in songs:
        found.another_beat += song["another_beat"]
        found.survey.join(Survey.from_dict(song["counts"]))
    return found


def retentions(
    source: Source, items: Sequence[Hashable], layouts: Sequence[Layout], workers: int | None = None
) -> list[Retention]:
    """What layouts take of songs of a source, of each in the order given. Arguments as for `sample`."""
    songs, _ = _read(source, partial(_taken, layouts=tuple(layouts)), items, "trying layouts", workers)
    return _summed(layouts, (song["layouts"] for song in songs))


def retentions_of(song: Song, layouts: Sequence[Layout]) -> list[Retention]:
    """What layouts take of one song."""
    return _summed(layouts, [[_losses(song, layout) for layout in layouts]])


def candidates(grid: str, layout: str | None = None) -> list[Layout]:
    """The layouts to try on a grid: the one that is named, or all of the package.

    Raises:
        MusicError: There is no such layout.
    """
    return [get_layout(name, grid=grid) for name in ([layout] if layout else LAYOUTS)]


def recommended(found: Sequence[Retention]) -> Layout:
    """Of the layouts that keep all but `WITHIN` of what the best one keeps, the one with the fewest columns."""
    most = max(retention.kept for retention in found)
    near = [retention for retention in found if retention.kept >= most - WITHIN]
    return min(near, key=lambda retention: (len(retention.layout.columns), -retention.kept)).layout


def as_numbers(survey: Survey, found: Sequence[Retention]) -> dict[str, Any]:
    """What is known of songs, as JSON holds it."""
    return {
        "songs": survey.songs,
        "bars": dict(survey.bars.most_common()),
        "notes": sum(survey.notes.values()),
        "off_grid": {grid: survey.share_off(grid) for grid in survey.grids},
        "grid": survey.best,
        "layouts": {
            retention.layout.name: {
                "kept": retention.kept,
                "columns": len(retention.layout.columns),
                "lost": {reason: retention.lost[reason] / max(retention.notes, 1) for reason in REASONS},
            }
            for retention in found
        },
        "layout": recommended(found).name,
    }


def _read(
    source: Source, look: Callable[[Piece], dict[str, Any]], items: Sequence[Hashable], title: str, workers: int | None
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """What there is to say of each item that is taken, and how many are refused, by kind."""
    reader = _Looker(source, get_layout(source.layout), look=look)
    songs: list[dict[str, Any]] = []
    refused: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        chunks = [
            Chunk(Path(folder) / f"part-{first:06d}.npz", items[first : first + _CHUNK])
            for first in range(0, len(items), _CHUNK)
        ]
        with progress(total=len(items), title=title, unit="files") as bar:
            make_parts(chunks, reader, available_cores() if workers is None else workers, bar.update)
        for part in (read_part(chunk.path) for chunk in chunks):
            songs += part.songs
            refused.update(rejection.kind for rejection in part.rejected)
    return songs, refused


@dataclass(frozen=True)
class _Looker(Reader):
    """A reader that says something of each song, as JSON holds it, and makes no tokens of it."""

    look: Callable[[Piece], dict[str, Any]] = field(kw_only=True)

    def songs(self, piece: Piece) -> list[tuple[Arrays, dict[str, Any]]]:
        if not piece.settled:
            self.filters.check_beat(piece.song)
        columns = len(self.layout.columns)
        nothing = Arrays(
            np.empty((0, self.layout.bar_steps, columns), np.uint16), np.empty((0, columns), np.uint16),
            np.empty((0, 2), np.int64), np.empty(0, np.uint64),
        )  # fmt: skip
        try:
            if len(piece.song.bars()) > MOST_BARS:
                raise MusicError(f"has more than {MOST_BARS:,} bars")
            return [(nothing, self.look(piece))]
        except MusicError as cause:
            raise UnfitError(str(cause), TOO_LARGE) from None


def _metres(piece: Piece) -> dict[str, Any]:
    found, another_beat = Survey(), not piece.settled and bool(has_another_beat(piece.song))
    found.add(piece.song, on_beat=not another_beat)
    return {"counts": found.to_dict(), "another_beat": another_beat}


def _taken(piece: Piece, layouts: Sequence[Layout]) -> dict[str, Any]:
    return {"layouts": [_losses(piece.song, layout, piece.settled) for layout in layouts]}


def _losses(song: Song, layout: Layout, settled: bool = False) -> dict[str, int]:
    """All `notes` of a song, and those that a layout loses by reason; all of them if the song does not fit.

    Notes that other ones double, with their pitch and start on the same track of the layout, are not lost.
    """
    notes = sum(len(track.notes) for track in song.tracks)
    try:
        roles = assign(song, layout)
    except MusicError:
        return {"notes": notes, "outside_layout": notes}
    try:
        losses = next(Placement(_without_doublings(song, roles), layout, settled).grids([roles])).losses
    except MusicError:
        return {"notes": notes, "other_metre": notes}
    return {"notes": notes, **{reason: int(losses[reason]) for reason in REASONS}}


def _without_doublings(song: Song, roles: np.ndarray) -> Song:
    """A song with the longest of the notes of one pitch, start and role; roles are int [tracks], -1 for none."""
    notes = [track.notes for track in song.tracks]
    for role in set(roles.tolist()) - {-1}:
        sources = np.flatnonzero(roles == role).tolist()
        every = np.concatenate([notes[source] for source in sources])
        source = np.repeat(sources, [len(notes[one]) for one in sources])
        order = np.lexsort((-every["duration"].astype(np.int64), every["pitch"], every["start"]))
        every, source = every[order], source[order]
        first = np.ones(len(every), bool)
        first[1:] = (np.diff(every["start"]) != 0) | (np.diff(every["pitch"].astype(int)) != 0)
        for one in sources:
            notes[one] = every[first & (source == one)]
    tracks = [replace(track, notes=own) for track, own in zip(song.tracks, notes, strict=True)]
    return replace(song, tracks=tracks)


def _summed(layouts: Sequence[Layout], songs: Iterable[Sequence[Mapping[str, int]]]) -> list[Retention]:
    sums: list[Counter[str]] = [Counter() for _ in layouts]
    for song in songs:
        for total, losses in zip(sums, song, strict=True):
            total.update(losses)
    return [
        Retention(layout, total["notes"], {reason: total[reason] for reason in REASONS})
        for layout, total in zip(layouts, sums, strict=True)
    ]
