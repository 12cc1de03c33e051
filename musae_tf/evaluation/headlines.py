"""The few numbers by which models are compared, each with what it is to be read against."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from musae_tf.evaluation.grammar import BARS, TITLES, likeness
from musae_tf.evaluation.per_song import ALL, PerSongMetrics
from musae_tf.evaluation.statistics import known_mean

ENOUGH_R2 = 0.7
"""From this R2 on a property counts as predicted."""


@dataclass(frozen=True)
class Headline:
    """One row of the comparison.

    Attributes:
        key: in JSON.
        title: for people.
        better: what is better: higher, lower, or neither by itself.
        metric: in the per-song metrics, with `part`; empty if the number is made otherwise and has no interval.
        part: see `metric`.
        note: what to read it against.
    """

    key: str
    title: str
    better: Literal["higher", "lower"]
    metric: str = ""
    part: str = ALL
    note: str = ""


_AT_1 = "strength 1"
_LIKENESS = "share of the way from shuffled to real music"
_JUDGES = {"network_auc": "by a network on tokens", "token_auc": "by counts of a musician"}
HEADLINES = (
    *(Headline(f"grammar_{key}", f"{TITLES[key]} of samples", "higher", note=_LIKENESS) for key in BARS),
    *(
        Headline(f"grammar_{kind}", f"the least of these four, {kind}", "higher", note=_LIKENESS)
        for kind in ("midpoints", "transfers", "reconstructions")
    ),
    Headline("onset_density", "density of samples off real music", "lower", note="largest of the genres"),
    Headline("onset_f1", "onset F1", "higher", "onset_f1", note="pitch and step exact"),
    *(
        Headline(f"{metric}_{kind}", f"{kind} or real music?, AUC {judge}", "lower", metric, kind, "unseen songs")
        for kind in ("samples", "midpoints", "transfers", "reconstructions")
        for metric, judge in _JUDGES.items()
    ),
    Headline("distinct", "samples unlike all others", "higher", "distinct", "samples", "onset F1 below 0.8"),
    Headline("nearest_sample", "samples like another one", "lower", "nearest_sample", "samples",
             "onset F1 to the nearest, in any key"),
    Headline(
        "accuracy_off_hold_rest", "accuracy at onsets", "higher", "accuracy_off_hold_rest", note="off holds and rests"
    ),
    Headline("step_accuracy", "per-step accuracy", "higher", "step_accuracy", note="holds rule it"),
    Headline("two_sample_auc", "posterior or prior?, AUC", "lower", "two_sample_auc", note="0.5 is a perfect match"),
    Headline(
        "two_sample_auc_target", "posterior or target of training?, AUC", "lower", "two_sample_auc", "target",
        "differs where the prior was fitted",
    ),
    Headline("sliced_wasserstein", "sliced Wasserstein", "lower", note="mean of genres; beside two draws of the prior"),
    Headline("genre_probe", "genre read from the code", "higher", "genre_probe", note="balanced accuracy"),
    Headline(
        "samples_as_asked", "samples classified as asked", "higher", "samples_as_asked",
        note="beside the classifier's own score",
    ),
    Headline("transfer_success", "transfer classified as the target", "higher", "transfer_success", _AT_1),
    Headline("transfer_chroma", "chroma kept by transfer", "higher", "transfer_chroma", _AT_1),
    Headline("transfer_rhythm", "rhythm kept by transfer", "higher", "transfer_rhythm", _AT_1),
    Headline("transfer_onset_f1", "onset F1 of transfer to source", "higher", "transfer_onset_f1", _AT_1),
    Headline(
        "interpolation_monotone", "monotone interpolations", "higher", "interpolation_monotone", "model",
        "towards both ends",
    ),
    Headline(
        "interpolation_evenness", "evenness of interpolation", "higher", "interpolation_evenness", "model",
        "mean step over largest",
    ),
    Headline(
        "interpolation_smoothness", "smoothness of interpolation", "higher", "interpolation_smoothness", "model",
        "direct distance over path",
    ),
    Headline(
        "interpolation_nll", "negative log-likelihood between the ends", "lower", "interpolation_nll", "model",
        "nats a step above the ends",
    ),
    Headline("properties_predicted", f"properties with R2 of {ENOUGH_R2:g} on all tracks", "higher", note="of 6"),
    Headline("probe_r2", "mean R2 of properties", "higher", note="ridge on the code, held-out songs"),
    Headline("attribute_moves", "attribute vectors move as asked", "higher", note="mean of attributes, 2 units"),
    Headline("attribute_moves_least", "the least sure of them", "higher"),
    Headline("overlapped_area", "overlapped area of samples", "higher", note="1: distributed as real music"),
    Headline(
        "nearest_training", "samples like a training phrase", "lower", "nearest_training", "samples",
        "onset F1 to the nearest, in any key; not below real music",
    ),
    Headline("copied", "samples that nearly repeat one", "lower", "copied", "samples", "onset F1 of 0.8 or more"),
    Headline("within_5_95", "samples within real percentiles", "higher", note="all at once; beside real music"),
)  # fmt: skip


def headlines(result: dict[str, Any], per_song: PerSongMetrics) -> dict[str, dict[str, float]]:
    """{key: {"value", "low", "high"}} of whatever was measured; no limits where there is no interval.

    Args:
        result: what the families of metrics returned.
        per_song: what they recorded.
    """
    rows = {}
    made = _made(result, per_song)
    likenesses = _likenesses(per_song)
    for headline in HEADLINES:
        if headline.metric:
            interval = per_song.interval(headline.metric, headline.part)
            if interval is not None and np.isfinite(interval.value):
                rows[headline.key] = interval._asdict()
        elif headline.key in likenesses:
            rows[headline.key] = likenesses[headline.key]
        elif headline.key in made and np.isfinite(made[headline.key]):
            rows[headline.key] = {"value": made[headline.key]}
    return rows


def references(result: dict[str, Any], per_song: PerSongMetrics) -> dict[str, dict[str, float]]:
    """{key: {what: value}}: what the headlines of the same key are to be read against."""
    found: dict[str, dict[str, float]] = {}

    def add(key: str, what: str, value: float | None) -> None:
        if value is not None and np.isfinite(value):
            found.setdefault(key, {})[what] = float(value)

    def entered(metric: str, part: str = ALL) -> float | None:
        ratio = per_song.ratio(metric, part)
        return None if ratio is None else ratio.value()

    for kind in ("samples", "midpoints", "transfers", "reconstructions"):
        for metric in _JUDGES:
            add(f"{metric}_{kind}", "other real music", entered(metric, "real"))
    for key in BARS:
        for part in ("samples", "real", "shuffled"):
            add(f"grammar_{key}", part, entered(f"grammar_{key}", part))
    for key in ("distinct", "nearest_sample"):
        add(key, "real music", entered(key, "real"))
    for key in ("onset_f1", "accuracy_off_hold_rest", "step_accuracy"):
        for name in ("copy last bar", "always hold", "most frequent"):
            add(key, name, result["reconstruction"][name][key]["all"])
    for key in ("two_sample_auc", "two_sample_auc_target"):
        add(key, "chance", 0.5)
    add(
        "sliced_wasserstein",
        "two draws of the prior",
        known_mean([*result["prior_match"]["sliced_wasserstein_prior"].values()]),
    )
    chance = 1 / max(1, len(result["phrases"]))
    add("genre_probe", "chance", chance)
    add("samples_as_asked", "chance", chance)
    add("samples_as_asked", "real music", entered("classifier_real"))
    add("samples_as_asked", "reconstructions", entered("classifier_reconstructions"))
    for key in ("transfer_success", "transfer_chroma", "transfer_rhythm", "transfer_onset_f1"):
        for name in ("reconstruction", "another piece"):
            add(key, name, entered(key, name))
    for name in ("monotone", "evenness", "smoothness", "nll"):
        add(f"interpolation_{name}", "cross-fade", entered(f"interpolation_{name}", "cross-fade"))
    for key in ("nearest_training", "copied"):
        add(key, "real music", entered(key, "real"))
    within = result["samples"]["within_5_95"].values()
    add("within_5_95", "real music", float(np.mean([shares["real_all"] for shares in within])) if within else None)
    return found


def _likenesses(per_song: PerSongMetrics) -> dict[str, dict[str, float]]:
    """How much of the way from shuffled to real music has been gone, with the limits that those of the value give."""

    def of(key: str, kind: str) -> dict[str, float] | None:
        found, real, shuffled = (per_song.interval(f"grammar_{key}", part) for part in (kind, "real", "shuffled"))
        if found is None or real is None or shuffled is None:
            return None
        value, *ends = (likeness(number, real.value, shuffled.value) for number in found)
        high = 1.0 if found.low <= real.value <= found.high else max(ends)
        return {"value": value, "low": min(ends), "high": high} if np.isfinite([value, high, *ends]).all() else None

    rows = {f"grammar_{key}": of(key, "samples") for key in BARS}
    for kind in ("midpoints", "transfers", "reconstructions"):
        measured = [row for key in BARS if (row := of(key, kind)) is not None]
        rows[f"grammar_{kind}"] = min(measured, key=lambda row: row["value"], default=None)
    return {key: row for key, row in rows.items() if row is not None}


def _made(result: dict[str, Any], per_song: PerSongMetrics) -> dict[str, float]:
    made = {"sliced_wasserstein": known_mean([*result["prior_match"]["sliced_wasserstein"].values()])}
    within = result["samples"]["within_5_95"].values()
    if within:
        made["within_5_95"] = float(np.mean([shares["all"] for shares in within]))
    if "realism" in result:
        density = [row["onsets"] for row in result["realism"]["grammar"]["by_genre"].values()]
        ratios = [row["samples"] / row["real"] for row in density if row["real"] > 0]
        made["onset_density"] = float(np.max(np.abs(np.array(ratios) - 1), initial=0))
    if "latent_order" in result:
        tables = {track: row for track, row in result["latent_order"]["probe_r2"].items() if track != "all"}
        values = [value for row in tables.values() for value in row.values()]
        if values:
            made |= {"probe_r2": float(np.mean(values)), "properties_predicted": float(properties_predicted(tables))}
    if "attributes" in result:
        ratios = [
            per_song.ratio(name, part)
            for name, part in per_song.keys
            if name == "attribute_moves" and part.endswith(" by 2")
        ]
        shares = np.array([ratio.value() for ratio in ratios if ratio is not None])
        shares = shares[np.isfinite(shares)]
        if len(shares):
            made |= {"attribute_moves": float(shares.mean()), "attribute_moves_least": float(shares.min())}
    if "generation" in result:
        areas = [area for values in result["generation"]["overlapped_area"].values() for area in values]
        made["overlapped_area"] = known_mean(areas)
    return made


def properties_predicted(tables: dict[str, dict[str, float]]) -> int:
    """How many properties have an R2 of `ENOUGH_R2` or more on every track that has them."""
    keys = {key for row in tables.values() for key in row}
    return sum(all(row[key] >= ENOUGH_R2 for row in tables.values() if key in row) for key in keys)
