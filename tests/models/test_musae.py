from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial import geometric_slerp

from musae_tf.config import Config, config_from_dict
from musae_tf.models import MusAE
from musae_tf.models.inference import decode, encode, sample_latent
from musae_tf.music.pieces import row_seeds

SIZES = {"voices": (130,) * 4, "band": (512, 130, 130, 130)}


def small(core: str = "beat", bars: int = 1, **model) -> Config:
    sizes = {
        "core": core,
        "latent": 8,
        "embedding": 4,
        "encoder_units": 6,
        "decoder_units": 6,
        "min_posterior_std": 0.2,
        **model,
    }
    return config_from_dict(
        {"music": {"bars": bars}, "model": sizes, "prior": {"axes": 2}, "critic": {"units": [8]}}, "test"
    )


def tokens_for(sizes, rows: int = 3, bars: int = 1) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.stack([rng.integers(0, size, (rows, 16 * bars)) for size in sizes], -1).astype(np.int32)


@pytest.mark.parametrize("layout", SIZES)
@pytest.mark.parametrize(("core", "embedding", "layers"), [("beat", 4, 1), ("step", 4, 2), ("step", 0, 1)])
@pytest.mark.parametrize("bars", [1, 2])
def test_shapes_and_dtypes(layout, core, embedding, layers, bars):
    sizes = SIZES[layout]
    config = small(core, bars, embedding=embedding, encoder_layers=layers, decoder_layers=layers)
    model = MusAE.for_training(config, sizes, ("a", "b"))
    tokens = tokens_for(sizes, bars=bars)
    mean, deviation = model.encode(tokens)
    assert mean.shape == deviation.shape == (3, 8)
    assert mean.dtype == deviation.dtype == tf.float32
    logits = model(tokens)
    assert [tuple(track.shape) for track in logits] == [(3, 16 * bars, size) for size in sizes]
    decoded, log_probability = model.decode(mean, tf.zeros(3), tf.zeros([3, 2], tf.int32))
    assert decoded.shape == tokens.shape
    assert log_probability.shape == (3,)
    assert all((decoded.numpy()[..., track] < size).all() for track, size in enumerate(sizes))


def test_min_posterior_std_bounds_the_posterior():
    model = MusAE.for_training(small(min_posterior_std=0.2), SIZES["voices"], ("a", "b"))
    bias = model.encoder.get_layer("log_variance").bias
    bias.assign(tf.fill(bias.shape, -60.0))
    _, deviation = model.encode(tokens_for(SIZES["voices"]))
    np.testing.assert_allclose(deviation.numpy(), 0.2, rtol=1e-4)


def test_the_code_reaches_every_step_and_every_step_reaches_the_code():
    for core in ("beat", "step"):
        model = MusAE.for_training(small(core), SIZES["voices"], ("a", "b"))
        tokens = tokens_for(SIZES["voices"], rows=1)
        base = model.encode(tokens)[0].numpy()
        for step in range(16):
            for track in range(4):
                changed = tokens.copy()
                changed[0, step, track] = (changed[0, step, track] + 7) % 128
                assert np.abs(model.encode(changed)[0].numpy() - base).max() > 0, (core, step, track)
        with tf.GradientTape() as tape:
            latent = tf.zeros([1, 8])
            tape.watch(latent)
            logits = tf.stack(model.decoder(latent), axis=2)[0, :, :, 0]
        assert (np.abs(tape.jacobian(logits, latent).numpy()).max(axis=(2, 3)) > 0).all(), core


def test_a_row_gives_the_same_tokens_whatever_it_is_batched_with():
    model = MusAE.for_training(small(), SIZES["band"], ("a", "b"))
    latent = np.random.default_rng(2).normal(size=(40, 8)).astype(np.float32)
    seeds = row_seeds(3, 0, 40)
    for temperature in (0.0, 0.9):
        together = decode(model, latent, temperature, seeds)
        alone = np.concatenate(
            [decode(model, latent[row : row + 1], temperature, seeds[row : row + 1]) for row in range(40)]
        )
        np.testing.assert_array_equal(together, alone)
    genre = np.arange(40) % 2
    together = sample_latent(model, genre, seeds)
    np.testing.assert_array_equal(together[17:18], sample_latent(model, genre[17:18], seeds[17:18]))


def test_temperature_zero_is_the_most_probable_and_others_follow_the_softmax():
    model = MusAE.for_training(small(), SIZES["voices"], ("a", "b"))
    latent = tf.zeros([1, 8])
    logits = model.decoder(latent)
    greedy, _ = model.decode(latent, tf.zeros(1), tf.zeros([1, 2], tf.int32))
    np.testing.assert_array_equal(greedy[0, :, 0], tf.argmax(logits[0][0], -1))
    bias = model.decoder.get_layer("logits")
    bias.kernel.assign(tf.zeros_like(bias.kernel))
    scores = np.zeros((4, 520), np.float32)
    scores[:, [3, 60]] = [10.0, 10.0 + np.log(3)]  # symbol 60 of the first track three times as likely as 3
    bias.bias.assign(scores.ravel())
    drawn = decode(model, np.zeros((800, 8), np.float32), 1.0, row_seeds(4, 0, 800))[..., 0]
    assert (drawn == 60).mean() == pytest.approx(0.75, abs=0.02)
    cooler = decode(model, np.zeros((800, 8), np.float32), 0.5, row_seeds(4, 0, 800))[..., 0]
    assert (cooler == 60).mean() == pytest.approx(0.9, abs=0.02)  # 9 to 1: probabilities to the power of 1/T


def test_latent_operations():
    model = MusAE.for_training(small(), SIZES["voices"], ("a", "b"))
    start, end = model.prior.means.numpy()
    rows = tf.constant(np.stack([start, start]), tf.float32)
    middle = model.interpolate_latent(rows, tf.constant(np.stack([end, end])), tf.constant([0.0, 0.5])).numpy()
    np.testing.assert_allclose(middle, [start, (start + end) / 2], atol=1e-6)
    moved = model.transfer_latent(rows, tf.constant([0, -1]), tf.constant([1, 1]), tf.constant([1.0, 1.0])).numpy()
    np.testing.assert_allclose(moved, [end, end], atol=1e-6)
    config = small()
    far = MusAE.for_training(
        replace(config, prior=replace(config.prior, transfer_scale=1.5)), SIZES["voices"], ("a", "b")
    )
    beyond = far.transfer_latent(rows, tf.constant([0, -1]), tf.constant([1, 1]), tf.constant([1.0, 0.0])).numpy()
    np.testing.assert_allclose(beyond, [start + 1.5 * (end - start), start], atol=1e-6)


def test_great_arcs_are_those_of_scipy_and_lines_where_there_is_no_angle():
    model = MusAE.for_training(small(), SIZES["voices"], ("a", "b"))
    start, end = np.random.default_rng(2).standard_normal((2, 6, 16))
    ends = np.stack([start, end]) / np.linalg.norm([start, end], axis=-1, keepdims=True)

    def between(one: np.ndarray, other: np.ndarray, position: float, path: str) -> np.ndarray:
        one, other = (tf.constant(rows, tf.float32) for rows in (one, other))
        return model.interpolate_latent(one, other, tf.fill([len(one)], position), path).numpy()

    for position in np.linspace(0, 1, 5, dtype=np.float32):
        expected = [geometric_slerp(a, b, [position])[0] for a, b in zip(*ends, strict=True)]
        np.testing.assert_allclose(between(*ends, position, "spherical"), expected, atol=1e-5)
        assert np.isfinite(between(start, np.zeros_like(start), position, "spherical")).all()
        for other in (start, -start, 2 * start):
            straight = between(start, other, position, "linear")
            np.testing.assert_allclose(between(start, other, position, "spherical"), straight, atol=1e-5)


def test_great_arcs_keep_the_usual_distance_from_the_origin_where_lines_do_not():
    model = MusAE.for_training(small(), SIZES["voices"], ("a", "b"))
    one, other = np.random.default_rng(1).standard_normal((2, 50, 128)).astype(np.float32)
    for path, square in (("linear", 64), ("spherical", 128)):
        middle = model.interpolate_latent(tf.constant(one), tf.constant(other), tf.fill([50], 0.5), path)
        assert np.linalg.norm(middle, axis=1).mean() == pytest.approx(np.sqrt(square), rel=0.05)


def test_ways_of_a_model_that_hears_itself_are_lifted_and_trusted_less_in_the_middle():
    config = small()
    config = replace(config, model=replace(config.model, decoder="autoregressive", decoder_units=8))
    model = MusAE.for_training(config, SIZES["voices"], ("a", "b"))
    one, other = (tf.constant(rows, tf.float32) for rows in np.random.default_rng(1).standard_normal((2, 3, 16)))
    places = tf.constant([0.0, 0.5, 1.0, 0.25, 1.5, -0.5])
    one, other = (tf.repeat(rows[:1], 6, axis=0) for rows in (one, other))
    way = model.interpolate_latent(one, other, places).numpy()
    arc = model.interpolate_latent(one, other, places, "spherical").numpy()
    line = (one + places[:, tf.newaxis] * (other - one)).numpy()
    np.testing.assert_allclose(way[[0, 2, 4, 5]], line[[0, 2, 4, 5]], atol=1e-6)
    np.testing.assert_allclose(way[1], 0.2 * line[1] + 0.8 * arc[1], atol=1e-6)
    np.testing.assert_allclose(way[3], 0.55 * line[3] + 0.45 * arc[3], atol=1e-6)
    places = tf.constant([-1.0, 0.0, 0.25, 0.5, 0.75, 1.0, 2.0])
    trust = model.interpolation_trust(places).numpy()
    assert trust[[0, 1, 5, 6]].tolist() == [1, 1, 1, 1]
    assert trust[3] == trust.min() > 0
    assert trust[2] == trust[4]
    assert model.transfer_trust(tf.constant([0.0, 0.25, -0.5, 1.0, 2.0])).numpy().tolist() == [1, 0.75, 0.5, 0, 0]


def test_survives_saving(tmp_path):
    model = MusAE.for_training(small("step"), SIZES["voices"], ("a", "b"))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    tokens = tokens_for(SIZES["voices"])
    for one, other in zip(model(tokens), again(tokens), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.genres == ("a", "b")


def test_inference_takes_any_number_of_rows():
    model = MusAE.for_training(small(), SIZES["voices"], ("a", "b"))
    tokens = np.repeat(tokens_for(SIZES["voices"]), 25, axis=0)
    mean, deviation = encode(model, tokens)
    assert mean.shape == deviation.shape == (75, 8)
    np.testing.assert_array_equal(mean, encode(model, tokens[::-1])[0][::-1])
    with pytest.raises(ValueError, match="seeds"):
        decode(model, mean, 0.5)
