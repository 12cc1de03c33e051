"""The bound on the density of chorales: what is counted, what it is equal to, and the study at a tiny scale."""

import json

import numpy as np
import pytest
import tensorflow as tf

from musae_tf.config import load_config
from musae_tf.data import Dataset, JsbSource, build
from musae_tf.errors import DatasetError
from musae_tf.models import MusAE
from musae_tf.music.vocabulary import REST
from studies.jsb import run
from studies.jsb.bound import bound, combined
from studies.jsb.windows import windows

TINY = [
    "model.latent=16", "model.embedding=4", "model.encoder_units=8", "model.decoder_units=8", "critic.units=[8]",
    "prior.axes=1", "training.steps=4", "training.batch_size=8", "training.log_every=2", "training.evaluate_every=2",
    "training.checkpoint_every=2",
]  # fmt: skip
LENGTHS = {"train": (40, 33, 64), "valid": (50,), "test": (70, 9, 32)}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    generator = np.random.default_rng(3)
    parts = {
        part: [generator.integers(50, 80, (length, 4)).tolist() for length in lengths]
        for part, lengths in LENGTHS.items()
    }
    path = tmp_path_factory.mktemp("chorales") / "chorales.json"
    path.write_text(json.dumps(parts))
    return path


@pytest.fixture(scope="module")
def music(file, tmp_path_factory):
    source = JsbSource(file, "quarter")
    folder = tmp_path_factory.mktemp("datasets") / "made"
    build(source, folder, workers=0)
    return Dataset.open(folder), {name: len(steps) for name, steps in source.chorales().items()}


@pytest.fixture(scope="module")
def held_out(music):
    dataset, lengths = music
    return windows(dataset, "test", 2, lengths)


@pytest.fixture(scope="module")
def model():
    tf.keras.utils.set_random_seed(1)
    return MusAE.for_training(load_config(run.ROOT / "studies" / "jsb" / "quarter.yaml", TINY), (130,) * 4, ["chorale"])


def test_every_step_of_a_chorale_counts_once(music, held_out):
    dataset, _ = music
    assert held_out.steps.tolist() == list(LENGTHS["test"])
    assert held_out.chorale.tolist() == [0, 0, 0, 0, 1, 2]
    assert not (held_out.context & held_out.counted).any()
    first = next(first for song, first, _ in dataset.runs.tolist() if dataset.songs[song]["id"] == "test/0000")
    whole = dataset.tokens[first : first + 5].reshape(-1, 4)
    own = held_out.tokens[:4][held_out.counted[:4]]
    assert (own == whole[:70]).all(), "in the order of the music"
    assert (held_out.tokens[1, :16] == whole[16:32]).all()
    assert held_out.context[1, :16].all()
    short = held_out.tokens[4]
    assert (short[:9] < REST).all()
    assert (short[9:] == REST).all()
    assert held_out.counted[4].sum() == 9


def test_lengths_of_another_file_are_said(music):
    dataset, lengths = music
    with pytest.raises(DatasetError, match="test/0001 has 1 bars, the file has 99 steps"):
        windows(dataset, "test", 2, {**lengths, "test/0001": 99})


def test_one_draw_is_the_evidence_lower_bound_and_more_are_closer(model, held_out):
    one = bound(model, held_out, 1, seed=1)
    assert one.nats.sum() == pytest.approx(one.evidence, rel=1e-9)
    many = bound(model, held_out, 64, seed=1)
    assert many.nats.sum() < many.evidence, "the logarithm of a mean is above the mean of logarithms"
    assert many.facts()["standard_error_of_draws"] > 0
    assert many.facts()["steps"] == sum(LENGTHS["test"])


def test_of_a_gaussian_it_comes_to_the_exact_density():
    # z ~ N(0, 1), x | z ~ N(z, 1), so x ~ N(0, 2); drawn from a posterior that is not the true one.
    x, generator = 1.7, np.random.default_rng(1)
    z = generator.normal(0.5, 1.0, (400, 1000))

    def density(values, mean, deviation):
        return -0.5 * ((values - mean) / deviation) ** 2 - np.log(deviation * np.sqrt(2 * np.pi))

    weights = density(x, z, 1.0) + density(z, 0.0, 1.0) - density(z, 0.5, 1.0)
    exact = density(x, 0.0, np.sqrt(2.0))
    values, variance, effective = combined(weights)
    assert values.mean() == pytest.approx(exact, abs=0.005)
    assert np.sqrt(variance.mean()) == pytest.approx(values.std(), rel=0.15), "the noise that is stated is the noise"
    means = [combined(weights[:, :samples])[0].mean() for samples in (1, 10, 1000)]
    assert means == sorted(means)
    assert means[-1] < exact + 0.005
    assert (effective > 1).all()
    assert (effective < 1000).all()
    true = density(x, z, 1.0) + density(z, 0.0, 1.0) - density(z, x / 2, np.sqrt(0.5))
    assert combined(true)[0] == pytest.approx(exact), "from the true posterior every draw is exact"


def test_of_a_decoder_that_ignores_the_code_it_is_the_exact_likelihood(held_out):
    tf.keras.utils.set_random_seed(2)
    config = load_config(run.ROOT / "studies" / "jsb" / "quarter.yaml", TINY)
    model = MusAE.for_training(config, (130,) * 4, ["chorale"])
    for name in ("mean", "log_variance"):  # the posterior is the same for all music, and the prior is fitted to it
        kernel = model.encoder.get_layer(name).weights[0]
        kernel.assign(tf.zeros_like(kernel))
    mean, deviation = (part.numpy() for part in model.encode(held_out.tokens))
    model.prior.fit(mean, deviation, np.zeros(len(mean), int))
    kernel, own = model.decoder._plan.kernel, model.decoder.units // 2
    kept = np.ones(kernel.shape, np.float32)
    kept[: own + model.latent] = 0
    kernel.assign(kernel * kept)
    logits, _ = model.decoder.taught(tf.random.normal([len(mean), model.latent]), held_out.tokens)
    tracks = [
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=held_out.tokens[..., track], logits=logits[track])
        for track in range(4)
    ]
    exact = float(tf.reduce_sum(tf.add_n(tracks) * held_out.counted.astype(np.float32)))
    found = bound(model, held_out, 20, seed=3)
    assert found.nats.sum() == pytest.approx(exact, rel=1e-4)
    assert found.divergence == pytest.approx(0.0, abs=1e-2)


def test_what_was_counted_before_is_given_and_what_comes_after_is_not_seen(model, held_out):
    # Other music in the context changes what is thought of the rest; the decoder sees nothing after a step.
    latent = tf.random.normal([len(held_out.tokens), model.latent])
    changed = held_out.tokens.copy()
    changed[:, 20:] = 61
    before, after = (model.decoder.taught(latent, tokens)[0][0].numpy() for tokens in (held_out.tokens, changed))
    assert np.allclose(before[:, :20], after[:, :20], atol=1e-4)
    assert not np.allclose(before[:, 21:], after[:, 21:], atol=1e-4)
    plain, told = (bound(model, held_out, 64, seed=1, known=known).nats for known in (False, True))
    assert told[0] != plain[0]
    assert told[1:] == pytest.approx(plain[1:], rel=1e-5), "they have no context"


def test_the_study_from_a_file_to_its_numbers(file, tmp_path, capsys):
    changes = [part for change in TINY for part in ("--set", change)]
    paths = ["--results", str(tmp_path / "results"), "--runs", str(tmp_path / "runs")]
    command = ["quarter", "--file", str(file), "--samples", "4", *paths, *changes]
    assert run.main(command) == 0
    facts = json.loads((tmp_path / "results" / "quarter.json").read_text())
    assert facts["command"].startswith("python studies/jsb/run.py quarter --file chorales.json --samples 4 --set")
    assert [step for step, _ in facts["validation_curve"]] == [2, 4]
    curve = dict(facts["validation_curve"])
    assert curve[facts["chosen_step"]] == min(curve.values())
    assert (facts["test"]["steps"], facts["test"]["samples"], facts["test"]["chorales"]) == (111, 4, 3)
    assert 0 < facts["test"]["nats_per_step"] < facts["test"]["evidence_lower_bound_nats_per_step"]
    assert facts["test"]["nats_per_voice_and_step"] == pytest.approx(facts["test"]["nats_per_step"] / 4)
    assert {"seed", "revision", "measured_at_revision", "machine", "versions", "dataset_hash"} <= set(facts)


def test_mistakes_are_a_sentence(tmp_path, capsys):
    assert run.main(["quarter", "--file", str(tmp_path / "none.json")]) == 2
    assert str(tmp_path / "none.json") in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run.main(["quarter", "--file", str(tmp_path / "none.json"), "--samples", "1"])
    assert "--samples is 1" in capsys.readouterr().err
