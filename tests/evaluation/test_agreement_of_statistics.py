"""Our metrics of music against those of mir_eval, MusPy and pypianoroll, on real music.

Defects of published versions that are not reproduced: MuseGAN's and pypianoroll's functions for empty bars and beats
return the share that is not empty; strokes off the drum pattern count a tenth there; pypianoroll folds pitches into
pitch classes along the wrong axis; MusPy counts the bar after a note's end as sounding; Calliope counts pitches where
it says pitch classes; repeated notes, read from a pianoroll, are one long note.
"""

import mir_eval
import muspy
import numpy as np
import pypianoroll
import pytest
from sklearn.metrics import accuracy_score
from sklearn.metrics.pairwise import cosine_similarity

from musae_tf.evaluation.statistics import drum_pattern, generation_statistics, note_lengths, tonal_distance
from musae_tf.evaluation.transfer import chroma_similarity, rhythm_similarity
from musae_tf.music import HOLD, REST, detokenize, get_layout
from musae_tf.music.metrics import agreement, phrase_sums
from tests.corpus import drum_song, random_tokens

BAR = 16


def songs_of(real):
    """Notes of each track of each bar-wise detokenized phrase: (phrase, track, notes in steps)."""
    for number, phrase in enumerate(real.tokens):
        song = detokenize(phrase, real.layout)
        step = song.ticks_per_quarter // 4
        for track, name in enumerate(real.layout.names):
            notes = next((t.notes for t in song.tracks if t.name == name), song.tracks[0].notes[:0])
            yield number, track, notes["start"] // step, notes["duration"] // step, notes["pitch"].astype(int)


def note_list(phrases, track):
    """Onset intervals in seconds and pitches in Hz; a phrase every 100 seconds, a step a second."""
    rows, steps = np.nonzero(phrases[..., track] < REST)
    times = 100.0 * rows + steps
    pitch = phrases[rows, steps, track].astype(float)
    return np.stack([times, times + 0.5], axis=1), mir_eval.util.midi_to_hz(pitch)


def test_onset_f1_of_each_song_is_that_of_mir_eval(real, corrupted):
    parts, wholes = phrase_sums(corrupted, real.tokens, real.layout)["onset_f1"]
    for song in np.unique(real.songs):
        here = real.songs == song
        for track in range(4):
            ours = parts[here, track].sum() / wholes[here, track].sum()
            (times, pitch), (found, heard) = (note_list(t[here], track) for t in (real.tokens, corrupted))
            expected = mir_eval.transcription.precision_recall_f1_overlap(
                times, pitch, found, heard, onset_tolerance=0.1, pitch_tolerance=1.0, offset_ratio=None
            )[2]
            assert ours == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["voices", "band"])
def test_sums_over_phrases_are_the_metrics_of_all(name):
    layout, rng = get_layout(name), np.random.default_rng(4)
    target = np.stack([random_tokens(rng, layout, 2).reshape(32, -1) for _ in range(20)])
    predicted = np.where(rng.random(target.shape) < 0.7, target, target[::-1])
    sums = phrase_sums(predicted, target, layout)
    found = agreement(predicted, target, layout)
    for metric, (parts, wholes) in sums.items():
        expected = found[metric]
        assert parts.sum() / wholes.sum() == pytest.approx(expected["all"])
        shares = parts.sum(axis=0) / wholes.sum(axis=0)
        np.testing.assert_allclose(shares, [expected[track] for track in layout.names])


def test_accuracies_are_those_of_scikit_learn(real, corrupted):
    sums = phrase_sums(corrupted, real.tokens, real.layout)
    truth, found = real.tokens.ravel(), corrupted.ravel()
    onset = truth < REST
    for metric, rows in (("step_accuracy", slice(None)), ("accuracy_off_hold_rest", onset)):
        parts, wholes = sums[metric]
        assert parts.sum() / wholes.sum() == pytest.approx(accuracy_score(truth[rows], found[rows]))


def test_pitch_classes_and_empty_bars_are_those_of_muspy(real):
    used, empty = np.zeros((2, len(real.tokens) * 2, 4))
    for number, track, start, length, pitch in songs_of(real):
        for bar in range(2):
            sounds = (start < (bar + 1) * BAR) & (start + length > bar * BAR)
            notes = [muspy.Note(time=0, pitch=int(p), duration=1) for p in pitch[sounds]]
            music = muspy.Music(resolution=4, tracks=[muspy.Track(notes=notes)])
            used[2 * number + bar, track] = muspy.n_pitch_classes_used(music)
            empty[2 * number + bar, track] = not notes
    ours = generation_statistics(real.tokens, real.layout)
    for track, name in enumerate(real.layout.names):
        filled = used[:, track] > 0
        assert ours["pitch_classes"][name] == pytest.approx(used[filled, track].mean())
        assert ours["empty_bars"][name] == pytest.approx(empty[:, track].mean())
    assert 0 < ours["empty_bars"]["bass"] < 0.5


def test_empty_bars_are_empty_ones_and_a_note_ends_with_its_bar():
    tokens = np.full((1, 48, 4), REST)
    tokens[0, :16, 0] = [60, *[HOLD] * 15]
    tokens[0, 32:, 0] = [60, *[HOLD] * 15]
    ours = generation_statistics(tokens, get_layout("voices"))["empty_bars"]
    assert ours == {"soprano": pytest.approx(1 / 3), "alto": 1, "tenor": 1, "bass": 1}
    # What others make of the same three bars, of which one is empty.
    notes = [muspy.Note(time=0, pitch=60, duration=16), muspy.Note(time=32, pitch=60, duration=15)]
    assert muspy.empty_measure_rate(muspy.Music(resolution=4, tracks=[muspy.Track(notes=notes)]), 16) == 0
    roll = np.zeros((48, 128), bool)
    roll[:16, 60] = roll[32:, 60] = True
    assert pypianoroll.metrics.empty_beat_rate(roll, 16) == pytest.approx(2 / 3)


def test_pitch_classes_are_not_pitches():
    tokens = np.full((1, 16, 4), REST)
    tokens[0, :3, 0] = [48, 60, 72]
    assert generation_statistics(tokens, get_layout("voices"))["pitch_classes"]["soprano"] == 1


def test_lengths_of_notes_are_those_of_the_songs(real):
    lengths = note_lengths(real.tokens, real.layout)
    by_track = [[], [], [], []]
    for _, track, _, length, _ in songs_of(real):
        by_track[track].append(length)
    ours = generation_statistics(real.tokens, real.layout)["qualified_notes"]
    for track, name in enumerate(real.layout.names):
        expected = np.concatenate(by_track[track])
        np.testing.assert_array_equal(np.sort(lengths[track]), np.sort(expected))
        assert ours[name] == pytest.approx((expected >= 2).mean())


def test_repeated_notes_are_not_one_long_note():
    tokens = np.full((1, 16, 4), REST)
    tokens[0, :4, 0] = 60
    np.testing.assert_array_equal(note_lengths(tokens, get_layout("voices"))[0], [1, 1, 1, 1])
    roll = np.zeros((16, 1), int)
    roll[:4] = 1
    assert pypianoroll.metrics.qualified_note_rate(roll, 2) == 1.0
    assert generation_statistics(tokens, get_layout("voices"))["qualified_notes"]["soprano"] == 0.0


def test_the_drum_pattern_is_that_of_pypianoroll_without_its_tolerance():
    layout = get_layout("band")
    rng = np.random.default_rng(8)
    tokens = np.stack([random_tokens(rng, layout, 2).reshape(32, -1) for _ in range(10)])
    kit = tokens[..., 0]
    hits = ((kit[..., np.newaxis] >> np.arange(9)) & 1).reshape(-1, 4, 9)
    expected = [pypianoroll.metrics.drum_in_pattern_rate(beats, 4, tolerance=0.0) for beats in hits if beats.any()]
    strokes = [beats.sum() for beats in hits if beats.any()]
    assert drum_pattern(kit, 16, 2) == pytest.approx(np.average(expected, weights=strokes))
    assert generation_statistics(tokens, layout)["drum_pattern"]["drums"] == drum_pattern(kit, 16, 2)
    tolerant = [pypianoroll.metrics.drum_in_pattern_rate(beats, 4) for beats in hits if beats.any()]
    assert np.average(tolerant, weights=strokes) > drum_pattern(kit, 16, 2) + 0.01
    from musae_tf.music import tokenize

    rock = tokenize(drum_song(), layout).tokens[..., 0]
    assert drum_pattern(rock.reshape(1, -1), 16, 2) == 1.0


def test_tonal_distance_is_that_in_the_tonal_space_of_musegan(real):
    # pypianoroll's own function sums over time where it should sum over pitch classes; its space is MuseGAN's.
    space = pypianoroll.metrics._get_tonal_matrix(1.0, 1.0, 0.5)
    ours = tonal_distance(real.tokens, real.layout, 0, 3)
    expected = []
    for phrase in real.tokens:
        pitch = []
        for track in (0, 3):
            sounding, current = np.full(32, -1), -1
            for step, symbol in enumerate(phrase[:, track]):
                current = symbol if symbol < REST else -1 if symbol == REST else current
                sounding[step] = current
            pitch.append(sounding.reshape(8, 4))
        for one, other in zip(*pitch, strict=True):
            if (one >= 0).any() and (other >= 0).any():
                classes = [np.bincount(beat[beat >= 0] % 12, minlength=12) for beat in (one, other)]
                points = [space @ (counts / counts.sum()) for counts in classes]
                expected.append(np.linalg.norm(points[0] - points[1]))
    np.testing.assert_allclose(ours, expected, atol=1e-9)
    # Voices of one piece are nearer to each other than voices of different pieces.
    strangers = real.tokens.copy()
    strangers[..., 3] = np.roll(real.tokens[..., 3], 20, axis=0)
    assert tonal_distance(strangers, real.layout, 0, 3).mean() > ours.mean() + 0.05


def test_similarities_are_cosines(real, corrupted):
    chroma, rhythm = (f(corrupted, real.tokens, real.layout) for f in (chroma_similarity, rhythm_similarity))
    for number in range(0, len(real.tokens), 7):
        tones, beats = [], []
        for bar in range(2):
            histograms, begun = [], []
            for phrase in (corrupted[number], real.tokens[number]):
                counts, current = np.zeros(12), np.full(4, -1)
                starts = np.zeros(16)
                for step, symbols in enumerate(phrase):
                    current = np.where(symbols < REST, symbols, np.where(symbols == REST, -1, current))
                    if step // BAR == bar:
                        np.add.at(counts, current[current >= 0] % 12, 1)
                        starts[step % BAR] = (symbols < REST).sum()
                histograms.append(counts)
                begun.append(starts)
            for cosines, pair in ((tones, histograms), (beats, begun)):
                silent = not pair[0].any() and not pair[1].any()
                cosines.append(1.0 if silent else cosine_similarity(*[[vector] for vector in pair])[0, 0])
        assert chroma[number] == pytest.approx(np.mean(tones))
        assert rhythm[number] == pytest.approx(np.mean(beats))
    np.testing.assert_allclose(chroma_similarity(real.tokens, real.tokens, real.layout), 1.0)
