"""A trained model on whole songs: sample, reconstruct, interpolate and transfer, phrase by phrase.

How songs become phrases and phrases become songs is in `musae_tf.music.pieces`. Codes are posterior means, so at
temperature 0 nothing is random but the prior's draws in `sample`.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from musae_tf.errors import RunError
from musae_tf.latent import AttributeVectors
from musae_tf.models import MusAE
from musae_tf.models.inference import decode, encode, sample_latent
from musae_tf.music import STEPS_PER_BAR, Grid, Layout, Song, pieces, tokenize


def sample(
    model: MusAE,
    layout: Layout,
    genre: str,
    bars: int = 8,
    temperature: float = 0.0,
    seed: int = 0,
    tempo: float = 120.0,
) -> Song:
    """A new piece of a genre.

    Its phrases are a `musae_tf.music.pieces.walk` through the genre's component of the prior.

    Args:
        model: of `run.load_model()`.
        layout: of the run.
        genre: one of `model.genres`.
        bars: length, 1 or more.
        temperature: of the tokens; 0 takes the most probable symbol.
        seed: 0 or more; the same seed gives the same piece.
        tempo: quarter notes a minute.

    Raises:
        RunError: no such genre.
    """
    number = genre_number(model.genres, genre)
    phrases = pieces.phrase_count(bars, _phrase_bars(model))
    draws, others = (
        sample_latent(model, np.full(phrases, number), pieces.row_seeds(seed, stream, phrases))
        for stream in (pieces.CODES, pieces.OTHER_CODES)
    )
    return pieces.new_song(_tokens(model, pieces.walk(draws, others), temperature, seed), bars, layout, tempo, genre)


def reconstruct(model: MusAE, layout: Layout, song: Song, temperature: float = 0.0, seed: int = 0) -> Song:
    """The song as the model reads and writes it, with the source's tempo and programs.

    Raises:
        MusicError: the song has none of the layout's tracks or no bar of 16 sixteenths.
    """
    grid = tokenize(song, layout)
    return pieces.changed_song(_tokens(model, _codes(model, grid), temperature, seed), grid, song.name)


def interpolate(
    model: MusAE,
    layout: Layout,
    start: Song,
    end: Song,
    points: int = 5,
    temperature: float = 0.0,
    seed: int = 0,
    path: str = "linear",
) -> list[Song]:
    """Songs on the way from one song to another, phrase by phrase on lines (or arcs, `path`) between their codes.

    The first and the last are the reconstructions of `start` and `end`. All are as long as the longer song: the shorter
    one's phrases are repeated from its beginning. Tempo goes from the one's to the other's by equal ratios; programs
    are those of the nearer end.

    Raises:
        MusicError: one of the songs has none of the layout's tracks or no bar of 16 sixteenths.
        ValueError: fewer than 2 points, or a path that is not one of `musae_tf.music.pieces.PATHS`.
    """
    if path not in pieces.PATHS:
        raise ValueError(f"path is {path!r}, must be one of {', '.join(pieces.PATHS)}")
    grids = [tokenize(song, layout) for song in (start, end)]
    steps = pieces.line(*grids, points)
    codes = [_codes(model, grid) for grid in grids]
    rows = max(map(len, codes))
    first, last = (pieces.repeated(code, rows) for code in codes)
    songs = []
    for position, form in steps:
        where = tf.fill([rows], tf.constant(position, tf.float32))
        between = model.interpolate_latent(first, last, where, path).numpy()
        # The same seeds at every point: what changes along the way is the position, not the dice.
        tokens = _tokens(model, between, temperature, seed)
        songs.append(pieces.changed_song(tokens, form, f"{start.name} to {end.name}"))
    return songs


def transfer(
    model: MusAE,
    layout: Layout,
    song: Song,
    to: str,
    source: str | None = None,
    strength: float = 1.0,
    temperature: float = 0.0,
    seed: int = 0,
) -> Song:
    """The song moved towards another genre, along the difference of the two genres' means in the latent space.

    Args:
        model: of `run.load_model()`.
        layout: of the run.
        song: the piece; tempo and programs are kept.
        to: genre to move to.
        source: genre that the song is in; None takes the one of `infer_genre`.
        strength: 0 stays, 1 goes `prior.reach` times the way between the means.
        temperature: of the tokens; 0 takes the most probable symbol.
        seed: 0 or more.

    Raises:
        RunError: no such genre.
        MusicError: the song has none of the layout's tracks or no bar of 16 sixteenths.
    """
    target = genre_number(model.genres, to)
    grid = tokenize(song, layout)
    codes = _codes(model, grid)
    origin = _likeliest(model, codes) if source is None else genre_number(model.genres, source)
    rows = len(codes)
    amount = tf.fill([rows], tf.constant(strength, tf.float32))
    moved = model.transfer_latent(tf.constant(codes), tf.fill([rows], origin), tf.fill([rows], target), amount)
    tokens = _tokens(model, moved.numpy(), temperature, seed)
    return pieces.changed_song(tokens, grid, f"{song.name} to {to}")


def change(
    model: MusAE,
    layout: Layout,
    song: Song,
    attributes: AttributeVectors,
    changes: dict[str, float],
    temperature: float = 0.0,
    seed: int = 0,
) -> Song:
    """The song with more or less of some attributes: each phrase moved along their vectors.

    Args:
        model: of `run.load_model()`.
        layout: of the run.
        song: the piece; tempo and programs are kept.
        attributes: of `musae_tf.latent.of_run.load_attributes`.
        changes: units (standard deviations over the training music) by name; negative for less.
        temperature: of the tokens; 0 takes the most probable symbol.
        seed: 0 or more.

    Raises:
        RunError: no such attribute.
        MusicError: the song has none of the layout's tracks or no bar of 16 sixteenths.
    """
    grid = tokenize(song, layout)
    tokens = _tokens(model, attributes.move(_codes(model, grid), changes), temperature, seed)
    return pieces.changed_song(tokens, grid, song.name)


def sweep(
    model: MusAE,
    layout: Layout,
    song: Song,
    attributes: AttributeVectors,
    attribute: str,
    points: int = 5,
    strength: float = 2.0,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[Song]:
    """The song with less and less, and more and more, of one attribute; see `change`.

    Args:
        model: of `run.load_model()`.
        layout: of the run.
        song: the piece; tempo and programs are kept.
        attributes: of `musae_tf.latent.of_run.load_attributes`.
        attribute: name of the attribute.
        points: pieces, 2 or more; of an odd number the middle one is the reconstruction.
        strength: from so many standard deviations less to so many more, in equal steps.
        temperature: of the tokens; 0 takes the most probable symbol.
        seed: 0 or more, the same for all pieces.

    Raises:
        RunError: no such attribute.
        MusicError: the song has none of the layout's tracks or no bar of 16 sixteenths.
        ValueError: fewer than 2 points.
    """
    grid = tokenize(song, layout)
    codes = _codes(model, grid)
    moved = [attributes.move(codes, {attribute: amount}) for amount in pieces.sweep(points, strength)]
    return [pieces.changed_song(_tokens(model, way, temperature, seed), grid, song.name) for way in moved]


def infer_genre(model: MusAE, layout: Layout, song: Song) -> str:
    """The genre whose component explains the codes of all the song's phrases best.

    Raises:
        MusicError: the song has none of the layout's tracks or no bar of 16 sixteenths.
    """
    return model.genres[_likeliest(model, _codes(model, tokenize(song, layout)))]


def genre_number(genres: Sequence[str], genre: str) -> int:
    """The number of a genre of a run or model.

    Raises:
        RunError: no such genre; the message lists the known ones.
    """
    return pieces.genre_number(genres, genre, RunError)


def _phrase_bars(model: MusAE) -> int:
    return model.steps // STEPS_PER_BAR


def _likeliest(model: MusAE, codes: np.ndarray) -> int:
    return pieces.likeliest(model.prior.genre_scores(tf.constant(codes)).numpy())


def _codes(model: MusAE, grid: Grid) -> np.ndarray:
    """Posterior means of a song's phrases, float32 [n, D]."""
    return encode(model, pieces.phrases_of(grid, _phrase_bars(model)))[0]


def _tokens(model: MusAE, codes: np.ndarray, temperature: float, seed: int) -> np.ndarray:
    """Phrases int32 [n, T, K] of codes [n, D]."""
    return decode(model, codes, temperature, pieces.row_seeds(seed, pieces.TOKENS, len(codes)))
