"""`musae evaluate`: what a finished run is worth on songs of the test split, as JSON, tables and pictures.

evaluation/evaluation.json      every number, with what it was measured on
evaluation/reconstructions.png  four phrases beside their reconstructions
evaluation/curves.png           the run's curves over training
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from musae_tf.data import Dataset
from musae_tf.errors import RunError
from musae_tf.evaluation.curves import write_curves
from musae_tf.evaluation.held_out import HeldOut
from musae_tf.evaluation.quick import prior_match, reconstruction_picture
from musae_tf.evaluation.reconstruction import reconstruction_table
from musae_tf.evaluation.statistics import STATISTICS, phrase_statistics, share_within
from musae_tf.evaluation.tables import prior_table, reconstruction_lines, statistics_table
from musae_tf.files import atomic_path, write_text
from musae_tf.models import MusAE
from musae_tf.models.inference import decode, encode, sample_prior
from musae_tf.music.pieces import row_seeds
from musae_tf.training import Run

# At most so many test phrases, evenly over the genres.
_PHRASES = 2000
# Samples of each genre drawn from the prior.
_SAMPLES = 200
_SAMPLE_STREAM = 12


def evaluate_run(run: Run, dataset: Dataset, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Measure a run on held-out songs; write RUN/evaluation/ and tell the tables.

    Decoding is greedy, from the posterior mean (so nothing of the target is seen while decoding) and, for samples,
    from draws of each genre's component.

    Raises:
        RunError: no checkpoint, or another dataset than the run's.
        DatasetError: the test split has no phrase.
    """
    if dataset.hash != run.facts["dataset"]["hash"]:
        raise RunError(f"{run.path} was trained on another dataset than {dataset.path}: their hashes differ")
    model = run.load_model()
    held_out = HeldOut.read(dataset, run.config, "test", _PHRASES)
    mean, deviation = encode(model, held_out.tokens)
    rebuilt = decode(model, mean)
    result = {
        "split": "test",
        "phrases": {name: len(held_out.of_genre(number)) for number, name in enumerate(held_out.genres)},
        "songs": len(np.unique(held_out.songs)),
        "decoding": "greedy, from the posterior mean",
        "steps": run.facts.get("steps"),
        "dataset": run.facts["dataset"],
        "config": run.config.name,
        "seed": run.config.seed,
        "versions": run.facts["versions"],
        "revision": run.facts["revision"],
        "command": run.facts["command"],
        "machine": run.facts["machine"],
        "reconstruction": reconstruction_table(rebuilt, held_out, _train_tokens(run, dataset)),
        "prior_match": {
            "two_sample_accuracy": prior_match(model, held_out, mean, deviation, run.config.seed),
            "posterior_deviation": float(deviation.mean()),
        },
        "samples": _sample_statistics(model, held_out, run.config.seed),
    }
    folder = run.path / "evaluation"
    write_text(folder / "evaluation.json", json.dumps(_plain(result), indent=1) + "\n", RunError)
    _write_picture(folder / "reconstructions.png", reconstruction_picture(held_out, rebuilt))
    write_curves(run.path, folder / "curves.png")
    phrases = sum(result["phrases"].values())
    say(f"\nOn {phrases} phrases of {result['songs']} songs that training never saw, decoded greedily:")
    for lines in (reconstruction_lines(result["reconstruction"], held_out.layout), prior_table(result["prior_match"])):
        say("\n" + lines)
    say("\n" + statistics_table(result["samples"], held_out.layout))
    say(f"\nwritten to {folder}: evaluation.json, reconstructions.png, curves.png")
    return result


def _train_tokens(run: Run, dataset: Dataset) -> np.ndarray:
    return HeldOut.read(dataset, run.config, "train", _PHRASES).tokens


def _sample_statistics(model: MusAE, held_out: HeldOut, seed: int) -> dict[str, Any]:
    by_genre = {}
    for number, name in enumerate(held_out.genres):
        seeds = row_seeds(seed, _SAMPLE_STREAM + number, _SAMPLES)
        samples = decode(model, sample_prior(model, np.full(_SAMPLES, number), seeds))
        real = held_out.tokens[held_out.of_genre(number)]
        if not len(real):
            continue  # a genre without test songs has nothing to be compared with
        by_genre[name] = share_within(
            phrase_statistics(samples, held_out.layout), phrase_statistics(real, held_out.layout)
        )
    return {"count": _SAMPLES, "statistics": STATISTICS, "within_5_95": by_genre}


def _write_picture(path, pixels: np.ndarray) -> None:
    from matplotlib.image import imsave

    with atomic_path(path, RunError) as temporary:
        imsave(temporary, pixels)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float):
        return None if np.isnan(value) else round(value, 6)
    return value
