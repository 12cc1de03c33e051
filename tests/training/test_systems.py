"""Every system through the same loop: what it pays for, what it logs, that it resumes, what its options do."""

import functools
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from musae_tf.errors import TrainingError
from musae_tf.evaluation import QuickEvaluator
from musae_tf.models import FittedPrior, MusAE, train_step
from musae_tf.models.inference import encode
from musae_tf.models.noise import Noise
from musae_tf.models.train_step import TrainStep
from musae_tf.training import Run, read_log, train
from tests.training.systems import SYSTEMS, tiny

METRICS = {
    "musae_gm": ["adversarial", "infomax", "order", "divergence", "wasserstein", "gradient_penalty"],
    "musae": [
        "adversarial", "style", "infomax", "wasserstein", "gradient_penalty",
        "style_wasserstein", "style_gradient_penalty",
    ],
    "vae": ["divergence", "order"],
    "cvae": ["divergence"],
    "autoencoder": [],
    "autoregressive": ["draft", "hidden_parts", "adversarial", "infomax", "order", "wasserstein", "gradient_penalty"],
}  # fmt: skip


@pytest.mark.parametrize("kind", SYSTEMS)
def test_a_system_trains_resumes_and_loads(kind, tiny_dataset, tmp_path):
    run = Run.create(tmp_path / "straight", tiny(kind, keep_checkpoints=3), tiny_dataset)
    evaluator = QuickEvaluator(run, tiny_dataset)
    assert train(run, tiny_dataset, evaluator) == 0
    lines = read_log(run.path)
    train_lines = [line for line in lines if line["kind"] == "train"]
    metrics = ["reconstruction", *METRICS[kind], "accuracy", "gradient_norm", "skipped"]
    assert all(list(line)[2:] == [*metrics, "weight", "learning_rate"] for line in train_lines)
    assert run.facts["skipped_steps"] == 0

    # As one that was killed after its first checkpoint, between two lines of the log.
    again = Run.open(shutil.copytree(run.path, tmp_path / "killed"))
    (again.checkpoints / "checkpoint").write_text('model_checkpoint_path: "ckpt-3"\n')
    again.update(state="training", steps=3, schedule_place=3)
    said: list[str] = []
    assert train(again, tiny_dataset, evaluator, said.append) == 0
    assert "going on from step 3" in said
    # To the bit it is another test's matter, which can afford deterministic ops in processes of their own. Shares of
    # few phrases jump when one of them falls to the other side.
    for line, expected in zip(read_log(again.path), lines, strict=True):
        assert line.pop("kind") == expected["kind"]
        slack = 0.01 if expected["kind"] == "train" else 0.1
        assert line == pytest.approx({name: expected[name] for name in line}, rel=slack, abs=slack)

    # What is loaded is what was evaluated last, the prior fitted to it.
    model = run.load_model()
    for key, value in evaluator(model).numbers.items():
        assert lines[-1][key] == pytest.approx(value, rel=1e-3, abs=0.1)
    if isinstance(model.prior, FittedPrior):
        index = tiny_dataset.phrases("train", 1, sounding="any").without_overlap()
        mean, _ = encode(model, index.tokens())
        means = [mean[index.labels[:, genre]].mean(axis=0) for genre in range(2)]
        np.testing.assert_allclose(model.prior.means.numpy(), means, atol=1e-3)


def numbers_of_a_step(config, tokens, genre, step: int = 0) -> tuple[MusAE, dict[str, float]]:
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope():
        keras.utils.set_random_seed(1)
        model = MusAE.for_training(config, (130,) * 4, ("a", "b"))
        train_step = TrainStep(model, config.training, config.regularisation, config.seed)
    arguments = tf.constant(tokens), tf.constant(genre), tf.constant(step, tf.int64)
    numbers = tf.function(lambda *rows: strategy.run(train_step, args=rows), autograph=False)(*arguments)
    assert set(numbers) == {*train_step.metrics, "loss"}
    return model, {name: float(value) for name, value in numbers.items()}


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    return rng.integers(0, 130, (16, 16, 4)).astype(np.int32), (np.arange(16) % 2).astype(np.int32)


@pytest.fixture(scope="module")
def plain(batch):
    """`plain(kind)`: a model after a step as it is configured, and the numbers of that; each is made once."""
    return functools.cache(lambda kind: numbers_of_a_step(tiny(kind), *batch, step=5))


@pytest.mark.parametrize("kind", SYSTEMS)
def test_a_step_updates_all_variables_of_all_groups(kind, plain):
    config = tiny(kind)
    keras.utils.set_random_seed(1)
    before = [variable.numpy() for variable in MusAE.for_training(config, (130,) * 4, ("a", "b")).trainable_variables]
    model, _ = plain(kind)
    pairs = zip(model.trainable_variables, before, strict=True)
    still = {variable.path for variable, old in pairs if np.array_equal(variable.numpy(), old)}
    # A gap between two scores does not know what both have in common.
    assert still == ({"score/bias"} if model.critics else set())


def with_changes(kind: str, changes: dict[str, dict]):
    from dataclasses import replace

    config = tiny(kind)
    return replace(config, **{part: replace(getattr(config, part), **keys) for part, keys in changes.items()})


@pytest.mark.parametrize("kind", ["musae_gm", "musae", "autoencoder", "autoregressive"])
def test_a_batch_in_parts_gives_the_numbers_of_the_whole(kind, batch, plain):
    one, whole = plain(kind)
    other, parts = numbers_of_a_step(with_changes(kind, {"training": {"accumulate": 4}}), *batch, step=5)
    assert parts == pytest.approx(whole, rel=1e-4, abs=1e-5)
    for left, right in zip(one.trainable_variables, other.trainable_variables, strict=True):
        # The first update is the sign of the gradient, whatever its size: where it is all but zero, rounding decides.
        assert np.mean(np.abs(left.numpy() - right.numpy()) > 1e-5) < 0.02, left.path


@pytest.mark.parametrize("kind", ["musae_gm", "musae"])
def test_what_the_critics_turn_on_is_float32_in_mixed_precision(kind, batch, monkeypatch):
    found = {}

    def watch(name):
        function = getattr(train_step, name)

        def watched(*arguments, **more):
            result = function(*arguments, **more)
            tensors = [x for x in tf.nest.flatten([arguments, more, result]) if tf.is_tensor(x)]
            found.setdefault(name, set()).update(x.dtype.name for x in tensors if x.dtype.is_floating)
            return result

        monkeypatch.setattr(train_step, name, watched)

    for name in ("reconstruction", "critic_gap", "gradient_penalty", "EncodedBatch"):
        watch(name)
    config = with_changes(kind, {"training": {"precision": "bfloat16"}})
    model, numbers = numbers_of_a_step(config, *batch)
    assert found == {name: {"float32"} for name in ("reconstruction", "critic_gap", "gradient_penalty", "EncodedBatch")}
    assert all(np.isfinite(value) for value in numbers.values())
    assert {weight.dtype for weight in model.weights} == {"float32"}
    exact = numbers_of_a_step(with_changes(kind, {}), *batch)[1]
    assert numbers["reconstruction"] != exact["reconstruction"], "nothing was computed in bfloat16"
    assert numbers["reconstruction"] == pytest.approx(exact["reconstruction"], rel=0.01)


def test_steps_that_are_skipped_are_counted_and_stop_the_run_when_nothing_else_comes(tiny_dataset, tmp_path):
    config = with_changes("autoencoder", {"training": {"skip_norm": 1e-9, "steps": 40, "log_every": 5}})
    run = Run.create(tmp_path / "run", config, tiny_dataset)
    with pytest.raises(TrainingError, match="step 20: the last 20 steps"):
        train(run, tiny_dataset, QuickEvaluator(run, tiny_dataset))
    lines = [line for line in read_log(run.path) if line["kind"] == "train"]
    assert [line["skipped"] for line in lines] == [1.0] * 3
    assert "reconstruction" not in lines[0]
    assert Run.open(run.path).facts["skipped_steps"] == 18  # at the last checkpoint


def test_the_weight_of_the_step_weighs_the_scheduled_term_only(batch):
    def norms(kind: str) -> list[float]:
        schedules = [{"regularisation": {"weight_schedule": ((0, weight),)}} for weight in (0.0, 100.0)]
        return [numbers_of_a_step(with_changes(kind, more), *batch)[1]["gradient_norm"] for more in schedules]

    without, with_it = norms("vae")
    assert with_it > 2 * without
    without, with_it = norms("autoencoder")
    assert without == with_it


def test_noise_belongs_to_its_stream_and_step_whatever_else_is_drawn():
    genre = tf.constant([0, 1, 1, 0])
    one, other, later = (Noise(3, tf.constant(step, tf.int64), genre) for step in (5, 5, 6))
    other.normal("something else", 2)
    np.testing.assert_array_equal(one.normal("codes", 2), other.normal("codes", 2))
    assert not np.array_equal(one.normal("codes", 2), later.normal("codes", 2))
    assert not np.array_equal(one.normal("codes", 2), one.normal("others", 2))
    np.testing.assert_array_equal(one.part(tf.constant(1), 2).normal("codes", 2), one.normal("codes", 2)[1:3])
