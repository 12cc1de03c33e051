"""What verbs have in common: how they ask a model, read music, and have a model make some."""

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music import Grid, Song, pieces, tokenize
from musae_tf.music.pieces import Music
from musae_tf.verbs import arguments
from musae_tf.verbs.description import Description

T = TypeVar("T")

Arrays: TypeAlias = Mapping[str, np.ndarray]


class SignatureCall(NamedTuple):
    """Ask the model: the generator gets sent the outputs, in the order of their names.

    Attributes:
        signature: its name, see `musae_tf.export.signatures`.
        inputs: arrays with the same number of rows, 1 or more, in dimension 0.
        outputs: names of those that are wanted; they have as many rows.
    """

    signature: str
    inputs: Arrays
    outputs: tuple[str, ...]


Steps: TypeAlias = Generator[SignatureCall, list[np.ndarray], T]


def read(model: Description, music: Music) -> tuple[Song, Grid, np.ndarray]:
    """The song, its grid and its phrases int32 [n, T, K].

    Raises:
        MusicError: it has none of the layout's tracks or no bar of its metre; a file is named.
    """
    song = pieces.as_song(music, model.layout)
    with naming(music):
        grid = tokenize(song, model.layout)
    return song, grid, pieces.phrases_of(grid, model.bars)


@contextmanager
def naming(music: Music) -> Iterator[None]:
    """Have a MusicError name the file, if the music is one."""
    try:
        yield
    except MusicError as error:
        if isinstance(music, (str, os.PathLike)):
            raise MusicError(f"{os.fspath(music)}: {error}") from None
        raise


def sampling(
    model: Description, temperature: float, seed: int, trust: float | None, rows: int, times: int = 1
) -> dict[str, np.ndarray]:
    """How `rows` phrases are drawn, `times` over: temperatures, seeds and, unless it is left to the verb, trust.

    Raises:
        InvalidRequestError: a value is impossible.
        WrongModelError: a trust is given, and the model cannot take one.
    """
    found = {
        "temperature": np.full(rows, arguments.number("temperature", temperature, 0, 100), np.float32),
        "seed": row_seeds(seed, pieces.TOKENS, rows),
    }
    if trust is not None:
        found["trust"] = np.full(rows, arguments.number("trust", trust, 0, 1), np.float32)
        hint = "export it again with this version of musae-tf; only models with an autoregressive decoder take a trust"
        model.require("decode_trusted", hint)
    return {name: np.concatenate([values] * times) for name, values in found.items()}


def row_seeds(seed: int, stream: int, rows: int) -> np.ndarray:
    """Seeds int32 [rows, 2] of one stream of a caller's seed."""
    return pieces.row_seeds(arguments.whole("seed", seed, 0), stream, rows)


def made(signature: str, inputs: Arrays, drawing: Arrays) -> Steps[np.ndarray]:
    """Phrases int32 [n, T, K] that a signature makes, drawn as `sampling` says; if that has a trust, of its codes."""
    asked = {**inputs, **{name: array for name, array in drawing.items() if name != "trust"}}
    if "trust" not in drawing:
        (tokens,) = yield SignatureCall(signature, asked, ("tokens",))
        return tokens
    (codes,) = yield SignatureCall(signature, asked, ("latent",))
    return (yield from decoded(codes, drawing))


def decoded(codes: np.ndarray, drawing: Arrays) -> Steps[np.ndarray]:
    """Phrases int32 [n, T, K] of codes [n, D], drawn as `sampling` says."""
    signature = "decode_trusted" if "trust" in drawing else "decode"
    (tokens,) = yield SignatureCall(signature, {"latent": codes, **drawing}, ("tokens",))
    return tokens


def decoded_around(codes: np.ndarray, tokens: np.ndarray, levels: np.ndarray, drawing: Arrays) -> Steps[np.ndarray]:
    """Phrases int32 [n, T, K] of codes [n, D] with what is known of them; drawn as `sampling` says, with a trust."""
    asked = {"latent": codes, "tokens": tokens, "known": levels, **drawing}
    (made,) = yield SignatureCall("decode_known", asked, ("tokens",))
    return made


def songs_of_versions(tokens: np.ndarray, count: int, song: Song, grid: Grid, other_bars: str) -> list[Song]:
    """The songs of several versions of a song's phrases, int32 [count * n, T, K], one version after the other."""
    whole = song if other_bars == "keep" else None
    return [pieces.changed_song(part, grid, song.name, whole) for part in np.split(tokens, count)]


def changed(
    model: Description,
    music: Music,
    many: Sequence[Mapping[str, float]],
    temperature: float,
    seed: int,
    trust: float | None,
    other_bars: str,
) -> Steps[list[Song]]:
    """The song changed in several ways, each as much more of some attributes."""
    amounts = np.stack([model.amounts(changes) for changes in many])
    arguments.choice("other_bars", other_bars, pieces.OTHER_BARS)
    song, grid, phrases = read(model, music)
    rows, ways = len(phrases), len(many)
    inputs = {"tokens": np.tile(phrases, (ways, 1, 1)), "amounts": np.repeat(amounts, rows, axis=0)}
    tokens = yield from made("change", inputs, sampling(model, temperature, seed, trust, rows, ways))
    return songs_of_versions(tokens, ways, song, grid, other_bars)


def likeliest(phrases: np.ndarray) -> Steps[int]:
    """The number of the genre that the model takes phrases int32 [n, T, K] for."""
    (scores,) = yield SignatureCall("encode", {"tokens": phrases}, ("genre_scores",))
    return pieces.likeliest(scores)
