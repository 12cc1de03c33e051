"""Families of metrics that look at codes: match of prior and posterior, genre and order in the latent space."""

from typing import Any

import numpy as np

from musae_tf.evaluation.latent_order import probe_properties, sweep_correlations
from musae_tf.evaluation.ledger import ALL
from musae_tf.evaluation.prior_match import sliced_wasserstein, two_sample_tests
from musae_tf.evaluation.probe import probe_genre
from musae_tf.evaluation.statistics import known_mean
from musae_tf.evaluation.subject import SEED, Subject
from musae_tf.latent import ATTRIBUTES, PROPERTIES, Attributes, attribute_values, phrase_properties
from musae_tf.latent.of_run import attributes_path, fit_to_phrases
from musae_tf.latent.properties import TOTAL
from musae_tf.progress import progress

TARGET = "target"
"""Part of the ledger: against what training pulled the codes to."""

# Streams of random numbers.
_POSTERIOR, _PRIOR, _OTHER_PRIOR, _SWEPT, _MOVED = 10, 11, 13, 30, 31

# A swept axis goes so many standard deviations of the codes to both sides, in so many values.
_SWEEP_REACH, _SWEEP_VALUES, _SWEPT_PHRASES = 3.0, 9, 1
_MOVED_PHRASES = 25
STRENGTHS = (1.0, 2.0)


def measure_prior(subject: Subject) -> dict[str, Any]:
    """Two-sample test and sliced Wasserstein distance of each genre's codes, against the prior.

    "target" holds the same against what training pulled the codes to: a fitted prior is near to any codes.
    """
    mean, deviation = subject.posterior
    genre = subject.held_out.genre
    noise = np.random.default_rng([SEED, _POSTERIOR]).standard_normal(mean.shape, np.float32)
    codes = mean + deviation * noise
    draws = (subject.draw_prior(genre, stream) for stream in (_PRIOR, _OTHER_PRIOR))
    targets = (subject.draw_target(genre, stream) for stream in (_PRIOR, _OTHER_PRIOR))
    result = _match(subject, codes, *draws, part=ALL)
    return {
        **result,
        "target": _match(subject, codes, *targets, part=TARGET),
        "posterior_deviation": float(deviation.mean()),
    }


def _match(subject: Subject, codes: np.ndarray, draws: np.ndarray, others: np.ndarray, part: str) -> dict[str, Any]:
    """Codes against draws; other draws against the same draws are what no match could be better than."""
    result: dict[str, Any] = {
        name: {} for name in ("two_sample_accuracy", "two_sample_auc", "sliced_wasserstein", "sliced_wasserstein_prior")
    }
    entries: dict[str, list[np.ndarray]] = {"rows": [], "right": [], "above": []}
    tests = two_sample_tests(codes, draws, subject.held_out, SEED)
    for number, (genre, test) in enumerate(tests.items()):
        rows = subject.held_out.of_genre(number)
        result["two_sample_accuracy"][genre] = float("nan") if test is None else float(test.right.mean())
        result["two_sample_auc"][genre] = float("nan") if test is None else float(test.above.mean())
        if test is not None:
            for name, values in zip(entries, (rows, test.right, test.above), strict=True):
                entries[name].append(values)
        if len(rows):
            result["sliced_wasserstein"][genre] = sliced_wasserstein(codes[rows], draws[rows])
            result["sliced_wasserstein_prior"][genre] = sliced_wasserstein(others[rows], draws[rows])
    if entries["rows"]:
        rows, right, above = (np.concatenate(values) for values in entries.values())
        subject.enter("two_sample_accuracy", part, rows, right)
        subject.enter("two_sample_auc", part, rows, above)
    return result


def measure_probe(subject: Subject) -> dict[str, Any]:
    """Balanced accuracy of a linear probe for genre."""
    read = probe_genre(subject.train_codes, subject.encoded.genre, subject.codes)
    if read is not None:
        subject.enter("genre_probe", ALL, np.arange(len(read)), (read == subject.held_out.genre).astype(float))
    return {"chance": 1 / len(subject.genres)}


def measure_order(subject: Subject) -> dict[str, Any]:
    """R2 of each property of each track, and how single axes move it."""
    layout, held_out = subject.layout, subject.held_out
    train, truth = (phrase_properties(tokens, layout) for tokens in (subject.encoded.tokens, held_out.tokens))
    tracks = [*layout.names, TOTAL]
    values = {}
    for track, name in enumerate(tracks):
        one, other = (_of_track(properties, track) for properties in (train, truth))
        ratios = probe_properties(subject.train_codes, one, subject.codes, other, subject.song_names)
        values[name] = {}
        for number, (key, ratio) in enumerate(zip(PROPERTIES, ratios, strict=True)):
            if ratio is None:
                continue
            rows = np.flatnonzero(np.isfinite(other[:, number]))
            subject.enter("probe_r2", f"{name}:{key}", rows, ratio.parts, ratio.wholes)
            values[name][key] = ratio.value()
    return {"probe_r2": values, "sweeps": _sweeps(subject)}


def _of_track(properties: np.ndarray, track: int) -> np.ndarray:
    """[N, K, P] to [N, P]; the number after the last track stands for all: counts add up, pitches are those of any."""
    if track < properties.shape[1]:
        return properties[:, track]
    counts = np.nansum(properties[..., :3], axis=1)
    pitched = np.isfinite(properties[..., 3])
    highest = np.where(pitched, properties[..., 3], -np.inf).max(axis=1)
    lowest = np.where(pitched, properties[..., 4], np.inf).min(axis=1)
    onsets = np.where(pitched, properties[..., 2], 0)
    mean = (np.nan_to_num(properties[..., 5]) * onsets).sum(axis=1) / np.maximum(onsets.sum(axis=1), 1)
    pitches = np.stack([highest, lowest, mean], axis=1)
    return np.concatenate([counts, np.where(pitched.any(axis=1)[:, np.newaxis], pitches, np.nan)], axis=1)


def _sweeps(subject: Subject) -> dict[str, Any]:
    """For each track and property the largest mean |r| of any axis, and how many axes have a mean |r| above a half."""
    rows = subject.some(_SWEPT_PHRASES, _SWEPT)
    codes, axes = subject.codes[rows], subject.codes.shape[1]
    spread = subject.codes.std(axis=0)
    reach = np.linspace(-_SWEEP_REACH, _SWEEP_REACH, _SWEEP_VALUES)
    correlations = []
    for axis in progress(range(axes), title="sweeping", unit="axes"):
        swept = np.repeat(codes, _SWEEP_VALUES, axis=0)
        swept[:, axis] += np.tile(reach * spread[axis], len(codes))
        properties = phrase_properties(subject.decode(swept), subject.layout)
        shape = (len(codes), _SWEEP_VALUES, -1)
        correlations.append(np.abs(sweep_correlations(properties.reshape(shape))).mean(axis=0))
    strength = np.stack(correlations).reshape(axes, len(subject.layout.names), -1)
    return {
        "reach": _SWEEP_REACH,
        "phrases": len(codes),
        "best": _by_property(subject, strength.max(axis=0)),
        "axes_above_half": _by_property(subject, (strength > 0.5).sum(axis=0)),
    }


def _by_property(subject: Subject, values: np.ndarray) -> dict[str, dict[str, float]]:
    return {
        track: dict(zip(PROPERTIES, row, strict=True))
        for track, row in zip(subject.layout.names, values.tolist(), strict=True)
    }


def measure_attributes(subject: Subject) -> dict[str, Any]:
    """Fit attribute vectors, write them beside the run, and see whether they do on held-out phrases what they say."""
    known = subject.encoded
    attributes = fit_to_phrases(subject.model, known.tokens, subject.train_codes, known.genre, subject.run)
    attributes.save(attributes_path(subject.run))
    rows = subject.some(_MOVED_PHRASES, _MOVED)
    codes = subject.codes[rows]
    before = attribute_values(subject.decode(codes), subject.layout)
    result: dict[str, Any] = {"units": dict(zip(attributes.names, attributes.units.tolist(), strict=True))}
    for strength in STRENGTHS:
        table = result[f"{strength:g}"] = {}
        for name in progress(attributes.names, title=f"moving by {strength:g}", unit="attributes"):
            table[name] = _moves(subject, attributes, name, strength, rows, codes, before)
    _show_moves(subject, attributes, rows)
    return result


def _show_moves(subject: Subject, attributes: Attributes, rows: np.ndarray) -> None:
    """The first phrase of two genres, with more and less of each attribute of all tracks."""
    for row in rows[[0, -1]]:
        genre = subject.genre_names[row]
        names = [name for name in ATTRIBUTES if name in attributes.names]
        changes = [{}, *({name: sign * STRENGTHS[-1]} for name in names for sign in (1, -1))]
        titles = [f"{genre}, reconstructed", *(f"{way} {name}" for name in names for way in ("more", "less"))]
        music = subject.decode(np.stack([attributes.move(subject.codes[row][None], change)[0] for change in changes]))
        clips = (subject.clip(title, one, genre) for title, one in zip(titles, music, strict=True))
        subject.show("attributes", *clips)


def _moves(
    subject: Subject,
    attributes: Attributes,
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
        music = subject.decode(attributes.move(codes, {name: sign * strength}))
        change = (attribute_values(music, subject.layout) - before) / attributes.units
        known = np.isfinite(change[:, column])
        moved.append(np.where(known, sign * change[:, column] > 0, np.nan))
        changes.append(sign * change[known, column])
        others.append(known_mean(np.abs(np.delete(change, column, axis=1))))
    subject.enter("attribute_moves", f"{name} by {strength:g}", np.tile(rows, 2), np.concatenate(moved))
    more, less = map(known_mean, moved)
    return {
        "more": more,
        "less": less,
        "change": known_mean(np.concatenate(changes)),
        "others": known_mean(np.array(others)),
    }
