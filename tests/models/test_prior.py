import keras
import numpy as np
import pytest
import tensorflow as tf

from musae_tf.errors import ConfigError
from musae_tf.models import FittedPrior, GenrePrior, MixturePrior, StylePrior

GEOMETRIES = ("flower", "simplex", "learned")


def draws(prior: GenrePrior, genre: int, count: int = 20_000) -> np.ndarray:
    return prior.sample(tf.fill([count], genre), tf.constant([1, 2])).numpy()


def covariance(prior: GenrePrior, genre: int) -> np.ndarray:
    return prior.component(tf.constant([genre])).covariance().numpy()[0]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_samples_have_the_moments_of_their_component(geometry):
    prior = MixturePrior(12, 3, geometry, axes=2)
    for genre in range(3):
        codes = draws(prior, genre)
        np.testing.assert_allclose(codes.mean(0), prior.means.numpy()[genre], atol=0.04)
        np.testing.assert_allclose(np.cov(codes.T), covariance(prior, genre), atol=0.05)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_logits_of_genres_are_the_log_probabilities_of_the_gaussians(geometry):
    prior = MixturePrior(12, 3, geometry, axes=2)
    codes = prior.means + 0.1 * tf.random.stateless_normal([4, 3, 12], [1, 2])
    for row in codes:
        expected = prior.component(tf.range(3)).log_prob(row[:, tf.newaxis, :])
        np.testing.assert_allclose(prior.genre_logits(row), expected, rtol=1e-4, atol=1e-3)


def test_flower_has_the_authors_geometry():
    genres = 33
    prior = MixturePrior(16, genres, "flower")
    for genre in (0, 7, 32):
        angle = 2 * np.pi * genre / genres
        radius = np.array([np.cos(angle), np.sin(angle), *np.zeros(14)])
        np.testing.assert_allclose(prior.means.numpy()[genre], radius, atol=1e-6)
        tangent = np.array([-np.sin(angle), np.cos(angle), *np.zeros(14)])
        matrix = covariance(prior, genre)
        assert radius @ matrix @ radius == pytest.approx(0.1, rel=1e-3)
        assert tangent @ matrix @ tangent == pytest.approx(0.001, rel=1e-3)
        assert matrix[5, 5] == pytest.approx(0.001, rel=1e-3)


@pytest.mark.parametrize("separation", [0.0, 1.5, 6.0])
def test_simplex_means_are_equally_far_apart(separation):
    means = MixturePrior(32, 4, "simplex", separation=separation, axes=8).means.numpy()
    for one in range(4):
        for other in range(one):
            assert np.linalg.norm(means[one] - means[other]) == pytest.approx(separation, abs=1e-5)


def test_only_learned_means_are_trainable():
    assert [len(MixturePrior(8, 2, geometry, axes=2).trainable_variables) for geometry in GEOMETRIES] == [0, 0, 1]


def test_log_prob_integrates_to_one():
    prior = MixturePrior(2, 2, "simplex", separation=3.0, axes=1)
    line = np.linspace(-8, 8, 161, dtype=np.float32)
    grid = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    density = np.exp(prior.genre_logits(grid).numpy()).mean(axis=-1)
    assert density.sum() * (line[1] - line[0]) ** 2 == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_genre_scores_know_samples_of_separate_components(geometry):
    prior = MixturePrior(32, 4, geometry, separation=8.0)
    for genre in range(4):
        scores = prior.genre_scores(draws(prior, genre, 200)).numpy()
        np.testing.assert_allclose(scores.sum(-1), 1.0, atol=1e-5)
        # Petals of the flower overlap a little at the centre.
        assert (scores.argmax(-1) == genre).mean() > 0.95


def test_same_seed_same_codes():
    prior = MixturePrior(8, 2, axes=2)
    genre = tf.constant([0, 1, 1])
    first, again, other = (prior.sample(genre, tf.constant(seed)).numpy() for seed in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_survives_keras_serialisation():
    prior = MixturePrior(8, 2, "flower", radial_variance=0.3)
    again = keras.layers.deserialize(keras.layers.serialize(prior))
    np.testing.assert_array_equal(draws(prior, 1, 10), draws(again, 1, 10))


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ((7, 4, "simplex"), "prior.axes is 8"),
        ((1, 4, "flower"), "model.latent"),
        ((8, 2, "flower", 6.0, 8, 0.1, 0.2), "radial"),
    ],
)
def test_impossible_geometry_is_refused(arguments, found):
    with pytest.raises(ConfigError, match=found):
        MixturePrior(*arguments)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_divergence_is_the_mean_log_ratio(geometry):
    prior = MixturePrior(4, 2, geometry, axes=2, radial_variance=0.3, tangential_variance=0.1)
    rng = np.random.default_rng(0)
    mean, deviation = rng.normal(size=(2, 4)).astype(np.float32), rng.uniform(0.2, 0.9, (2, 4)).astype(np.float32)
    genre = tf.constant([0, 1])
    codes = mean + deviation * rng.normal(size=(100_000, 2, 4)).astype(np.float32)
    own = -np.log(deviation).sum(-1) - 2 * np.log(2 * np.pi) - 0.5 * np.square((codes - mean) / deviation).sum(-1)
    expected = (own - prior.component(genre).log_prob(codes).numpy()).mean(axis=0)
    np.testing.assert_allclose(prior.divergence(mean, deviation, genre), expected, rtol=0.01)
    component = prior.component(genre)
    exact = np.sqrt(np.full((2, 4), 1.0 if geometry != "flower" else 0.1, np.float32))
    at_home = prior.divergence(component.mean(), exact, genre).numpy()
    assert (at_home < 1e-5).all() == (geometry != "flower")


def test_a_style_is_near_one_hot_and_the_rest_knows_no_genre():
    prior = StylePrior(5, 3, deviation=0.1)
    for genre in range(3):
        codes = draws(prior, genre)
        np.testing.assert_allclose(codes.mean(0), [*np.eye(3)[genre], *np.zeros(5)], atol=0.03)
        np.testing.assert_allclose(codes.std(0), [0.1] * 3 + [1.0] * 5, rtol=0.03)
        assert (prior.genre_scores(codes[:500]).numpy().argmax(-1) == genre).all()


def test_a_fitted_prior_has_the_moments_of_the_aggregated_posterior():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(2, 3, 3))
    genre = np.arange(40_000) % 2
    means = np.einsum("nd,nde->ne", rng.normal(size=(40_000, 3)), mixing[genre]) + 5.0 * genre[:, np.newaxis]
    deviation = np.full((40_000, 3), 0.5)
    prior = FittedPrior(3, 2)
    np.testing.assert_allclose(covariance(prior, 0), np.eye(3))
    prior.fit(means.astype(np.float32), deviation.astype(np.float32), genre)
    for number in range(2):
        expected = mixing[number].T @ mixing[number] + 0.25 * np.eye(3)
        np.testing.assert_allclose(covariance(prior, number), expected, rtol=0.05, atol=0.1)
        codes = draws(prior, number)
        np.testing.assert_allclose(codes.mean(0), 5.0 * number, atol=0.1)
        np.testing.assert_allclose(np.cov(codes.T), expected, rtol=0.05, atol=0.2)


def test_music_can_be_made_of_draws_with_less_of_the_noise():
    rng = np.random.default_rng(0)
    means, genre = rng.normal(3.0, 2.0, (4000, 3)).astype(np.float32), np.arange(4000) % 2
    deviation, seed = np.full((4000, 3), 1.5, np.float32), tf.constant([1, 2])
    for share, variance in ((1.0, 4 + 2.25), (0.4, 4 + 0.9), (0.0, 4.0)):
        prior = FittedPrior(3, 2, share)
        prior.fit(means, deviation, genre)
        drawn = prior.draw(tf.ones(20_000, tf.int32), seed).numpy()
        np.testing.assert_allclose(np.cov(drawn.T), variance * np.eye(3), atol=0.3)
        np.testing.assert_allclose(np.cov(draws(prior, 1).T), 6.25 * np.eye(3), atol=0.4)
        again = keras.layers.deserialize(keras.layers.serialize(prior))
        assert again.sample_noise_scale == share


def test_a_prior_fitted_to_few_phrases_still_has_a_density():
    rng = np.random.default_rng(0)
    codes, genre = rng.normal(size=(12, 8)).astype(np.float32), np.array([0] * 11 + [1])
    prior = FittedPrior(8, 3)
    prior.fit(codes, np.full_like(codes, 1e-6), genre)  # points, as those of an autoencoder; fewer than axes
    for number in range(3):
        assert np.isfinite(prior.genre_logits(draws(prior, number, 10)).numpy()).all()
    np.testing.assert_allclose(prior.means.numpy()[1:], np.stack([codes.mean(0)] * 2), atol=1e-5)
    before = prior.means.numpy()
    prior.fit(codes * np.nan, codes, genre)
    np.testing.assert_array_equal(prior.means.numpy(), before)


@pytest.mark.parametrize("prior", [StylePrior(4, 2, deviation=0.2), FittedPrior(4, 2)], ids=["style", "fitted"])
def test_other_priors_survive_keras_serialisation(prior):
    again = keras.layers.deserialize(keras.layers.serialize(prior))
    np.testing.assert_array_equal(draws(prior, 1, 10), draws(again, 1, 10))
