"""Parts of a result that were written anew, one after the other: what a link carries of them, and how they are made."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from musae_tf.errors import StudioError
from musae_tf.music import Song
from musae_tf.studio.recipe import FIELDS, MAX_BARS
from musae_tf.verbs.description import Description
from musae_tf.verbs.methods import AsyncVerbs

MAX_FILLS = 32
"""Fills of one result: who opens its link waits for all of them."""

TEMPERATURE = 0.9
"""Of what is written: versions are draws."""

AS_IT_IS = ""
"""In place of a genre: what is there decides."""

_MAX_TEXT = 20_000


@dataclass(frozen=True)
class Selection:
    """A part of a piece.

    Attributes:
        bars: its first and last bar, from 1; None for all.
        tracks: numbers in the model's layout, in order; empty for all.
    """

    bars: tuple[int, int] | None = None
    tracks: tuple[int, ...] = ()

    def words(self, names: Sequence[str]) -> str:
        """Which part it is, given the names of all tracks."""
        if self.bars is None:
            bars = "all bars"
        else:
            first, last = self.bars
            bars = f"bar {first}" if first == last else f"bars {first} to {last}"
        tracks = f" of {', '.join(names[number] for number in self.tracks)}" if self.tracks else ""
        return bars + tracks


@dataclass(frozen=True)
class Fill:
    """One part that is written anew.

    Attributes:
        selection: the part.
        rhythm: whether notes stay where they are and get other pitches.
        genre: what it becomes; `AS_IT_IS` leaves that to what is there.
        temperature: of the draw.
        seed: of the draw.
    """

    selection: Selection
    rhythm: bool
    genre: str
    temperature: float
    seed: int

    def version(self, number: int) -> "Fill":
        """Another draw of the same, 0 for this one."""
        return replace(self, seed=self.seed + number)


def to_text(fills: Sequence[Fill]) -> str:
    """Fills as a link carries them."""
    rows = [
        [*(fill.selection.bars or (0, 0)), list(fill.selection.tracks), int(fill.rhythm), fill.genre, fill.temperature,
         fill.seed]
        for fill in fills
    ]  # fmt: skip
    return json.dumps(rows, separators=(",", ":"), ensure_ascii=False)


def from_text(text: str, model: Description) -> tuple[Fill, ...]:
    """The fills of `to_text`.

    Raises:
        StudioError: the text is damaged, there are too many, or the model has no such track.
        UnknownGenreError: the model has no such genre.
    """
    damaged = StudioError("what was filled is damaged in this link: was the whole link copied?")
    if len(text) > _MAX_TEXT:
        raise damaged
    try:
        rows = json.loads(text)
        fills = tuple(_read(row) for row in rows)
    except (ValueError, TypeError, RecursionError) as cause:
        raise damaged from cause
    if len(fills) > MAX_FILLS:
        raise StudioError(f"this link has {len(fills)} filled parts, at most {MAX_FILLS} are made again")
    names = model.layout.names
    for fill in fills:
        if fill.selection.tracks and not 0 <= min(fill.selection.tracks) <= max(fill.selection.tracks) < len(names):
            raise StudioError(f"this link fills track {max(fill.selection.tracks) + 1}, the model has {len(names)}")
        if fill.genre != AS_IT_IS:
            model.genre_number(fill.genre)
    return fills


def _read(row: Sequence[object]) -> Fill:
    first, last, tracks, rhythm, genre, temperature, seed = row
    if not isinstance(genre, str) or not isinstance(tracks, list) or rhythm not in (0, 1):
        raise TypeError("a part of another kind")
    if not all(type(number) is int for number in (first, last, *tracks)):
        raise TypeError("a part of another kind")
    bars = None if first == last == 0 else (int(str(first)), int(str(last)))
    if bars is not None and not 1 <= bars[0] <= bars[1] <= MAX_BARS:
        raise ValueError("no such bars")
    return Fill(
        Selection(bars, tuple(sorted(set(tracks)))),
        bool(rhythm),
        genre,
        FIELDS["temperature"].read("temperature", str(temperature)),
        int(FIELDS["seed"].read("seed", str(seed))),
    )


async def make(musae: AsyncVerbs, model: Description, song: Song, fill: Fill) -> Song:
    """A song with a part written anew.

    Raises:
        MusaeError: the model cannot fill, or not this part; or the server cannot be reached.
    """
    part, names = fill.selection, model.layout.names
    return await musae.fill(
        song,
        bars=None if part.bars is None else "{}-{}".format(*part.bars),
        tracks=[names[number] for number in part.tracks] or None,
        keep="rhythm" if fill.rhythm else "nothing",
        genre=None if fill.genre == AS_IT_IS else fill.genre,
        temperature=fill.temperature,
        seed=fill.seed,
    )
