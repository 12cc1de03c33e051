"""Musical grammar against music21 and MusPy on real scores, and what shuffling and transposing do to it."""

from itertools import combinations, pairwise

import muspy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musae_tf.data.corpus import CorpusSource
from musae_tf.evaluation.grammar import AMOUNTS, BARS, TITLES, grammar, likeness, shuffled_voices
from musae_tf.music import HOLD, REST, get_layout, tokenize
from musae_tf.music.grid import transpose
from tests.corpus import random_tokens

LAYOUTS = [get_layout("voices"), get_layout("band"), get_layout("lpd5"), get_layout("band", drums="voice")]
VOICES = get_layout("voices")
CHORALES = {"bach/bwv10.7.mxl": (1, 22), "bach/bwv101.7.mxl": (1, 11), "bach/bwv108.6.mxl": (1, 12)}
"""Scores of four voices in 4/4, with their first and last whole measure."""


@pytest.fixture(scope="module", params=CHORALES)
def chorale(request):
    """A chorale as one phrase of tokens, and as music21 has it: {part: {step: (note, begins)}}."""
    music21 = pytest.importorskip("music21", reason="music21, which brings the scores, is not installed")
    source = CorpusSource()
    item = next(item for item in source.items() if item.path == request.param)
    tokens = tokenize(source.load(item).song, VOICES).tokens.reshape(1, -1, 4)
    first, last = CHORALES[request.param]
    score = music21.corpus.parse(request.param).measures(first, last)
    parts = []
    for part in score.parts:
        line = [None] * tokens.shape[1]
        for note in part.flatten().notes:
            start, length = int(4 * note.offset), int(4 * note.quarterLength)
            begins = note.tie is None or note.tie.type == "start" or start == 0
            line[start : start + length] = [(note, begins and step == 0) for step in range(length)]
        parts.append(line)
    assert len(parts) == 4
    return tokens, parts


def test_intervals_steps_and_leaps_are_those_of_music21(chorale):
    from music21.interval import Interval

    tokens, parts = chorale
    sizes = []
    for line in parts:
        notes = [cell[0] for cell in line if cell is not None and cell[1]]
        sizes += [abs(Interval(one, other).semitones) for one, other in pairwise(notes)]
    found, sizes = grammar(tokens, VOICES), np.array(sizes)
    for key, chosen in (("steps", sizes <= 2), ("leaps", sizes > 7), ("tritones", sizes == 6)):
        assert (found[key].parts.sum(), found[key].wholes.sum()) == (chosen.sum(), len(sizes)), key


def test_pairs_and_crossing_are_those_of_music21(chorale):
    from music21.interval import Interval

    tokens, parts = chorale
    sizes, crossed = [], []
    for one, other in combinations(range(4), 2):
        for cells in zip(parts[one], parts[other], strict=True):
            if None not in cells:
                upper, lower = cells[0][0], cells[1][0]
                sizes.append(Interval(lower, upper).chromatic.mod12 % 12)
                if other == one + 1:
                    crossed.append(upper.pitch < lower.pitch)
    found = grammar(tokens, VOICES)
    sizes = np.minimum(sizes, 12 - np.array(sizes))  # music21 counts from the lower voice, crossed or not
    assert found["dissonant_pairs"].value == pytest.approx(np.isin(sizes, (1, 2, 6)).mean())
    assert found["minor_seconds"].value == pytest.approx((sizes == 1).mean())
    assert found["crossing"].value == pytest.approx(np.mean(crossed))


def test_parallels_are_those_of_music21(chorale):
    from music21.voiceLeading import VoiceLeadingQuartet

    tokens, parts = chorale
    moved = kept = 0
    for one, other in combinations(parts, 2):
        for before, after in pairwise(zip(one, other, strict=True)):
            if None in before or None in after:
                continue
            quartet = [before[0][0], after[0][0], before[1][0], after[1][0]]
            pitches = [note.pitch.midi for note in quartet]
            if pitches[0] != pitches[1] and pitches[2] != pitches[3]:
                leading = VoiceLeadingQuartet(*quartet)
                moved += 1
                kept += leading.parallelFifth() or leading.parallelOctave() or leading.parallelUnison()
    found = grammar(tokens, VOICES)["parallels"]
    assert (found.parts.sum(), found.wholes.sum()) == (kept, moved)


def test_beats_are_chords_where_music21_knows_one(chorale):
    from music21.chord import Chord

    tokens, parts = chorale
    full = ours = theirs = 0
    for step in range(0, tokens.shape[1], 4):
        notes = [line[step][0] for line in parts if line[step] is not None]
        if len(notes) < 3:
            continue
        chord = Chord([note.pitch for note in notes])
        known = chord.isTriad() or chord.isDominantSeventh() or chord.isHalfDiminishedSeventh()
        cell = np.full((1, 16, 4), HOLD)
        cell[0, 0] = [note.pitch.midi for note in notes] + [REST] * (4 - len(notes))
        is_chord = grammar(cell, VOICES)["chords"].parts[0] > 0
        assert is_chord or not known
        full, ours, theirs = full + 1, ours + is_chord, theirs + known
    assert grammar(tokens, VOICES)["chords"].value == pytest.approx(ours / full)
    assert ours > theirs > 0.5 * ours


@given(st.integers(0, 2**32 - 1), st.sampled_from(LAYOUTS), st.integers(-12, 12))
@settings(max_examples=40, deadline=None)
def test_the_key_does_not_matter(seed, layout, key):
    tokens = random_tokens(np.random.default_rng(seed), layout, 6).reshape(3, 32, -1)
    pitched = np.array([not track.is_drum for track in layout.tracks]) & (tokens < REST)
    tokens = np.where(pitched, np.clip(tokens, 12, 115), tokens)
    one, other = grammar(tokens, layout), grammar(transpose(tokens, key, layout), layout)
    assert one.keys() == other.keys()
    for name, counts in one.items():
        np.testing.assert_allclose(counts.parts, other[name].parts, err_msg=name)
        np.testing.assert_allclose(counts.wholes, other[name].wholes, err_msg=name)


@given(st.integers(0, 2**32 - 1), st.sampled_from(LAYOUTS))
@settings(max_examples=20, deadline=None)
def test_phrases_count_for_themselves_and_shares_are_shares(seed, layout):
    tokens = random_tokens(np.random.default_rng(seed), layout, 8).reshape(4, 32, -1)
    whole = grammar(tokens, layout)
    for row in range(4):
        for name, counts in grammar(tokens[row : row + 1], layout).items():
            assert counts.parts[0] == pytest.approx(whole[name].parts[row])
            assert counts.wholes[0] == pytest.approx(whole[name].wholes[row])
    for name, counts in whole.items():
        assert (counts.parts >= 0).all()
        if name not in ("note_length", "strokes"):
            assert (counts.parts <= counts.wholes).all(), name


def test_shuffled_voices_have_the_amounts_and_not_the_grammar(real):
    for number in range(2):
        tokens = real.tokens[real.genre == number]
        shuffled = shuffled_voices(tokens, real.layout)
        music, noise = grammar(tokens, real.layout), grammar(shuffled, real.layout)
        for key in ("dissonant_pairs", "minor_seconds", "tritones", "leaps", "crossing"):
            assert noise[key].value > 1.5 * music[key].value, key
        for key in ("steps", "in_scale", "chords", "bass_on_chord"):
            assert noise[key].value < music[key].value - 0.02, key
        for key in AMOUNTS:
            if key in music:
                assert noise[key].value == pytest.approx(music[key].value), key
        for track in range(4):
            one, other = (np.sort(music[..., track], axis=None) for music in (shuffled, tokens))
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(shuffled_voices(tokens, real.layout), shuffled)


def test_the_groove_of_each_piece_is_that_of_muspy():
    layout, rng = get_layout("band"), np.random.default_rng(3)
    tokens = random_tokens(rng, layout, 3).reshape(1, 48, -1)
    pieces = []
    for bit in range(9):
        steps = np.flatnonzero(tokens[0, :, 0] >> bit & 1)
        notes = [muspy.Note(time=int(step), pitch=60, duration=0) for step in (*steps, 47)]
        music = muspy.Music(resolution=4, tracks=[muspy.Track(notes=notes)])
        pieces.append(muspy.groove_consistency(music, 16))
        tokens[0, 47, 0] |= 1 << bit  # MusPy has as many bars as there are notes for
    assert grammar(tokens, layout)["groove"].value == pytest.approx(np.mean(pieces))
    assert 0.3 < np.mean(pieces) < 0.9


def test_a_bar_of_drums_by_hand():
    layout = get_layout("band")
    tokens = np.full((1, 32, 4), REST)
    tokens[..., 0] = 0
    tokens[0, [0, 8, 16], 0] = 1  # kicks
    tokens[0, [4, 10], 0] = 2  # snares
    found = grammar(tokens, layout)
    assert found["kicks"].value == 1
    assert found["snares"].value == 0.5
    assert found["strokes"].value == 5 / 32
    assert found["groove"].value == pytest.approx(1 - 3 / (16 * 9))
    assert found["empty_tracks"].value == 0.75
    assert np.isnan(found["steps"].value)


def test_which_layout_has_what():
    for layout in LAYOUTS:
        keys = grammar(np.full((1, 16, len(layout.tracks)), 60), layout).keys()
        kit = any(track.vocabulary.size == 512 for track in layout.tracks)
        assert set(TITLES) - keys == (set() if kit else {"groove", "kicks", "snares", "strokes"})
        assert set(BARS) <= keys


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_no_phrases_have_no_grammar(layout):
    nothing = np.zeros((0, 32, len(layout.tracks)), np.int32)
    assert all(np.isnan(counts.value) for counts in grammar(shuffled_voices(nothing, layout), layout).values())


def test_how_far_the_way_has_been_gone():
    assert likeness(0.1, 0.1, 0.3) == 1
    assert likeness(0.3, 0.1, 0.3) == pytest.approx(0)
    assert likeness(0.15, 0.1, 0.3) == likeness(0.05, 0.1, 0.3) == pytest.approx(0.75)
    assert likeness(0.5, 0.1, 0.3) == pytest.approx(-1)
    assert np.isnan(likeness(0.5, 0.1, 0.1))
