"""The files for LiteRT, run by its interpreter, beside the model that is served."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from musae_tf.cli import main
from musae_tf.errors import ExportError
from musae_tf.export import ModelSignatures
from musae_tf.export.litert import export_litert
from musae_tf.models.tokens import chances_of_steps
from musae_tf.training import Run
from tests.export.lite import Lite

pytest.importorskip("ai_edge_litert", reason="the extra litert is not installed")


@pytest.fixture(scope="module")
def run(tiny_run) -> Run:
    """The tiny run, as if its decoder heard itself; its weights are fresh."""
    model = replace(tiny_run.config.model, decoder="autoregressive", decoder_units=16)
    return Run(tiny_run.path, replace(tiny_run.config, model=model), tiny_run.facts)


@pytest.fixture(scope="module")
def model(run):
    model = run.build_model()
    for variable in model.music_variables:  # so that it is sure of something, and not of the same everywhere
        variable.assign(2.0 * variable)
    return model


@pytest.fixture(scope="module")
def folder(run, model, tmp_path_factory):
    return export_litert(run, tmp_path_factory.mktemp("litert") / "tunes", lambda text: None, model)


def test_tokens_and_codes_are_those_of_the_served_model(folder, model, tiny_dataset):
    served = ModelSignatures(model)
    encode, decode = Lite(folder, "encode"), Lite(folder, "decode")
    tokens = tiny_dataset.phrases("train", 2, sounding="any").tokens()[:8].astype(np.int32)
    codes = served("encode", {"tokens": tokens})
    seeds, temperature = np.arange(16, dtype=np.int32).reshape(8, 2), np.float32([0, 0.9] * 4)
    made = served("decode", {"latent": codes["mean"], "temperature": temperature, "seed": seeds})["tokens"]
    assert len(np.unique(made)) > 4
    for row, phrase in enumerate(tokens):
        found = encode(phrase[np.newaxis])
        for name in ("mean", "log_variance"):
            np.testing.assert_allclose(found[name][0], codes[name][row], atol=1e-4)
        heat, seed = temperature[row : row + 1], seeds[row : row + 1]
        chances = chances_of_steps(model.steps, model.vocabulary_sizes, tf.constant(heat), tf.constant(seed)).numpy()
        np.testing.assert_array_equal(decode(codes["mean"][row : row + 1], heat, chances)["tokens"][0], made[row])


def test_draws_are_those_of_the_prior(folder, model):
    draw, prior = Lite(folder, "draw"), model.prior.drawn(tf.constant([0, 1]))
    axes = np.eye(model.latent, dtype=np.float32)
    for genre, (mean, covariance) in enumerate(zip(prior.mean().numpy(), prior.covariance().numpy(), strict=True)):
        np.testing.assert_allclose(draw([genre], 0 * axes[:1])["latent"][0], mean, atol=1e-6)
        moves = np.stack([draw([genre], axis[np.newaxis])["latent"][0] - mean for axis in axes])
        np.testing.assert_allclose(moves.T @ moves, covariance, atol=1e-5)


@pytest.mark.parametrize("name", ["encode", "draw", "decode"])
def test_compiled_models_answer_as_the_interpreter_does(folder, name):
    """The other way to run a file, that of programs in C++, Kotlin and JavaScript: into memory of the caller, twice."""
    from ai_edge_litert.compiled_model import CompiledModel

    lite, random = Lite(folder, name), np.random.default_rng(3)
    compiled = CompiledModel.from_file(str(folder / f"{name}.tflite"))
    for _ in range(2):
        values = [random.random(known["shape"]).astype(known["dtype"]) for known in lite.inputs]
        inputs, outputs = compiled.create_input_buffers(0), compiled.create_output_buffers(0)
        for buffer, value in zip(inputs, values, strict=True):
            buffer.write(value.ravel())
        compiled.run_by_index(0, inputs, outputs)
        for buffer, wanted in zip(outputs, lite(*values).values(), strict=True):
            found = buffer.read(wanted.size, wanted.dtype.type)
            np.testing.assert_allclose(found, wanted.ravel(), rtol=1e-5, atol=1e-6)


def test_what_it_does_not_take_is_a_sentence(tiny_run, run, model, folder, tmp_path, capsys):
    with pytest.raises(ExportError, match="tunes is already there: name another folder"):
        export_litert(run, folder, model=model)
    assert main(["export", str(tiny_run.path), "--format", "litert", "--to", str(tmp_path / "new")]) == 2
    assert "model.decoder is 'flat'; allowed for LiteRT: 'autoregressive'" in capsys.readouterr().err
    assert main(["export", str(tiny_run.path), "--format", "litert", "--keep", "2", "--to", str(tmp_path / "x")]) == 2
    assert "--keep is for versions" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
