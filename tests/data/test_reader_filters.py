from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musae_tf.data.reader import FILTERS, Filters
from musae_tf.data.source import UnfitError
from musae_tf.errors import DatasetError
from musae_tf.music import get_layout
from musae_tf.music.grid import Grid, heads, sounding_bars
from musae_tf.music.song import Tempo
from musae_tf.music.vocabulary import HOLD, REST

BAND = get_layout("band")


def grid_of(sounds, cuts, rng):
    """Bars in which the given tracks sound (bool [bars, 4]), in runs that start at `cuts`, with notes held on."""
    tokens = np.full((len(sounds), 16, 4), REST, np.uint16)
    tokens[:, :, 0] = 0
    for bar, track in np.argwhere(sounds):
        if track == 0:
            tokens[bar, rng.integers(0, 16), 0] = rng.integers(1, 512)
        elif bar and sounds[bar - 1, track] and bar not in cuts and rng.random() < 0.5:
            tokens[bar, :, track] = HOLD
            tokens[bar - 1, tokens[bar - 1, :, track] == REST, track] = HOLD
        else:
            tokens[bar, :, track] = HOLD
            tokens[bar, 0, track] = rng.integers(0, 128)
    edges = sorted({0, *cuts, len(sounds)})
    runs = [(first, last - first) for first, last in pairwise(edges)]
    nowhere = np.zeros((len(runs), 3), np.int64)
    return Grid(tokens, runs, 120.0, (0, 33, 25, 48), {}, BAND, (Tempo(0, 120.0),), BAND.names, np.arange(4), nowhere)


@given(st.data())
def test_silent_bars_are_cut_out_and_nothing_else(data):
    bars = data.draw(st.integers(1, 12))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    sounds = rng.random((bars, 4)) < data.draw(st.sampled_from([0.7, 0.9, 0.97]))
    cuts = data.draw(st.sets(st.integers(1, bars), max_size=2)) - {bars}
    phrase = data.draw(st.integers(1, 4))
    grid = grid_of(sounds, cuts, rng)
    before = heads(grid.tokens, grid.runs, BAND)

    whole = sounding_bars(grid.tokens, BAND).all(axis=1)
    stretches, bar = [], 0
    while bar < bars:
        last = bar
        while last < bars and whole[last] and (last == bar or last not in cuts):
            last += 1
        stretches += [(bar, last)] if last - bar >= phrase else []
        bar = max(last, bar + 1)
    filters = Filters(["no-silent-bars"], phrase)
    if not stretches:
        with pytest.raises(UnfitError, match=f"no {phrase} neighbouring bars in which all tracks sound"):
            filters.select(grid, sounding_bars(grid.tokens, BAND))
        return
    tokens, first_symbols, runs, counts = filters.select(grid, sounding_bars(grid.tokens, BAND))
    kept = np.concatenate([np.arange(*stretch) for stretch in stretches])
    assert runs[:, 1].tolist() == [last - first for first, last in stretches]
    assert runs[:, 0].tolist() == np.cumsum([0, *runs[:-1, 1]]).tolist()
    assert counts == {"bars_with_silence": bars - len(kept)}
    np.testing.assert_array_equal(first_symbols, before[kept])
    np.testing.assert_array_equal(first_symbols, heads(tokens, runs.tolist(), BAND))
    inner = np.ones(len(kept), bool)
    inner[runs[:, 0]] = False
    np.testing.assert_array_equal(tokens[inner], grid.tokens[kept][inner])
    np.testing.assert_array_equal(tokens[:, 1:], grid.tokens[kept][:, 1:])
    np.testing.assert_array_equal(tokens[~inner, 0], before[kept][~inner])


def test_without_filters_everything_stays():
    grid = grid_of(np.array([[1, 0, 0, 0], [0, 0, 0, 0]], bool), set(), np.random.default_rng(0))
    before = heads(grid.tokens, grid.runs, BAND)
    tokens, first_symbols, runs, counts = Filters().select(grid, sounding_bars(grid.tokens, BAND))
    assert (tokens is grid.tokens, runs.tolist(), counts) == (True, [[0, 2]], {})
    np.testing.assert_array_equal(first_symbols, before)


def test_impossible_filters():
    with pytest.raises(DatasetError, match="filter 'loud' is unknown; known: four-four, all-parts, no-silent-bars"):
        Filters(["loud"])
    with pytest.raises(DatasetError, match="a phrase of 0 bars; must be 1 to 1024"):
        Filters(phrase=0)
    assert Filters(reversed(FILTERS)).names == FILTERS
