"""Our measures of codes and of uncertainty against scipy's and scikit-learn's."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import RidgeCV
from sklearn.metrics import balanced_accuracy_score, r2_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from musae_tf.evaluation.genre import probe_genre
from musae_tf.evaluation.interpolation import measure_paths
from musae_tf.evaluation.latent_order import probe_properties, sweep_correlations
from musae_tf.evaluation.per_song import Ratio
from musae_tf.evaluation.prior_match import share_above, sliced_wasserstein, two_sample_test
from musae_tf.evaluation.statistics import FEATURES, overlap_features, overlapped_area
from musae_tf.music.properties import phrase_properties

RNG = np.random.default_rng(11)


def mean_of(values: np.ndarray, songs: np.ndarray, strata: np.ndarray | None = None) -> Ratio:
    return Ratio(values, np.ones(len(values)), songs, strata)


def test_the_share_above_is_the_area_under_the_curve():
    ours, theirs = np.round(RNG.standard_normal(300), 1), np.round(RNG.standard_normal(200) + 0.4, 1)
    expected = roc_auc_score(np.repeat([0, 1], [300, 200]), np.concatenate([ours, theirs]))
    assert share_above(ours, theirs).mean() == pytest.approx(expected)
    assert stats.mannwhitneyu(theirs, ours).statistic / 60000 == pytest.approx(expected)


def test_the_two_sample_test_tells_what_differs_and_nothing_else():
    codes, songs = RNG.standard_normal((600, 8)).astype(np.float32), np.repeat(np.arange(60), 10)
    same = two_sample_test(codes, RNG.standard_normal((600, 8)).astype(np.float32), songs)
    other = two_sample_test(codes, 1.5 + RNG.standard_normal((600, 8)).astype(np.float32), songs)
    assert same.above.mean() == pytest.approx(0.5, abs=0.08)
    assert other.above.mean() > 0.97
    assert other.above.mean() > other.right.mean() > 0.9
    assert two_sample_test(codes[:30], codes[:30], songs[:30]) is None


def test_on_a_line_the_sliced_distance_is_that_of_scipy():
    one, other = RNG.standard_normal((80, 1)), RNG.gamma(2.0, size=(80, 1))
    assert sliced_wasserstein(one, other) == pytest.approx(stats.wasserstein_distance(one[:, 0], other[:, 0]))


def test_the_sliced_distance_of_shifted_samples_is_known():
    # Moving by v moves each projection by its component along the direction: on average |v| E|u_1|.
    one = RNG.standard_normal((500, 3))
    found = sliced_wasserstein(one, one + np.array([4.0, 0, 0]))
    assert found == pytest.approx(4 * 0.5, rel=0.1)  # E|u_1| is a half on the sphere in 3 dimensions
    assert sliced_wasserstein(one, one) == 0
    with pytest.raises(ValueError, match="one size"):
        sliced_wasserstein(one, one[1:])


def test_r2_of_probes_is_that_of_scikit_learn_on_properties_of_real_music(real):
    properties = phrase_properties(real.tokens, real.layout)[:, 3]
    codes = np.concatenate([np.nan_to_num(properties[:, [2, 5]]), RNG.standard_normal((len(properties), 3))], axis=1)
    codes[:, :2] += 0.5 * RNG.standard_normal((len(codes), 2))
    seen = real.songs % 2 == 0
    ratios = probe_properties(codes[seen], properties[seen], codes[~seen], properties[~seen], real.songs[~seen])
    for column in (2, 5):
        known = np.isfinite(properties[:, column])
        probe = make_pipeline(StandardScaler(), RidgeCV((1.0, 10.0, 100.0, 1000.0)))
        probe.fit(codes[seen & known], properties[seen & known, column])
        rows = ~seen & known
        expected = r2_score(properties[rows, column], probe.predict(codes[rows]))
        assert ratios[column].value() == pytest.approx(expected)
        assert expected > 0.3
    assert probe_properties(codes[:5], properties[:5], codes, properties, real.songs) == [None] * 6


def test_correlations_of_sweeps_are_those_of_scipy():
    values = RNG.standard_normal((3, 9, 2))
    values[0, :, 0] = 7.0  # does not change
    values[1, 4, 1] = np.nan  # is missing once
    found = sweep_correlations(values)
    assert found[0, 0] == found[1, 1] == 0
    for index in ((0, 1), (1, 0), (2, 0), (2, 1)):
        expected = stats.pearsonr(np.arange(9), values[index[0], :, index[1]]).statistic
        assert found[index] == pytest.approx(expected)


def test_rank_correlations_of_paths_are_those_of_scipy():
    paths = RNG.integers(0, 3, (10, 7, 16, 4))
    measures = measure_paths(paths)
    for row in range(10):
        curve = measures.to_start[row] - measures.to_end[row]
        assert measures.rank_correlation[row] == pytest.approx(stats.spearmanr(np.arange(7), curve).statistic)


def test_balanced_ratios_are_balanced_accuracy():
    truth, songs = RNG.integers(0, 3, 400), RNG.integers(0, 25, 400)
    said = np.where(RNG.random(400) < 0.6, truth, RNG.integers(0, 3, 400))
    ratio = mean_of((said == truth).astype(float), songs, strata=truth)
    assert ratio.value() == pytest.approx(balanced_accuracy_score(truth, said))


def test_the_probe_reads_what_is_linear_in_the_code():
    genre = RNG.integers(0, 3, 900)
    codes = RNG.standard_normal((900, 10))
    codes[:, 0] += 4 * genre
    assert balanced_accuracy_score(genre[600:], probe_genre(codes[:600], genre[:600], codes[600:])) > 0.85
    noise = RNG.standard_normal((900, 10))
    assert balanced_accuracy_score(genre[600:], probe_genre(noise[:600], genre[:600], noise[600:])) < 0.45
    assert probe_genre(codes, np.zeros(900, int), codes) is None


def test_intervals_are_those_of_scipy_when_every_song_has_one_phrase():
    values = RNG.gamma(2.0, size=60)
    found = mean_of(values, np.arange(60)).interval(resamples=4000)
    expected = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=1).confidence_interval
    assert found.value == pytest.approx(values.mean())
    np.testing.assert_allclose(found[1:], expected, atol=0.04)


def test_songs_are_resampled_and_not_phrases():
    # Forty phrases of four songs that are each all alike say no more than four numbers.
    songs = np.repeat(np.arange(4), 10)
    by_song, by_phrase = (mean_of(songs.astype(float), units).interval() for units in (songs, np.arange(40)))
    assert by_song.high - by_song.low > 2 * (by_phrase.high - by_phrase.low)
    one = mean_of(np.ones(10), np.zeros(10)).interval()
    assert one.value == 1
    assert np.isnan(one.low)


def test_paired_differences_see_what_separate_intervals_do_not():
    songs = np.arange(40)
    level = 3 * RNG.standard_normal(40)
    one, other = mean_of(level + 0.5 + 0.1 * RNG.standard_normal(40), songs), mean_of(level, songs)
    found = one.minus(other)
    assert found.value == pytest.approx(0.5, abs=0.1)
    assert found.low > 0
    assert found.p < 0.01
    assert one.interval().low < other.interval().high
    assert one.minus(one).p == 1
    with pytest.raises(ValueError, match="same songs"):
        one.minus(other.of(songs[1:]))


def test_a_ratio_of_nothing_is_not_a_number():
    nothing = Ratio(np.zeros(3), np.zeros(3), np.arange(3))
    assert np.isnan(nothing.value())
    assert np.isnan(nothing.interval().low)


def test_the_overlapped_area_is_that_of_the_densities():
    # Distances of a standard normal to itself and to one that is 3 away, integrated by hand.
    real, near, far = np.random.default_rng(12).standard_normal((3, 1500, 1)) + np.array([0, 0, 3]).reshape(3, 1, 1)
    assert overlapped_area(near, real)[0] > 0.9
    grid = np.linspace(0, 12, 4000)
    spread = np.sqrt(2)
    within = stats.foldnorm(0, scale=spread).pdf(grid)
    between = stats.foldnorm(3 / spread, scale=spread).pdf(grid)
    expected = np.minimum(within, between).sum() * (grid[1] - grid[0])
    assert overlapped_area(far, real)[0] == pytest.approx(expected, abs=0.05)
    assert np.isnan(overlapped_area(far, np.ones((10, 1)))[0])


def test_real_music_overlaps_with_itself_more_than_with_noise(real):
    half = np.arange(len(real.tokens)) % 2 == 0
    noise = RNG.permuted(real.tokens, axis=1)
    features = overlap_features(real.tokens, real.layout)
    itself = overlapped_area(features[half], features[~half])
    other = overlapped_area(overlap_features(noise, real.layout), features)
    assert np.nanmean(itself) > 0.8
    # Steps in another order keep their notes and lose their lines.
    interval = FEATURES.index("mean_interval")
    assert other[interval] < itself[interval] - 0.1
