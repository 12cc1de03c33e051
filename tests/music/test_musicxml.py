import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musae_tf.errors import MusicError
from musae_tf.music.musicxml import LARGEST, read_musicxml
from musae_tf.music.reading import read_data
from musae_tf.music.score import TICKS, TIE_BACK, TIE_NEXT, Score
from tests.data.documents import attributes, line, move, musicxml, mxl, note, quartet, rest


def read(*measures: str) -> Score:
    return read_musicxml(musicxml({"Solo": list(measures)}), "test.xml")


def notes(score: Score, bar: int = 0) -> list[tuple[float, float, int]]:
    """Onset and duration in quarters, and pitch."""
    return [(onset / TICKS, duration / TICKS, pitch) for onset, duration, pitch, *_ in score.parts[0].bars[bar]]


def test_notes_rests_and_accidentals():
    score = read(line("C4 r F#5 Bb3"), line("G4", 4))
    assert notes(score) == [(0, 1, 60), (2, 1, 78), (3, 1, 58)]
    assert notes(score, 1) == [(0, 4, 67)]
    assert score.parts[0].filled == [4 * TICKS, 4 * TICKS]
    assert score.metres == [(4, 4), (4, 4)]
    assert score.parts[0].name == "Solo"


def test_chord_notes_start_with_the_note_before_them():
    score = read(note("C4", 2) + note("E4", 2, first="<chord/>") + note("G4", 2))
    assert notes(score) == [(0, 2, 60), (0, 2, 64), (2, 2, 67)]


def test_backup_and_forward_move_between_voices():
    score = read(line("C5", 4) + move("backup", 3) + note("C4", 1) + move("forward", 1) + note("D4", 1))
    assert notes(score) == [(0, 4, 72), (1, 1, 60), (3, 1, 62)]
    assert score.parts[0].filled == [4 * TICKS]


def test_backup_past_the_start_stops_at_the_start():
    assert notes(read(line("C4") + move("backup", 9) + line("E4"))) == [(0, 1, 60), (0, 1, 64)]


def test_grace_notes_take_no_time_and_cue_notes_are_silent():
    grace = "<note><grace/><pitch><step>B</step><octave>4</octave></pitch><type>eighth</type></note>"
    score = read(grace + note("C5", 1) + note("E5", 2, first="<cue/>") + note("G5", 1))
    assert notes(score) == [(0, 1, 72), (3, 1, 79)]


def test_tuplets_are_exact():
    triplet = "<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification>"
    body = "".join(note("C4", 8, kind="eighth", extra=triplet) for _ in range(3))
    assert notes(read(attributes(divisions=24) + body)) == [(0, 1 / 3, 60), (1 / 3, 1 / 3, 60), (2 / 3, 1 / 3, 60)]


def test_durations_cut_to_whole_divisions_are_mended_from_the_type():
    # Eighths of 8 divisions where a quarter has 17: six of them would end at 48/17 of a quarter, not at 3.
    body = "".join(note("C4", 8, kind="eighth") for _ in range(6))
    score = read(attributes(divisions=17, metre="3/4") + body)
    assert [onset for onset, _, _ in notes(score)] == [0, 0.5, 1, 1.5, 2, 2.5]
    assert score.parts[0].filled == [3 * TICKS]


def test_a_type_at_odds_with_the_duration_does_not_count():
    assert notes(read(attributes(divisions=4) + note("C4", 12, kind="quarter"))) == [(0, 3, 60)]


def test_dots_belong_to_the_type():
    body = note("C4", 25, kind="quarter", extra="<dot/>") + note("D4", 8, kind="eighth")
    assert notes(read(attributes(divisions=17) + body)) == [(0, 1.5, 60), (1.5, 0.5, 62)]


def test_divisions_may_change():
    score = read(line("C4 D4"), attributes(divisions=4, metre=None) + line("E4", 2))
    assert notes(score, 1) == [(0, 0.5, 64)]


def test_ties_keep_both_ends():
    score = read(note("C4", 1, tie="start") + note("C4", 1, tie="stop start") + note("C4", 1, tie="stop"))
    assert [note.tie for note in score.parts[0].bars[0]] == [TIE_NEXT, TIE_NEXT | TIE_BACK, TIE_BACK]


def test_transposing_instruments_sound_where_they_sound():
    clarinet = "<transpose><chromatic>-2</chromatic><octave-change>-1</octave-change></transpose>"
    assert notes(read(attributes(extra=clarinet) + line("C5"))) == [(0, 1, 58)]


def test_metres_hold_until_changed_whichever_part_says_so():
    data = musicxml({"A": [line("C4"), line("C4"), line("C4")], "B": [line("C4"), attributes(metre="3+2/8"), ""]})
    assert read_musicxml(data, "test.xml").metres == [(4, 4), (5, 8), (5, 8)]


def drum(duration: int, name: str = "", extra: str = "") -> str:
    instrument = f'<instrument id="{name}"/>' if name else ""
    return f"<note{extra}><unpitched/><duration>{duration}</duration>{instrument}</note>"


def drum_part(body: str, instruments: dict[str, int]) -> bytes:
    """A part whose instruments strike these MIDI pitches."""
    midi = "".join(
        f'<midi-instrument id="{name}"><midi-channel>10</midi-channel><midi-unpitched>{pitch + 1}</midi-unpitched>'
        "</midi-instrument>"
        for name, pitch in instruments.items()
    )
    data = musicxml({"Drums": [body]}).decode()
    return data.replace("</part-name>", f"</part-name>{midi}").encode()


def test_percussion_is_what_its_instruments_name():
    data = drum_part(drum(1, "K") + rest(1) + drum(1, "S", ' dynamics="100"') + drum(1), {"K": 36, "S": 38})
    song = read_data(data, "test.xml")
    (track,) = song.tracks
    assert (track.name, track.is_drum) == ("Drums", True)
    assert track.notes.tolist() == [(0, TICKS, 36, 80), (2 * TICKS, TICKS, 38, 90)]
    assert song.warnings == {"percussion_ignored": 1}
    assert read_data(drum_part(drum(4), {"K": 36}), "test.xml").tracks[0].notes["pitch"].tolist() == [36]
    with pytest.raises(MusicError, match="no part of the score has a note with a pitch"):
        read_data(drum_part(drum(4, "unknown"), {"K": 36}), "test.xml")


def test_a_part_with_pitches_has_no_drums():
    song = read_data(drum_part(drum(2, "K") + note("C4", 2), {"K": 36}), "test.xml")
    assert [(track.is_drum, track.notes["pitch"].tolist()) for track in song.tracks] == [(False, [60])]
    assert song.warnings == {"percussion_ignored": 1}


def test_missing_measures_are_empty():
    score = read_musicxml(musicxml({"A": [line("C4"), line("D4")], "B": [line("E4")], "C": []}), "test.xml")
    assert [part.filled for part in score.parts] == [[TICKS, TICKS], [TICKS, 0], [0, 0]]
    assert [part.sounds for part in score.parts] == [True, True, False]


@pytest.mark.parametrize(
    ("direction", "bpm"),
    [
        ('<direction><sound tempo="96"/></direction>', 96),
        ('<sound tempo="72.5"/>', 72.5),
        ("<metronome><beat-unit>half</beat-unit><per-minute>60</per-minute></metronome>", 120),
        ("<metronome><beat-unit>eighth</beat-unit><beat-unit-dot/><per-minute>80</per-minute></metronome>", 60),
    ],
)
def test_tempo_in_quarters(direction, bpm):
    if "metronome" in direction:
        direction = f"<direction><direction-type>{direction}</direction-type></direction>"
    assert read(line("C4 D4") + direction + line("E4")).tempos == [(0, 2 * TICKS, bpm)]


@pytest.mark.parametrize("mark", ["ca. 80", "", "0", "nan", "inf"])
def test_tempo_marks_without_a_number_state_none(mark):
    metronome = f"<metronome><beat-unit>quarter</beat-unit><per-minute>{mark}</per-minute></metronome>"
    assert read(f"<direction><direction-type>{metronome}</direction-type></direction>" + line("C4")).tempos == []


@pytest.mark.parametrize(
    ("fifths", "mode", "key"),
    [(3, "minor", "F# minor"), (-1, "major", "F major"), (0, "dorian", None), (0, None, None), (9, "major", None)],
)
def test_key(fifths, mode, key):
    mode = f"<mode>{mode}</mode>" if mode else ""
    assert read(attributes(extra=f"<key><fifths>{fifths}</fifths>{mode}</key>") + line("C4")).key == key


def test_compressed_scores_are_found_through_their_container():
    decoy, score = quartet(line("C4")), quartet(line("D4"))
    found = read_musicxml(mxl({"p1.musicxml": decoy, "score.musicxml": score}, "score.musicxml"), "test.mxl")
    assert notes(found) == [(0, 1, 62)]


@pytest.mark.parametrize("container", [None, "missing.xml"])
def test_compressed_scores_without_a_good_container_are_found_by_name(container):
    assert notes(read_musicxml(mxl({"mimetype": b"x", "a.xml": quartet(line("D4"))}, container), "t.mxl")) == [
        (0, 1, 62)
    ]


def expansion(encoding: str) -> bytes:
    entities = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
    return f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [{entities}]><x>&a11;</x>'.encode(encoding)


GOOD = mxl({"score.xml": quartet(line("C4 D4 E4 F4") * 50)}, "score.xml")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not well-formed"),
        (b"MThd\0\0\0\6", "not well-formed"),
        (quartet(line("C4"))[:-30], "not well-formed"),
        (b'<?xml version="1.0" encoding="no-such-code"?><score-partwise/>', "not well-formed"),
        (b"<score-timewise/>", "score-timewise"),
        (expansion("utf-8"), "entities"),
        (expansion("utf-16"), "entities"),
        (b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', "entities"),
        (GOOD[: len(GOOD) // 2], "damaged"),
        (GOOD[:200] + b"\xff" * 100 + GOOD[300:], "damaged"),
        (mxl({"readme.txt": b"nothing"}), "no score"),
        (mxl({"score.xml": b" " * (LARGEST + 1)}, "score.xml"), "unpacks to more"),
        (b" " * (LARGEST + 1), "bytes"),
        (musicxml({"A": [attributes(divisions=0) + line("C4")]}), "impossible value"),
        (musicxml({"A": [attributes(divisions="1e999999999") + line("C4")]}), "not a number of divisions"),
        (musicxml({"A": [line("C4", "1e999999999")]}), "not a number of divisions"),
        (musicxml({"A": [line("C4", -1)]}), "not a number of divisions"),
        (musicxml({"A": [note("C4", 1).replace("<duration>1</duration>", "")]}), "without a duration"),
        (musicxml({"A": [note("C9", 1).replace("9", "10")]}), "MIDI pitch"),
        (musicxml({"A": [note("H4", 1)]}), "step"),
        (musicxml({"A": [attributes(metre="4/3")]}), "metre 4/3"),
        (musicxml({"A": [attributes(metre="many/4")]}), "impossible value"),
    ],
)
def test_bad_documents_are_refused_in_one_sentence(data, reason):
    with pytest.raises(MusicError, match=r"^bad\.mxl: ") as caught:
        read_musicxml(data, "bad.mxl")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


DOCUMENT = musicxml({"A": [attributes(divisions=4) + line("C4 D4 r F#4", 4) + rest(2) + move("backup", 2)]})


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(DOCUMENT) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_bytes_give_a_score_or_a_music_error(changes):
    data = bytearray(DOCUMENT)
    for place, value in changes:
        data[place] = value
    try:
        score = read_musicxml(bytes(data), "test.xml")
    except MusicError:
        return
    assert all(0 <= n.pitch <= 127 and n.duration > 0 for part in score.parts for bar in part.bars for n in bar)


def test_a_few_long_parts_among_many_empty_ones_do_not_fill_the_memory():
    data = musicxml({"A": [line("C4")] + [""] * 2000, **{f"empty {number}": [] for number in range(600)}})
    with pytest.raises(MusicError, match="601 parts of 2001 bars; a score has at most 1,000,000 bars in all parts"):
        read_musicxml(data, "test.xml")
