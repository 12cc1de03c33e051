"""What a musician would count in a phrase: features for telling genres apart.

None depends on the key: transposing a phrase changes the mean pitches only.
"""

from itertools import combinations

import numpy as np

from musae_tf.music import STEPS_PER_BAR, Layout
from musae_tf.music.grid import SILENT, onsets, sounding_pitch
from musae_tf.music.vocabulary import KIT, STROKES

_INTERVALS = 12
# Lengths of notes, as the upper ends of classes: 1, 2, 3, 4, 6, 8, 12, 16 and more steps.
_LENGTHS = np.array([1, 2, 3, 4, 6, 8, 12, 16])
_DISSONANT = (1, 2, 6, 10, 11)


def phrase_features(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """Features of phrases int [N, T, K], float32 [N, F].

    Of each track: density, silence, where in the bar its notes begin, mean pitch, range, intervals between its notes
    and time from one to the next. Of each pair of tracks: how often they sound which interval (modulo the octave),
    begin together, and begin against each other in a dissonance. Of all: pitch classes (the magnitudes of their
    histogram's Fourier transform, which do not change when the music is transposed; their number and entropy) and how
    many tracks begin at once.
    """
    tokens = np.asarray(tokens, np.int32)
    begins, pitch = onsets(tokens, layout), sounding_pitch(tokens, layout)
    columns = [_texture(begins)]
    for track, spec in enumerate(layout.tracks):
        if spec.vocabulary == KIT:
            columns.append(_rhythm(begins[..., track], STROKES[tokens[..., track]].sum(axis=1)))
        else:
            columns.append(_rhythm(begins[..., track], begins[..., track].sum(axis=1)))
            columns.append(_melody(tokens[..., track], begins[..., track], pitch[..., track]))
    melodic = [track for track, spec in enumerate(layout.tracks) if spec.vocabulary != KIT]
    columns += [_harmony(pitch[..., pair], begins[..., pair]) for pair in map(list, combinations(melodic, 2))]
    columns.append(_pitch_classes(pitch))
    return np.concatenate(columns, axis=1).astype(np.float32)


def _texture(begins: np.ndarray) -> np.ndarray:
    together = begins.sum(axis=2)
    return np.stack([(together == count).mean(axis=1) for count in range(begins.shape[2] + 1)], axis=1)


def _rhythm(begins: np.ndarray, count: np.ndarray) -> np.ndarray:
    places = begins.reshape(len(begins), -1, STEPS_PER_BAR).mean(axis=1)
    return np.concatenate([places, count[:, np.newaxis] / begins.shape[1]], axis=1)


def _melody(tokens: np.ndarray, begins: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    rows, steps = np.nonzero(begins)
    notes = tokens[rows, steps]
    count = np.maximum(begins.sum(axis=1), 1)
    highest, lowest = np.where(begins, tokens, -1).max(axis=1), np.where(begins, tokens, 128).min(axis=1)
    # From each note to the next of the same phrase.
    same = rows[1:] == rows[:-1]
    intervals = np.clip(np.diff(notes), -_INTERVALS, _INTERVALS)[same] + _INTERVALS
    lengths = np.searchsorted(_LENGTHS, np.diff(steps)[same])
    single = np.stack(
        [
            (pitch == SILENT).mean(axis=1),
            (pitch != SILENT).sum(axis=1) / count / STEPS_PER_BAR,
            np.where(begins, tokens, 0).sum(axis=1) / count / 12,
            np.where(begins.any(axis=1), highest - lowest, 0) / 12,
        ],
        axis=1,
    )
    followed = rows[1:][same]
    return np.concatenate(
        [
            single,
            _histograms(followed, intervals, len(tokens), 2 * _INTERVALS + 1) / count[:, np.newaxis],
            _histograms(followed, lengths, len(tokens), len(_LENGTHS) + 1) / count[:, np.newaxis],
        ],
        axis=1,
    )


def _harmony(pitch: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Of two tracks [N, T, 2]."""
    both = (pitch != SILENT).all(axis=2)
    intervals = np.where(both, np.abs(pitch[..., 0] - pitch[..., 1]) % 12, 12)
    either, together = begins.any(axis=2), begins.all(axis=2)
    rows = np.repeat(np.arange(len(pitch)), pitch.shape[1])
    shares = _histograms(rows, intervals.ravel(), len(pitch), 13) / pitch.shape[1]
    clashes = (both & either & np.isin(intervals, _DISSONANT)).mean(axis=1)
    joined = together.sum(axis=1) / np.maximum(either.sum(axis=1), 1)
    return np.concatenate([shares, clashes[:, np.newaxis], joined[:, np.newaxis]], axis=1)


def _pitch_classes(pitch: np.ndarray) -> np.ndarray:
    rows, steps, tracks = np.nonzero(pitch != SILENT)
    counts = _histograms(rows, pitch[rows, steps, tracks] % 12, len(pitch), 12)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    entropy = -(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1)
    spectrum = np.abs(np.fft.rfft(shares, axis=1))[:, 1:]
    return np.concatenate([spectrum, (shares > 0).sum(axis=1)[:, np.newaxis] / 12, entropy[:, np.newaxis]], axis=1)


def _histograms(rows: np.ndarray, classes: np.ndarray, count: int, size: int) -> np.ndarray:
    """One histogram a row, float [count, size]."""
    return np.bincount(rows * size + classes, minlength=count * size).reshape(count, size).astype(np.float64)
