import numpy as np
import pytest

from musae_tf.music import HOLD, REST, detokenize, get_layout
from musae_tf.music.properties import ATTRIBUTES, attribute_names, attribute_values, phrase_properties
from tests.corpus import random_tokens

VOICES = get_layout("voices")
BAND = get_layout("band")


def phrase() -> np.ndarray:
    tokens = np.full((1, 32, 4), REST)
    tokens[0, :8, 0] = [60, HOLD, HOLD, 67, REST, HOLD, 60, HOLD]
    tokens[0, :, 1] = HOLD  # a hold with nothing before it is silent
    tokens[0, :, 2] = [50, *[HOLD] * 31]
    return tokens


def test_a_phrase_counted_by_hand():
    holds, rests, onsets, highest, lowest, mean = phrase_properties(phrase(), VOICES)[0, 0]
    assert (holds, rests, onsets) == (3, 26, 3)
    assert (highest, lowest) == (67, 60)
    assert mean == pytest.approx((60 + 67 + 60) / 3)
    np.testing.assert_array_equal(phrase_properties(phrase(), VOICES)[0, 1], [0, 32, 0, *[np.nan] * 3])


def test_attributes_counted_by_hand():
    values = dict(zip(attribute_names(VOICES), attribute_values(phrase(), VOICES)[0], strict=True))
    assert values["soprano:notes"] == 1.5
    assert values["soprano:length"] == 2.0
    assert values["tenor:register"] == 50.0
    assert values["tenor:length"] == 32.0
    assert np.isnan(values["bass:register"])
    assert np.isnan(values["bass:length"])
    assert values["notes"] == 2.0
    assert values["register"] == pytest.approx((60 + 67 + 60 + 50) / 4)
    assert values["length"] == pytest.approx((6 + 32) / 4)


@pytest.mark.parametrize("layout", [VOICES, BAND], ids=lambda layout: layout.name)
def test_agree_with_the_notes_of_the_song(layout):
    rng = np.random.default_rng(5)
    for _ in range(5):
        bars = random_tokens(rng, layout, 2)
        song = detokenize(bars, layout)
        for spec, row in zip(layout.tracks, phrase_properties(bars.reshape(1, 32, -1), layout)[0], strict=True):
            notes = next((track.notes for track in song.tracks if track.name == spec.name), None)
            if notes is None or not len(notes):
                assert row[2] == 0
                continue
            assert row[2] == len(notes)
            if spec.is_drum:
                assert np.isnan(row[[0, 3, 4, 5]]).all()
                continue
            sounding = notes["duration"].sum() / (song.ticks_per_quarter // 4)
            pitch = notes["pitch"].astype(float)
            assert row[0] == sounding - len(notes)
            assert row[1] == 32 - sounding
            np.testing.assert_allclose(row[3:], [pitch.max(), pitch.min(), pitch.mean()])


def test_a_kit_has_strokes_but_neither_register_nor_length():
    assert attribute_names(BAND)[:5] == (*ATTRIBUTES, "drums:notes", "bass:notes")
    tokens = np.full((1, 16, 4), REST)
    tokens[..., 0] = 0
    tokens[0, [0, 4], 0] = [0b11, 0b100]
    values = dict(zip(attribute_names(BAND), attribute_values(tokens, BAND)[0], strict=True))
    assert values["drums:notes"] == values["notes"] == 3
    assert np.isnan(values["register"])
