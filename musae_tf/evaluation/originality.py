"""How near phrases come to training phrases and to each other: does a model compose, or copy and repeat itself?"""

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, vstack

from musae_tf.evaluation.held_out import SAMPLES
from musae_tf.music import REST, Layout
from musae_tf.music.grid import lines_of
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
    made = [context.samples(number) for number in range(len(context.genres))]
    among = np.concatenate([nearest_of_others(some, np.arange(len(some)), context.layout) for some in made])
    _record_diversity(context, "samples", names, np.repeat(context.genres, SAMPLES), among)
    # As many real phrases; those of one song are left out, since a piece repeats itself.
    tokens, songs = context.held_out.tokens[rows], context.held_out.songs[rows]
    among = np.full(len(rows), np.nan)
    for number in range(len(context.genres)):
        here = context.held_out.genre[rows] == number
        among[here] = nearest_of_others(tokens[here], songs[here], context.layout)
    _record_diversity(context, "real", context.song_names[rows], context.genre_names[rows], among)
    return result


def nearest(
    phrases: np.ndarray, training: np.ndarray, layout: Layout, allowed: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The training phrase that each phrase is most like, in the key in which it is.

    Two phrases are as alike as their onset F1 says: notes that start in both at the same step, in the same track, with
    the same pitch, or strokes of the same piece; lengths do not matter. Pitched tracks are moved together by up to six
    semitones either way.

    Args:
        phrases: int [N, T, K].
        training: int [M, T, K], one phrase or more.
        layout: what the tracks are.
        allowed: bool [N, M], which may be compared; None for all.

    Returns:
        Onset F1 float64 [N], NaN for a phrase without a note or with none to compare it with; row numbers int64 [N] of
        training phrases.
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
        if allowed is not None:
            alike = np.where(allowed[here], alike, -np.inf)
        rows[here] = alike.argmax(axis=1)
        best = alike.max(axis=1)
        likeness[here] = np.where((own[: len(block)] > 0) & (best >= 0), best, np.nan)
    return likeness, rows


def nearest_of_others(phrases: np.ndarray, songs: np.ndarray, layout: Layout) -> np.ndarray:
    """Onset F1 of each phrase int [N, T, K] to the phrase of another song int [N] that it is most like, as `nearest`.

    Returns:
        float64 [N], NaN for a phrase without a note and where there is no other song.
    """
    return nearest(phrases, phrases, layout, songs[:, np.newaxis] != songs)[0] if len(phrases) else np.zeros(0)


def _notes(tokens: np.ndarray, layout: Layout, key: int = 0) -> csr_array:
    """The onsets of phrases [N, T, K] as ones at a place for each step, track and pitch, float32 [N, places]."""
    tokens, layout = lines_of(tokens, layout)
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


def _record_diversity(
    context: "EvaluationContext", part: str, songs: np.ndarray, genres: np.ndarray, likeness: np.ndarray
) -> None:
    context.per_song.add("nearest_sample", part, songs, genres, likeness)
    context.per_song.add("distinct", part, songs, genres, np.where(np.isfinite(likeness), likeness < COPIED, np.nan))
