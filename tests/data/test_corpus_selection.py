import numpy as np
import pytest

from musae_tf.data.corpus import Treatment, four_voices, to_song
from musae_tf.errors import MusicError
from musae_tf.music.grid import tokenize
from musae_tf.music.kern import read_kern
from musae_tf.music.musicxml import read_musicxml
from musae_tf.music.named_layouts import get_layout
from musae_tf.music.score import TICKS, Score, ScorePart, Written
from musae_tf.music.song import Song
from tests.data.documents import attributes, kern, line, move, musicxml, note, quartet, rest

PLAIN = Treatment(tempo=90.0, programs=(52, 52, 52, 53))


def parts(**notes: int) -> list[ScorePart]:
    return [
        ScorePart(name.replace("_", " "), [[Written(0, TICKS, 60, 0)] * n], [n * TICKS]) for name, n in notes.items()
    ]


def chosen(made: list[ScorePart]) -> list[str]:
    return [part.name for part in four_voices(made)]


def test_four_sounding_parts_are_taken_as_they_stand():
    made = parts(Violin_I=1, Violin_II=1, Horn=0, Viola=1, Cello=1)
    assert chosen(made) == ["Violin I", "Violin II", "Viola", "Cello"]


def test_of_more_parts_the_named_voices_are_taken():
    assert chosen(parts(Oboe=9, Soprano_1=1, Soprano_2=9, Alto=1, Tenor=1, Bass=1, Organ=9)) == [
        "Soprano 1",
        "Alto",
        "Tenor",
        "Bass",
    ]
    assert chosen(parts(Canto=1, Alto=1, Quinto=9, Tenor=1, Basso=1, Continuo=9)) == ["Canto", "Alto", "Tenor", "Basso"]


def test_without_all_four_names_the_outer_and_the_busiest_inner_parts_are_taken():
    assert chosen(parts(Soprano=2, A=4, B=2, C=3, Bass=2)) == ["Soprano", "A", "C", "Bass"]
    assert chosen(parts(Bell=1, A=4, B=3, C=4, D=4)) == ["A", "B", "C", "D"]
    assert chosen(parts(One=1, Two=2, Three=2, Four=2, Five=1)) == ["One", "Two", "Three", "Five"]


def test_fewer_than_four_sounding_parts_are_refused():
    with pytest.raises(MusicError, match="four sounding parts are needed, found 3"):
        four_voices(parts(Soprano=1, Alto=1, Tenor=1, Bass=0))


def song(data: bytes, treatment: Treatment = PLAIN) -> Song:
    return to_song(read_musicxml(data, "test.xml"), treatment, "A title")


def quarters(made: Song) -> list[tuple[float, float]]:
    return [(start / made.ticks_per_quarter, length / made.ticks_per_quarter) for start, length in made.bars()]


def metres(made: Song) -> list[tuple[float, int, int]]:
    return [(m.tick / made.ticks_per_quarter, m.numerator, m.denominator) for m in made.metres]


def test_tracks_tempo_and_title():
    made = song(quartet(line("C4 D4 E4 F4")))
    assert [(t.name, t.program, t.is_drum) for t in made.tracks] == [
        ("soprano", 52, False),
        ("alto", 52, False),
        ("tenor", 52, False),
        ("bass", 53, False),
    ]
    assert made.name == "A title"
    assert made.tempos == [(0, 90.0)]
    assert made.tracks[0].notes["start"].tolist() == [0, TICKS, 2 * TICKS, 3 * TICKS]
    assert made.tracks[0].notes["pitch"].tolist() == [60, 62, 64, 65]


def test_stated_tempos_come_first():
    made = song(quartet(line("C4", 4), '<sound tempo="60"/>' + line("C4", 4)))
    assert made.tempos == [(0, 60.0), (4 * TICKS, 60.0)]


def test_pickups_and_irregular_bars_keep_the_downbeats():
    made = song(quartet(line("G4"), line("C4", 4), line("C4", 5), line("E4", 4), line("C4", 3)))
    assert quarters(made) == [(0, 1), (1, 4), (5, 5), (10, 4), (14, 3)]
    assert metres(made) == [(0, 1, 4), (1, 4, 4), (5, 5, 4), (10, 4, 4), (14, 3, 4)]
    assert tokenize(made, get_layout("voices")).runs == [(0, 1), (1, 1)]


def test_bars_of_odd_lengths_get_short_units():
    made = song(quartet(attributes(divisions=8) + line("C4", 28), line("C4", 32), line("C4", 33), line("C4", 32)))
    assert quarters(made) == [(0, 3.5), (3.5, 4), (7.5, 4.125), (11.625, 4)]
    assert metres(made) == [(0, 7, 8), (3.5, 4, 4), (7.5, 33, 32), (11.625, 4, 4)]


def test_bars_that_no_metre_can_hold_still_end_where_they_end():
    made = song(quartet(attributes(divisions=3) + line("C4", 10), line("C4", 10), line("D4", 12)))
    assert [length for _, length in quarters(made)] == pytest.approx([10 / 3, 10 / 3, 4])


def test_a_bar_cut_by_a_repeat_sign_is_whole_again():
    repeat = '<barline><repeat direction="backward"/></barline>'
    made = song(quartet(line("G4"), line("C4", 4), line("C4", 3) + repeat, line("G4"), line("C4", 4)))
    assert quarters(made) == [(0, 1), (1, 4), (5, 4), (9, 4)]


def test_two_quarter_bars_are_paired_where_asked():
    data = quartet(attributes(metre="2/4") + line("C4 D4"), line("E4 F4"), line("G4 A4"))
    assert quarters(song(data)) == [(0, 2), (2, 2), (4, 2)]
    paired = song(data, Treatment(90.0, PLAIN.programs, pair=(2, 4)))
    assert quarters(paired) == [(0, 4), (4, 2)]
    tokens = tokenize(paired, get_layout("voices")).tokens
    assert tokens[0, ::4, 0].tolist() == [60, 62, 64, 65]


def mass(*tempo: str) -> bytes:
    return kern(
        "**kern **kern **kern **kern", "*M4/2 *M4/2 *M4/2 *M4/2", *tempo, "1c 0e 0g 0cc", "2d . . .", "2e . . ."
    )


def test_halved_note_values():
    made = to_song(read_kern(mass("*MM120 * * *"), "t"), Treatment(84.0, PLAIN.programs, halve=True), "")
    assert metres(made) == [(0, 4, 4)]
    assert quarters(made) == [(0, 4)]
    bass = made.tracks[3].notes
    assert (bass["start"] / made.ticks_per_quarter).tolist() == [0, 2, 3]
    assert (bass["duration"] / made.ticks_per_quarter).tolist() == [2, 1, 1]
    assert made.tempos == [(0, 60.0)]


def test_the_tempo_of_the_class_is_that_of_the_halved_values():
    assert to_song(read_kern(mass(), "t"), Treatment(84.0, PLAIN.programs, halve=True), "").tempos == [(0, 84.0)]


def test_silence_at_the_end_belongs_to_the_piece():
    made = song(quartet(line("C4", 4), rest(4)))
    assert made.end == 8 * TICKS
    assert len(made.bars()) == 2


def test_divided_parts_are_left_to_the_grid_which_keeps_the_highest_and_counts():
    chord = note("C4", 4) + note("G4", 4, first="<chord/>")
    voices = line("E5 F5 G5 A5") + move("backup", 4) + line("C4", 4)
    data = musicxml({"A": [voices], "B": [chord], "C": [line("C4", 4)], "D": [line("C3", 4)]})
    grid = tokenize(song(data), get_layout("voices"))
    assert grid.losses["overlapped"] == 2
    assert grid.tokens[0, ::4, 0].tolist() == [76, 77, 79, 81]
    assert grid.tokens[0, 0].tolist() == [76, 67, 60, 48]


def test_overfull_rests_in_one_part_do_not_shift_the_others():
    # Every part plays the same scale; one has its rests doubled, as some exporters do.
    scale = line("C4 D4 E4 F4")
    clean, doubled = [rest(4), scale, rest(4), scale], [rest(8), scale, rest(8), scale]
    grid = tokenize(song(musicxml({"A": clean, "B": doubled, "C": clean, "D": doubled})), get_layout("voices"))
    assert grid.runs == [(0, 4)]
    assert (grid.tokens == grid.tokens[:, :, :1]).all()
    assert np.count_nonzero(grid.tokens < 128) == 4 * 8


def test_scores_too_long_for_ticks_are_refused():
    made = Score(parts(S=1, A=1, T=1, B=1), [(4, 4)])
    for part in made.parts:
        part.filled = [2**31]
    with pytest.raises(MusicError, match="whole notes long"):
        to_song(made, PLAIN, "")
