import numpy as np
import pytest

from musae_tf.evaluation import phrase_statistics, share_within
from musae_tf.music import HOLD, REST, detokenize, get_layout
from tests.corpus import random_tokens

VOICES = get_layout("voices")


def test_a_phrase_counted_by_hand():
    tokens = np.full((1, 32, 4), REST)
    tokens[0, :8, 0] = [60, HOLD, HOLD, 67, REST, REST, 60, HOLD]
    tokens[0, :, 1] = HOLD  # a hold with nothing before it is silent
    tokens[0, :, 2] = [50, *[HOLD] * 31]
    statistics = phrase_statistics(tokens, VOICES)[0]
    np.testing.assert_allclose(statistics[0], [1.5, 1 - 6 / 32, 7])
    np.testing.assert_allclose(statistics[1], [0, 1, 0])
    np.testing.assert_allclose(statistics[2], [0.5, 0, 0])


def test_a_kit_counted_by_hand():
    layout = get_layout("band")
    tokens = np.zeros((1, 16, 4), int)
    tokens[..., 1:] = REST
    tokens[0, [0, 4, 8], 0] = [0b11, 0b1, 0b100]
    np.testing.assert_allclose(phrase_statistics(tokens, layout)[0, 0], [4, 13 / 16, 3])


@pytest.mark.parametrize("name", ["voices", "band", "lpd5"])
def test_agrees_with_the_notes_of_the_song(name):
    layout = get_layout(name)
    rng = np.random.default_rng(3)
    for _ in range(5):
        bars = random_tokens(rng, layout, 2)
        song = detokenize(bars, layout)
        statistics = phrase_statistics(bars.reshape(1, 32, -1), layout)[0]
        for spec, row in zip(layout.tracks, statistics, strict=True):
            notes = next(
                (track.notes for track in song.tracks if track.name == spec.name),
                np.empty(0, song.tracks[0].notes.dtype),
            )
            assert row[0] == len(notes) / 2
            if not spec.is_drum:
                step = song.ticks_per_quarter // 4
                assert row[1] == pytest.approx(1 - notes["duration"].sum() / step / 32)
                assert row[2] == (int(notes["pitch"].max()) - int(notes["pitch"].min()) if len(notes) else 0)


def test_share_within_counts_each_and_all_at_once():
    real = np.stack([np.linspace(0, 100, 101), np.linspace(0, 10, 101)], -1)[:, np.newaxis]
    generated = np.array([[[50.0, 5.0]], [[5.0, 9.6]], [[4.9, 5.0]], [[95.0, 0.5]]])
    shares = share_within(generated, real)
    np.testing.assert_allclose(shares["each"], [[0.75, 0.75]])
    assert shares["all"] == 0.5
    assert shares["real_all"] == pytest.approx(0.9, abs=0.02)
