"""Which signs the notes of a bar are written with."""

import numpy as np
import pytest

from musae_tf.music import NOTE, Metre, Song, Track
from musae_tf.music.beams import join_flags
from musae_tf.music.notation import written_bars, written_track
from musae_tf.music.score import TIE_BACK, TIE_NEXT


def signs(notes, metre=(4, 4), quarter=4, voices=1, bar=0):
    """The signs of a bar by voice: a letter for the value, upper case for notes, a dot, and - for a tie onwards."""
    song = Song(quarter, [Track("", 0, False, np.array([(*note, 80) for note in notes], NOTE))], [], [Metre(0, *metre)])
    bars = written_bars(song)
    written = written_track(song.tracks[0], quarter, bars, voices)[bar]
    letters = {"whole": "w", "half": "h", "quarter": "q", "eighth": "e", "16th": "s", "32nd": "t", None: "?"}

    def text(event):
        letter = letters[event.kind] + "." * event.dots + (f"/{event.tuplet[0]}" if event.tuplet != (1, 1) else "")
        if not event.heads:
            return letter
        return letter.upper() + "-" * any(head.tie & TIE_NEXT for head in event.heads)

    return [" ".join(map(text, voice)) for voice in written]


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, 16, "W"), (0, 12, "H. q"), (0, 6, "Q. e h"), (4, 4, "q Q h"), (2, 4, "e Q"), (2, 6, "e Q."),
        (3, 3, "e s S- E"), (1, 2, "s E"), (6, 4, "q e E- E e q"), (1, 15, "s E.- Q- H"), (0, 5, "Q- S"),
        (0, 7, "Q- E. s h"),
    ],
)  # fmt: skip
def test_a_note_shows_where_the_beats_are(start, length, expected):
    assert signs([(start, length, 60)])[0].startswith(expected)


def test_compound_metres_beat_in_threes():
    assert signs([(0, 6, 60), (6, 6, 62)], (6, 8)) == ["Q. Q."]
    assert signs([(0, 12, 60)], (6, 8)) == signs([(0, 12, 60)], (3, 4)) == ["H."]
    assert signs([(0, 2, 60), (2, 10, 62)], (6, 8)) == ["E Q- Q."]
    assert signs([(0, 2, 60), (2, 10, 62)], (3, 4)) == ["E E- H"]


def test_tuplets_stand_in_their_beat():
    assert signs([(0, 1, 60), (1, 1, 62), (2, 1, 64), (3, 9, 60)], quarter=3) == ["E/3 E/3 E/3 H."]
    assert signs([(2, 2, 60), (4, 8, 62)], quarter=3) == ["q/3 E/3- E/3 Q/3- H"]
    assert signs([(n, 1, 60) for n in range(5)] + [(5, 15, 60)], quarter=5) == ["S/5 S/5 S/5 S/5 S/5 H."]


def test_a_length_of_no_sign_stands_by_itself():
    assert signs([(0, 10, 60), (10, 34, 62)], quarter=11)[0].startswith("? ?")


def test_what_overlaps_goes_to_voices_and_then_to_tied_chords():
    notes = [(0, 16, 48), (0, 4, 72), (4, 4, 74), (8, 8, 76)]
    assert signs(notes, voices=2) == ["Q Q H", "W"]
    assert signs(notes, voices=1) == ["Q- Q- H"]
    assert signs([(0, 4, 60), (0, 4, 64), (0, 4, 67)], voices=4) == ["Q q h"]


def test_ties_go_over_bar_lines():
    song = Song(4, [Track("", 0, False, np.array([(8, 32, 60, 80)], NOTE))])
    ties = [voices[0][-1].heads[0].tie for voices in written_track(song.tracks[0], 4, written_bars(song), 1)[:2]]
    assert ties == [TIE_NEXT, TIE_NEXT | TIE_BACK]


def test_bars_that_are_cut_short_have_a_metre_of_their_own():
    song = Song(480, [], [], [Metre(0, 4, 4), Metre(2880, 3, 4)], 2880 + 1440)
    assert [bar.metre for bar in written_bars(song)] == [(4, 4), (2, 4), (3, 4)]


def test_beams_join_what_is_shorter_than_a_quarter_in_one_beat():
    notes = [(0, 2, 60), (2, 1, 60), (3, 1, 60), (4, 4, 60), (8, 3, 60), (11, 1, 60), (12, 1, 60), (14, 2, 60)]
    song = Song(4, [Track("", 0, False, np.array([(*note, 80) for note in notes], NOTE))])
    bars = written_bars(song)
    (events,) = written_track(song.tracks[0], 4, bars, 1)[0]
    assert join_flags(bars[0], events) == [
        ["begin"], ["continue", "begin"], ["end", "end"], [], ["begin"], ["end", "backward hook"], [], [], [],
    ]  # fmt: skip
