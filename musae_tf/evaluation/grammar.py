"""Musical grammar: what a listener hears at once and accuracies do not show. Counts, by phrase, from tokens.

Each measure is a ratio of counts, so that phrases, songs and genres can be added up. None depends on the key. Read them
beside the same of real music and of shuffled voices (`shuffled_voices`): `likeness` says how much of the way from
shuffled to real music has been gone.
"""

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import numpy as np

from musae_tf.music import KIT_PIECES, REST, Layout
from musae_tf.music.grid import SILENT, lines_of, onsets, sounding_pitch
from musae_tf.music.vocabulary import KIT, MELODIC, STROKES, STRUCK

_DISSONANT = np.isin(np.arange(12), (1, 2, 6, 10, 11))
_CLASHING = np.isin(np.arange(12), (1, 11))
_STEP, _LEAP, _TRITONE = 2, 7, 6
_SCALES = np.array([np.roll([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1], key) for key in range(12)])
# Major, minor, diminished and augmented triads; dominant, minor, major, half-diminished and diminished sevenths.
_CHORDS = ((0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8),
           (0, 4, 7, 10), (0, 3, 7, 10), (0, 4, 7, 11), (0, 3, 6, 10), (0, 3, 6, 9))  # fmt: skip
_KICK, _SNARE = (next(bit for bit, piece in enumerate(KIT_PIECES) if piece.name == name) for name in ("kick", "snare"))


def _chord_table() -> np.ndarray:
    """Whether all pitch classes of a set, as bits, are of one chord, bool [4096]."""
    chords = np.array([sum(1 << (note + root) % 12 for note in chord) for chord in _CHORDS for root in range(12)])
    return (np.arange(4096)[:, np.newaxis] & ~chords == 0).any(axis=1)


_OF_A_CHORD = _chord_table()


class Counts(NamedTuple):
    """A measure of N phrases: the sum of `parts` over the sum of `wholes`, float64 [N] each, of any of them."""

    parts: np.ndarray
    wholes: np.ndarray

    @property
    def value(self) -> float:
        """The measure of all phrases together; NaN if there is nothing to count."""
        whole = self.wholes.sum()
        return float(self.parts.sum() / whole) if whole else float("nan")


class _Music(NamedTuple):
    tokens: np.ndarray  # int32 [N, T, K]
    pitch: np.ndarray  # int64 [N, T, P], what sounds in each pitched track
    begins: np.ndarray  # bool [N, T, K]
    pitched: list[int]  # tracks with pitches
    layout: Layout


TITLES = {
    "dissonant_pairs": "dissonant pairs",
    "minor_seconds": "minor seconds and major sevenths",
    "steps": "melodic steps",
    "leaps": "leaps beyond a fifth",
    "tritones": "tritone leaps",
    "in_scale": "notes in one scale",
    "chords": "chords on the beat",
    "parallels": "parallel fifths and octaves",
    "crossing": "voice crossing",
    "onsets": "onsets a step and track",
    "note_length": "steps a note",
    "rests": "silent steps",
    "empty_tracks": "empty tracks",
    "bass_on_chord": "bass on chord notes",
    "groove": "groove consistency",
    "kicks": "kicks on beats 1 and 3",
    "snares": "snares on beats 2 and 4",
    "strokes": "strokes a step",
}
"""What can be measured, for people. The last four need a kit, `crossing` and `bass_on_chord` a track named bass."""

BARS = ("dissonant_pairs", "minor_seconds", "steps", "chords")
"""The four that tell best whether voices know of each other, and a line where it comes from."""

AMOUNTS = ("onsets", "note_length", "rests", "strokes", "empty_tracks")
"""How much there is, which shuffling leaves as it is: to be held against real music alone."""


def grammar(tokens: np.ndarray, layout: Layout) -> dict[str, Counts]:
    """Every measure that the layout has, phrase by phrase.

    Args:
        tokens: int [N, T, K], T a multiple of a bar.
        layout: what the tracks are.

    Returns:
        By the keys of `TITLES`:

        dissonant_pairs: of the pairs of pitched tracks that sound at a step, those a second, a seventh or a tritone
            apart, modulo the octave (1, 2, 6, 10 or 11 semitones).
        minor_seconds: those 1 or 11 semitones apart.
        steps, leaps, tritones: of the intervals from an onset to the next of its track, those of at most 2, of more
            than 7, of just 6 semitones.
        in_scale: share of a phrase's onsets in the major scale (any of twelve) that holds most; mean of phrases.
        chords: of the beats at which three pitched tracks or more sound, those whose pitch classes are all of one triad
            or seventh chord.
        parallels: of the moments at which both of a pair of tracks change their pitch, those that keep a perfect fifth,
            octave or unison (parallel or antiparallel, as in music21's `VoiceLeadingQuartet`).
        crossing: of the steps at which two neighbouring voices sound, those with the lower one above; in layouts that
            are not `voices`, of the bass and each other track.
        onsets: onsets a step and pitched track. note_length: sounding steps a note. rests: silent steps of pitched
            tracks. empty_tracks: phrases of all tracks that have no onset.
        bass_on_chord: of the bass's onsets under two other sounding tracks, those that make a chord with them.
        groove: of two bars that follow each other, cells (step and piece) of the kit that agree, as in Wu and Yang
            (2020), where silence agrees too. Only bars with strokes on either side count.
        kicks, snares: of their strokes, those on beats 1 and 3, on 2 and 4. strokes: strokes a step.
    """
    tokens, layout = lines_of(np.asarray(tokens, np.int32), layout)
    pitched = [track for track, spec in enumerate(layout.tracks) if not spec.is_drum]
    pitch = sounding_pitch(tokens, layout)[..., pitched].astype(np.int64)
    music = _Music(tokens, pitch, onsets(tokens, layout), pitched, layout)
    found: dict[str, Counts] = {}
    for measure in _FAMILIES:
        found |= measure(music)
    return {key: found[key] for key in TITLES if key in found}


def likeness(value: float, real: float, shuffled: float) -> float:
    """How much of the way from shuffled to real music a value has gone: 1 is real, 0 as far from it as shuffled.

    1 - |value - real| / |shuffled - real|. Going too far counts as not arriving. Below 0 it is farther away than
    shuffled music; NaN where real and shuffled music do not differ.
    """
    way = abs(shuffled - real)
    return 1 - abs(value - real) / way if way > 0 else float("nan")


def shuffled_voices(tokens: np.ndarray, layout: Layout, seed: int = 0) -> np.ndarray:
    """Music in which nothing knows of anything else: int32 of the shape of `tokens` [N, T, C].

    Each voice comes from another phrase, and the pitches of its onsets are dealt out anew among all phrases; a kit's
    symbols change places. How much of everything there is stays as it was.
    """
    rng = np.random.default_rng(seed)
    result = np.array(tokens, np.int32)
    for track, kind in enumerate(layout.columns):
        column = result[rng.permutation(len(result)), :, track]
        moved = column < REST if kind.vocabulary == MELODIC else np.ones(column.shape, bool)
        column[moved] = rng.permutation(column[moved])
        result[..., track] = column
    return result


def _harmony(music: _Music) -> dict[str, Counts]:
    pitch, count = music.pitch, len(music.tokens)
    pairs, dissonant, clashing, moving, parallel = np.zeros((5, count))
    for one, other in combinations(range(pitch.shape[2]), 2):
        both = (pitch[..., one] != SILENT) & (pitch[..., other] != SILENT)
        apart = np.abs(pitch[..., one] - pitch[..., other])
        pairs += both.sum(axis=1)
        dissonant += (both & _DISSONANT[apart % 12]).sum(axis=1)
        clashing += (both & _CLASHING[apart % 12]).sum(axis=1)
        moved = both[:, 1:] & both[:, :-1]
        for voice in (one, other):
            moved &= pitch[:, 1:, voice] != pitch[:, :-1, voice]
        before, after = apart[:, :-1], apart[:, 1:]
        kept = (before % 12 == after % 12) & np.isin(after % 12, (0, 7)) & ((before == 0) == (after == 0))
        moving += moved.sum(axis=1)
        parallel += (moved & kept).sum(axis=1)
    beats = pitch[:, :: music.layout.time.steps_per_beat]
    full = (beats != SILENT).sum(axis=2) >= 3
    chords = (full & _OF_A_CHORD[_pitch_classes(beats)]).sum(axis=1)
    return {
        "dissonant_pairs": Counts(dissonant, pairs),
        "minor_seconds": Counts(clashing, pairs),
        "parallels": Counts(parallel, moving),
        "chords": Counts(chords.astype(float), full.sum(axis=1).astype(float)),
    }


def _melody(music: _Music) -> dict[str, Counts]:
    tokens = music.tokens[..., music.pitched]
    count = len(tokens)
    # Track by track, so that neighbours in the list are neighbours in a track.
    rows, tracks, steps = np.nonzero(music.begins[..., music.pitched].transpose(0, 2, 1))
    notes = tokens[rows, steps, tracks]
    same = (np.diff(rows) == 0) & (np.diff(tracks) == 0)
    interval, row = np.abs(np.diff(notes))[same], rows[1:][same]
    total = np.bincount(row, minlength=count).astype(float)

    def share(chosen: np.ndarray) -> Counts:
        return Counts(np.bincount(row[chosen], minlength=count).astype(float), total)

    classes = np.bincount(rows * 12 + notes % 12, minlength=count * 12).reshape(count, 12)
    sum_of_all = classes.sum(axis=1)
    best = (classes @ _SCALES.T).max(axis=1) / np.maximum(sum_of_all, 1)
    return {
        "steps": share(interval <= _STEP),
        "leaps": share(interval > _LEAP),
        "tritones": share(interval == _TRITONE),
        "in_scale": Counts(best, (sum_of_all > 0).astype(float)),
    }


def _amounts(music: _Music) -> dict[str, Counts]:
    sounding = (music.pitch != SILENT).sum(axis=(1, 2)).astype(float)
    number = music.begins[..., music.pitched].sum(axis=(1, 2)).astype(float)
    cells = np.full(len(music.tokens), float(np.prod(music.pitch.shape[1:])))
    empty = (~music.begins.any(axis=1)).sum(axis=1).astype(float)
    return {
        "onsets": Counts(number, cells),
        "note_length": Counts(sounding, number),
        "rests": Counts(cells - sounding, cells),
        "empty_tracks": Counts(empty, np.full(len(empty), float(music.tokens.shape[2]))),
    }


def _bass(music: _Music) -> dict[str, Counts]:
    """Of layouts whose lowest track is known."""
    names = [music.layout.names[track] for track in music.pitched]
    if "bass" not in names or len(names) < 2:
        return {}
    pitch, bass = music.pitch, names.index("bass")
    others = [voice for voice in range(len(names)) if voice != bass]
    voices = music.layout.name == "voices"
    pairs = [(voice, voice + 1) for voice in range(len(names) - 1)] if voices else [(voice, bass) for voice in others]
    together, crossed = np.zeros((2, len(pitch)))
    for upper, lower in pairs:
        both = (pitch[..., upper] != SILENT) & (pitch[..., lower] != SILENT)
        together += both.sum(axis=1)
        crossed += (both & (pitch[..., upper] < pitch[..., lower])).sum(axis=1)
    found = {"crossing": Counts(crossed, together)}
    if len(others) > 1:
        heard = music.begins[..., music.pitched[bass]] & ((pitch[..., others] != SILENT).sum(axis=2) >= 2)
        right = heard & _OF_A_CHORD[_pitch_classes(pitch)]
        found["bass_on_chord"] = Counts(right.sum(axis=1).astype(float), heard.sum(axis=1).astype(float))
    return found


def _kits(music: _Music) -> dict[str, Counts]:
    kits = [track for track, spec in enumerate(music.layout.tracks) if spec.vocabulary == KIT]
    if not kits:
        return {}
    (count, steps_in_all), bar, beat = music.tokens.shape[:2], music.layout.bar_steps, music.layout.time.steps_per_beat
    symbols = music.tokens[..., kits].reshape(count, steps_in_all // bar, bar, len(kits))
    struck = STRUCK[symbols].astype(bool)  # [N, bars, steps, kits, pieces]
    cells = struck.shape[2] * struck.shape[4]
    played = struck.any(axis=(2, 4))
    either = played[:, 1:] | played[:, :-1]
    agreeing = (struck[:, 1:] == struck[:, :-1]).sum(axis=(2, 4)) / cells

    def placed(piece: int, first: int) -> Counts:
        strokes = struck[..., piece].sum(axis=(1, 3))  # [N, steps]
        return Counts(strokes[:, first :: 2 * beat].sum(axis=1).astype(float), strokes.sum(axis=1).astype(float))

    steps = np.full(len(symbols), float(np.prod(symbols.shape[1:])))
    return {
        "groove": Counts((agreeing * either).sum(axis=(1, 2)), either.sum(axis=(1, 2)).astype(float)),
        "kicks": placed(_KICK, 0),
        "snares": placed(_SNARE, beat),
        "strokes": Counts(STROKES[symbols].sum(axis=(1, 2, 3)).astype(float), steps),
    }


def _pitch_classes(pitch: np.ndarray) -> np.ndarray:
    """The set of pitch classes of each moment, as bits: int64 [...] of pitches [..., P]."""
    bits = np.where(pitch == SILENT, 0, 1 << pitch % 12)
    return np.bitwise_or.reduce(bits, axis=-1)


_FAMILIES: tuple[Callable[[_Music], dict[str, Counts]], ...] = (_harmony, _melody, _amounts, _bass, _kits)
