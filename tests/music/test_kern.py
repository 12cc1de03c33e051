import pytest

from musae_tf.errors import MusicError
from musae_tf.music.kern import count_spines, read_kern
from musae_tf.music.score import TICKS, TIE_BACK, TIE_NEXT, Score
from tests.data.documents import kern


def notes(score: Score, part: int, bar: int = 0) -> list[tuple[float, float, int]]:
    return [(onset / TICKS, duration / TICKS, pitch) for onset, duration, pitch, *_ in score.parts[part].bars[bar]]


TWO = kern(
    "!!!COM: Somebody",
    "!!!OPR: Missa Brevis (I)",
    "!!!OTL: Kyrie",
    "**kern **kern",
    "!Bassus !Cantus",
    "*clefF4 *clefG2",
    "*k[b-] *k[b-]",
    "*G:dor *G:dor",
    "*M4/2 *M4/2",
    "=1 =1",
    "0GG 1.g",
    ". 2a",
    "=2 =2",
    "1r [1b-",
    "2C 2b-]",
    "4C# 4cc",
    "4BB- 4dd",
    "== ==",
    "*- *-",
    "!!!YEC: somebody else",
)


def test_spines_come_out_top_first_bar_by_bar():
    score = read_kern(TWO, "test.krn")
    assert [part.name for part in score.parts] == ["Cantus", "Bassus"]
    assert notes(score, 0) == [(0, 6, 67), (6, 2, 69)]
    assert notes(score, 1) == [(0, 8, 43)]
    assert notes(score, 0, 1) == [(0, 4, 70), (4, 2, 70), (6, 1, 72), (7, 1, 74)]
    assert notes(score, 1, 1) == [(4, 2, 48), (6, 1, 49), (7, 1, 46)]
    assert [part.filled for part in score.parts] == [[8 * TICKS, 8 * TICKS]] * 2
    assert score.metres == [(4, 2), (4, 2)]
    assert [n.tie for n in score.parts[0].bars[1]] == [TIE_NEXT, TIE_BACK, 0, 0]


def test_headings():
    score = read_kern(TWO, "test.krn")
    assert (score.heading, score.title, score.key) == ("Missa Brevis (I)", "Kyrie", "G dorian")


@pytest.mark.parametrize(
    ("token", "quarters", "pitch"),
    [
        ("4c", 1, 60),
        ("4C", 1, 48),
        ("4ccc", 1, 84),
        ("4CCC", 1, 24),
        ("2..e-", 3.5, 63),
        ("00f#", 16, 66),
        ("6a", 2 / 3, 69),
        ("3%2b", 8 / 3, 71),
        ("4cn", 1, 60),
        ("8ggL", 0.5, 79),
        ("4b--", 1, 69),
    ],
)
def test_durations_and_pitches(token, quarters, pitch):
    score = read_kern(kern("**kern", token, "*-"), "test.krn")
    assert notes(score, 0) == [(0, quarters, pitch)]


def test_chords_grace_notes_and_other_spines():
    data = b"**kern\t**text\n8qe\t.\n4c 4e\tlu-\n4r\t.\n4g\tx\n*-\t*-\n"
    assert notes(read_kern(data, "test.krn"), 0) == [(0, 1, 60), (0, 1, 64), (2, 1, 67)]


def test_pickups_metre_changes_and_tempos():
    score = read_kern(
        kern("**kern", "*M3/4", "*MM90", "4g", "=1", "2.c", "*M2/2", "*MM[Allegro]", "=2", "1d", "*-"), "t"
    )
    assert score.metres == [(3, 4), (3, 4), (2, 2)]
    assert score.parts[0].filled == [TICKS, 3 * TICKS, 4 * TICKS]
    assert score.tempos == [(0, 0, 90.0)]


@pytest.mark.parametrize(
    ("field", "key"), [("*a:", "A minor"), ("*B-:", "Bb major"), ("*?:X", None), ("*F#:phr", "F# phrygian")]
)
def test_keys(field, key):
    assert read_kern(kern("**kern", field, "4c", "*-"), "t").key == key


def test_tempo_inside_a_bar_and_bars_of_grace_notes_alone():
    score = read_kern(
        kern("**kern **kern", "*MM60 *MM60", "4g 4g", "*MM80 *", "4a .", "=1 =1", "8qb .", "== ==", "*- *-"), "t"
    )
    assert score.tempos == [(0, 0, 60.0), (0, TICKS, 80.0)]
    assert [len(part.bars) for part in score.parts] == [1, 1]
    assert len(score.metres) == 1


def test_latin_1_text_and_dos_line_ends():
    score = read_kern("!!!OTL: Glória\r\n**kern\r\n4c\r\n*-\r\n".encode("latin-1"), "t")
    assert (score.title, notes(score, 0)) == ("Glória", [(0, 1, 60)])


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "no **kern spine"),
        (["**text", "a", "*-"], "no **kern spine"),
        (["4c 4d", "**kern **kern"], "line 1: no **kern spine"),
        (["**kern **kern", "4c"], "line 2: 1 columns where there were 2"),
        (["**kern", "*^", "4c 4d"], "line 2: spines that split"),
        (["**kern", "*M4/3"], "line 2: impossible metre *M4/3"),
        (["**kern", "c"], "line 2: cannot read 'c': no duration"),
        (["**kern", "4"], "line 2: cannot read '4': neither a pitch nor a rest"),
        (["**kern", "4" + "c" * 9], "MIDI pitch"),
        (["**kern", "4" * 999 + "c"], "a duration of more than"),
        (["**kern", "4%0c"], "a duration of nothing"),
    ],
)
def test_bad_documents_are_refused_in_one_sentence(lines, reason):
    with pytest.raises(MusicError, match=r"^bad\.krn") as caught:
        read_kern(kern(*lines), "bad.krn")
    assert reason in str(caught.value)


def test_spines_are_counted_from_the_head():
    assert count_spines(TWO) == 2
    assert count_spines(b"**kern\t**text\t**kern\n") == 2
    assert count_spines(b"!!!COM: nobody\n") == 0
