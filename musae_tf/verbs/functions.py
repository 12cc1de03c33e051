"""What a model can be asked for: each verb once, with its arguments, defaults and documentation.

A verb is a generator: given the description of the model and its arguments, it yields the calls of the model's
signatures that it needs, is sent their outputs, and returns what was asked for. Who carries the calls out, here or on
a server, it does not know, so the same call with the same seed gives the same notes everywhere. Songs go in and come
out phrase by phrase, see `musae_tf.music.pieces`.
"""

# ruff: noqa: D417  (these become the docstrings of methods, which are not given the description)

import os
from collections.abc import Generator, Mapping, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np

from musae_tf.errors import InvalidRequestError, MusicError, WrongModelError
from musae_tf.music import Grid, Song, pieces, tokenize
from musae_tf.music.grid import DEFAULT_TEMPO
from musae_tf.music.pieces import Music
from musae_tf.verbs import arguments
from musae_tf.verbs.description import Description, Encoding, LatentMap

T = TypeVar("T")


class SignatureCall(NamedTuple):
    """Ask the model: the generator gets sent the outputs, in the order of their names.

    Attributes:
        signature: its name, see `musae_tf.export.signatures`.
        inputs: arrays with the same number of rows, 1 or more, in dimension 0.
        outputs: names of those that are wanted; they have as many rows.
    """

    signature: str
    inputs: Mapping[str, np.ndarray]
    outputs: tuple[str, ...]


Steps: TypeAlias = Generator[SignatureCall, list[np.ndarray], T]

TEMPERATURE = 0.0
"""Of every verb: the most probable symbols, which measure better than draws of today's models do."""


# --- the verbs --------------------------------------------------------------------------------------------------------


def sample(
    model: Description,
    genre: str,
    bars: int = 8,
    temperature: float = TEMPERATURE,
    seed: int = 0,
    tempo: float | None = None,
) -> Steps[Song]:
    """A new piece of a genre: a walk through its part of the latent space.

    Args:
        genre: one of `describe().genres`.
        bars: length, 1 or more.
        temperature: 0 takes the most probable symbols, 1 draws as the model believes.
        seed: 0 or more; the same seed gives the same piece.
        tempo: quarter notes a minute; None for what is usual in the genre.

    Raises:
        UnknownGenreError: the model has no such genre; the message lists those it has.
    """
    arguments.whole("bars", bars, 1, arguments.MOST_BARS)
    number = model.genre_number(genre)
    tempo = arguments.tempo(model.tempos.get(genre, DEFAULT_TEMPO) if tempo is None else tempo)
    rows = pieces.phrase_count(bars, model.bars)
    seeds = [_seeds(seed, stream, rows) for stream in (pieces.CODES, pieces.OTHER_CODES)]
    inputs = {
        "genre": np.full(2 * rows, number, np.int32),
        "temperature": np.zeros(2 * rows, np.float32),
        "seed": np.concatenate(seeds),
    }
    (draws,) = yield SignatureCall("sample", inputs, ("latent",))
    tokens = yield from _tokens(pieces.walk(draws[:rows], draws[rows:]), temperature, seed)
    return pieces.new_song(tokens, bars, model.layout, tempo, genre)


def reconstruct(model: Description, music: Music, temperature: float = TEMPERATURE, seed: int = 0) -> Steps[Song]:
    """The music as the model reads and writes it, with the source's tempo and programs.

    Args:
        music: the piece.
        temperature: 0 takes the most probable symbols, 1 draws as the model believes.
        seed: 0 or more.

    Raises:
        MusicError: it has none of the layout's tracks or no bar of 16 sixteenths.
    """
    song, grid, phrases = _read(model, music)
    inputs = {"tokens": phrases, **_sampling(temperature, seed, len(phrases))}
    (tokens,) = yield SignatureCall("reconstruct", inputs, ("tokens",))
    return pieces.changed_song(tokens, grid, song.name)


def interpolate(
    model: Description,
    start: Music,
    end: Music,
    points: int = 5,
    temperature: float = TEMPERATURE,
    seed: int = 0,
    path: str = "linear",
) -> Steps[list[Song]]:
    """Songs on the way from one to another; the first and the last are the reconstructions of both.

    All are as long as the longer one: the shorter one's phrases are repeated from its beginning. Tempo goes by equal
    ratios; programs are those of the nearer end.

    Args:
        start: where the way begins.
        end: where it ends.
        points: songs, 2 or more.
        temperature: 0 takes the most probable symbols, 1 draws as the model believes.
        seed: 0 or more, the same for all songs: what changes along the way is the position, not the draws.
        path: "linear", straight or nearly so (see `MusAE.interpolate_latent`), or "spherical", along great arcs.

    Raises:
        MusicError: one of the two has none of the layout's tracks or no bar of 16 sixteenths.
    """
    arguments.whole("points", points, 2, arguments.MOST_POINTS)
    if path not in pieces.PATHS:
        raise InvalidRequestError(f"path is {path!r}, must be one of {', '.join(pieces.PATHS)}")
    signature = "interpolate" if path == "linear" else f"interpolate_{path}"
    if path != "linear" and signature not in model.signatures:
        sentence = f"the model {model.name!r} has no signature {signature!r}"
        raise WrongModelError(sentence, hint="export it again with this version of musae-tf")
    first, first_grid, first_phrases = _read(model, start)
    last, last_grid, last_phrases = _read(model, end)
    rows = max(len(first_phrases), len(last_phrases))
    line = pieces.line(first_grid, last_grid, points)
    positions = np.array([position for position, _ in line], np.float32)
    inputs = {
        "start": np.tile(pieces.repeated(first_phrases, rows), (points, 1, 1)),
        "end": np.tile(pieces.repeated(last_phrases, rows), (points, 1, 1)),
        "position": np.repeat(positions, rows),
        **{name: np.concatenate([values] * points) for name, values in _sampling(temperature, seed, rows).items()},
    }
    (tokens,) = yield SignatureCall(signature, inputs, ("tokens",))
    name = f"{first.name} to {last.name}"
    parts = tokens.reshape(points, rows, *tokens.shape[1:])
    return [pieces.changed_song(part, form, name) for part, (_, form) in zip(parts, line, strict=True)]


def transfer(
    model: Description,
    music: Music,
    to: str,
    source: str | None = None,
    strength: float = 1.0,
    temperature: float = TEMPERATURE,
    seed: int = 0,
) -> Steps[Song]:
    """The music moved towards another genre, along the difference of the two genres' means in the latent space.

    Args:
        music: the piece; tempo and programs are kept.
        to: genre to move to.
        source: genre that it is in; None takes the one of `infer_genre`.
        strength: 0 stays, 1 goes `prior.transfer_scale` of the training times the way between the genres' means.
        temperature: 0 takes the most probable symbols, 1 draws as the model believes.
        seed: 0 or more.

    Raises:
        UnknownGenreError: the model has no such genre; the message lists those it has.
        MusicError: the music has none of the layout's tracks or no bar of 16 sixteenths.
    """
    target = model.genre_number(to)
    origin = None if source is None else model.genre_number(source)
    arguments.number("strength", strength)
    song, grid, phrases = _read(model, music)
    if origin is None:
        origin = yield from _likeliest(phrases)
    rows = len(phrases)
    inputs = {
        "tokens": phrases,
        "source": np.full(rows, origin, np.int32),
        "target": np.full(rows, target, np.int32),
        "strength": np.full(rows, strength, np.float32),
        **_sampling(temperature, seed, rows),
    }
    (tokens,) = yield SignatureCall("transfer", inputs, ("tokens",))
    return pieces.changed_song(tokens, grid, f"{song.name} to {to}")


def change(
    model: Description, music: Music, changes: Mapping[str, float], temperature: float = TEMPERATURE, seed: int = 0
) -> Steps[Song]:
    """The music with more or less of some attributes: `change("mine.mid", {"soprano:notes": 1, "length": -0.5})`.

    Args:
        music: the piece; tempo and programs are kept.
        changes: how much more of each attribute, in standard deviations over the training music; negative for less.
            `describe().attributes` has the names.
        temperature: 0 takes the most probable symbols, 1 draws as the model believes.
        seed: 0 or more.

    Raises:
        UnknownAttributeError: the model has no such attribute; the message lists those it has.
        WrongModelError: the model has no attribute vectors.
        MusicError: the music has none of the layout's tracks or no bar of 16 sixteenths.
    """
    (song,) = yield from _changed(model, music, [arguments.changes(changes)], temperature, seed)
    return song


def sweep(
    model: Description,
    music: Music,
    attribute: str,
    points: int = 5,
    strength: float = 2.0,
    temperature: float = TEMPERATURE,
    seed: int = 0,
) -> Steps[list[Song]]:
    """The music with less and less, and more and more, of one attribute; see `change`.

    Args:
        music: the piece; tempo and programs are kept.
        attribute: one of `describe().attributes.names`.
        points: pieces, 2 or more; of an odd number the middle one is the reconstruction.
        strength: from so many standard deviations less to so many more, in equal steps.
        temperature: 0 takes the most probable symbols, 1 draws as the model believes.
        seed: 0 or more, the same for all pieces.

    Raises:
        UnknownAttributeError: the model has no such attribute; the message lists those it has.
        WrongModelError: the model has no attribute vectors.
        MusicError: the music has none of the layout's tracks or no bar of 16 sixteenths.
    """
    arguments.whole("points", points, 2, arguments.MOST_POINTS)
    amounts = pieces.sweep(points, arguments.number("strength", strength))
    return (yield from _changed(model, music, [{attribute: amount} for amount in amounts], temperature, seed))


def infer_genre(model: Description, music: Music) -> Steps[str]:
    """The genre that the model takes the music for: the one whose codes explain those of all its phrases best.

    Raises:
        MusicError: the music has none of the layout's tracks or no bar of 16 sixteenths.
    """
    _, _, phrases = _read(model, music)
    return model.genres[(yield from _likeliest(phrases))]


def encode(model: Description, music: Music) -> Steps[Encoding]:
    """The phrases of the music in the latent space.

    Raises:
        MusicError: the music has none of the layout's tracks or no bar of 16 sixteenths.
    """
    _, _, phrases = _read(model, music)
    outputs = ("mean", "log_variance", "genre_scores")
    mean, log_variance, genre_scores = yield SignatureCall("encode", {"tokens": phrases}, outputs)
    return Encoding(mean, np.exp(log_variance / 2), genre_scores)


def decode(
    model: Description,
    latent: np.ndarray,
    temperature: float = TEMPERATURE,
    seed: int = 0,
    bars: int | None = None,
    tempo: float = DEFAULT_TEMPO,
) -> Steps[Song]:
    """The song whose phrases have some codes.

    Args:
        latent: float [n, D], n of 1 or more.
        temperature: 0 takes the most probable symbols, 1 draws as the model believes.
        seed: 0 or more.
        bars: length, where the song is cut off; None for all of its phrases.
        tempo: quarter notes a minute.

    Raises:
        InvalidRequestError: the codes have another shape, or there are fewer of them than the bars need.
    """
    codes = arguments.codes(latent, model.latent)
    most = len(codes) * model.bars
    bars = most if bars is None else bars
    if arguments.whole("bars", bars, 1) > most:
        raise InvalidRequestError(f"bars is {bars}, must be at most {most} with {len(codes)} codes")
    arguments.tempo(tempo)
    tokens = yield from _tokens(codes, temperature, seed)
    return pieces.new_song(tokens, bars, model.layout, tempo)


def describe(model: Description) -> Steps[Description]:
    """Layout, genres and sizes of the model; of a server asked for once, and again when it has a new version."""
    yield from ()
    return model


def latent_map(model: Description) -> Steps[LatentMap]:
    """A plane of the latent space with the songs of the training, or draws of the model, on it.

    Raises:
        WrongModelError: the model has no map.
    """
    plane = model.plane
    if plane is None:
        raise WrongModelError(f"the model {model.name!r} has no map of its latent space", hint=model.remedy)
    inputs = {"point": np.arange(model.points, dtype=np.int32)}
    outputs = ("position", "genre", "title", "latent")
    position, genre, title, latent = yield SignatureCall("map", inputs, outputs)
    titles = tuple(text.decode("utf-8", "replace") for text in title)
    return LatentMap(model.points_of, plane[0], plane[1:], position, genre, titles, latent)


# --- what they share --------------------------------------------------------------------------------------------------


def _read(model: Description, music: Music) -> tuple[Song, Grid, np.ndarray]:
    """The song, its grid and its phrases int32 [n, T, K]."""
    song = pieces.as_song(music, model.layout)
    try:
        grid = tokenize(song, model.layout)
    except MusicError as error:
        if isinstance(music, (str, os.PathLike)):
            raise MusicError(f"{os.fspath(music)}: {error}") from None
        raise
    return song, grid, pieces.phrases_of(grid, model.bars)


def _changed(
    model: Description, music: Music, many: Sequence[Mapping[str, float]], temperature: float, seed: int
) -> Steps[list[Song]]:
    """The song changed in several ways."""
    amounts = np.stack([model.amounts(changes) for changes in many])
    song, grid, phrases = _read(model, music)
    rows, ways = len(phrases), len(many)
    inputs = {
        "tokens": np.tile(phrases, (ways, 1, 1)),
        "amounts": np.repeat(amounts, rows, axis=0),
        **{name: np.concatenate([values] * ways) for name, values in _sampling(temperature, seed, rows).items()},
    }
    (tokens,) = yield SignatureCall("change", inputs, ("tokens",))
    return [pieces.changed_song(part, grid, song.name) for part in tokens.reshape(ways, rows, *tokens.shape[1:])]


def _tokens(codes: np.ndarray, temperature: float, seed: int) -> Steps[np.ndarray]:
    """Phrases int32 [n, T, K] of codes [n, D]."""
    (tokens,) = yield SignatureCall(
        "decode", {"latent": codes, **_sampling(temperature, seed, len(codes))}, ("tokens",)
    )
    return tokens


def _likeliest(phrases: np.ndarray) -> Steps[int]:
    (scores,) = yield SignatureCall("encode", {"tokens": phrases}, ("genre_scores",))
    return pieces.likeliest(scores)


def _sampling(temperature: float, seed: int, rows: int) -> dict[str, np.ndarray]:
    checked = arguments.number("temperature", temperature, 0, 100)
    return {"temperature": np.full(rows, checked, np.float32), "seed": _seeds(seed, pieces.TOKENS, rows)}


def _seeds(seed: int, stream: int, rows: int) -> np.ndarray:
    return pieces.row_seeds(arguments.whole("seed", seed, 0), stream, rows)
