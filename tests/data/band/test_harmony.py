from random import Random

import pytest

from musae_tf.data.band.genres import HARMONY, TONES, Chord, chord, progression, section
from musae_tf.data.band.plan import MERGED


@pytest.mark.parametrize(
    ("numeral", "tonic", "name"),
    [
        ("I", 0, "C"), ("ii7", 0, "Dm7"), ("V7", 7, "D7"), ("bVII", 9, "G"), ("iib5", 0, "Dm7b5"), ("#io", 5, "Gbdim7"),
        ("biiio", 0, "Ebdim7"), ("IVM7", 2, "GM7"), ("Vsus4", 0, "Gsus4"), ("i9", 11, "Bm9"), ("bVI", 0, "Ab"),
    ],
)  # fmt: skip
def test_numerals(numeral, tonic, name):
    assert chord(numeral, tonic).name == name


@pytest.mark.parametrize("numeral", ["", "VIII", "Vmaj", "x", "vsus4"])
def test_no_chord(numeral):
    with pytest.raises(ValueError, match="chord"):
        chord(numeral, 0)


def test_pitch_classes():
    assert Chord(7, "9").classes == (7, 11, 2, 5, 9)


def test_two_chords_in_a_bar():
    bars = progression("I V,vi IV", 0)
    assert [[one.name for one in bar] for bar in bars] == [["C"], ["G", "Am"], ["F"]]


@pytest.mark.parametrize("genre", MERGED)
def test_every_progression_of_a_genre_can_be_read(genre):
    harmony = HARMONY[genre]
    for cells, bars in (
        (harmony.major, 4), (harmony.minor_cells, 4), (harmony.rounds, 12), (harmony.minor_rounds, 12)
    ):  # fmt: skip
        for text in cells:
            chords = progression(text, 3)
            assert len(chords) == bars
            assert all(one.quality in TONES for bar in chords for one in bar)
    assert bool(harmony.rounds) == bool(harmony.minor_rounds) == bool(harmony.round_share)


def test_section_is_made_of_whole_cells():
    harmony = HARMONY["pop"]
    bars = section(harmony, False, 0, 8, Random(3))
    cells = [progression(text, 0) for text in harmony.major]
    assert bars[:4] in cells
    assert bars[4:] in cells
