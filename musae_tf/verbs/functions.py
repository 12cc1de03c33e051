"""What a model can be asked for: each verb once, with its arguments, defaults and documentation.

A verb is a generator: given the description of the model and its arguments, it yields the calls of the model's
signatures that it needs, is sent their outputs, and returns what was asked for. Who carries the calls out, here or on
a server, it does not know, so the same call with the same seed gives the same notes everywhere. Songs go in and come
out phrase by phrase, see `musae_tf.music.pieces`.
"""

# ruff: noqa: D417  (these become the docstrings of methods, which are not given the description)

from collections.abc import Mapping

import numpy as np

from musae_tf.errors import InvalidRequestError, WrongModelError
from musae_tf.music import Song, pieces
from musae_tf.music.grid import DEFAULT_TEMPO
from musae_tf.music.pieces import Music
from musae_tf.verbs import arguments, windows
from musae_tf.verbs.description import Description, Encoding, LatentMap
from musae_tf.verbs.steps import SignatureCall, Steps, changed, decoded, likeliest, made, read, sampling

TEMPERATURE = 0.0
"""Of every verb: the most probable symbols, which measure better than draws of today's models do."""


def sample(
    model: Description,
    genre: str,
    bars: int = 8,
    temperature: float = TEMPERATURE,
    seed: int = 0,
    tempo: float | None = None,
    trust: float | None = None,
) -> Steps[Song]:
    """A new piece of a genre.

    With a model that fills hidden parts, one of more than a phrase is written window by window, each knowing the bar
    before it, with codes that go together, repeat and end as those of the training songs do. With others it is a walk
    through the genre's part of the latent space, phrase by phrase.

    Args:
        genre: one of `describe().genres`.
        bars: length, 1 or more.
        temperature: 0 takes the most probable symbols, 1 draws as the model believes.
        seed: 0 or more; the same seed gives the same piece.
        tempo: quarter notes a minute; None for what is usual in the genre.
        trust: how far to follow the codes, see `decode`; None for 1.

    Raises:
        UnknownGenreError: the model has no such genre; the message lists those it has.
        WrongModelError: a trust is given, and the model cannot take one.
    """
    arguments.whole("bars", bars, 1, arguments.MOST_BARS)
    number = model.genre_number(genre)
    tempo = arguments.tempo(model.tempos.get(genre, DEFAULT_TEMPO) if tempo is None else tempo)
    writing = None
    if bars > model.bars and "decode_known" in model.signatures:
        writing = windows.nothing_known(model, bars)
    rows = pieces.phrase_count(bars, model.bars) if writing is None else len(writing.windows)
    drawing = sampling(model, temperature, seed, trust, rows)
    if writing is None:
        phrases = yield from decoded((yield from windows.walk_of(model, number, seed, rows)), drawing)
    else:
        codes, repeats = yield from windows.form_of(model, number, seed, rows)
        phrases = yield from windows.written(model, writing, codes, repeats, drawing)
    return pieces.new_song(phrases, bars, model.layout, tempo, genre)


def reconstruct(
    model: Description,
    music: Music,
    temperature: float = TEMPERATURE,
    seed: int = 0,
    trust: float | None = None,
    other_bars: str = "keep",
) -> Steps[Song]:
    """The music as the model reads and writes it, with the source's tempos, metres, programs and names.

    Args:
        music: the piece.
        temperature: 0 takes the most probable symbols, 1 draws as the model believes.
        seed: 0 or more.
        trust: how far to follow the codes, see `decode`; None for 1.
        other_bars: "keep" leaves bars that the model cannot take as they are, "drop" leaves them out.

    Raises:
        MusicError: it has none of the layout's tracks or no bar of its metre.
        WrongModelError: a trust is given, and the model cannot take one.
    """
    arguments.choice("other_bars", other_bars, pieces.OTHER_BARS)
    song, grid, phrases = read(model, music)
    drawing = sampling(model, temperature, seed, trust, len(phrases))
    tokens = yield from made("reconstruct", {"tokens": phrases}, drawing)
    return pieces.changed_song(tokens, grid, song.name, song if other_bars == "keep" else None)


def interpolate(
    model: Description,
    start: Music,
    end: Music,
    points: int = 5,
    temperature: float = TEMPERATURE,
    seed: int = 0,
    path: str = "linear",
    trust: float | None = None,
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
        trust: how far to follow the codes, see `decode`; None for 1 at both ends and less between them.

    Raises:
        MusicError: one of the two has none of the layout's tracks or no bar of its metre.
        WrongModelError: the model has no such path, or a trust is given and it cannot take one.
    """
    arguments.whole("points", points, 2, arguments.MOST_POINTS)
    arguments.choice("path", path, pieces.PATHS)
    signature = "interpolate" if path == "linear" else f"interpolate_{path}"
    if path != "linear":
        model.require(signature)
    first, first_grid, first_phrases = read(model, start)
    last, last_grid, last_phrases = read(model, end)
    rows = max(len(first_phrases), len(last_phrases))
    line = pieces.line(first_grid, last_grid, points)
    positions = np.array([position for position, _ in line], np.float32)
    inputs = {
        "start": np.tile(pieces.repeated(first_phrases, rows), (points, 1, 1)),
        "end": np.tile(pieces.repeated(last_phrases, rows), (points, 1, 1)),
        "position": np.repeat(positions, rows),
    }
    tokens = yield from made(signature, inputs, sampling(model, temperature, seed, trust, rows, points))
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
    trust: float | None = None,
    other_bars: str = "keep",
) -> Steps[Song]:
    """The music moved towards another genre, along the difference of the two genres' means in the latent space.

    Args:
        music: the piece; tempo and programs are kept.
        to: genre to move to.
        source: genre that it is in; None takes the one of `infer_genre`.
        strength: 0 stays, 1 goes `prior.transfer_scale` of the training times the way between the genres' means.
        temperature: 0 takes the most probable symbols, 1 draws as the model believes.
        seed: 0 or more.
        trust: how far to follow the codes, see `decode`; None for less the further they move, 0 from strength 1 on.
        other_bars: "keep" leaves bars that the model cannot take as they are, "drop" leaves them out.

    Raises:
        UnknownGenreError: the model has no such genre; the message lists those it has.
        MusicError: the music has none of the layout's tracks or no bar of its metre.
        WrongModelError: a trust is given, and the model cannot take one.
    """
    target = model.genre_number(to)
    origin = None if source is None else model.genre_number(source)
    arguments.number("strength", strength)
    arguments.choice("other_bars", other_bars, pieces.OTHER_BARS)
    song, grid, phrases = read(model, music)
    rows = len(phrases)
    drawing = sampling(model, temperature, seed, trust, rows)
    if origin is None:
        origin = yield from likeliest(phrases)
    inputs = {
        "tokens": phrases,
        "source": np.full(rows, origin, np.int32),
        "target": np.full(rows, target, np.int32),
        "strength": np.full(rows, strength, np.float32),
    }
    tokens = yield from made("transfer", inputs, drawing)
    return pieces.changed_song(tokens, grid, f"{song.name} to {to}", song if other_bars == "keep" else None)


def change(
    model: Description,
    music: Music,
    changes: Mapping[str, float],
    temperature: float = TEMPERATURE,
    seed: int = 0,
    trust: float | None = None,
    other_bars: str = "keep",
) -> Steps[Song]:
    """The music with more or less of some attributes: `change("mine.mid", {"soprano:notes": 1, "length": -0.5})`.

    Args:
        music: the piece; tempo and programs are kept.
        changes: how much more of each attribute, in standard deviations over the training music; negative for less.
            `describe().attributes` has the names.
        temperature: 0 takes the most probable symbols, 1 draws as the model believes.
        seed: 0 or more.
        trust: how far to follow the codes, see `decode`; None for 1.
        other_bars: "keep" leaves bars that the model cannot take as they are, "drop" leaves them out.

    Raises:
        UnknownAttributeError: the model has no such attribute; the message lists those it has.
        WrongModelError: the model has no attribute vectors, or a trust is given and it cannot take one.
        MusicError: the music has none of the layout's tracks or no bar of its metre.
    """
    (song,) = yield from changed(model, music, [arguments.changes(changes)], temperature, seed, trust, other_bars)
    return song


def sweep(
    model: Description,
    music: Music,
    attribute: str,
    points: int = 5,
    strength: float = 2.0,
    temperature: float = TEMPERATURE,
    seed: int = 0,
    trust: float | None = None,
    other_bars: str = "keep",
) -> Steps[list[Song]]:
    """The music with less and less, and more and more, of one attribute; see `change`.

    Args:
        music: the piece; tempo and programs are kept.
        attribute: one of `describe().attributes.names`.
        points: pieces, 2 or more; of an odd number the middle one is the reconstruction.
        strength: from so many standard deviations less to so many more, in equal steps.
        temperature: 0 takes the most probable symbols, 1 draws as the model believes.
        seed: 0 or more, the same for all pieces.
        trust: how far to follow the codes, see `decode`; None for 1.
        other_bars: "keep" leaves bars that the model cannot take as they are, "drop" leaves them out.

    Raises:
        UnknownAttributeError: the model has no such attribute; the message lists those it has.
        WrongModelError: the model has no attribute vectors, or a trust is given and it cannot take one.
        MusicError: the music has none of the layout's tracks or no bar of its metre.
    """
    arguments.whole("points", points, 2, arguments.MOST_POINTS)
    amounts = pieces.sweep(points, arguments.number("strength", strength))
    return (
        yield from changed(
            model, music, [{attribute: amount} for amount in amounts], temperature, seed, trust, other_bars
        )
    )


def infer_genre(model: Description, music: Music) -> Steps[str]:
    """The genre that the model takes the music for: the one whose codes explain those of all its phrases best.

    Raises:
        MusicError: the music has none of the layout's tracks or no bar of its metre.
    """
    _, _, phrases = read(model, music)
    return model.genres[(yield from likeliest(phrases))]


def encode(model: Description, music: Music) -> Steps[Encoding]:
    """The phrases of the music in the latent space.

    Raises:
        MusicError: the music has none of the layout's tracks or no bar of its metre.
    """
    _, _, phrases = read(model, music)
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
    trust: float | None = None,
) -> Steps[Song]:
    """The song whose phrases have some codes.

    Args:
        latent: float [n, D], n of 1 or more.
        temperature: 0 takes the most probable symbols, 1 draws as the model believes.
        seed: 0 or more.
        bars: length, where the song is cut off; None for all of its phrases.
        tempo: quarter notes a minute.
        trust: how far the decoder follows the codes where they look like those of music, 0 to 1; None for 1. More is
            closer to what was encoded; less is more grammatical music that has less of it.

    Raises:
        InvalidRequestError: the codes have another shape, or there are fewer of them than the bars need.
        WrongModelError: a trust is given, and the model cannot take one: it has no autoregressive decoder, or was
            exported by an earlier version.
    """
    codes = arguments.codes(latent, model.latent)
    most = len(codes) * model.bars
    bars = most if bars is None else bars
    if arguments.whole("bars", bars, 1) > most:
        raise InvalidRequestError(f"bars is {bars}, must be at most {most} with {len(codes)} codes")
    arguments.tempo(tempo)
    tokens = yield from decoded(codes, sampling(model, temperature, seed, trust, len(codes)))
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
