"""A map of the latent space: the training songs, or draws of the model, as points of a plane.

The plane goes through the mean of all codes. Its first directions are those in which the mean codes of the genres lie
apart, since the codes of a genre are spread alike on all axes (the prior's Gaussians see to it), so that the plane of
the means is the one of linear discriminant analysis; where the genres do not fill a plane, the principal components of
what is left take their place. The axes are orthonormal: a point of the plane is a code, and moving by 1 on the map is
moving by 1 in the space.

A map of songs carries music: a near copy of a phrase decodes from its code. A map of draws carries none, so that it can
go where the songs must not.
"""

import numpy as np

from musae_tf.data import Dataset
from musae_tf.data.dataset import PhraseIndex
from musae_tf.models import MusAE
from musae_tf.models.inference import encode, sample_latent
from musae_tf.music import pieces
from musae_tf.verbs.description import LatentMap

MOST_SONGS = 2000
"""Songs of a map. More dots than that hide each other."""

DRAWS = 600
"""Draws of a map: about as many dots as a dataset of some hundred songs gives."""

PHRASES_A_SONG = 8
"""Phrases that stand for a song: enough to find a typical one, few enough for a dataset of many songs."""


def map_of_songs(model: MusAE, dataset: Dataset, songs: int = MOST_SONGS) -> LatentMap | None:
    """The map of the training songs; None if the dataset has fewer than 3 training phrases of the model's length.

    Args:
        model: the model.
        dataset: the one that it was trained on.
        songs: how many at most, each as the code of its most typical phrase, the one nearest to their mean. Every genre
            gets its turn, its songs evenly spaced in the order of the dataset.
    """
    bars = model.config.music.bars
    index = dataset.phrases("train", bars, hop=bars)
    if len(index) < 3:
        return None
    chosen = _songs(index, songs)
    rows = [_spaced(np.flatnonzero(index.songs == song), PHRASES_A_SONG) for song in chosen]
    codes = encode(model, index.tokens(np.concatenate(rows)))[0]
    parts = np.split(codes, np.cumsum([len(part) for part in rows])[:-1])
    genre = np.array([_genre(index.song_labels[song]) for song in chosen], np.int32)
    mean, axes = _plane(codes, np.repeat(genre, [len(part) for part in rows]))
    typical = np.stack([part[np.argmin(((part - part.mean(0)) ** 2).sum(1))] for part in parts])
    titles = tuple(dataset.songs[song]["title"] for song in chosen)
    return LatentMap("songs", mean, axes, (typical - mean) @ axes.T, genre, titles, typical)


def map_of_draws(model: MusAE, draws: int = DRAWS) -> LatentMap:
    """The map of codes that music of the genres is made of: a model always gives the same.

    Args:
        model: the model.
        draws: how many in all, 3 or more; equally many of each genre, or one more of the first ones.
    """
    genre = np.sort(np.arange(draws, dtype=np.int32) % len(model.genres))
    codes = sample_latent(model, genre, pieces.row_seeds(0, pieces.CODES, draws))
    turn = np.arange(draws) - np.searchsorted(genre, genre) + 1
    titles = tuple(f"draw {number} of {model.genres[which]}" for number, which in zip(turn, genre, strict=True))
    mean, axes = _plane(codes, genre)
    return LatentMap("draws", mean, axes, (codes - mean) @ axes.T, genre, titles, codes)


def _genre(labels: np.ndarray) -> int:
    return int(labels.argmax()) if labels.any() else -1


def _spaced(rows: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of some rows, evenly spaced."""
    if len(rows) <= count:
        return rows
    return rows[np.arange(count) * len(rows) // count]


def _songs(index: PhraseIndex, most: int) -> np.ndarray:
    """Numbers of at most `most` songs, as many of each genre as of the others as far as they go."""
    songs = np.unique(index.songs)
    genre = np.array([_genre(index.song_labels[song]) for song in songs])
    groups = [songs[genre == number] for number in np.unique(genre)]
    left, shares = most, []
    for turn, group in enumerate(sorted(groups, key=len)):
        shares.append(_spaced(group, left // (len(groups) - turn)))
        left -= len(shares[-1])
    return np.sort(np.concatenate(shares))


def _plane(codes: np.ndarray, genre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and axes of the map of codes [n, D] with their genres [n]."""
    mean = codes.mean(0)
    centred = (codes - mean).astype(np.float64)
    centres = np.stack([centred[genre == number].mean(0) for number in np.unique(genre)])
    centres -= centres.mean(0)
    first = np.linalg.svd(centres, full_matrices=False)[2][: min(2, len(centres) - 1)]
    rest = centred - centred @ first.T @ first
    others = np.linalg.svd(rest, full_matrices=False)[2][: 2 - len(first)]
    return mean.astype(np.float32), np.concatenate([first, others]).astype(np.float32)
