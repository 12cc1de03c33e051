import pytest
from hypothesis import given
from hypothesis import strategies as st

from musae_tf.music.score import (
    TICKS,
    TIE_BACK,
    TIE_GAP,
    TIE_NEXT,
    Score,
    ScorePart,
    Written,
    bar_lengths,
    join_bars,
    lay_out,
    metre_ticks,
    sounding_notes,
)


def part(*bars: tuple[int, bool]) -> ScorePart:
    """A part from (quarters filled, sounds) a bar; a sounding bar holds one note that fills it."""
    made = ScorePart("")
    for quarters, sounds in bars:
        made.filled.append(quarters * TICKS)
        made.bars.append([Written(0, quarters * TICKS, 60, 0)] if sounds else [])
    return made


def lengths(*parts: ScorePart, metre: tuple[int, int] = (4, 4)) -> list[float]:
    return [n / TICKS for n in bar_lengths(Score(list(parts), [metre] * len(parts[0].bars)))]


@pytest.mark.parametrize(
    ("bars", "expected"),
    [
        ([(4, True), (4, True)], 4),  # full
        ([(1, True), (1, True)], 1),  # a pick-up
        ([(6, True), (6, True)], 6),  # irregular, but agreed
        ([(4, True), (8, False)], 4),  # a doubled rest
        ([(8, False), (8, False)], 4),  # nothing but doubled rests
        ([(4, True), (5, True)], 4),  # one part over-full
        ([(4, True), (3, True)], 4),  # one part under-full
        ([(2, True), (4, False)], 2),  # a pick-up while another part rests a whole bar
        ([(1, False), (1, False)], 1),  # a silent pick-up
        ([(0, False), (0, False)], 4),  # nothing written at all
        ([(0, False), (3, True)], 3),  # a part that has no such bar
        ([(3, True), (2, True), (4, False)], 4),  # parts at odds, the resting one has the metre
        ([(3, True), (3, True), (2, True)], 3),  # parts at odds, none of them full: the majority
        ([(3, True), (2, True)], 3),  # a tie: the longer
    ],
)
def test_one_length_a_bar_for_all_parts(bars, expected):
    assert lengths(*(part(bar) for bar in bars)) == [expected]


def joined(quarters: list[float], metre: tuple[int, int] = (4, 4), pair: tuple[int, int] | None = None):
    return join_bars([round(q * TICKS) for q in quarters], [metre] * len(quarters), pair)


def test_a_bar_cut_by_a_repeat_sign_is_one_bar():
    assert joined([1, 4, 3, 1, 4, 3]) == [[0], [1], [2, 3], [4], [5]]


def test_a_short_first_bar_is_a_pickup():
    assert joined([1, 3, 4]) == [[0], [1], [2]]


def test_short_bars_that_do_not_fill_the_metre_stay():
    assert joined([4, 3, 2, 4]) == [[0], [1], [2], [3]]


def test_short_bars_of_different_metres_stay():
    quarter = TICKS
    assert join_bars([4 * quarter, 3 * quarter, quarter], [(4, 4), (4, 4), (3, 4)], None) == [[0], [1], [2]]


def test_neighbouring_bars_of_two_quarters_are_paired():
    assert joined([1, 2, 2, 2, 2, 2], (2, 4), (2, 4)) == [[0], [1, 2], [3, 4], [5]]


def test_pairing_starts_anew_after_an_irregular_bar():
    assert joined([2, 2, 2, 3, 2, 2], (2, 4), (2, 4)) == [[0, 1], [2], [3], [4, 5]]


def test_a_cut_bar_takes_part_in_pairing():
    assert joined([2, 1, 1, 2, 2], (2, 4), (2, 4)) == [[0, 1, 2], [3, 4]]


def test_other_metres_are_not_paired():
    assert joined([2, 2], (4, 8), (2, 4)) == [[0], [1]]


def voice(*bars: list[tuple[float, float, int, int]]) -> ScorePart:
    """A part in 4/4 from (onset, duration in quarters, pitch, tie)."""
    written = [[Written(round(o * TICKS), round(d * TICKS), p, t) for o, d, p, t in bar] for bar in bars]
    return ScorePart("", written, [4 * TICKS] * len(bars))


def sounding(made: ScorePart) -> list[tuple[float, float, int]]:
    starts = [4 * TICKS * bar for bar in range(len(made.bars) + 1)]
    return [(start / TICKS, duration / TICKS, pitch) for start, duration, pitch, _ in sounding_notes(made, starts)]


@pytest.mark.parametrize(("first", "second"), [(TIE_NEXT, TIE_BACK), (TIE_NEXT, 0), (0, TIE_BACK)])
def test_ties_across_bars_need_only_one_end(first, second):
    assert sounding(voice([(2, 2, 60, first)], [(0, 1, 60, second)])) == [(2, 3, 60)]


def test_long_ties():
    whole = [[(0, 4, 60, tie)] for tie in (TIE_NEXT, TIE_NEXT | TIE_BACK, TIE_BACK)]
    assert sounding(voice(*whole)) == [(0, 12, 60)]


def test_repeated_notes_are_not_ties():
    assert sounding(voice([(0, 1, 60, 0), (1, 1, 60, 0)])) == [(0, 1, 60), (1, 1, 60)]


def test_a_tie_ends_where_the_file_ends_it():
    ended = [(0, 1, 60, TIE_NEXT), (1, 1, 60, TIE_BACK), (2, 1, 60, 0)]
    assert sounding(voice(ended)) == [(0, 2, 60), (2, 1, 60)]


def test_a_tie_does_not_bridge_another_pitch_or_a_rest():
    apart = [(0, 1, 60, TIE_NEXT), (1, 1, 62, TIE_BACK), (2, 1, 60, TIE_BACK)]
    assert sounding(voice(apart)) == [(0, 1, 60), (1, 1, 62), (2, 1, 60)]


def test_ties_forgive_rounding():
    near = ScorePart(
        "", [[Written(0, TICKS - TIE_GAP, 60, TIE_NEXT), Written(TICKS, TICKS, 60, TIE_BACK)]], [2 * TICKS]
    )
    assert sounding(near) == [(0, 2, 60)]


def test_each_note_of_a_chord_has_its_own_tie():
    first, second = [(0, 4, 60, TIE_NEXT), (0, 4, 64, TIE_NEXT)], [(0, 1, 60, 0), (0, 2, 64, 0)]
    assert sounding(voice(first, second)) == [(0, 5, 60), (0, 6, 64)]


def test_notes_past_the_end_of_an_overfull_bar_are_cut_or_left_out():
    made = voice([(0, 3, 60, 0), (3, 2, 62, 0), (5, 1, 64, 0)], [(0, 4, 65, 0)])
    assert sounding(made) == [(0, 3, 60), (3, 1, 62), (4, 4, 65)]


bars_of_parts = st.integers(1, 5).flatmap(
    lambda bars: st.lists(
        st.lists(st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=4), min_size=bars, max_size=bars),
        min_size=2,
        max_size=4,
    )
)


@given(bars_of_parts, st.sampled_from([(4, 4), (3, 4), (2, 4)]))
def test_voices_stay_in_step_whatever_the_bars_hold(spec, metre):
    parts = []
    for bars in spec:
        made = ScorePart("")
        for bar, events in enumerate(bars):
            at, notes = 0, []
            for quarters, sounds in events:
                if sounds:
                    notes.append(Written(at * TICKS, quarters * TICKS, bar, 0))  # the pitch says which bar it is of
                at += quarters
            made.bars.append(notes)
            made.filled.append(at * TICKS)
        parts.append(made)
    score = Score(parts, [metre] * len(spec[0]))
    bars, starts = lay_out(score, (2, 4))
    for made in parts:
        for start, duration, pitch, _ in sounding_notes(made, starts):
            assert starts[pitch] <= start
            assert start + duration <= starts[pitch + 1]
    # The bars of the piece cover it without gap or overlap.
    assert sum(bar.length for bar in bars) == starts[-1]
    assert [bar.start for bar in bars] == [0, *(bar.start + bar.length for bar in bars)][: len(bars)]


def test_metre_ticks():
    assert [metre_ticks(m) / TICKS for m in [(4, 4), (2, 2), (6, 8), (4, 2)]] == [4, 4, 3, 8]
