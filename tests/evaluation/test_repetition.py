"""The similarity of bars counts the notes that they share."""

import numpy as np

from musae_tf.evaluation.repetition import bar_similarity, similarity_of_pieces
from musae_tf.music import HOLD, KIT, REST, get_layout

VOICES = get_layout("voices")


def silence(bars: int) -> np.ndarray:
    return np.full((bars, VOICES.bar_steps, 4), REST, np.int32)


def test_shared_notes_among_all():
    bars = silence(4)
    bars[0, [0, 4, 8], 0] = [60, 62, 64]
    bars[1, [0, 4, 8], 0] = [60, 62, 65]
    bars[2] = bars[0]
    bars[2, 1, 0] = HOLD  # lengths do not count
    np.testing.assert_allclose(bar_similarity(bars, 1, VOICES), [0.5, 0.5, 0.0])
    np.testing.assert_allclose(bar_similarity(bars, 2, VOICES), [1.0, 0.0])
    moved = bars[[0, 0]]
    moved[1] = np.roll(moved[1], 1, axis=-1)  # the same notes in another voice
    assert bar_similarity(moved, 1, VOICES) == [0.0]


def test_silent_bars_say_nothing():
    bars = silence(3)
    bars[0, 0, 0] = 60
    np.testing.assert_array_equal(bar_similarity(bars, 1, VOICES), [0.0, np.nan])
    pieces = np.stack([bars, silence(3)])
    np.testing.assert_array_equal(similarity_of_pieces(pieces, 1, VOICES), [[0, 0], [np.nan, np.nan]])


def test_pieces_have_a_mean_and_a_share_of_repetitions():
    bars = silence(5)
    bars[:, 0, 0] = [60, 61, 60, 62, 60]
    np.testing.assert_allclose(similarity_of_pieces(bars[np.newaxis], 2, VOICES), [[2 / 3, 2 / 3]])


def test_strokes_of_a_kit_count_step_by_step():
    layout = get_layout("band")
    kit = next(number for number, column in enumerate(layout.columns) if column.vocabulary == KIT)
    rests = np.array([column.vocabulary.rest for column in layout.columns])
    bars = np.broadcast_to(rests, (2, layout.bar_steps, len(layout.columns))).copy()
    bars[:, [0, 4], kit] = 1
    bars[1, 4, kit] = 3
    np.testing.assert_allclose(bar_similarity(bars, 1, layout), [1 / 3])
