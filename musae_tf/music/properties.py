"""Low-level properties of phrases: what a latent space is said to be ordered by, and what can be asked for.

The six of Valenti, Carta and Bacciu (2020), by which they order their latent space: held steps, silent steps, onsets,
and the highest, lowest and mean pitch, of each track. Three attributes that a listener would ask for are made of them.
"""

import warnings

import numpy as np

from musae_tf.music.grid import SILENT, onsets, sounding_pitch
from musae_tf.music.layouts import Layout
from musae_tf.music.vocabulary import KIT, REST, STROKES, VELOCITY

PROPERTIES = ("holds", "rests", "onsets", "highest", "lowest", "mean_pitch")
"""Names of the six properties, in the order of the last axis of `phrase_properties`."""

ATTRIBUTES = ("notes", "register", "length")
"""What a piece can be given more of: notes a bar, mean pitch, and steps a note lasts."""

TOTAL = "all"
"""Stands for all tracks together."""


def phrase_properties(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """The six properties of every track.

    Args:
        tokens: int [N, T, K].
        layout: what the tracks are.

    Returns:
        float64 [N, K, 6], K tracks: steps in which a note is held, silent steps, onsets (these three add up to T, over
        all voices of the track to more), and the highest, lowest and mean pitch of the onsets. NaN where there is no
        such thing: pitches of a track without onsets; holds and pitches of a kit, whose onsets are strokes and whose
        rests are steps without one.
    """
    tokens = np.asarray(tokens, np.int32)
    begins = onsets(tokens, layout)
    pitch = np.where(begins, tokens, 0)
    count = begins.sum(axis=1)
    silent = (sounding_pitch(tokens, layout) == SILENT).sum(axis=1)
    notes = np.array([column.vocabulary != VELOCITY for column in layout.columns])
    held, silent = ((tokens.shape[1] - silent - count) * notes, silent * notes)
    sums = (held, silent, count, pitch.sum(axis=1))
    held, silent, count, total = (layout.of_track(values, np.add) for values in sums)
    highest = layout.of_track(pitch.max(axis=1), np.maximum)
    lowest = layout.of_track(np.where(begins, tokens, REST).min(axis=1), np.minimum)
    result = np.stack([held, silent, count, highest, lowest, total / np.maximum(count, 1)], axis=-1).astype(np.float64)
    result[count == 0, 3:] = np.nan
    for track, (spec, column) in enumerate(zip(layout.tracks, layout.first_columns, strict=True)):
        if spec.vocabulary == KIT:
            result[:, track] = np.nan
            result[:, track, 1] = (tokens[..., column] == KIT.rest).sum(axis=1)
            result[:, track, 2] = STROKES[tokens[..., column]].sum(axis=1)
    return result


def properties_of_all(properties: np.ndarray) -> np.ndarray:
    """The six properties of all tracks together: float64 [N, 6] of `phrase_properties` [N, K, 6].

    Counts add up, pitches are those of any track; NaN where no track has one.
    """
    counts = np.nansum(properties[..., :3], axis=1)
    pitched = np.isfinite(properties[..., 3])
    highest = np.where(pitched, properties[..., 3], -np.inf).max(axis=1)
    lowest = np.where(pitched, properties[..., 4], np.inf).min(axis=1)
    onsets = np.where(pitched, properties[..., 2], 0)
    mean = (np.nan_to_num(properties[..., 5]) * onsets).sum(axis=1) / np.maximum(onsets.sum(axis=1), 1)
    pitches = np.stack([highest, lowest, mean], axis=1)
    return np.concatenate([counts, np.where(pitched.any(axis=1)[:, np.newaxis], pitches, np.nan)], axis=1)


def attribute_names(layout: Layout) -> tuple[str, ...]:
    """Names of all attributes: `notes` of all tracks together, `soprano:notes` of one, and so on.

    A kit has strokes but neither register nor length.
    """
    names = list(ATTRIBUTES)
    for spec in layout.tracks:
        names += [f"{spec.name}:{name}" for name in (ATTRIBUTES[:1] if spec.vocabulary == KIT else ATTRIBUTES)]
    return tuple(names)


def attribute_values(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """Every attribute of every phrase.

    Args:
        tokens: int [N, T, K].
        layout: what the tracks are.

    Returns:
        float64 [N, A] in the order of `attribute_names`: onsets a bar; mean MIDI pitch of the onsets; mean length of
        a note in steps. NaN where a track has no note that could have one.
    """
    properties = phrase_properties(tokens, layout)
    bars = np.shape(tokens)[1] / layout.bar_steps
    holds, _, count, _, _, mean = np.moveaxis(properties, -1, 0)
    melodic = np.array([spec.vocabulary != KIT for spec in layout.tracks])
    sums = np.nan_to_num(mean * count)[:, melodic], (holds + count)[:, melodic], count[:, melodic]
    pitches, steps, notes = (values.sum(axis=1) for values in sums)
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        columns = [count.sum(axis=1) / bars, pitches / notes, steps / notes]
        for track, pitched in enumerate(melodic):
            columns.append(count[:, track] / bars)
            if pitched:
                columns += [mean[:, track], (holds[:, track] + count[:, track]) / count[:, track]]
    result = np.stack(columns, axis=1)
    return np.where(np.isfinite(result), result, np.nan)
