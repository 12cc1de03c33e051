"""What a result was made of, all of which a link carries: a kind of request with its parameters in the query, the
pieces that the user brought in the fragment.
"""

import base64
import binascii
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from urllib.parse import urlencode

import numpy as np

from musae_tf.errors import MusicError, StudioError
from musae_tf.music import Layout, Song, Tempo, detokenize, pieces, tokenize
from musae_tf.music.reading import read_data
from musae_tf.verbs.description import Description, LatentMap
from musae_tf.verbs.methods import AsyncVerbs

MAX_BYTES = 4_000_000
"""Largest file that the studio reads. Few pieces are above 1 MB; what is larger is something else."""

MAX_LINK = 6000
"""Characters that one piece may take in a link: what browsers, chats and mail programs keep whole."""

MAX_BARS = 64
"""Bars of a piece that the studio works on at most, so that every answer comes soon."""

_MAX_UNPACKED = 1_000_000
_MAX_NAME = 200


@dataclass(frozen=True, eq=False)
class GridPiece:
    """A piece on the grid of the model.

    Attributes:
        name: of its file, as the user has it.
        tokens: uint16 [bars, S, C].
        tempo: quarter notes a minute.
        programs: General MIDI program of each track.
        losses: what of the file the model cannot take, in words; empty if it takes all.
        tempos: its tempo map, as in `Grid.tempos`; empty where it has one tempo.
    """

    name: str
    tokens: np.ndarray
    tempo: float
    programs: tuple[int, ...]
    losses: str = ""
    tempos: tuple[Tempo, ...] = ()

    @classmethod
    def read(cls, data: bytes, name: str, layout: Layout) -> "GridPiece":
        """A piece from a file of music, whose name tells the format.

        Raises:
            StudioError: the file cannot be read, or holds nothing that the model can take.
        """
        try:
            song = read_data(data, name)
            grid = tokenize(song, layout)
        except MusicError as error:
            raise StudioError(str(error) if name in str(error) else f"{name}: {error}") from error
        return cls(
            name[:_MAX_NAME],
            grid.tokens,
            grid.tempo,
            grid.programs,
            pieces.losses_in_words(song, grid),
            grid.tempos if len(grid.tempos) > 1 else (),
        )

    def song(self, layout: Layout, bars: int) -> Song:
        """Its first bars as a song that the client takes; on the grid, it is the file."""
        song = detokenize(self.tokens[:bars], layout, self.tempos or self.tempo, self.programs)
        song.name = self.name.rpartition(".")[0] or self.name
        return song

    def to_text(self, bars: int) -> str:
        """Its first bars as characters that a URL can carry; empty if they would be more than `MAX_LINK`."""
        tokens = self.tokens[:bars]
        head = {"name": self.name, "tempo": self.tempo, "programs": self.programs, "shape": tokens.shape}
        head |= {"tempos": self.tempos} if self.tempos else {}
        # Track after track: what repeats lies together.
        body = np.moveaxis(tokens, -1, 0).astype("<u2").tobytes()
        packed = zlib.compress(json.dumps(head).encode() + b"\0" + body, 9)
        text = base64.urlsafe_b64encode(packed).decode().rstrip("=")
        return text if len(text) <= MAX_LINK else ""

    @classmethod
    def from_text(cls, text: str, layout: Layout) -> "GridPiece":
        """The piece of `to_text`.

        Raises:
            StudioError: the text is damaged, or the piece has other tracks than the model.
        """
        try:
            packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            head, _, body = zlib.decompressobj().decompress(packed, _MAX_UNPACKED).partition(b"\0")
            facts = json.loads(head)
            bars, steps, tracks = facts["shape"]
            tokens = np.moveaxis(np.frombuffer(body, "<u2").reshape(tracks, bars, steps), 0, -1)
            name, tempo = str(facts["name"])[:_MAX_NAME], float(facts["tempo"])
            programs = tuple(int(program) for program in facts["programs"])
            tempos = tuple(Tempo(max(int(tick), 0), float(bpm)) for tick, bpm in facts.get("tempos", ()))
        except (ValueError, KeyError, TypeError, binascii.Error, zlib.error) as cause:
            raise StudioError("the piece in this link is damaged: was the whole link copied?") from cause
        if steps != layout.bar_steps or tracks != len(layout.columns):
            here, there = f"{tracks} columns of {steps} steps a bar", f"{len(layout.columns)} of {layout.bar_steps}"
            raise StudioError(f"the piece in this link has {here}, the model has {there}")
        try:
            detokenize(tokens, layout, tempos or tempo, programs)
        except MusicError as cause:
            raise StudioError(f"the piece in this link does not fit the model: {cause}") from cause
        return cls(name, tokens, tempo, programs, tempos=tempos)


class Field(NamedTuple):
    """A parameter: its limits and what it is before anyone touches it. Whole numbers have a whole default."""

    low: float
    high: float
    default: float

    def read(self, name: str, text: str) -> float:
        """The number that a text means.

        Raises:
            StudioError: it is none, or beyond the limits.
        """
        whole = isinstance(self.default, int)
        try:
            value = int(text) if whole else float(text)
        except ValueError:
            value = math.nan
        if not self.low <= value <= self.high:  # NaN compares false
            kind = "a whole number" if whole else "a number"
            raise StudioError(f"{name} is {text[:40]!r}, must be {kind} from {self.low:g} to {self.high:g}")
        return value


FIELDS = {
    "bars": Field(1, MAX_BARS, 8),
    "temperature": Field(0.0, 2.0, 0.0),
    "seed": Field(0, 2**31 - 1, 1),
    "strength": Field(0.0, 2.0, 1.0),
    "points": Field(3, 17, 9),
    "at": Field(0, 16, 0),
    "point": Field(-1, 10**6, -1),
    "x": Field(-1000.0, 1000.0, 0.0),
    "y": Field(-1000.0, 1000.0, 0.0),
}
AMOUNT = Field(-3.0, 3.0, 0.0)
"""Of an attribute: standard deviations over the training music."""

_DICE = ("temperature", "seed")
KINDS = {
    "sample": ("bars", *_DICE),
    "keep": ("bars",),
    "reconstruct": ("bars", *_DICE),
    "transfer": ("strength", "bars", *_DICE),
    "reshape": ("bars", *_DICE),
    "interpolate": ("points", "at", "bars", *_DICE),
    "map": ("point", "x", "y", *_DICE),
}
"""The kinds of requests, and the numbers that each takes."""

GENRE = {"sample": "genre", "transfer": "to"}
"""Kinds that take a genre, and what it is called in a link."""

PIECES = {
    "keep": ("piece",),
    "reconstruct": ("piece",),
    "transfer": ("piece",),
    "reshape": ("piece",),
    "interpolate": ("from", "to"),
}
"""Kinds that start from pieces of the user, and what these are called in the fragment of a link."""


@dataclass(frozen=True)
class Recipe:
    """One request.

    Attributes:
        kind: a key of `KINDS`.
        genre: for the kinds of `GENRE`.
        numbers: values of the fields of the kind, by name.
        amounts: for "reshape", how much more of each attribute of the model.
    """

    kind: str
    genre: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    amounts: tuple[float, ...] = ()

    def __getitem__(self, name: str) -> float:
        return self.numbers[name]

    def whole(self, name: str) -> int:
        """The value of a field that takes whole numbers."""
        return int(self.numbers[name])

    def at(self, **numbers: float) -> "Recipe":
        """The same with other numbers."""
        return replace(self, numbers={**self.numbers, **numbers})

    def query(self) -> str:
        """As the query of a link."""
        named = {GENRE[self.kind]: self.genre} if self.kind in GENRE else {}
        if self.kind == "reshape":
            named["amounts"] = ",".join(f"{amount:g}" for amount in self.amounts)
        numbers = {name: f"{value:g}" if isinstance(value, float) else value for name, value in self.numbers.items()}
        return urlencode({"do": self.kind, **named, **numbers})

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "Recipe | None":
        """The recipe of a link; None if it asks for nothing. What a link leaves out has its default.

        Raises:
            StudioError: there is no such kind, or a value is impossible.
        """
        kind = query.get("do")
        if kind is None:
            return None
        if kind not in KINDS:
            raise StudioError(f"do is {kind[:40]!r} in this link, must be one of {', '.join(KINDS)}")
        numbers = {}
        for name in KINDS[kind]:
            known = FIELDS[name]
            numbers[name] = known.read(name, query[name]) if name in query else known.default
        texts = query.get("amounts", "").split(",") if kind == "reshape" and query.get("amounts") else []
        amounts = tuple(AMOUNT.read("amounts", text) for text in texts)
        return cls(kind, query.get(GENRE.get(kind, ""), ""), numbers, amounts)


async def make(
    musae: AsyncVerbs, recipe: Recipe, brought: Sequence[GridPiece] = (), latent_map: LatentMap | None = None
) -> list[Song]:
    """Have the model make what a recipe says: one song, or for "interpolate" one a point.

    Args:
        musae: the model.
        recipe: what to make.
        brought: as many pieces as the kind starts from.
        latent_map: the model's, for "map".

    Raises:
        MusaeError: the server cannot be reached or refuses, or the model has no such genre or point.
    """
    model = await musae.describe()
    songs = [piece.song(model.layout, recipe.whole("bars")) for piece in brought]
    if recipe.kind == "keep":
        return songs
    temperature, seed = recipe["temperature"], recipe.whole("seed")
    if recipe.kind == "sample":
        return [await musae.sample(recipe.genre, recipe.whole("bars"), temperature, seed)]
    if recipe.kind == "interpolate":
        start, end = songs
        return await musae.interpolate(start, end, recipe.whole("points"), temperature, seed)
    if recipe.kind == "map":
        assert latent_map is not None
        return [await _from_map(musae, model, recipe, latent_map)]
    (song,) = songs
    if recipe.kind == "reconstruct":
        return [await musae.reconstruct(song, temperature, seed)]
    if recipe.kind == "transfer":
        strength = recipe["strength"]
        return [await musae.transfer(song, recipe.genre, strength=strength, temperature=temperature, seed=seed)]
    return [await musae.change(song, _changes(model, recipe), temperature, seed)]


def _changes(model: Description, recipe: Recipe) -> dict[str, float]:
    known = model.attributes
    if known is None or len(known.names) != len(recipe.amounts):
        count = 0 if known is None else len(known.names)
        raise StudioError(f"this link has {len(recipe.amounts)} attributes, the model has {count}")
    return dict(zip(known.names, recipe.amounts, strict=True))


async def _from_map(musae: AsyncVerbs, model: Description, recipe: Recipe, points: LatentMap) -> Song:
    number = recipe.whole("point")
    if number >= len(points.title):
        raise StudioError(f"this link has point {number} of the map, the model's has {len(points.title)}")
    if number >= 0:
        code, genre, name = points.latent[number], int(points.genre[number]), points.title[number]
    else:
        code = points.mean + np.array([recipe["x"], recipe["y"]], np.float32) @ points.axes
        # An empty place has the tempo of the point next to it.
        nearest = np.argmin(((points.position - [recipe["x"], recipe["y"]]) ** 2).sum(axis=1))
        genre, name = int(points.genre[nearest]), ""
    temperature, seed = recipe["temperature"], recipe.whole("seed")
    if genre >= 0 and model.genres[genre] in model.tempos:
        tempo = model.tempos[model.genres[genre]]
        song = await musae.decode(code[None], temperature, seed, tempo=tempo)
    else:
        song = await musae.decode(code[None], temperature, seed)
    song.name = name
    return song
