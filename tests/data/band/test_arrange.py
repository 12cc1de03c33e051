from random import Random

import numpy as np
import pytest

from musae_tf.data.band.arrange import STEPS, arrange, bass_line, comping, strings_line, strokes, swings
from musae_tf.data.band.genres import STYLES
from musae_tf.data.band.plan import groove_files, make_plan
from musae_tf.errors import MusicError
from musae_tf.music import Song, Track, get_layout
from musae_tf.music.grid import tokenize
from musae_tf.music.song import NOTE, Metre, Tempo

TICKS = 192
BAR = 4 * TICKS
ROCK = groove_files()["rock"]


def plan_of(seed, file=ROCK[0]):
    return make_plan(file, Random(seed))


def notes(rows):
    return np.array([(start, duration, pitch, 80) for start, duration, pitch in rows], NOTE)


def beat(bars, pitch=36, every=TICKS):
    return notes([(tick, 1, pitch) for tick in range(0, bars * BAR, every)])


def held(bars, pitch, length=BAR):
    return notes([(bar * BAR, length, pitch) for bar in bars])


def played(plan, *tracks, metre=(4, 4)):
    bars = len(plan.bars)
    drums = Track("Drum", 0, True, beat(bars))
    return Song(TICKS, [drums, *tracks], [Tempo(0, 120.0)], [Metre(0, *metre)], bars * BAR)


def full(plan, *leave_out):
    bars = range(len(plan.bars))
    tracks = [Track("Bass", 34, False, held(bars, 40)), Track("Chord", 26, False, held(bars, 60)),
              Track("Chord-Sus", 49, False, held(bars, 72))]  # fmt: skip
    return [track for track in tracks if track.name not in leave_out]


def sounding(song):
    tokens = tokenize(song, get_layout("band")).tokens
    silence = np.array([0, 128, 128, 128])
    return (tokens != silence).any(axis=1)


# --- which instrument plays what --------------------------------------------------------------------------------------


def test_a_complete_groove_stays_as_it_is():
    plan = plan_of(1)
    song = arrange(played(plan, *full(plan)), None, plan)
    assert [(track.name, track.program) for track in song.tracks] == [
        ("drums", 0), ("bass", 34), ("guitar", 26), ("strings", 49)
    ]  # fmt: skip
    for track, source in zip(song.tracks[1:], full(plan), strict=True):
        np.testing.assert_array_equal(track.notes, source.notes)
    assert song.end == len(plan.bars) * BAR
    assert song.name == plan.title


def test_one_of_several_instruments():
    plan = plan_of(1)
    piano = Track("Chord-Piano", 1, False, held(range(len(plan.bars)), 64))
    song = arrange(played(plan, *full(plan), piano), None, plan)
    assert song.tracks[2].program in (26, 1)
    assert len(song.tracks[2].notes) == len(plan.bars)


def test_instruments_that_take_turns_play_together():
    plan = plan_of(1)
    bars = range(len(plan.bars))
    walk = Track("Walk", 35, False, held(bars[1::2], 45))
    bass = Track("Bass", 34, False, held(bars[::2], 40))
    song = arrange(played(plan, walk, bass, *full(plan, "Bass")), None, plan)
    assert len(song.tracks[1].notes) == len(bars)


@pytest.mark.parametrize(("name", "program", "pitch"), [("Bass", 58, 40), ("Walk", 26, 44)])
def test_a_bass_is_known_by_its_name_and_depth(name, program, pitch):
    plan = plan_of(1)
    tuba = Track(name, program, False, held(range(len(plan.bars)), pitch))
    song = arrange(played(plan, tuba, *full(plan, "Bass")), None, plan)
    assert song.tracks[1].program == 33
    np.testing.assert_array_equal(song.tracks[1].notes, tuba.notes)
    assert song.tracks[2].program == 26


def test_a_high_line_is_no_bass_whatever_its_name():
    plan = plan_of(1)
    line = Track("Bass-2", 65, False, held(range(len(plan.bars)), 70))
    song = arrange(played(plan, line, *full(plan, "Bass", "Chord-Sus")), None, plan)
    assert song.tracks[3].program == 65
    assert song.tracks[1].notes["pitch"].max() < 48


@pytest.mark.parametrize("part", ["Bass", "Chord", "Chord-Sus"])
@pytest.mark.parametrize("seed", range(6))
def test_what_is_missing_is_made_up(part, seed):
    plan = plan_of(seed)
    song = arrange(played(plan, *full(plan, part)), None, plan)
    assert sounding(song).all(axis=1).mean() > 0.9
    again = arrange(played(plan, *full(plan, part)), None, plan)
    assert all(one == other for one, other in zip(song.tracks, again.tracks, strict=True))


def test_a_part_that_hardly_plays_is_made_up():
    plan = plan_of(1)
    seldom = Track("Chord-Sus", 49, False, held(range(0, len(plan.bars), 4), 72))
    song = arrange(played(plan, seldom, *full(plan, "Chord-Sus")), None, plan)
    assert sounding(song).all(axis=1).mean() > 0.9


def test_drums_from_elsewhere_in_the_bars_that_want_them():
    plan = next(plan for plan in map(plan_of, range(99)) if any(bar.drums for bar in plan.bars) and plan.main.start)
    other = Song(TICKS, [Track("Drum", 0, True, beat(len(plan.bars), pitch=38))], [Tempo(0, 120.0)])
    drums = arrange(played(plan, *full(plan)), other, plan).tracks[0].notes
    foreign = np.array([bar.drums is not None for bar in plan.bars])
    np.testing.assert_array_equal(drums["pitch"] == 38, foreign[drums["start"] // BAR])


def test_upbeats_belong_to_the_bar_they_lead_to():
    """A stroke just before the first bar that has its own drums again is not the other pattern's."""
    plan = next(plan for plan in map(plan_of, range(99)) if plan.bars[0].drums and not plan.bars[-1].drums)
    bar = next(number for number, bar in enumerate(plan.bars) if bar.drums is None)
    strokes = np.concatenate([beat(len(plan.bars), 38), notes([(bar * BAR - 3, 1, 38), (bar * BAR - 50, 1, 38)])])
    other = Song(TICKS, [Track("Drum", 0, True, strokes)], [Tempo(0, 120.0)])
    drums = arrange(played(plan, *full(plan)), other, plan).tracks[0].notes
    foreign = set(drums["start"][drums["pitch"] == 38].tolist())
    assert bar * BAR - 50 in foreign
    assert bar * BAR - 3 not in foreign


# --- what is of no use ------------------------------------------------------------------------------------------------


def test_no_drums():
    plan = plan_of(1)
    song = Song(TICKS, full(plan), [Tempo(0, 120.0)])
    with pytest.raises(MusicError, match="no drums"):
        arrange(song, None, plan)


def test_another_metre():
    plan = plan_of(1)
    with pytest.raises(MusicError, match="4/4"):
        arrange(played(plan, *full(plan), metre=(3, 4)), None, plan)


@pytest.mark.parametrize("bars", [-6, 4])
def test_another_length(bars):
    plan = plan_of(1)
    song = played(plan, *full(plan))
    longer = [Track(track.name, track.program, track.is_drum, track.notes) for track in song.tracks]
    end = (len(plan.bars) + bars) * BAR
    for track in longer:
        track.notes = track.notes[track.notes["start"] + track.notes["duration"] <= end]
    with pytest.raises(MusicError, match="bars of"):
        arrange(Song(TICKS, longer, song.tempos, [], end), None, plan)


def test_drums_that_stop_early():
    plan = plan_of(1)
    song = played(plan, *full(plan))
    song.tracks[0].notes = beat(len(plan.bars) // 3)
    with pytest.raises(MusicError, match="all four parts sound in only"):
        arrange(song, None, plan)


# --- what is made up --------------------------------------------------------------------------------------------------


def test_styles():
    """Every genre has one, in rhythms a bar long."""
    assert set(STYLES) == set(groove_files())
    for style in STYLES.values():
        assert sum(style.strings) == pytest.approx(1)
        for rhythm in (*style.bass, *style.comping, *style.melodies, *style.stabs, *style.broken):
            assert len(rhythm) == STEPS
            assert set(rhythm) <= set("x-.")
            assert "x" in rhythm
            assert ".-" not in rhythm


def test_strokes():
    assert list(strokes("x---x-..xx")) == [(0, 4), (4, 2), (8, 1), (9, 1)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("genre", STYLES)
def test_made_up_parts_play_the_chords(genre, seed):
    dice = Random(seed)
    plan = plan_of(seed, groove_files()[genre][0])
    scale = {(plan.tonic + tone) % 12 for tone in STYLES[genre].scales[plan.minor]}
    drums = beat(len(plan.bars))
    for track, low, high in (
        (bass_line(plan, BAR, drums, False, dice), 28, 47),
        (comping(plan, BAR, False, dice), 39, 77),
        (strings_line(plan, BAR, False, dice), 48, 86),
    ):
        assert low <= track.notes["pitch"].min() <= track.notes["pitch"].max() <= high
        assert (track.notes["duration"] > 0).all()
        assert track.notes["start"].max() < len(plan.bars) * BAR
        for note in track.notes:
            bar, step = divmod(int(note["start"]) * STEPS // BAR, STEPS)
            chords = plan.bars[bar].chords
            classes = set(chords[step * len(chords) // STEPS].classes)
            off_beat = track.name == "Strings" and step % 4
            fifth = {(one.root + 7) % 12 for one in chords} if track.name == "Bass" else set()
            assert note["pitch"] % 12 in classes | fifth | (scale if off_beat else set())


def test_swing():
    straight = beat(4, every=TICKS // 2)
    late = np.concatenate([beat(4), notes([(tick + 128, 1, 42) for tick in range(0, 4 * BAR, TICKS)])])
    assert not swings(straight, BAR)
    assert swings(late, BAR)
    plan = plan_of(2)
    tracks = [comping(plan, BAR, True, Random(seed)) for seed in range(19)]
    within = np.concatenate([track.notes["start"] % TICKS for track in tracks])
    assert set(within.tolist()) <= {0, 48, 128, 144}
    assert 128 in within
