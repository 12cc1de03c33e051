"""Every system behind one interface."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from musae_tf.models import FittedPrior, MusAE
from musae_tf.models.inference import encode, sample_latent, sample_prior, sample_target
from musae_tf.music.pieces import row_seeds
from tests.models.test_musae import small, tokens_for

KINDS = ("musae_gm", "musae", "vae", "cvae", "autoencoder")
SIZES = (512, 130)
GENRES = ("a", "b", "c")


def build(kind: str, **model) -> MusAE:
    return MusAE.for_training(small(kind=kind, **model), SIZES, GENRES)


@pytest.fixture(scope="module", params=KINDS)
def model(request) -> MusAE:
    return build(request.param)


def test_all_systems_share_one_interface(model):
    tokens = tokens_for(SIZES)
    mean, deviation = encode(model, tokens)
    assert mean.shape == deviation.shape == (3, model.latent)
    assert np.isfinite(np.log(deviation)).all()
    decoded, log_probability = model.decode(mean, tf.zeros(3), tf.zeros([3, 2], tf.int32))
    assert decoded.shape == tokens.shape
    assert log_probability.shape == (3,)
    genre, seeds = np.arange(40) % 3, row_seeds(3, 0, 40)
    for draw in (sample_latent, sample_prior, sample_target):
        codes = draw(model, genre, seeds)
        assert codes.shape == (40, model.latent)
        np.testing.assert_array_equal(codes[17:18], draw(model, genre[17:18], seeds[17:18]))
    scores = model.prior.genre_scores(tf.constant(codes)).numpy()
    np.testing.assert_allclose(scores.sum(axis=-1), 1.0, atol=1e-5)
    rows = tf.constant(codes[:3])
    still = model.transfer_latent(rows, tf.fill([3], -1), tf.constant([0, 1, 2]), tf.zeros(3))
    np.testing.assert_allclose(still, rows, atol=1e-6)


def test_a_whole_transfer_leads_from_mean_to_mean(model):
    means = tf.convert_to_tensor(model.prior.means)
    moved = model.transfer_latent(means, tf.constant([0, 1, 2]), tf.constant([1, 2, 0]), tf.ones(3))
    np.testing.assert_allclose(moved, tf.gather(means, [1, 2, 0]), atol=1e-6)


def test_only_adversarial_systems_have_critics_and_every_axis_is_judged(model):
    judged = [axis for critic in model.critics for axis in range(model.latent)[critic.axes]]
    adversarial = model.config.model.kind in ("musae_gm", "musae")
    assert sorted(judged) == (list(range(model.latent)) if adversarial else [])
    assert bool(model.critic_variables) == adversarial
    codes, label = tf.zeros([2, model.latent]), tf.one_hot([0, 1], 3)
    for critic in model.critics:
        scores = critic(codes[:, critic.axes], label)
        assert scores.shape == (2,)
        assert (scores[0] != scores[1]) == critic.sees_genre


def test_players_share_no_variable_and_leave_none_out(model):
    ours = {id(variable) for variable in model.autoencoder_variables}
    theirs = {id(variable) for variable in model.critic_variables}
    assert not ours & theirs
    assert ours | theirs == {id(variable) for variable in model.trainable_variables}


def test_music_known_for_sure_is_encoded_like_its_tokens(model):
    tokens = tokens_for(SIZES)
    sure = [1000.0 * tf.one_hot(tokens[..., track], size) for track, size in enumerate(SIZES)]
    np.testing.assert_allclose(model.encode_expected(sure), model.encode(tokens)[0], atol=1e-5)


@pytest.mark.parametrize("embedding", [0, 4])
def test_what_is_read_back_has_gradients_to_the_decoder(embedding):
    model = build("musae", embedding=embedding)
    with tf.GradientTape() as tape:
        read = model.encode_expected(model.decoder(tf.ones([1, model.latent])))
    gradient = tape.gradient(read, model.decoder.get_layer("logits").kernel.value)
    assert np.abs(gradient.numpy()).max() > 0


def test_the_style_is_a_number_a_genre_and_transfer_leaves_the_rest():
    model = build("musae")
    mean, deviation = encode(model, tokens_for(SIZES))
    assert model.latent == 3 + 8
    assert ((mean[:, :3] > 0) & (mean[:, :3] < 1)).all()
    np.testing.assert_allclose(deviation[:, :3], model.config.style.deviation)
    moved = model.transfer_latent(tf.constant(mean), tf.fill([3], -1), tf.fill([3], 1), tf.fill([3], 0.5)).numpy()
    np.testing.assert_allclose(moved[:, :3], (mean[:, :3] + [0, 1, 0]) / 2, atol=1e-6)
    np.testing.assert_array_equal(moved[:, 3:], mean[:, 3:])


def test_codes_of_an_autoencoder_are_points_and_the_floor_is_for_the_others():
    assert encode(build("autoencoder", min_posterior_std=0.5), tokens_for(SIZES))[1].max() < 1e-5
    model = build("vae", min_posterior_std=0.5)
    tokens = tokens_for(SIZES)
    assert model.encode(tokens)[1].numpy().min() >= 0.5
    assert build("vae", min_posterior_std=0.0).encode(tokens)[1].numpy().min() < 0.5


def test_what_training_pulls_codes_to_is_the_standard_normal_where_it_knows_no_genre():
    genre, seeds = np.zeros(4000, int), row_seeds(1, 0, 4000)
    model = build("vae")
    model.prior.fit(np.random.default_rng(0).normal(7.0, 1.0, (90, 8)), np.ones((90, 8)), np.arange(90) % 3)
    assert isinstance(model.prior, FittedPrior)
    assert sample_prior(model, genre, seeds).mean() == pytest.approx(7.0, abs=0.3)
    target = sample_target(model, genre, seeds)
    np.testing.assert_allclose(np.cov(target.T), np.eye(8), atol=0.1)
    np.testing.assert_allclose(target.mean(axis=0), 0.0, atol=0.1)


@pytest.mark.parametrize("kind", ["musae_gm", "cvae"])
def test_a_prior_that_is_fitted_leaves_alone_what_training_pulls_to(kind):
    config = small(kind=kind)
    model = MusAE.for_training(replace(config, prior=replace(config.prior, fitted=True)), SIZES, GENRES)
    genre, seeds = np.zeros(2000, int), row_seeds(1, 0, 2000)
    target = sample_target(model, genre, seeds)
    np.testing.assert_array_equal(target, sample_prior(build(kind), genre, seeds))
    model.prior.fit(np.random.default_rng(0).normal(7.0, 2.0, (300, 8)), np.ones((300, 8)), np.arange(300) % 3)
    np.testing.assert_array_equal(sample_target(model, genre, seeds), target)
    assert sample_prior(model, genre, seeds).mean() == pytest.approx(7.0, abs=0.4)
    assert sample_prior(model, genre, seeds).std() == pytest.approx(5**0.5, rel=0.1)


@pytest.mark.parametrize("core", ["beat", "step"])
@pytest.mark.parametrize(("decoder", "kind"), [("flat", "musae_gm"), ("hierarchical", "musae")])
def test_decoders(core, decoder, kind):
    model = MusAE.for_training(small(core, 2, kind=kind, decoder=decoder, decoder_units=8), SIZES, GENRES)
    names = {layer.name for layer in model.decoder.layers}
    assert ("conductor_0" in names) == (decoder == "hierarchical")
    with tf.GradientTape() as tape:
        latent = tf.random.stateless_normal([1, model.latent], [1, 2])
        tape.watch(latent)
        logits = model.decoder(latent)
        bars = tf.reshape(logits[1], [2, 16 * 130])
        loudness = tf.reduce_sum(tf.square(bars), axis=-1)
    assert [tuple(track.shape) for track in logits] == [(1, 32, size) for size in SIZES]
    assert (np.abs(tape.jacobian(loudness, latent).numpy()).max(axis=-1) > 0).all()
    assert np.abs(bars[0] - bars[1]).max() > 0, "the bars of a phrase must differ"
