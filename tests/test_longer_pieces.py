"""Pieces of several phrases: each window knows the bar before it, and the same seed gives the same piece everywhere."""

from dataclasses import replace

import numpy as np
import pytest

from musae_tf import Musae
from musae_tf.music import REST, tokenize
from musae_tf.music.known import KNOWN
from musae_tf.music.repeats import hop_of
from musae_tf.verbs import windows
from musae_tf.verbs.functions import sample

BARS = 9


@pytest.fixture(scope="module")
def here(autoregressive_run) -> Musae:
    return Musae.from_run(autoregressive_run.path)


def carried_out(steps, answer) -> tuple[object, list]:
    """What a verb returns, and the calls that it made, if `answer` gives the outputs."""
    calls, outputs = [], None
    while True:
        try:
            asked = steps.send(outputs)
        except StopIteration as stop:
            return stop.value, calls
        calls.append(asked)
        found = answer(asked.signature, asked.inputs)
        outputs = [found[name] for name in asked.outputs]


def test_each_window_is_written_knowing_the_bar_before_it(here):
    model, written = here.description, []

    def answer(signature, inputs):
        outputs = here._ask(signature, inputs)
        if signature == "decode_known":
            written.append((inputs, outputs["tokens"]))
        return outputs

    _, calls = carried_out(sample(model, "hymns", BARS, temperature=1.0, seed=2), answer)
    assert [call.signature for call in calls] == ["form"] + ["decode_known"] * len(written)
    shared = model.layout.bar_steps if model.bars > 1 else 0
    for number, (inputs, tokens) in enumerate(written):
        known = inputs["known"] == KNOWN
        assert known[:, :shared].any() == (number > 0)
        assert not known[:, shared:].any()
        np.testing.assert_array_equal(tokens[known], inputs["tokens"][known])


def test_a_window_that_repeats_another_is_not_written(here):
    model, count = here.description, 6
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(count, model.latent)).astype(np.float32)
    drawing = {"temperature": np.ones(count, np.float32), "seed": rng.integers(0, 99, (count, 2)).astype(np.int32)}
    hop = hop_of(model.bars)
    writing = windows.nothing_known(model, (count - 1) * hop + model.bars)
    assert len(writing.windows) == count
    repeats = np.array([0, 1, 2, 0, 1, 5])
    bars, calls = carried_out(windows.written(model, writing, codes, repeats, drawing), here._ask)
    np.testing.assert_array_equal(bars[3 * hop : 5 * hop, 1:], bars[: 2 * hop, 1:])
    assert len(calls) < count


def test_without_a_form_it_is_a_walk(here):
    without = {name: inputs for name, inputs in here.description.signatures.items() if name != "form"}
    _, calls = carried_out(sample(replace(here.description, signatures=without), "hymns", BARS, seed=2), here._ask)
    assert {call.signature for call in calls} == {"sample", "decode_known"}
    del without["decode_known"]
    _, calls = carried_out(sample(replace(here.description, signatures=without), "hymns", BARS, seed=2), here._ask)
    assert [call.signature for call in calls] == ["sample", "decode"]


def test_the_same_seed_gives_the_same_piece_exported_too(here, autoregressive_folder):
    exported = Musae.from_run(autoregressive_folder)
    for genre in here.description.genres:
        one = here.sample(genre, bars=BARS, seed=4)
        assert one == here.sample(genre, bars=BARS, seed=4) == exported.sample(genre, bars=BARS, seed=4)
        assert one != here.sample(genre, bars=BARS, seed=5)
        tokens = tokenize(one, here.description.layout).tokens
        assert len(tokens) == BARS
        assert (tokens < REST).any()


def test_a_piece_may_have_more_windows_than_a_form_spans(here, monkeypatch):
    monkeypatch.setattr(windows, "SECTION", 3)
    made = here.sample("dances", bars=BARS, seed=1)
    assert len(tokenize(made, here.description.layout).tokens) == BARS
