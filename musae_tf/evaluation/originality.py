"""How near a phrase comes to one of the training set: whether a model composes or copies."""

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, vstack

from musae_tf.evaluation.held_out import SAMPLES
from musae_tf.music import REST, Layout
from musae_tf.music.vocabulary import KIT, STRUCK

if TYPE_CHECKING:
    from musae_tf.evaluation.context import EvaluationContext


COPIED = 0.8
"""A phrase whose onset F1 to a training phrase is this or more nearly repeats it."""

_KEYS = range(-6, 7)
_PITCHES = 128
_BLOCK = 8  # phrases that are held against all others at once, in every key
_SEARCHED = 50_000
# Stream of random numbers.
_NEAREST = 42


def measure_originality(context: "EvaluationContext") -> dict[str, Any]:
    """The training phrase nearest to each sample, and beside it the one nearest to each real held-out phrase."""
    index = context.dataset.phrases("train", context.run.config.music.bars, sounding=context.run.config.data.sounding)
    searched = np.unique(np.linspace(0, len(index) - 1, _SEARCHED).astype(np.int64))
    training = index.tokens(searched)
    result: dict[str, Any] = {"training_phrases": len(index), "searched": len(searched), "copied_from": COPIED}
    found = []
    for number, genre in enumerate(context.genres):
        samples = context.samples(number)
        likeness, rows = nearest(samples, training, context.layout)
        found.append(likeness)
        if np.isfinite(likeness).any():
            most = np.nanargmax(likeness)
            song = context.dataset.songs[index.songs[searched[rows[most]]]]["title"]
            titles = (f"{genre}, the sample nearest to training", f"{song}, onset F1 {likeness[most]:.2f}")
            music = (samples[most], training[rows[most]].astype(np.int32))
            context.show("originality", *(context.clip(t, m, genre) for t, m in zip(titles, music, strict=True)))
    # Samples have no songs: each stands for itself.
    names = np.array([f"sample {number}" for number in range(SAMPLES * len(found))])
    _record_likeness(context, "samples", names, np.repeat(context.genres, SAMPLES), np.concatenate(found))
    rows = context.some(SAMPLES, _NEAREST)
    likeness, _ = nearest(context.held_out.tokens[rows], training, context.layout)
    _record_likeness(context, "real", context.song_names[rows], context.genre_names[rows], likeness)
    return result


def nearest(phrases: np.ndarray, training: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """The training phrase that each phrase is most like, in the key in which it is.

    Two phrases are as alike as their onset F1 says: notes that start in both at the same step, in the same track, with
    the same pitch, or strokes of the same piece; lengths do not matter. Pitched tracks are moved together by up to six
    semitones either way.

    Args:
        phrases: int [N, T, K].
        training: int [M, T, K], one phrase or more.
        layout: what the tracks are.

    Returns:
        Onset F1 float64 [N], NaN for a phrase without a note; row numbers int64 [N] of training phrases.
    """
    theirs = _notes(np.asarray(training, np.int32), layout)
    counts = theirs.sum(axis=1)
    likeness, rows = np.full(len(phrases), np.nan), np.zeros(len(phrases), np.int64)
    columns = theirs.T.tocsr()
    for first in range(0, len(phrases), _BLOCK):
        block = np.asarray(phrases[first : first + _BLOCK], np.int32)
        keys = vstack([_notes(block, layout, key) for key in _KEYS])
        own = np.tile(_notes(block, layout).sum(axis=1), len(_KEYS))
        hits = (keys @ columns).toarray()
        with np.errstate(invalid="ignore"):
            alike = (2 * hits / (own[:, np.newaxis] + counts)).reshape(len(_KEYS), len(block), -1).max(axis=0)
        here = slice(first, first + len(block))
        rows[here] = alike.argmax(axis=1)
        likeness[here] = np.where(own[: len(block)] > 0, alike.max(axis=1), np.nan)
    return likeness, rows


def _notes(tokens: np.ndarray, layout: Layout, key: int = 0) -> csr_array:
    """The onsets of phrases [N, T, K] as ones at a place for each step, track and pitch, float32 [N, places]."""
    count, steps, tracks = tokens.shape
    found = []
    for track, spec in enumerate(layout.tracks):
        symbols = tokens[..., track]
        if spec.vocabulary == KIT:
            row, step, sound = np.nonzero(STRUCK[symbols])
        else:
            row, step = np.nonzero(symbols < REST)
            sound = symbols[row, step] + (0 if spec.is_drum else key)
            inside = (sound >= 0) & (sound < _PITCHES)
            row, step, sound = row[inside], step[inside], sound[inside]
        found.append((row, (track * steps + step) * _PITCHES + sound))
    row, place = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return csr_array((np.ones(len(row), np.float32), (row, place)), shape=(count, tracks * steps * _PITCHES))


def _record_likeness(
    context: "EvaluationContext", part: str, songs: np.ndarray, genres: np.ndarray, likeness: np.ndarray
) -> None:
    copied = np.where(np.isfinite(likeness), likeness >= COPIED, np.nan)  # a phrase without notes is like none
    context.per_song.add("nearest_training", part, songs, genres, likeness)
    context.per_song.add("copied", part, songs, genres, copied)
