"""What samples cost reconstructions: the onset F1 of runs against how well their samples are told from real music.

    python studies/frontier/run.py runs/ONE runs/OTHER        # runs that differ in their pull, or in their training

Each run is measured at several temperatures, with several amounts of trust in its codes (see
`AutoregressiveDecoder.generate`), and for its samples with several `prior.sample_noise_scale`. Writes
results/frontier/frontier.json and frontier.png.
"""

import argparse
import io
import json
import shlex
import sys
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot

from musae_tf.data import Dataset
from musae_tf.errors import MusaeError, RunError
from musae_tf.evaluation.context import EvaluationContext
from musae_tf.evaluation.grammar import BARS, grammar, likeness, shuffled_voices
from musae_tf.evaluation.held_out import SEED
from musae_tf.evaluation.realism import Music, TokenTest
from musae_tf.evaluation.statistics import known_mean
from musae_tf.files import write_bytes, write_text
from musae_tf.models import inference
from musae_tf.models.prior import FittedPrior
from musae_tf.music.metrics import agreement
from musae_tf.music.pieces import row_seeds
from musae_tf.progress import progress
from musae_tf.training import Run

ROOT = Path(__file__).parent.parent.parent
TEMPERATURES = {0.0: "-", 0.5: "--", 0.9: ":"}
"""And how they are drawn."""
TRUSTS = (0.0, 0.5, 1.0)
"""At every temperature, with the run's own noise."""
SCALES = (0.4, 2.0, 12.0)
"""At the first temperature, with all trust."""


class Setting(NamedTuple):
    """How music is made."""

    temperature: float
    trust: float
    scale: float


# Phrases of each genre that the test learns from and is asked about, and streams of random numbers for both.
_COUNTS, _STREAMS = (400, 200), (81, 82)


def main(arguments: list[str] | None = None) -> int:
    """Measure runs; 0 if all went well."""
    parser = argparse.ArgumentParser(description="Onset F1 against how well samples are told from real music.")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="finished runs with a fitted prior")
    parser.add_argument("--dataset", help="default: the one the first run was trained on")
    parser.add_argument("--to", type=Path, default=ROOT / "results" / "frontier", help="default: results/frontier")
    options = parser.parse_args(arguments)
    command = "python studies/frontier/run.py " + shlex.join(sys.argv[1:] if arguments is None else arguments)
    try:
        runs = [Run.open(path) for path in options.runs]
        dataset = Dataset.open(options.dataset or runs[0].config.data.path)
        found = {run.path.name: measure(run, dataset) for run in runs}
    except MusaeError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    options.to.mkdir(parents=True, exist_ok=True)
    write_text(options.to / "frontier.json", json.dumps({"command": command, "runs": found}, indent=1) + "\n", RunError)
    draw(found, options.to / "frontier.png")
    print(f"written to {options.to}: frontier.json, frontier.png")
    return 0


def measure(run: Run, dataset: Dataset) -> dict[str, Any]:
    """All points of a run, and where it comes from."""
    context = EvaluationContext.of(run, dataset)
    if not isinstance(context.model.prior, FittedPrior):
        raise RunError(f"{run.path}: prior.fitted is false; allowed: true")
    known, genres = context.encoded, len(context.genres)
    # One half of the training songs is real music; samples need no other half.
    songs = np.random.default_rng([SEED, _STREAMS[0]]).permutation(np.unique(known.songs))
    half = known.of(np.isin(known.songs, songs[: len(songs) // 2]))
    rows = np.concatenate([half.of_genre(genre)[: _COUNTS[0]] for genre in range(genres)])
    learnt = Music(half.tokens[rows], half.genre[rows], half.songs[rows].astype(str))
    real = Music(context.held_out.tokens, context.held_out.genre, context.song_names)
    noise = shuffled_voices(real.tokens, context.layout, SEED)
    mean, deviation = inference.encode(context.model, known.tokens)
    points = []
    own = context.model.config.prior
    settings = [Setting(heat, trust, own.sample_noise_scale) for heat in TEMPERATURES for trust in TRUSTS]
    settings += [Setting(next(iter(TEMPERATURES)), 1.0, scale) for scale in SCALES]
    for setting in progress(settings, title=run.path.name, unit="points"):
        rebuilt = _decode(context, context.codes, setting, 0)
        f1 = agreement(rebuilt, real.tokens, context.layout)["onset_f1"]["all"]
        prior = FittedPrior(context.model.latent, genres, setting.scale, own.sample_mean_scale)
        prior.fit(mean, deviation, known.genre)
        seen, asked = (
            _samples(context, prior, count, setting, stream) for count, stream in zip(_COUNTS, _STREAMS, strict=True)
        )
        above = TokenTest(learnt, seen, context.layout).above(real, asked)
        auc = known_mean(np.array([known_mean(above[real.genre == genre]) for genre in range(genres)]))
        kept = [_likeness(context, key, asked.tokens, real.tokens, noise) for key in BARS]
        points.append({**setting._asdict(), "onset_f1": f1, "auc": auc, "grammar": min(kept)})
    facts = {key: run.facts.get(key) for key in ("command", "steps", "seconds", "versions", "revision", "machine")}
    schedule = [list(pair) for pair in run.config.regularisation.weight_schedule]
    return {**facts, "seed": run.config.seed, "weight_schedule": schedule, "points": points}


def draw(found: dict[str, dict[str, Any]], path: Path) -> None:
    """All points; those of one run and temperature are joined in the order of their trust, the others are crosses."""
    figure, axes = pyplot.subplots(figsize=(7, 5))
    for number, (name, run) in enumerate(found.items()):
        own = run["points"][0]["scale"]
        for temperature, style in TEMPERATURES.items():
            here = [point for point in run["points"] if (point["temperature"], point["scale"]) == (temperature, own)]
            line = [point["auc"] for point in here], [point["onset_f1"] for point in here]
            axes.plot(*line, f"o{style}", color=f"C{number}", label=f"{name}, temperature {temperature:g}")
            for point in here:
                _note(axes, point, f"{point['trust']:g}")
        for point in run["points"]:
            if point["scale"] != own:
                axes.plot(point["auc"], point["onset_f1"], "x", color=f"C{number}")
                _note(axes, point, f"noise {point['scale']:g}")
    axes.set_xlabel("samples told from real music by counts, AUC (numbers: trust; crosses: prior.sample_noise_scale)")
    axes.set_ylabel("onset F1 of reconstructions")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))  # beside it, where no point is
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110, bbox_inches="tight")
    pyplot.close(figure)
    write_bytes(path, picture.getvalue(), RunError)


def _note(axes: Any, point: dict[str, Any], text: str) -> None:
    axes.annotate(text, (point["auc"], point["onset_f1"]), fontsize=7, xytext=(2, 3), textcoords="offset points")


def _samples(context: EvaluationContext, prior: FittedPrior, count: int, setting: Setting, stream: int) -> Music:
    genre = np.repeat(np.arange(len(context.genres)), count)
    codes = prior.draw(genre, np.asarray(row_seeds(SEED, stream, 1))[0]).numpy()
    names = np.array([f"sample {number}" for number in range(len(genre))])
    return Music(_decode(context, codes, setting, stream), genre, names)


def _decode(context: EvaluationContext, codes: np.ndarray, setting: Setting, stream: int) -> np.ndarray:
    seeds = row_seeds(SEED, stream, len(codes))
    return inference.decode(context.model, codes, setting.temperature, seeds, setting.trust)


def _likeness(context: EvaluationContext, key: str, made: np.ndarray, real: np.ndarray, noise: np.ndarray) -> float:
    values = (grammar(tokens, context.layout)[key].value for tokens in (made, real, noise))
    return float(likeness(*values))


if __name__ == "__main__":
    sys.exit(main())
