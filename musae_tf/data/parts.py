"""The work of one build process: a chunk of songs read, put on the grid and written to one part file."""

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from musae_tf.data.groups import fingerprints, identity
from musae_tf.data.phrases import sounding
from musae_tf.data.source import Piece, Rejection, Source, place
from musae_tf.errors import DatasetError, MusicError
from musae_tf.files import atomic_path
from musae_tf.music.grid import heads as resolve_heads
from musae_tf.music.grid import tokenize
from musae_tf.music.layouts import Layout

UNREADABLE = "unreadable"
UNEXPECTED = "failed unexpectedly"
CRASHED = "crashed the reader"


def unfit(layout: Layout) -> str:
    """The kind of rejection of a song that the layout or the grid cannot hold."""
    return f"with no track or bar for layout {layout.name}"


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
    path: Path, source: Source, layout: Layout, items: Sequence[Hashable], crashed: Mapping[int, str] | None = None
) -> None:
    """Read `items` and write what they give to `path` (.npz) in one atomic step.

    Args:
        path: The part file.
        source: Where the items come from.
        layout: What to take from every song.
        items: Keys of the source.
        crashed: Positions of items that must not be read again, because the process died of them, and how.

    Raises:
        DatasetError: The file cannot be written. An item that gives no song is recorded, never raised.
    """
    songs, rejected = [], []
    tracks = len(layout.tracks)
    tokens = [np.empty((0, 16, tracks), np.uint16)]
    heads = [np.empty((0, tracks), np.uint16)]
    runs = [np.empty((0, 2), np.int64)]
    prints = [np.empty(0, np.uint64)]
    for position, item in enumerate(items):
        where = place(item)
        if crashed and position in crashed:
            rejected.append(Rejection(where, crashed[position], CRASHED))
            continue
        kind = UNREADABLE
        try:
            piece = source.load(item)
            kind = unfit(layout)
            arrays, song = measure(piece, layout)
        except MusicError as cause:
            rejected.append(Rejection(where, str(cause), kind))
            continue
        except Exception as cause:  # one strange file must not end a build of a hundred thousand
            rejected.append(Rejection(where, f"{where}: {type(cause).__name__}: {cause}", UNEXPECTED))
            continue
        songs.append(song)
        for collected, array in zip((tokens, heads, runs, prints), arrays, strict=True):
            collected.append(array)
    text = json.dumps({"songs": songs, "rejected": rejected})
    with atomic_path(path, DatasetError) as temporary:
        np.savez(
            temporary,
            tokens=np.concatenate(tokens),
            heads=np.concatenate(heads),
            runs=np.concatenate(runs),
            prints=np.concatenate(prints),
            text=np.frombuffer(text.encode("ascii"), np.uint8),
        )


def measure(piece: Piece, layout: Layout) -> tuple[tuple[np.ndarray, ...], dict[str, Any]]:
    """Put a song on the grid: (tokens, heads, runs, fingerprints) and its plain values.

    Raises MusicError if nothing of it lies there.
    """
    grid = tokenize(piece.song, layout)
    runs = np.array(grid.runs, np.int64).reshape(-1, 2)
    heads = resolve_heads(grid.tokens, grid.runs, layout)
    if not sounding(grid.tokens, layout).any():
        raise MusicError(f"{piece.source}: no note lies on a track of layout {layout.name} in a bar of 16 sixteenths")
    prints = fingerprints(grid.tokens, heads, runs, layout)
    song = {
        "id": piece.id,
        "source": piece.source,
        "title": piece.title,
        "labels": sorted(set(piece.labels)),
        "tempo": float(grid.tempo),
        "key": piece.key,
        "bars": len(grid.tokens),
        "losses": {name: int(count) for name, count in grid.losses.items()},
        "hints": sorted(set(piece.hints)),
        "identity": identity(grid.tokens, prints),
        "runs": len(runs),
        "prints": len(prints),
    }
    return (grid.tokens.astype(np.uint16), heads.astype(np.uint16), runs, prints), song


def read_part(path: Path) -> Part:
    """Read a part file."""
    with np.load(path) as arrays:
        text = json.loads(arrays["text"].tobytes())
        rejected = [Rejection(*fields) for fields in text["rejected"]]
        return Part(text["songs"], rejected, *(arrays[name] for name in ("tokens", "heads", "runs", "prints")))


def songs_of(part: Part) -> Iterator[tuple[dict[str, Any], slice, np.ndarray, np.ndarray]]:
    """The songs of a part: plain values, its bars in `part.tokens`, its runs int64 [r, 2] and its fingerprints."""
    bar = run = first_print = 0
    for song in part.songs:
        bars = slice(bar, bar + song["bars"])
        yield song, bars, part.runs[run : run + song["runs"]], part.prints[first_print : first_print + song["prints"]]
        bar, run, first_print = bars.stop, run + song["runs"], first_print + song["prints"]
