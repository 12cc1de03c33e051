"""A trained model on whole songs: sample, reconstruct, interpolate and transfer, phrase by phrase.

A song is cut into phrases of the model's length, all phrases go through the model in batches, and what comes back is
joined. The last phrase, if it is incomplete, is filled with rests and cut again to the length of the source. Bars that
the grid cannot hold (another metre than 16 sixteenths) are left out, as `musae_tf.music.tokenize` counts them.

Codes are posterior means, so at temperature 0 nothing is random but the prior's draws in `sample`. Every phrase has a
seed of its own, made from the seed of the song and the number of the phrase.
"""

import difflib
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from musae_tf.errors import RunError
from musae_tf.models import MusAE
from musae_tf.models.inference import decode, encode, row_seeds, sample_prior
from musae_tf.music import STEPS_PER_BAR, Grid, Layout, Song, cut, detokenize, join, tokenize

# Correlation of the codes of neighbouring phrases in `sample`: near enough to belong together, far enough to move on.
CORRELATION = 0.7

# Streams of seeds, so that a phrase's code and its tokens are drawn independently.
_CODES, _TOKENS = 0, 1


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

    Its phrases are a `walk` through the latent space around the mean of the genre's component.

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
    phrases = -(-bars // _phrase_bars(model))
    draws = sample_prior(model, np.full(phrases, number), row_seeds(seed, _CODES, phrases))
    codes = walk(draws, tf.convert_to_tensor(model.prior.means).numpy()[number])
    tokens = _tokens(model, codes, temperature, seed)
    song = detokenize(join(tokens)[: bars * STEPS_PER_BAR], layout, tempo)
    song.name = genre
    return song


def reconstruct(model: MusAE, layout: Layout, song: Song, temperature: float = 0.0, seed: int = 0) -> Song:
    """The song as the model reads and writes it, with the source's tempo and programs.

    Raises:
        MusicError: the song has none of the layout's tracks or no bar of 16 sixteenths.
    """
    grid = tokenize(song, layout)
    return _song(_tokens(model, _encode_grid(model, grid), temperature, seed), grid, song.name)


def interpolate(
    model: MusAE, layout: Layout, start: Song, end: Song, points: int = 5, temperature: float = 0.0, seed: int = 0
) -> list[Song]:
    """Songs on the way from one song to another, phrase by phrase on straight lines between their codes.

    The first and the last are the reconstructions of `start` and `end`. All are as long as the longer song: the shorter
    one's phrases are repeated from its beginning. Tempo goes from the one's to the other's by equal ratios; programs
    are those of the nearer end.

    Raises:
        MusicError: one of the songs has none of the layout's tracks or no bar of 16 sixteenths.
        ValueError: fewer than 2 points.
    """
    if points < 2:
        raise ValueError(f"points is {points}, must be 2 or more")
    grids = [tokenize(song, layout) for song in (start, end)]
    codes = [_encode_grid(model, grid) for grid in grids]
    phrases = max(map(len, codes))
    first, last = (code[np.arange(phrases) % len(code)] for code in codes)
    longest = max(grids, key=lambda grid: len(grid.tokens))
    songs = []
    for position in np.linspace(0.0, 1.0, points, dtype=np.float32):
        between = model.interpolate_latent(first, last, tf.fill([phrases], position)).numpy()
        nearer = grids[0] if position <= 0.5 else grids[1]
        tempo = grids[0].tempo * (grids[1].tempo / grids[0].tempo) ** float(position)
        form = replace(longest, tempo=tempo, programs=nearer.programs)
        # The same seeds at every point: what changes along the way is the position, not the dice.
        songs.append(_song(_tokens(model, between, temperature, seed), form, f"{start.name} to {end.name}"))
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
        strength: 0 stays, 1 goes the whole way.
        temperature: of the tokens; 0 takes the most probable symbol.
        seed: 0 or more.

    Raises:
        RunError: no such genre.
        MusicError: the song has none of the layout's tracks or no bar of 16 sixteenths.
    """
    target = genre_number(model.genres, to)
    grid = tokenize(song, layout)
    codes = _encode_grid(model, grid)
    origin = _likeliest(model, codes) if source is None else genre_number(model.genres, source)
    rows = len(codes)
    amount = tf.fill([rows], tf.constant(strength, tf.float32))
    moved = model.transfer_latent(tf.constant(codes), tf.fill([rows], origin), tf.fill([rows], target), amount)
    return _song(_tokens(model, moved.numpy(), temperature, seed), grid, f"{song.name} to {to}")


def infer_genre(model: MusAE, layout: Layout, song: Song) -> str:
    """The genre whose component explains the codes of all the song's phrases best.

    Raises:
        MusicError: the song has none of the layout's tracks or no bar of 16 sixteenths.
    """
    return model.genres[_likeliest(model, _encode_grid(model, tokenize(song, layout)))]


def walk(draws: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Independent draws e_i of a Gaussian with mean m to a walk z_i in which neighbours are alike.

    z_0 = e_0 and z_i = m + r (z_{i-1} - m) + sqrt(1 - r^2) (e_i - m) with r = CORRELATION: an autoregressive process of
    order 1. Each z_i by itself has the distribution of the draws, whatever their covariance.

    Args:
        draws: float32 [n, D].
        mean: float32 [D].

    Returns:
        float32 [n, D].
    """
    steps = draws - mean
    for phrase in range(1, len(steps)):
        steps[phrase] = CORRELATION * steps[phrase - 1] + math.sqrt(1 - CORRELATION**2) * steps[phrase]
    return mean + steps


def genre_number(genres: Sequence[str], genre: str) -> int:
    """The number of a genre of a run or model.

    Raises:
        RunError: no such genre; the message lists the known ones.
    """
    if genre in genres:
        return genres.index(genre)
    near = difflib.get_close_matches(genre, genres, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise RunError(f"there is no genre {genre!r} in this model{hint}; it knows: {', '.join(genres)}")


def _phrase_bars(model: MusAE) -> int:
    return model.steps // STEPS_PER_BAR


def _likeliest(model: MusAE, codes: np.ndarray) -> int:
    # The mean over phrases of the probabilities, not of their logarithms: one odd phrase must not decide.
    return int(np.argmax(np.mean(model.prior.genre_scores(tf.constant(codes)).numpy(), axis=0)))


def _encode_grid(model: MusAE, grid: Grid) -> np.ndarray:
    """Posterior means of the grid's phrases, float32 [n, D]; the last one filled up with rests."""
    bars = _phrase_bars(model)
    count = len(grid.tokens)
    rests = np.array([track.vocabulary.rest for track in grid.layout.tracks], grid.tokens.dtype)
    missing = np.broadcast_to(rests, (-count % bars, *grid.tokens.shape[1:]))
    # One run: where bars were left out, what follows comes next.
    whole = replace(grid, tokens=np.concatenate([grid.tokens, missing]), runs=[(0, count + len(missing))])
    return encode(model, cut(whole, bars, hop=bars))[0]


def _song(tokens: np.ndarray, form: Grid, name: str) -> Song:
    """Phrases [n, T, K] as a song with the length, tempo and programs of `form`."""
    song = detokenize(join(tokens)[: len(form.tokens) * STEPS_PER_BAR], form.layout, form.tempo, form.programs)
    song.name = name
    return song


def _tokens(model: MusAE, codes: np.ndarray, temperature: float, seed: int) -> np.ndarray:
    """Phrases int32 [n, T, K] of codes [n, D]."""
    return decode(model, codes, temperature, row_seeds(seed, _TOKENS, len(codes)))
