"""`fit` of Keras makes the steps of `musae train`: the same numbers, its callbacks, several replicas, saving."""

import json
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from musae_tf.config import Architecture, Config, ModelConfig, PriorConfig, RegularisationConfig, TrainingConfig
from musae_tf.data import Dataset, TrainingBatches, tf_dataset
from musae_tf.errors import ConfigError
from musae_tf.evaluation import QuickEvaluator
from musae_tf.models import MusAE
from musae_tf.training import Run, read_log, train
from tests.training.systems import tiny

STEPS = 20


def batches_of(dataset: Dataset, config: Config) -> TrainingBatches:
    index = dataset.phrases("train", config.music.bars, sounding=config.data.sounding)
    return TrainingBatches(index, config.training.batch_size, config.seed, config.data.transpose, config.data.balance)


class Lines(keras.callbacks.Callback):
    """Keeps the numbers of every step."""

    def on_train_begin(self, logs=None):
        self.lines = []

    def on_train_batch_end(self, batch, logs=None):
        self.lines.append(logs)


def test_fit_reaches_what_the_trainer_reaches(tiny_dataset, tmp_path):
    config = tiny("musae_gm", steps=STEPS, log_every=STEPS, evaluate_every=STEPS, checkpoint_every=STEPS)
    run = Run.create(tmp_path / "run", config, tiny_dataset)
    assert train(run, tiny_dataset, QuickEvaluator(run, tiny_dataset)) == 0
    expected = run.load_model()
    model, lines = run.build_model(), Lines()
    model.compile(config.training, config.regularisation, config.seed)
    model.fit(tf_dataset(batches_of(tiny_dataset, config), 0, STEPS), verbose=0, callbacks=[lines])
    assert len(lines.lines) == STEPS
    logged = read_log(run.path)[0]
    # Both are means over all steps: of a line of the log, and of the epoch.
    for name, value in lines.lines[-1].items():
        if name != "loss":
            assert value == pytest.approx(logged[name], rel=1e-4, abs=1e-5), name
    for one, other in zip(model.trainable_variables, expected.trainable_variables, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-4, err_msg=one.path)


@pytest.fixture(scope="module")
def phrases():
    rng = np.random.default_rng(0)
    tokens, genre = rng.integers(0, 130, (32, 16, 4)).astype(np.int32), (np.arange(32) % 2).astype(np.int32)
    return tf.data.Dataset.from_tensor_slices((tokens, genre)).batch(16)


class HyperParameters:
    """As those of KerasTuner are asked for, each at its default."""

    def Int(self, name, low, high):  # noqa: N802
        return low

    def Float(self, name, low, high):  # noqa: N802
        return low


def build(hp) -> MusAE:
    sizes = ModelConfig(latent=8, embedding=4, encoder_units=8, decoder_units=hp.Int("units", 8, 64))
    music = replace(Architecture().music, bars=1)
    model = MusAE(Architecture(music, sizes, PriorConfig(axes=2)), (130,) * 4, ("a", "b"))
    model.compile(
        TrainingConfig(steps=4, learning_rate=hp.Float("rate", 1e-3, 1e-2)), RegularisationConfig(infomax=0.1)
    )
    return model


def test_a_builder_of_a_tuner_and_the_callbacks_of_keras(phrases, tmp_path):
    model = build(HyperParameters())
    best = tmp_path / "best.keras"
    history = model.fit(
        phrases,
        epochs=2,
        verbose=0,
        validation_data=phrases,
        callbacks=[
            keras.callbacks.ModelCheckpoint(best, monitor="val_loss", save_best_only=True),
            keras.callbacks.EarlyStopping("val_loss", patience=3),
        ],
    ).history
    assert history["val_reconstruction"][1] < history["val_reconstruction"][0]
    again = keras.saving.load_model(best)
    assert int(again.optimizer.iterations) == 4
    assert again.evaluate(phrases, verbose=0, return_dict=True) == pytest.approx(
        model.evaluate(phrases, verbose=0, return_dict=True)
    )
    for one, other in zip(model.critic_optimizer.variables, again.critic_optimizer.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    again.fit(phrases, verbose=0)  # goes on


def test_a_head_that_is_missing_is_named():
    model = MusAE(tiny("vae").architecture, (130,) * 4, ("a", "b"))
    with pytest.raises(ConfigError, match=r"regularisation\.order is 0\.5; allowed: 0 .*property_head"):
        model.compile(regularisation=RegularisationConfig(order=0.5))
    with pytest.raises(ConfigError, match=r"regularisation\.infomax is 1\.0; allowed: 0 with model\.kind vae"):
        model.compile(regularisation=RegularisationConfig(infomax=1.0))


SCRIPT = """
import json
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from musae_tf.models import MusAE
from tests.training.systems import tiny
config = tiny("musae")
rng = np.random.default_rng(0)
tokens, genre = rng.integers(0, 130, (32, 16, 4)).astype(np.int32), (np.arange(32) % 2).astype(np.int32)
batches = tf.data.Dataset.from_tensor_slices((tokens, genre)).batch(16)
for strategy in tf.distribute.OneDeviceStrategy("/cpu:0"), tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"]):
    with strategy.scope():
        keras.utils.set_random_seed(1)
        model = MusAE.for_training(config, (130,) * 4, ("a", "b"))
        model.compile(config.training, config.regularisation, config.seed)
    history = model.fit(batches, epochs=3, verbose=0).history
    print(json.dumps({"replicas": strategy.num_replicas_in_sync, **history}))
"""


def test_fit_on_two_replicas_draws_the_curve_of_one():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    one, two = map(json.loads, done.stdout.splitlines()[-2:])
    assert (one.pop("replicas"), two.pop("replicas")) == (1, 2)
    assert one.keys() == two.keys()
    for name, values in one.items():
        assert two[name] == pytest.approx(values, rel=2e-3, abs=2e-3), name
