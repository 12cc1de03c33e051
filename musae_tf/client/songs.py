"""Songs in, requests out; tokens in, songs out. The methods of both clients, as generators of `exchange`."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np

from musae_tf.client.errors import InvalidRequestError, WrongModelError
from musae_tf.client.exchange import Exchange, Steps
from musae_tf.client.replies import Description, Encoding, LatentMap, VersionStatus
from musae_tf.errors import MusicError
from musae_tf.music import Grid, Layout, Song, detokenize, pieces, tokenize
from musae_tf.music.grid import DEFAULT_TEMPO
from musae_tf.music.multitrack import from_multitrack

if TYPE_CHECKING:
    from pypianoroll import Multitrack

Music: TypeAlias = Union[str, os.PathLike, bytes, Song, "Multitrack", np.ndarray]
"""A MIDI file by its path or its bytes, a Song, a Multitrack, or tokens int [bars * 16, K] or [bars, 16, K]."""


def to_song(music: Music, layout: Layout) -> Song:
    """Any kind of music as a Song; token arrays in the layout of the model.

    Raises:
        MusicError: it cannot be read, or is none of these kinds.
    """
    if isinstance(music, Song):
        return music
    if isinstance(music, (str, os.PathLike, bytes, bytearray, memoryview)):
        return Song.read(music)
    if isinstance(music, np.ndarray):
        return detokenize(music, layout)
    if hasattr(music, "tracks") and hasattr(music, "resolution"):
        return from_multitrack(music)
    raise MusicError(
        f"music is of the type {type(music).__name__}, must be a path, the bytes of a MIDI file, a Song, a Multitrack "
        "or an array of tokens"
    )


def describe(exchange: Exchange) -> Steps[Description]:
    """As `MusaeClient.describe`."""
    return (yield from exchange.description())


def status(exchange: Exchange) -> Steps[list[VersionStatus]]:
    """As `MusaeClient.status`."""
    return (yield from exchange.status())


def latent_map(exchange: Exchange) -> Steps[LatentMap]:
    """As `MusaeClient.map`."""
    model = yield from exchange.description()
    if not model.points:
        raise WrongModelError(
            f"the model {model.name!r} has no map of its latent space",
            hint="export it again where the dataset of its training is",
        )
    inputs = {"point": np.arange(model.points, dtype=np.int32)}
    position, genre, title, latent = yield from exchange.predict("map", inputs, "position", "genre", "title", "latent")
    titles = tuple(text.decode("utf-8", "replace") for text in title)
    return LatentMap(model.points_of, model.plane[0], model.plane[1:], position, genre, titles, latent)


def sample(
    exchange: Exchange, genre: str, bars: int, temperature: float, seed: int, tempo: float | None
) -> Steps[Song]:
    """As `MusaeClient.sample`."""
    _at_least(1, bars=bars)
    model = yield from exchange.description()
    number = model.genre_number(genre)
    rows = pieces.phrase_count(bars, model.bars)
    seeds = [_seeds(seed, stream, rows) for stream in (pieces.CODES, pieces.OTHER_CODES)]
    inputs = {
        "genre": np.full(2 * rows, number, np.int32),
        "temperature": np.zeros(2 * rows, np.float32),
        "seed": np.concatenate(seeds),
    }
    (draws,) = yield from exchange.predict("sample", inputs, "latent")
    tokens = yield from _tokens(exchange, pieces.walk(draws[:rows], draws[rows:]), temperature, seed)
    tempo = model.tempos.get(genre, DEFAULT_TEMPO) if tempo is None else tempo
    return pieces.new_song(tokens, bars, model.layout, tempo, genre)


def reconstruct(exchange: Exchange, music: Music, temperature: float, seed: int) -> Steps[Song]:
    """As `MusaeClient.reconstruct`."""
    song, grid, phrases = yield from _read(exchange, music)
    inputs = {"tokens": phrases, **_dice(temperature, seed, len(phrases))}
    (tokens,) = yield from exchange.predict("reconstruct", inputs, "tokens")
    return pieces.changed_song(tokens, grid, song.name)


def interpolate(
    exchange: Exchange, start: Music, end: Music, points: int, temperature: float, seed: int, path: str
) -> Steps[list[Song]]:
    """As `MusaeClient.interpolate`."""
    _at_least(2, points=points)
    if path not in pieces.PATHS:
        raise InvalidRequestError(f"path is {path!r}, must be one of {', '.join(pieces.PATHS)}")
    signature = "interpolate" if path == "linear" else f"interpolate_{path}"
    if path != "linear":
        yield from _need(exchange, signature, "export it again with this version of musae-tf")
    first, first_grid, first_phrases = yield from _read(exchange, start)
    last, last_grid, last_phrases = yield from _read(exchange, end)
    rows = max(len(first_phrases), len(last_phrases))
    line = pieces.line(first_grid, last_grid, points)
    positions = np.array([position for position, _ in line], np.float32)
    # Point after point, with the same seeds at each: what changes along the way is the position, not the dice.
    inputs = {
        "start": np.tile(pieces.repeated(first_phrases, rows), (points, 1, 1)),
        "end": np.tile(pieces.repeated(last_phrases, rows), (points, 1, 1)),
        "position": np.repeat(positions, rows),
        **{name: np.concatenate([values] * points) for name, values in _dice(temperature, seed, rows).items()},
    }
    (tokens,) = yield from exchange.predict(signature, inputs, "tokens")
    name = f"{first.name} to {last.name}"
    parts = tokens.reshape(points, rows, *tokens.shape[1:])
    return [pieces.changed_song(part, form, name) for part, (_, form) in zip(parts, line, strict=True)]


def transfer(
    exchange: Exchange, music: Music, to: str, source: str | None, strength: float, temperature: float, seed: int
) -> Steps[Song]:
    """As `MusaeClient.transfer`."""
    model = yield from exchange.description()
    target = model.genre_number(to)
    origin = None if source is None else model.genre_number(source)
    song, grid, phrases = yield from _read(exchange, music)
    if origin is None:
        origin = yield from _likeliest(exchange, phrases)
    rows = len(phrases)
    inputs = {
        "tokens": phrases,
        "source": np.full(rows, origin, np.int32),
        "target": np.full(rows, target, np.int32),
        "strength": np.full(rows, strength, np.float32),
        **_dice(temperature, seed, rows),
    }
    (tokens,) = yield from exchange.predict("transfer", inputs, "tokens")
    return pieces.changed_song(tokens, grid, f"{song.name} to {to}")


def change(
    exchange: Exchange, music: Music, changes: Mapping[str, float], temperature: float, seed: int
) -> Steps[Song]:
    """As `MusaeClient.change`."""
    (song,) = yield from _changed(exchange, music, [changes], temperature, seed)
    return song


def sweep(
    exchange: Exchange, music: Music, attribute: str, points: int, strength: float, temperature: float, seed: int
) -> Steps[list[Song]]:
    """As `MusaeClient.sweep`."""
    _at_least(2, points=points)
    amounts = pieces.sweep(points, strength)
    return (yield from _changed(exchange, music, [{attribute: amount} for amount in amounts], temperature, seed))


def _changed(
    exchange: Exchange, music: Music, many: Sequence[Mapping[str, float]], temperature: float, seed: int
) -> Steps[list[Song]]:
    """The song changed in several ways."""
    model = yield from exchange.description()
    amounts = np.stack([model.amounts(changes) for changes in many])
    song, grid, phrases = yield from _read(exchange, music)
    rows, ways = len(phrases), len(many)
    inputs = {
        "tokens": np.tile(phrases, (ways, 1, 1)),
        "amounts": np.repeat(amounts, rows, axis=0),
        **{name: np.concatenate([values] * ways) for name, values in _dice(temperature, seed, rows).items()},
    }
    (tokens,) = yield from exchange.predict("change", inputs, "tokens")
    return [pieces.changed_song(part, grid, song.name) for part in tokens.reshape(ways, rows, *tokens.shape[1:])]


def infer_genre(exchange: Exchange, music: Music) -> Steps[str]:
    """As `MusaeClient.infer_genre`."""
    model = yield from exchange.description()
    _, _, phrases = yield from _read(exchange, music)
    number = yield from _likeliest(exchange, phrases)
    return model.genres[number]


def encode(exchange: Exchange, music: Music) -> Steps[Encoding]:
    """As `MusaeClient.encode`."""
    _, _, phrases = yield from _read(exchange, music)
    outputs = ("mean", "log_variance", "genre_scores")
    mean, log_variance, genre_scores = yield from exchange.predict("encode", {"tokens": phrases}, *outputs)
    return Encoding(mean, np.exp(log_variance / 2), genre_scores)


def decode(
    exchange: Exchange, latent: np.ndarray, temperature: float, seed: int, bars: int | None, tempo: float
) -> Steps[Song]:
    """As `MusaeClient.decode`."""
    model = yield from exchange.description()
    codes = np.asarray(latent, np.float32)
    if codes.ndim != 2 or len(codes) == 0 or codes.shape[1] != model.latent:
        raise InvalidRequestError(
            f"latent has shape {list(codes.shape)}, must be [n, {model.latent}] with n of 1 or more"
        )
    bars = len(codes) * model.bars if bars is None else bars
    _at_least(1, bars=bars)
    if bars > len(codes) * model.bars:
        raise InvalidRequestError(f"bars is {bars}, must be at most {len(codes) * model.bars} with {len(codes)} codes")
    tokens = yield from _tokens(exchange, codes, temperature, seed)
    return pieces.new_song(tokens, bars, model.layout, tempo)


def _need(exchange: Exchange, signature: str, hint: str) -> Steps[None]:
    """Refuse a model without a signature that not every export has."""
    model = yield from exchange.description()
    if signature not in model.signatures:
        raise WrongModelError(f"the model {model.name!r} has no signature {signature!r}", hint=hint)


def _read(exchange: Exchange, music: Music) -> Steps[tuple[Song, Grid, np.ndarray]]:
    """The song, its grid and its phrases int32 [n, T, K]."""
    model = yield from exchange.description()
    song = to_song(music, model.layout)
    try:
        grid = tokenize(song, model.layout)
    except MusicError as error:
        if isinstance(music, (str, os.PathLike)):
            raise MusicError(f"{os.fspath(music)}: {error}") from None
        raise
    return song, grid, pieces.phrases_of(grid, model.bars)


def _tokens(exchange: Exchange, codes: np.ndarray, temperature: float, seed: int) -> Steps[np.ndarray]:
    inputs = {"latent": codes, **_dice(temperature, seed, len(codes))}
    (tokens,) = yield from exchange.predict("decode", inputs, "tokens")
    return tokens


def _likeliest(exchange: Exchange, phrases: np.ndarray) -> Steps[int]:
    (scores,) = yield from exchange.predict("encode", {"tokens": phrases}, "genre_scores")
    return pieces.likeliest(scores)


def _dice(temperature: float, seed: int, rows: int) -> dict[str, np.ndarray]:
    return {"temperature": np.full(rows, temperature, np.float32), "seed": _seeds(seed, pieces.TOKENS, rows)}


def _seeds(seed: int, stream: int, rows: int) -> np.ndarray:
    _at_least(0, seed=seed)
    return pieces.row_seeds(seed, stream, rows)


def _at_least(least: int, **argument: int) -> None:
    for name, value in argument.items():
        if value < least:
            raise InvalidRequestError(f"{name} is {value}, must be {least} or more")
