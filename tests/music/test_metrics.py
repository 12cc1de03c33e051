import math

import mir_eval
import numpy as np
import pytest

from musae_tf.music import HOLD, REST, get_layout
from musae_tf.music.metrics import (
    agreement,
    always_hold,
    copy_last_bar,
    most_frequent,
    phrase_sums,
)
from musae_tf.music.vocabulary import KIT_PIECES
from tests.corpus import random_tokens

LAYOUTS = [get_layout("voices"), get_layout("band"), get_layout("lpd5", "voice")]


def similar(rng, tokens, layout):
    """Tokens of which a part is drawn anew."""
    return np.where(rng.random(tokens.shape) < 0.4, random_tokens(rng, layout, len(tokens) // 16), tokens)


def note_list(column, kit):
    """Onset times and pitches (MIDI numbers, made frequencies) for mir_eval."""
    if kit:
        step, pitch = np.nonzero(column[:, None] >> np.arange(len(KIT_PIECES)) & 1)
    else:
        step = np.flatnonzero(column < REST)
        pitch = column[step]
    times = np.stack([step, step + 0.5], axis=1).astype(float)
    return times, mir_eval.util.midi_to_hz(pitch.astype(float))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("seed", range(3))
def test_onset_f1_is_that_of_mir_eval(layout, seed):
    rng = np.random.default_rng(seed)
    target = random_tokens(rng, layout, 4)
    predicted = similar(rng, target, layout)
    scores = agreement(predicted, target, layout)["onset_f1"]
    for index, spec in enumerate(layout.tracks):
        kit = spec.vocabulary.size == 512
        reference = note_list(target[:, index], kit)
        estimate = note_list(predicted[:, index], kit)
        _, _, expected, _ = mir_eval.transcription.precision_recall_f1_overlap(
            *reference, *estimate, onset_tolerance=0.01, pitch_tolerance=1.0, offset_ratio=None
        )
        assert scores[spec.name] == pytest.approx(expected)
    assert 0 < scores["all"] < 1


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_counts_of_batches_add_up(layout):
    rng = np.random.default_rng(5)
    target = np.stack([random_tokens(rng, layout, 2) for _ in range(6)])
    predicted = np.stack([similar(rng, tokens, layout) for tokens in target])
    scores = agreement(predicted, target, layout)
    assert set(scores) == {"onset_f1", "step_accuracy", "accuracy_off_hold_rest"}
    halves = [phrase_sums(predicted[rows], target[rows], layout) for rows in (slice(4), slice(4, None))]
    for name, expected in scores.items():
        parts, wholes = (sum(half[name][side].sum(axis=0) for half in halves) for side in (0, 1))
        assert parts.sum() / wholes.sum() == expected["all"]
        np.testing.assert_array_equal(parts / wholes, [expected[track] for track in layout.names])


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_perfect_prediction(layout):
    tokens = random_tokens(np.random.default_rng(1), layout, 2)
    perfect = dict.fromkeys(("all", *layout.names), 1.0)
    assert agreement(tokens, tokens, layout)["onset_f1"] == perfect
    assert agreement(tokens, tokens, layout)["step_accuracy"] == perfect
    assert agreement(tokens, tokens, layout)["accuracy_off_hold_rest"] == perfect


def test_numbers_by_hand():
    layout = get_layout("band")
    target = np.zeros((16, 4), np.uint16)
    target[:, 1:] = REST
    target[:4, 0] = [0b11, 0, 0b1, 0]
    target[:4, 1] = [40, HOLD, 41, HOLD]
    predicted = target.copy()
    predicted[:4, 0] = [0b01, 0b100, 0b1, 0]  # two of three strokes, one too many
    predicted[:4, 1] = [40, 41, HOLD, HOLD]  # the second onset a step early
    hits, onsets = phrase_sums(predicted, target, layout)["onset_f1"]
    assert (hits.tolist(), onsets.tolist()) == ([4, 2, 0, 0], [6, 4, 0, 0])
    scores = agreement(predicted, target, layout)["onset_f1"]
    assert (scores["all"], scores["drums"], scores["bass"]) == pytest.approx((0.6, 2 / 3, 0.5))
    assert math.isnan(scores["guitar"])
    accuracy = agreement(predicted, target, layout)["step_accuracy"]
    assert (accuracy["all"], accuracy["drums"], accuracy["strings"]) == pytest.approx((60 / 64, 14 / 16, 1))
    off = agreement(predicted, target, layout)["accuracy_off_hold_rest"]
    assert (off["all"], off["drums"], off["bass"]) == pytest.approx((0.5, 0.5, 0.5))
    assert math.isnan(off["strings"])


def test_shapes_must_agree():
    layout = get_layout("voices")
    with pytest.raises(ValueError, match=r"\[16, 4\] and target \[32, 4\]"):
        agreement(np.zeros((16, 4), int), np.zeros((32, 4), int), layout)["onset_f1"]
    with pytest.raises(ValueError, match="steps, 4"):
        agreement(np.zeros((16, 5), int), np.zeros((16, 5), int), layout)["step_accuracy"]


def test_trivial_predictions():
    layout = get_layout("band")
    rng = np.random.default_rng(2)
    tokens = np.stack([random_tokens(rng, layout, 3) for _ in range(2)])
    hold = always_hold(tokens, layout)
    assert hold.shape == tokens.shape
    assert (hold == [0, HOLD, HOLD, HOLD]).all()
    assert agreement(hold, tokens, layout)["onset_f1"]["all"] == 0
    copied = copy_last_bar(tokens, layout)
    np.testing.assert_array_equal(copied[:, 16:], tokens[:, :-16])
    np.testing.assert_array_equal(copied[:, :16], hold[:, :16])
    np.testing.assert_array_equal(copy_last_bar(tokens[:, :16], layout), hold[:, :16])
    train = np.full((5, 16, 4), 60)
    train[:, :9, 0] = 3
    train[:, :9, 1] = REST
    assert (most_frequent(tokens, train, layout) == [3, REST, 60, 60]).all()
