"""Real music: a few pieces of the corpus that comes with music21."""

from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import pytest

from musae_tf.data.corpus import CorpusSource
from musae_tf.errors import MusicError
from musae_tf.music import Layout, get_layout, tokenize
from musae_tf.music.pieces import phrases_of

PIECES = 12
GENRES = ("bach", "palestrina")


class Real(NamedTuple):
    """N phrases of 2 bars, int32 [N, 32, 4], with genre and song numbers."""

    tokens: np.ndarray
    genre: np.ndarray
    songs: np.ndarray
    layout: Layout


@pytest.fixture(scope="session")
def real() -> Real:
    if find_spec("music21") is None:
        pytest.skip("music21, which brings the scores, is not installed")
    layout, source = get_layout("voices"), CorpusSource()
    tokens, genre, songs = [], [], []
    for number, label in enumerate(GENRES):
        found = 0
        for item in source.items():
            if item.label != label or found == PIECES:
                continue
            try:
                phrases = phrases_of(tokenize(source.load(item).song, layout), 2)
            except MusicError:
                continue
            tokens.append(phrases)
            genre.append(np.full(len(phrases), number))
            songs.append(np.full(len(phrases), len(songs)))
            found += 1
    return Real(*map(np.concatenate, (tokens, genre, songs)), layout)


@pytest.fixture(scope="session")
def corrupted(real) -> np.ndarray:
    """The same phrases with a tenth of the symbols from other phrases: what a model might make of them."""
    rng = np.random.default_rng(2)
    other = real.tokens[rng.permutation(len(real.tokens))]
    return np.where(rng.random(real.tokens.shape) < 0.1, other, real.tokens)
