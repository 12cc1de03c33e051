"""What can be heard in TensorBoard while a model is trained."""

import io
import wave

import numpy as np
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from musae_tf.errors import MusicError
from musae_tf.evaluation import QuickEvaluator, quick
from musae_tf.music.audio import PEAK, TAIL_SECONDS
from musae_tf.training import SOUND_RATE


def test_a_reconstruction_and_samples_can_be_heard(tiny_run):
    board = EventAccumulator(str(tiny_run.path / "tensorboard"), size_guidance={"tensors": 0})
    board.Reload()
    tags = set(board.Tags()["tensors"])
    assert {"reconstruction", "sample/dances", "sample/hymns", "reconstructions"} <= tags
    bars = {"reconstruction": 4, "sample/dances": 2, "sample/hymns": 2}
    for name, length in bars.items():
        event = board.Tensors(name)[-1]
        with wave.open(io.BytesIO(tf.make_ndarray(event.tensor_proto)[0][0])) as sound:
            assert (sound.getframerate(), sound.getnchannels()) == (SOUND_RATE, 2)
            samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2") / 32767
            seconds = sound.getnframes() / SOUND_RATE
        # The tempo is that of the genre.
        tempos = list(tiny_run.facts["tempos"].values()) if name == "reconstruction" else [
            tiny_run.facts["tempos"][name.partition("/")[2]]
        ]  # fmt: skip
        assert min(abs(seconds - length * 4 * 60 / tempo - TAIL_SECONDS) for tempo in tempos) < 0.1
        assert np.abs(samples).max() <= PEAK + 0.01
    assert event.step == 30


def test_training_needs_no_synthesiser(tiny_run, tiny_dataset, monkeypatch):
    def missing(*arguments):
        raise MusicError("rendering sound needs midirenderer")

    evaluate = QuickEvaluator(tiny_run, tiny_dataset)
    model = tiny_run.load_model()
    monkeypatch.setattr(quick, "render", missing)
    assert evaluate(model).sounds == {}
    monkeypatch.undo()
    again = [evaluate(model).sounds for _ in range(2)]
    assert set(again[0]) == {"reconstruction", "sample/dances", "sample/hymns"}
    for name, sound in again[0].items():
        np.testing.assert_array_equal(sound, again[1][name])
