import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musae_tf.data.split import check_fractions, split_groups
from musae_tf.errors import DatasetError


def songs(seed, count, groups, genres, several=0.0):
    """Random songs: group, bars, labels; groups numbered without gaps."""
    rng = np.random.default_rng(seed)
    group = np.unique(rng.integers(0, groups, count), return_inverse=True)[1]
    labels = np.eye(genres, dtype=bool)[rng.integers(0, genres, count)] | (rng.random((count, genres)) < several)
    return group, rng.integers(1, 100, count), labels


collections = st.builds(
    songs,
    st.integers(0, 2**32 - 1),
    st.integers(1, 120),
    st.integers(1, 60),
    st.integers(1, 5),
    st.sampled_from([0.0, 0.2]),
)


@given(collections, st.integers(0, 2**31))
def test_no_group_in_two_splits_and_same_seed_same_split(collection, seed):
    group, bars, labels = collection
    split = split_groups(group, bars, labels, seed=seed)
    np.testing.assert_array_equal(split_groups(group, bars, labels, seed=seed), split)
    assert all(len(set(split[group == one])) == 1 for one in group)
    assert set(split) <= {0, 1, 2}
    # Every genre can be learnt.
    assert labels[split == 0].any(axis=0).tolist() == labels.any(axis=0).tolist()


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(3, 30))
def test_every_genre_of_three_groups_is_tested(seed, genres, groups):
    rng = np.random.default_rng(seed)
    group = np.arange(genres * groups)
    labels = np.eye(genres, dtype=bool)[group % genres]
    split = split_groups(group, rng.integers(1, 1000, len(group)), labels, seed=seed)
    for one in (0, 1, 2):
        assert labels[split == one].any(axis=0).all()


@given(st.integers(0, 2**32 - 1))
def test_shares_by_genre(seed):
    group, bars, labels = songs(seed, 1500, 600, 4)
    split = split_groups(group, bars, labels, seed=seed)
    for genre in range(4):
        total = bars[labels[:, genre]].sum()
        shares = [bars[labels[:, genre] & (split == one)].sum() / total for one in range(3)]
        np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.02)


def test_large_group_does_not_blow_the_shares():
    group = np.r_[np.zeros(300, int), np.arange(1, 701)]
    for seed in range(20):
        split = split_groups(group, np.full(1000, 10), np.ones((1000, 1), bool), seed=seed)
        assert split[0] == 0
        np.testing.assert_allclose(np.bincount(split) / 1000, [0.8, 0.1, 0.1], atol=0.005)


def test_seed_matters_and_sizes_are_mixed():
    group, bars = np.arange(1000), np.repeat([5, 50], 500)
    labels = np.ones((1000, 1), bool)
    one, other = (split_groups(group, bars, labels, seed=seed) for seed in (1, 2))
    assert (one != other).mean() > 0.2
    for split in (0, 1, 2):
        assert 0.3 < (bars[one == split] == 50).mean() < 0.7


def test_bars_that_are_not_used_do_not_count():
    """Duplicates go with their group but weigh nothing."""
    group = np.repeat(np.arange(100), 2)
    bars = np.tile([10, 0], 100)
    split = split_groups(group, bars, np.ones((200, 1), bool), seed=3)
    assert np.bincount(split).tolist() == [160, 20, 20]


def test_fractions():
    group, bars, labels = songs(1, 100, 50, 2)
    assert set(split_groups(group, bars, labels, seed=1, fractions=(1, 0, 0))) == {0}
    assert set(split_groups(group, bars, labels, seed=1, fractions=(0.5, 0, 0.5))) == {0, 2}
    for wrong in ((0.8, 0.1), (0.8, 0.3, -0.1), (0, 0.5, 0.5), (0.8, 0.1, 0.2)):
        with pytest.raises(DatasetError, match=r"split is .*; allowed: train"):
            check_fractions(wrong)
