"""Sections of the page; each is empty if its metrics were not measured."""

from html import escape
from typing import Any

from musae_tf.evaluation.context import EvaluationContext
from musae_tf.evaluation.figures import interpolation_curves, latent_map
from musae_tf.evaluation.latent_order import STRENGTHS
from musae_tf.evaluation.page.markup import NONE, legend, limits, number, picture, shade, strip, table
from musae_tf.evaluation.per_song import PerSongMetrics
from musae_tf.evaluation.statistics import STATISTICS
from musae_tf.latent import PROPERTIES

_METRICS = {
    "onset_f1": "onset F1 (pitch and step exact)",
    "accuracy_off_hold_rest": "accuracy at onsets (off holds and rests)",
    "step_accuracy": "per-step accuracy (holds rule it)",
}
_DRAWS = 13


def reconstruction(context: EvaluationContext, result: dict[str, Any]) -> str:
    """Tables by track and genre, baselines, pictures."""
    tracks = ["all", *context.layout.names]
    intervals = result["reconstruction_intervals"]
    parts = []
    for metric, title in _METRICS.items():
        rows = [
            ["model", *(_bounded(result["reconstruction"]["model"][metric][t], intervals[metric][t]) for t in tracks)]
        ]
        for genre, predictions in result["reconstruction_by_genre"].items():
            bounds = result["reconstruction_by_genre_intervals"][genre][metric]
            rows.append([escape(genre), *(_bounded(predictions["model"][metric][t], bounds[t]) for t in tracks)])
        for name, values in result["reconstruction"].items():
            if name != "model":
                rows.append([f'<span class="soft">{name}</span>', *(number(values[metric][t]) for t in tracks)])
        parts.append(table([title, *tracks], rows))
    return "".join(parts) + _strips(context, "reconstruction")


def prior(context: EvaluationContext, result: dict[str, Any]) -> str:
    """Two-sample test and distance of each genre, and the map."""
    match = result["prior_match"]
    names = {
        "two_sample_auc": "two-sample AUC (0.5: cannot be told apart)",
        "two_sample_accuracy": "two-sample accuracy (0.5: cannot be told apart)",
        "sliced_wasserstein": "sliced Wasserstein distance",
        "sliced_wasserstein_prior": "the same of two draws of the prior",
    }
    genres = list(match["two_sample_auc"])
    tables = []
    for found, caption in (
        (match, "codes against the prior"),
        (match["target"], "codes against what training pulled them to (the same, unless the prior was fitted)"),
    ):
        rows = [[title, *(number(found[key].get(genre)) for genre in genres)] for key, title in names.items()]
        tables.append(table(["", *genres], rows, caption))
    draws = context.draw_prior(context.held_out.genre, _DRAWS)
    held_out = context.held_out
    image = latent_map(context.codes, draws, held_out.genre, held_out.tokens, context.layout, context.genres)
    return "".join(tables) + picture(image, "codes of held-out phrases on a plane, by genre and by property")


def genre(context: EvaluationContext, result: dict[str, Any]) -> str:
    """Probe, classifier, samples."""
    parts = []
    probe = context.per_song.interval("genre_probe")
    if probe is not None:
        parts.append(
            f"<p>A linear probe reads the genre from the code of an unseen song's phrase with a balanced accuracy of "
            f"{number(probe.value)}{limits(probe._asdict())}; chance is {number(result['genre_probe']['chance'])}.</p>"
        )
    classifier = result.get("genre_classifier")
    if classifier is not None:
        parts.append(
            "<p>The genre classifier was trained on real phrases of training songs and knows nothing of the model. "
            "Rows: what the music is, or was asked to be. Columns: what the classifier takes it for.</p>"
        )
        titles = {
            "classifier_real": "real phrases of test songs",
            "classifier_reconstructions": "their reconstructions",
            "samples_as_asked": f"samples of the prior, {result['samples']['count']} a genre",
        }
        for key, title in titles.items():
            interval = context.per_song.interval(key)._asdict()
            rows = [
                [escape(name), *(shade(share, number(share, 2)) for share in row)]
                for name, row in zip(context.genres, classifier[key], strict=True)
            ]
            bounds = f"{number(interval['low'])} to {number(interval['high'])}"
            caption = f"{title}: balanced accuracy {number(interval['value'])}, {bounds}"
            parts.append(table(["", *context.genres], rows, caption))
    return "".join(parts) + _strips(context, "samples")


def transfer(context: EvaluationContext, result: dict[str, Any]) -> str:
    """Success and what was kept, by strength; success by pair of genres; music."""
    if "transfer" not in result:
        return ""
    metrics = {
        "transfer_success": "classified as the target",
        "transfer_chroma": "chroma similarity",
        "transfer_rhythm": "rhythm similarity",
        "transfer_onset_f1": "onset F1 to the source",
    }
    versions = result["transfer"]["versions"]
    rows = [[name, *(_entered(context.per_song, metric, name) for metric in metrics)] for name in versions]
    pairs = result["transfer"]["success_by_pair"]
    by_pair = [
        [escape(source), *(shade(row.get(g), number(row.get(g), 2)) for g in context.genres)]
        for source, row in pairs.items()
    ]
    return (
        "<p>Phrases of test songs moved to each other genre. The reconstruction is what moving by nothing gives, "
        "another piece of the target genre what giving up the source gives.</p>"
        + table(["", *metrics.values()], rows)
        + table(["from, to", *context.genres], by_pair, "classified as the target at strength 1, by pair")
        + _strips(context, "transfer")
    )


def interpolation(context: EvaluationContext, result: dict[str, Any]) -> str:
    """Curves, table, strips."""
    if "interpolation" not in result:
        return ""
    found = result["interpolation"]
    metrics = {
        "interpolation_monotone": "monotone",
        "interpolation_nearly_monotone": "nearly",
        "interpolation_rank_correlation": "rank correlation",
        "interpolation_evenness": "evenness",
        "interpolation_smoothness": "smoothness",
        "interpolation_nll": "negative log-likelihood above the ends",
    }
    rows = [
        [name, *(_entered(context.per_song, metric, name) for metric in metrics)] for name in ("model", "cross-fade")
    ]
    image = interpolation_curves(found)
    return (
        f"<p>{found['pairs']} pairs of phrases of different test songs, {found['points']} points each, beside "
        "cross-fading the phrases cell by cell, which is even by construction but is not music in between: see the "
        "negative log-likelihood. Monotone: the distance to the start never falls and that to the end never rises; "
        "nearly: by no more than 2 % of the cells.</p>"
        + table(["", *metrics.values()], rows)
        + picture(image, "distance to both ends and negative log-likelihood along interpolations")
        + _strips(context, "interpolation")
    )


def order(context: EvaluationContext, result: dict[str, Any]) -> str:
    """R2 of linear probes, and the best single axis."""
    found = result["latent_order"]
    names = [name.replace("_", " ") for name in PROPERTIES]
    probes = [
        [
            escape(track),
            *(
                shade(row.get(key), _entered(context.per_song, "probe_r2", f"{track}:{key}") if key in row else NONE)
                for key in PROPERTIES
            ),
        ]
        for track, row in found["probe_r2"].items()
    ]
    sweeps = found["sweeps"]
    axes = [
        [
            escape(track),
            *(shade(row[key], f"{number(row[key], 2)}, {sweeps['axes_above_half'][track][key]}") for key in PROPERTIES),
        ]
        for track, row in sweeps["best"].items()
    ]
    return table(["track", *names], probes, "R2 of a linear probe on codes of unseen songs") + table(
        ["track", *names],
        axes,
        f"largest mean |r| of any axis when it is swept over {sweeps['reach']:g} standard deviations to both sides, "
        "and how many axes have one above 0.5",
    )


def attributes(context: EvaluationContext, result: dict[str, Any]) -> str:
    """What moving along attribute vectors does."""
    found = result["attributes"]
    rows = []
    for name, unit in found["units"].items():
        row = [escape(name), number(unit, 2)]
        for strength in STRENGTHS:
            moves = found[f"{strength:g}"][name]
            row += [*(shade(moves[key], number(moves[key], 2)) for key in ("more", "less"))]
            row += [number(moves["change"], 2), number(moves["others"], 2)]
        rows.append(row)
    head = ["attribute", "unit"]
    for strength in STRENGTHS:
        head += [f"{strength:g}: more", "less", "change", "others"]
    return (
        "<p>Share of phrases of test songs whose attribute goes the way it was asked to when the code is moved by 1 or "
        "by 2 units; how many units it changes, and how many the other attributes change on average. A unit is a "
        "standard deviation over training phrases: notes a bar, semitones, sixteenths.</p>"
        + table(head, rows)
        + _strips(context, "attributes")
    )


def statistics(context: EvaluationContext, result: dict[str, Any]) -> str:
    """MuseGAN's statistics, overlapped area, percentiles."""
    found = result["generation"]
    parts = []
    for genre_name, kinds in found["statistics"].items():
        rows = []
        for statistic, columns in kinds["real"].items():
            for column in columns:
                values = (kinds[kind][statistic][column] for kind in ("samples", "real", "shuffled"))
                rows.append([f"{statistic.replace('_', ' ')}, {escape(column)}", *map(number, values)])
        head = [genre_name, "samples", "real music", "its tracks shuffled"]
        parts.append(f"<details><summary>{escape(genre_name)}</summary>{table(head, rows)}</details>")
    features = [name.replace("_", " ") for name in found["overlap_features"]]
    areas = [
        [escape(g), *(shade(area, number(area, 2)) for area in row)] for g, row in found["overlapped_area"].items()
    ]
    within = [
        [escape(g), *(number(_mean(shares["each"], index), 2) for index in range(len(STATISTICS))),
         number(shares["all"], 2), number(shares["real_all"], 2)]
        for g, shares in result["samples"]["within_5_95"].items()
    ]  # fmt: skip
    head = ["samples within the 5th to 95th percentile", *(name.replace("_", " ") for name in STATISTICS)]
    return (
        table(["overlapped area (1: as real music)", *features], areas)
        + table([*head, "all at once", "real music"], within, "mean over tracks")
        + "<p>MuseGAN's statistics by genre; nearer to real music is better:</p>"
        + "".join(parts)
    )


def originality(context: EvaluationContext, result: dict[str, Any]) -> str:
    """How near samples and real phrases come to training phrases; of each genre the sample that comes nearest."""
    found = result["originality"]
    metrics = {
        "nearest_training": "onset F1 to the nearest training phrase",
        "copied": f"share with {found['copied_from']:g} or more",
    }
    rows = [
        [title, *(_entered(context.per_song, metric, part) for metric in metrics)]
        for part, title in (("samples", "samples of the prior"), ("real", "real phrases of test songs"))
    ]
    every = "all" if found["searched"] == found["training_phrases"] else f"{found['searched']:,}, evenly chosen, of all"
    return (
        f"<p>Each phrase is held against {every} {found['training_phrases']:,} training phrases, in thirteen keys. "
        "A model that composes comes as near to them as real music of its genres does, and no nearer.</p>"
        + table(["", *metrics.values()], rows)
        + _strips(context, "originality")
    )


def training(context: EvaluationContext, result: dict[str, Any]) -> str:
    """Curves, and what made the run."""
    curves = (context.run.path / "evaluation" / "curves.png").read_bytes()
    facts = {
        "command": result["command"],
        "dataset": f"{result['dataset']['name']} {result['dataset']['hash']}",
        "revision": result["revision"] or "an installed package",
        "versions": ", ".join(f"{name} {version}" for name, version in result["versions"].items()),
        "machine": result["machine"],
    }
    rows = [[name, f"<code>{escape(str(value))}</code>"] for name, value in facts.items()]
    image = picture(curves, "curves of training").replace("<img", '<img class="plain"')
    return image + table(["", ""], rows)


def _strips(context: EvaluationContext, section: str) -> str:
    shown = [strip(clips, context.layout) for clips in context.clips.get(section, [])]
    return legend(context.layout) + "".join(shown) if shown else ""


def _bounded(value: float | None, bounds: list[float | None]) -> str:
    return number(value) + limits({"low": bounds[0], "high": bounds[1]})


def _entered(per_song: PerSongMetrics, metric: str, part: str) -> str:
    interval = per_song.interval(metric, part)
    return NONE if interval is None else number(interval.value) + limits(interval._asdict())


def _mean(each: list[list[float]], index: int) -> float:
    return sum(row[index] for row in each) / len(each)
