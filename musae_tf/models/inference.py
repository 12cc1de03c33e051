"""Numpy in, numpy out: a model on any number of rows, in batches of one shape.

One shape means one trace, and the same row gives the same numbers however many rows go with it.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from musae_tf.models.filling import TRUST
from musae_tf.models.musae import MusAE
from musae_tf.models.symbols import Known

BATCH = 16


def encode(model: MusAE, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posteriors of phrases: tokens int [N, T, K] to mean and standard deviation, float32 [N, D]."""
    mean, deviation = _in_batches(_encode, model, np.asarray(tokens, np.int32))
    return mean, deviation


def decode(
    model: MusAE,
    latent: np.ndarray,
    temperature: float = 0.0,
    seeds: np.ndarray | None = None,
    trust: float | np.ndarray = 1.0,
) -> np.ndarray:
    """Phrases of codes float32 [N, D]: tokens int32 [N, T, K].

    Args:
        model: the model.
        latent: the codes.
        temperature: 0 takes the most probable symbols.
        seeds: int32 [N, 2], one a row; may be left out at temperature 0.
        trust: how far to trust each code, float32 [N] or one for all; see `MusAE.decode`.

    Raises:
        ValueError: a temperature above 0 without seeds.
    """
    if seeds is None:
        if temperature:
            raise ValueError("a temperature above 0 needs seeds")
        seeds = np.zeros((len(latent), 2), np.int32)
    temperatures = np.full(len(latent), temperature, np.float32)
    trusts = np.broadcast_to(np.asarray(trust, np.float32), len(latent))
    return _in_batches(_decode, model, np.asarray(latent, np.float32), temperatures, seeds, trusts)[0]


def fill(
    model: MusAE,
    tokens: np.ndarray,
    levels: np.ndarray,
    genre: np.ndarray,
    seeds: np.ndarray,
    temperature: float = 0.0,
) -> np.ndarray:
    """Phrases int [N, T, K] with what is not known of them written anew, int32 [N, T, K].

    Args:
        model: trained with `model.hidden_parts`.
        tokens: the phrases.
        levels: int [N, T, K], those of `musae_tf.music.known`.
        genre: int [N]; -1 for that of what is known.
        seeds: int32 [N, 2].
        temperature: of the symbols; codes are drawn at any temperature.
    """
    known = (np.asarray(tokens, np.int32), np.asarray(levels, np.int32))
    codes = _in_batches(_fill_latent, model, *known, np.asarray(genre, np.int32), seeds)[0]
    return decode_known(model, codes, *known, seeds, temperature)


def decode_known(
    model: MusAE,
    latent: np.ndarray,
    tokens: np.ndarray,
    levels: np.ndarray,
    seeds: np.ndarray,
    temperature: float = 0.0,
) -> np.ndarray:
    """The same with codes float32 [N, D] that are given."""
    how = (np.full(len(latent), number, np.float32) for number in (temperature, TRUST))
    return _in_batches(_decode_known, model, latent, *how, seeds, tokens, levels)[0]


def encode_known(model: MusAE, tokens: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posteriors of what is known of phrases int [N, T, K]: mean and standard deviation, float32 [N, D]."""
    known = (np.asarray(tokens, np.int32), np.asarray(levels, np.int32))
    mean, deviation = _in_batches(_encode_known, model, *known)
    return mean, deviation


def sample_latent(model: MusAE, genre: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """One code of each genre int [N] to make music of, with seeds int32 [N, 2]: float32 [N, D]; see `MusAE`."""
    return _in_batches(_draw, model, np.asarray(genre, np.int32), seeds)[0]


def sample_prior(model: MusAE, genre: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """One code from the prior of each genre int [N], float32 [N, D]; see `MusAE`."""
    return _in_batches(_draw_prior, model, np.asarray(genre, np.int32), seeds)[0]


def sample_target(model: MusAE, genre: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """One code from what training pulls the codes of each genre int [N] to, float32 [N, D]; see `MusAE`."""
    return _in_batches(_draw_target, model, np.asarray(genre, np.int32), seeds)[0]


def _in_batches(function: Callable, model: MusAE, *rows: np.ndarray) -> tuple[np.ndarray, ...]:
    parts = []
    for first in range(0, len(rows[0]), BATCH):
        batch = [row[first : first + BATCH] for row in rows]
        count = len(batch[0])
        # The last batch is filled up with copies of its last row.
        filled = [np.pad(row, [(0, BATCH - count), *[(0, 0)] * (row.ndim - 1)], mode="edge") for row in batch]
        parts.append([output.numpy()[:count] for output in function(model, *map(tf.constant, filled))])
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


@tf.function(autograph=False)
def _encode(model: MusAE, tokens: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return model.encode(tokens)


@tf.function(autograph=False)
def _decode(
    model: MusAE, latent: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor, trust: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    return model.decode(latent, temperature, seed, trust)


@tf.function(autograph=False)
def _fill_latent(
    model: MusAE, tokens: tf.Tensor, levels: tf.Tensor, genre: tf.Tensor, seed: tf.Tensor
) -> tuple[tf.Tensor]:
    return (model.fill_latent(Known(tokens, levels), genre, seed),)


@tf.function(autograph=False)
def _encode_known(model: MusAE, tokens: tf.Tensor, levels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return model.encode(Known(tokens, levels).seen(model.vocabulary_sizes))


@tf.function(autograph=False)
def _decode_known(
    model: MusAE,
    latent: tf.Tensor,
    temperature: tf.Tensor,
    trust: tf.Tensor,
    seed: tf.Tensor,
    tokens: tf.Tensor,
    levels: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    return model.decode(latent, temperature, seed, trust, Known(tokens, levels))


@tf.function(autograph=False)
def _draw(model: MusAE, genre: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor]:
    return (model.sample_latent(genre, seed),)


@tf.function(autograph=False)
def _draw_prior(model: MusAE, genre: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor]:
    return (model.sample_prior(genre, seed),)


@tf.function(autograph=False)
def _draw_target(model: MusAE, genre: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor]:
    return (model.sample_target(genre, seed),)
