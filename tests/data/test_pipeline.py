import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musae_tf.data.dataset import PhraseIndex
from musae_tf.data.pipeline import TrainingBatches, held_out_phrases, tf_dataset
from musae_tf.errors import ConfigError, DatasetError
from musae_tf.music import get_layout
from musae_tf.music.grid import transpose
from tests.corpus import random_tokens
from tests.data.makers import output
from tests.waiting import wait_for

LAYOUTS = [get_layout("voices"), get_layout("band"), get_layout("band", drums="voice")]


def phrase_index(seed, labels, bars=1, layout=LAYOUTS[0], low=0, high=127):
    """Phrases of random tokens side by side, each its own song: labels bool [N, G], pitches low..high."""
    labels = np.asarray(labels, bool)
    rng = np.random.default_rng(seed)
    tokens = random_tokens(rng, layout, len(labels) * bars)
    pitched = np.array([not track.is_drum for track in layout.tracks]) & (tokens < 128)
    tokens = np.where(pitched, np.clip(tokens, low, high), tokens).reshape(-1, 16, len(layout.tracks))
    starts, songs = np.arange(0, len(tokens), bars), np.arange(len(labels), dtype=np.int32)
    genres = tuple(f"genre {number}" for number in range(labels.shape[1]))
    return PhraseIndex(starts, songs, bars, layout, genres, labels, tokens, tokens[:, 0])


def rows_of(index, tokens):
    """Which phrase each row is: phrases of random tokens are all different."""
    numbers = {phrase.tobytes(): row for row, phrase in enumerate(index.tokens().astype(np.int32))}
    return np.array([numbers[phrase.tobytes()] for phrase in tokens])


@st.composite
def indices(draw, several=True):
    count, genres = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = np.eye(genres, dtype=bool)[rng.integers(0, genres, count)]
    if several:
        labels |= rng.random(labels.shape) < 0.2
    return phrase_index(rng.integers(2**32), labels, layout=draw(st.sampled_from(LAYOUTS)))


sizes, seeds, steps = st.integers(1, 20), st.integers(0, 2**31 - 1), st.integers(0, 10**6)


# --- training ---------------------------------------------------------------------------------------------------------


@given(indices(), sizes, seeds, st.booleans(), steps, st.lists(st.integers(0, 50), max_size=4))
def test_batch_is_a_function_of_seed_and_step(index, batch_size, seed, balance, step, before):
    batches = TrainingBatches(index, batch_size, seed, balance=balance)
    for other in before:
        batches.batch(other)
    tokens, genre = batches.batch(step)
    again, genre_again = TrainingBatches(index, batch_size, seed, balance=balance).batch(step)
    np.testing.assert_array_equal(tokens, again)
    np.testing.assert_array_equal(genre, genre_again)
    assert tokens.dtype == genre.dtype == np.int32
    assert tokens.shape == batches.shape


@given(indices(), sizes, seeds, st.booleans(), steps, st.slices(20))
def test_some_rows_are_those_of_the_batch(index, batch_size, seed, balance, step, rows):
    batches = TrainingBatches(index, batch_size, seed, balance=balance)
    for some, whole in zip(batches.batch(step, rows), batches.batch(step), strict=True):
        np.testing.assert_array_equal(some, whole[rows])


@given(indices(several=False), sizes, seeds, st.booleans())
def test_every_phrase_once_an_epoch(index, batch_size, seed, balance):
    batches = TrainingBatches(index, batch_size, seed, (0, 0), balance)
    genres = np.flatnonzero(index.labels.any(axis=0))
    pools = [np.flatnonzero(index.labels[:, genre]) for genre in genres] if balance else [np.arange(len(index))]
    visits = np.empty(0, int)
    for step in range(30):
        visits = np.append(visits, rows_of(index, batches.batch(step)[0]))
        for pool in pools:
            times = np.bincount(visits, minlength=len(index))[pool]
            assert times.max() - times.min() <= 1


@given(indices(), sizes, seeds)
def test_genres_equally_often(index, batch_size, seed):
    batches = TrainingBatches(index, batch_size, seed)
    present = index.labels.any(axis=0)
    counts = np.zeros(len(present), int)
    for number in range(3):
        tokens, genre = batches.batch(number)
        counts += np.bincount(genre, minlength=len(present))
        assert counts[present].max() - counts[present].min() <= 1
        assert counts[~present].sum() == 0
        assert len(tokens) == batch_size


@given(indices(), sizes, seeds, st.booleans(), steps)
def test_genre_is_one_of_the_phrase(index, batch_size, seed, balance, step):
    tokens, genre = TrainingBatches(index, batch_size, seed, (0, 0), balance).batch(step)
    assert index.labels[rows_of(index, tokens), genre].all()


@pytest.mark.parametrize("balance", [True, False])
def test_every_label_is_drawn(balance):
    index = phrase_index(1, [[True, True, True]] * 5)
    batches = TrainingBatches(index, 30, seed=1, transpose=(0, 0), balance=balance)
    seen = set()
    for tokens, genre in map(batches.batch, range(10)):
        seen |= set(zip(rows_of(index, tokens), genre, strict=True))
    assert len(seen) == 15


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(LAYOUTS),
    st.tuples(st.integers(-12, 0), st.integers(0, 12)),
    st.tuples(st.integers(0, 10), st.integers(110, 127)),
)
def test_transposition(seed, layout, semitones, pitches):
    index = phrase_index(seed, [[True]], layout=layout, low=pitches[0], high=pitches[1])
    phrase = index.tokens()[0].astype(np.int32)
    batches = TrainingBatches(index, 64, seed, semitones)
    pitched = np.array([not track.is_drum for track in layout.tracks])
    struck = phrase[:, pitched][phrase[:, pitched] < 128]
    low, high = max(semitones[0], -struck.min()), min(semitones[1], 127 - struck.max())
    moves = set()
    for row in np.concatenate([batches.batch(step)[0] for step in range(5)]):
        moved = row[:, pitched][phrase[:, pitched] < 128] - struck
        moves.add(int(moved[0]))
        np.testing.assert_array_equal(row, transpose(phrase, int(moved[0]), layout))
    assert moves == set(range(low, high + 1))


def test_epochs_and_seeds_differ():
    index = phrase_index(1, np.ones((50, 1)))
    one, other = (TrainingBatches(index, 50, seed, (0, 0)) for seed in (1, 2))
    orders = [rows_of(index, batches.batch(step)[0]).tolist() for batches in (one, other) for step in range(4)]
    assert len(set(map(tuple, orders))) == len(orders)
    assert all(sorted(order) == list(range(50)) for order in orders)


def test_impossible_batches():
    index = phrase_index(1, np.ones((5, 1)))
    with pytest.raises(DatasetError, match="no training phrase: nowhere do the tracks of voices sound"):
        TrainingBatches(index.take(np.arange(0)), 8, 1)
    for wrong in ({"batch_size": 0}, {"seed": -1}, {"transpose": (1, 3)}, {"transpose": (-128, 0)}):
        with pytest.raises(ConfigError, match="allowed"):
            TrainingBatches(index, **{"batch_size": 8, "seed": 1, **wrong})


def test_batches_of_a_dataset(dataset):
    batches = TrainingBatches(dataset.phrases("train", 2), 32, 1)
    tokens, genre = batches.batch(0)
    assert tokens.shape == (32, 32, 4)
    assert np.bincount(genre).tolist() == [8, 8, 8, 8]
    assert not (tokens[:, 0] == 129).any()


# --- tf.data ----------------------------------------------------------------------------------------------------------


def test_tf_dataset_gives_the_batches(dataset):
    batches = TrainingBatches(dataset.phrases("train", 2), 32, 1)
    pipeline = tf_dataset(batches, 5, 25, slice(8, 24))
    assert [tuple(spec.shape) for spec in pipeline.element_spec] == [(16, 32, 4), (16,)]
    read = list(pipeline.as_numpy_iterator())
    assert len(read) == 20
    for step, pair in enumerate(read, 5):
        for got, expected in zip(pair, batches.batch(step, slice(8, 24)), strict=True):
            np.testing.assert_array_equal(got, expected)


def test_tf_dataset_works_ahead(dataset):
    batches = TrainingBatches(dataset.phrases("train", 2), 32, 1)
    made = []
    make = batches.batch
    batches.batch = lambda step, rows: made.append(step) or make(step, rows)
    iterator = iter(tf_dataset(batches, 0, 100))
    next(iterator)
    wait_for(lambda: len(made) >= 4)
    assert len(made) < 20


DETERMINISTIC = """
import sys, time
import numpy as np
import tensorflow as tf
from musae_tf.data import Dataset, TrainingBatches, tf_dataset

tf.keras.utils.set_random_seed(1)
tf.config.experimental.enable_op_determinism()
batches = TrainingBatches(Dataset.open(sys.argv[1]).phrases("train", 2), 32, 1)
for step, (tokens, genre) in enumerate(tf_dataset(batches, 0, 50)):
    assert (tokens.numpy() == batches.batch(step)[0]).all() and (genre.numpy() == batches.batch(step)[1]).all()
print(step)
"""


def test_tf_dataset_under_op_determinism(dataset):
    assert output("-c", DETERMINISTIC, dataset.path).strip() == "49"


# --- evaluation -------------------------------------------------------------------------------------------------------


def test_held_out_phrases_are_all_that_do_not_overlap(dataset):
    index = dataset.phrases("train", 3)
    apart = index.without_overlap()
    phrases, genre = held_out_phrases(index)
    np.testing.assert_array_equal(phrases.starts, apart.starts)
    np.testing.assert_array_equal(phrases.tokens(), apart.tokens())
    assert apart.labels[np.arange(len(apart)), genre].all()
    assert genre.dtype == np.int32


def test_held_out_phrases_with_a_limit_are_balanced():
    labels = np.eye(3, dtype=bool)[[0] * 100 + [1] * 50 + [2] * 6]
    index = phrase_index(1, labels)

    def counts(limit, first=None, seed=0):
        return np.bincount(held_out_phrases(index, limit, seed)[1][:first], minlength=3).tolist()

    assert counts(9) == [3, 3, 3]
    assert counts(46) == [20, 20, 6]
    assert counts(500) == [100, 50, 6]
    assert counts(46, first=12) == [4, 4, 4]
    one, again = held_out_phrases(index, 46), held_out_phrases(index, 46)
    np.testing.assert_array_equal(one[0].starts, again[0].starts)
    np.testing.assert_array_equal(one[1], again[1])
    rows = [tuple(rows_of(index, held_out_phrases(index, 46, seed)[0].tokens().astype(np.int32))) for seed in (0, 1)]
    assert rows[0] != rows[1]
    assert all(len(set(chosen)) == 46 for chosen in rows)


def test_held_out_phrases_draw_labels_evenly():
    _, genre = held_out_phrases(phrase_index(1, np.ones((300, 3))))
    assert np.bincount(genre).min() > 70


def test_nothing_to_evaluate(dataset):
    with pytest.raises(DatasetError, match="no held-out phrase"):
        held_out_phrases(dataset.phrases("test", 100))
