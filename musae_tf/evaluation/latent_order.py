"""Is the latent space ordered by low-level properties? The claim of Valenti, Carta and Bacciu (2020).

Three looks: what a linear probe reads from the code of a held-out phrase (Alain and Bengio 2017); as the authors did,
how each property of the decoded music follows a single latent axis that is swept (Pearson's r); and whether moving
along an attribute's vector gives more of the attribute.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from musae_tf.evaluation.per_song import Ratio
from musae_tf.evaluation.statistics import known_mean
from musae_tf.latent import AttributeVectors
from musae_tf.music.properties import (
    ATTRIBUTES,
    PROPERTIES,
    TOTAL,
    attribute_values,
    phrase_properties,
    properties_of_all,
)
from musae_tf.progress import progress

if TYPE_CHECKING:
    from musae_tf.evaluation.context import EvaluationContext


# Streams of random numbers.
_SWEPT, _MOVED = 30, 31

# A swept axis goes so many standard deviations of the codes to both sides, in so many values.
_SWEEP_RANGE, _SWEEP_VALUES, _SWEPT_PHRASES = 3.0, 9, 1
_MOVED_PHRASES = 25
STRENGTHS = (1.0, 2.0)
_PENALTIES = (1.0, 10.0, 100.0, 1000.0)
MINIMUM_PHRASES = 20
"""With fewer phrases that have a property nothing is said of it."""


def measure_order(context: "EvaluationContext") -> dict[str, Any]:
    """R2 of each property of each track, and how single axes move it."""
    layout, held_out = context.layout, context.held_out
    train, truth = (phrase_properties(tokens, layout) for tokens in (context.encoded.tokens, held_out.tokens))
    tracks = [*layout.names, TOTAL]
    values: dict[str, dict[str, float]] = {}
    for track, name in enumerate(tracks):
        one, other = (
            properties_of_all(properties) if name == TOTAL else properties[:, track] for properties in (train, truth)
        )
        ratios = probe_properties(context.train_codes, one, context.codes, other, context.song_names)
        values[name] = {}
        for number, (key, ratio) in enumerate(zip(PROPERTIES, ratios, strict=True)):
            if ratio is None:
                continue
            rows = np.flatnonzero(np.isfinite(other[:, number]))
            context.record("probe_r2", f"{name}:{key}", rows, ratio.parts, ratio.wholes)
            values[name][key] = ratio.value()
    return {"probe_r2": values, "sweeps": _sweeps(context)}


def probe_properties(
    train_codes: np.ndarray,
    train_values: np.ndarray,
    codes: np.ndarray,
    values: np.ndarray,
    songs: np.ndarray,
) -> list[Ratio | None]:
    """R2 of a ridge regression of each property on the code, on phrases of other songs than it was fitted to.

    Args:
        train_codes: float [M, D], posterior means of training phrases.
        train_values: float [M, P], their properties; NaN where a phrase has none.
        codes: float [N, D], posterior means of held-out phrases.
        values: float [N, P].
        songs: int [N].

    Returns:
        For each property a ratio whose value is 1 - (squared errors) / (squared deviations from the mean), which is
        R2; None where too few phrases have it, or all the same.
    """
    results: list[Ratio | None] = []
    for column in range(values.shape[1]):
        known, held = np.isfinite(train_values[:, column]), np.isfinite(values[:, column])
        truth = values[held, column]
        if min(known.sum(), held.sum()) < MINIMUM_PHRASES or np.ptp(truth) == 0:
            results.append(None)
            continue
        probe = make_pipeline(StandardScaler(), RidgeCV(_PENALTIES)).fit(
            train_codes[known], train_values[known, column]
        )
        deviations = (truth - truth.mean()) ** 2
        errors = (truth - probe.predict(codes[held])) ** 2
        results.append(Ratio(deviations - errors, deviations, songs[held]))
    return results


def sweep_correlations(values: np.ndarray) -> np.ndarray:
    """Pearson's r of each property with the value of a swept axis.

    Args:
        values: float [..., V, P], properties of the music at V equally spaced values; NaN where there is none.

    Returns:
        float64 [..., P]; 0 where the property does not change, or is missing at some value.
    """
    position = np.arange(values.shape[-2]) - (values.shape[-2] - 1) / 2
    centred = values - values.mean(axis=-2, keepdims=True)
    scale = np.linalg.norm(centred, axis=-2) * np.linalg.norm(position)
    covariance = np.einsum("v,...vp->...p", position, centred)
    flat = ~(np.isfinite(scale) & (scale > 1e-9))
    return np.where(flat, 0.0, covariance / np.where(flat, 1.0, scale))


def _sweeps(context: "EvaluationContext") -> dict[str, Any]:
    """For each track and property the largest mean |r| of any axis, and how many axes have a mean |r| above a half."""
    rows = context.some(_SWEPT_PHRASES, _SWEPT)
    codes, axes = context.codes[rows], context.codes.shape[1]
    spread = context.codes.std(axis=0)
    moves = np.linspace(-_SWEEP_RANGE, _SWEEP_RANGE, _SWEEP_VALUES)
    correlations = []
    for axis in progress(range(axes), title="sweeping", unit="axes"):
        swept = np.repeat(codes, _SWEEP_VALUES, axis=0)
        swept[:, axis] += np.tile(moves * spread[axis], len(codes))
        properties = phrase_properties(context.decode(swept), context.layout)
        shape = (len(codes), _SWEEP_VALUES, -1)
        correlations.append(np.abs(sweep_correlations(properties.reshape(shape))).mean(axis=0))
    strength = np.stack(correlations).reshape(axes, len(context.layout.names), -1)
    return {
        "range": _SWEEP_RANGE,
        "phrases": len(codes),
        "best": _by_property(context, strength.max(axis=0)),
        "axes_above_half": _by_property(context, (strength > 0.5).sum(axis=0)),
    }


def _by_property(context: "EvaluationContext", values: np.ndarray) -> dict[str, dict[str, float]]:
    return {
        track: dict(zip(PROPERTIES, row, strict=True))
        for track, row in zip(context.layout.names, values.tolist(), strict=True)
    }


def measure_attributes(context: "EvaluationContext") -> dict[str, Any]:
    """Fit attribute vectors, write them beside the run, and see whether they do on held-out phrases what they say."""
    from musae_tf.latent.of_run import attributes_path, fit_to_phrases

    known = context.encoded
    attributes = fit_to_phrases(context.model, known.tokens, context.train_codes, context.run)
    attributes.save(attributes_path(context.run))
    rows = context.some(_MOVED_PHRASES, _MOVED)
    codes = context.codes[rows]
    before = attribute_values(context.decode(codes), context.layout)
    result: dict[str, Any] = {"units": dict(zip(attributes.names, attributes.units.tolist(), strict=True))}
    for strength in STRENGTHS:
        table = result[f"{strength:g}"] = {}
        for name in progress(attributes.names, title=f"moving by {strength:g}", unit="attributes"):
            table[name] = _moves(context, attributes, name, strength, rows, codes, before)
    _show_moves(context, attributes, rows)
    return result


def _show_moves(context: "EvaluationContext", attributes: AttributeVectors, rows: np.ndarray) -> None:
    """The first phrase of two genres, with more and less of each attribute of all tracks."""
    for row in rows[[0, -1]]:
        genre = context.genre_names[row]
        names = [name for name in ATTRIBUTES if name in attributes.names]
        changes = [{}, *({name: sign * STRENGTHS[-1]} for name in names for sign in (1, -1))]
        titles = [f"{genre}, reconstructed", *(f"{way} {name}" for name in names for way in ("more", "less"))]
        music = context.decode(np.stack([attributes.move(context.codes[row][None], change)[0] for change in changes]))
        clips = (context.clip(title, one, genre) for title, one in zip(titles, music, strict=True))
        context.show("attributes", *clips)


def _moves(
    context: "EvaluationContext",
    attributes: AttributeVectors,
    name: str,
    strength: float,
    rows: np.ndarray,
    codes: np.ndarray,
    before: np.ndarray,
) -> dict[str, float]:
    """Share of phrases whose attribute went the way it was asked to, up and down; by how much; and what else moved."""
    column = attributes.number(name)
    moved, others, changes = [], [], []
    for sign in (1, -1):
        music = context.decode(attributes.move(codes, {name: sign * strength}))
        change = (attribute_values(music, context.layout) - before) / attributes.units
        known = np.isfinite(change[:, column])
        moved.append(np.where(known, sign * change[:, column] > 0, np.nan))
        changes.append(sign * change[known, column])
        others.append(known_mean(np.abs(np.delete(change, column, axis=1))))
    context.record("attribute_moves", f"{name} by {strength:g}", np.tile(rows, 2), np.concatenate(moved))
    more, less = map(known_mean, moved)
    return {
        "more": more,
        "less": less,
        "change": known_mean(np.concatenate(changes)),
        "others": known_mean(np.array(others)),
    }
