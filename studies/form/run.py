"""What the form of pieces is worth: pieces of 16 bars by what their codes are drawn from, and codes of unseen songs.

    python studies/form/run.py runs/voices        # a run that was trained with model.hidden_parts

Pieces are made with parts of the form, with the walk that there was before, and with codes that know nothing of each
other, and held against songs that training never saw: the similarity of bars 1, 2, 4 and 8 apart
(`musae_tf.evaluation.repetition`), and the grammar of `musae_tf.evaluation.grammar`. Of each way to predict codes the
gain in log-likelihood is given, see likelihood.py and recurrent.py. Writes results/form/form.json.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from musae_tf.data import Dataset
from musae_tf.errors import MusaeError, RunError
from musae_tf.evaluation.grammar import grammar
from musae_tf.evaluation.repetition import similarity_of_pieces
from musae_tf.export import ModelSignatures
from musae_tf.export.version import describe
from musae_tf.files import write_text
from musae_tf.latent.form import Form
from musae_tf.latent.form_of_run import load_form
from musae_tf.models import MusAE
from musae_tf.music import Layout
from musae_tf.training import Run
from musae_tf.training.run import revision
from musae_tf.verbs import windows
from musae_tf.verbs.description import Description
from musae_tf.verbs.steps import Steps, decoded, sampling
from studies.form import likelihood, recurrent

ROOT = Path(__file__).parent.parent.parent
BARS, SHORTEST, PIECES = 16, 9, 100
"""Of a piece, of the shortest stretch of a real song that is looked at, and how many pieces of each genre are made."""
DISTANCES = (1, 2, 4, 8)
JUDGED = (2, 4, 8)
"""By the mean difference at these distances a way to draw codes is judged."""
MEASURES = ("dissonant_pairs", "minor_seconds", "steps", "chords", "parallels", "onsets", "in_scale")
_RESAMPLES = 1000

Waiting = tuple[Steps, Any]


def parts_of(form: Form) -> dict[str, Form | None]:
    """Forms to draw from, None for the walk."""
    nothing = Form(*(np.zeros_like(getattr(form, field.name)) for field in fields(form)))
    following = replace(nothing, following=form.following)
    common = replace(following, song=form.song)
    repeating = replace(common, starts=form.starts, goes_on=form.goes_on)
    return {"walk": None, "single codes": nothing, "following": following, "and song": common,
            "and repetitions": repeating, "form": form}  # fmt: skip


def piece(model: Description, genre: int, seed: int) -> Steps[np.ndarray]:
    """The bars of a new piece, int32 [BARS, S, C]."""
    writing = windows.nothing_known(model, BARS)
    count = len(writing.windows)
    codes, repeats = yield from windows.form_of(model, genre, seed, count)
    return (yield from windows.written(model, writing, codes, repeats, sampling(model, 0.0, seed, None, count)))


def side_by_side(model: Description, genre: int, seed: int) -> Steps[np.ndarray]:
    """A walk whose phrases know nothing of each other's music."""
    count = BARS // model.bars
    codes = yield from windows.walk_of(model, genre, seed, count)
    tokens = yield from decoded(codes, sampling(model, 0.0, seed, None, count))
    return tokens.reshape(-1, model.layout.bar_steps, tokens.shape[-1])


def together(all_steps: list[Steps], answer: Callable[[str, dict[str, np.ndarray]], dict[str, np.ndarray]]) -> list:
    """What many pieces return, whose calls of the same signature are answered at once."""
    results: list = [None] * len(all_steps)
    waiting = {}
    for number, steps in enumerate(all_steps):
        waiting[number] = next(steps)
    while waiting:
        signature = next(iter(waiting.values())).signature
        asked = {number: call for number, call in waiting.items() if call.signature == signature}
        names = list(next(iter(asked.values())).inputs)
        joined = {name: np.concatenate([call.inputs[name] for call in asked.values()]) for name in names}
        outputs, first = answer(signature, joined), 0
        for number, call in asked.items():
            rows = len(call.inputs[names[0]])
            own = [outputs[name][first : first + rows] for name in call.outputs]
            first += rows
            try:
                waiting[number] = all_steps[number].send(own)
            except StopIteration as stop:
                results[number] = stop.value
                del waiting[number]
    return results


def made(run: Run, model: MusAE, form: Form | None, make: Callable[..., Steps]) -> list[list[np.ndarray]]:
    """Pieces of each genre."""
    signatures = ModelSignatures(model, form=form)
    text = describe(run, run.path.name, 0, {name: one.to_dict() for name, one in signatures.signatures.items()})
    description = Description.from_json(text, 0, run.path.name)
    return [together([make(description, genre, seed) for seed in range(PIECES)], signatures)
            for genre in range(len(run.genres))]  # fmt: skip


def real(dataset: Dataset, splits: tuple[str, ...]) -> list[list[np.ndarray]]:
    """Stretches of up to BARS bars of the songs of each genre."""
    found: list[list[np.ndarray]] = [[] for _ in dataset.genres]
    for song, first, bars in dataset.runs.tolist():
        if dataset.songs[song]["split"] not in splits or dataset.songs[song]["duplicate_of"] is not None:
            continue
        for start in range(first, first + bars - SHORTEST + 1, BARS):
            stretch = dataset.tokens[start : min(start + BARS, first + bars)].astype(np.int32)
            stretch[0, 0] = dataset.heads[start]
            for genre in np.flatnonzero(dataset.song_labels[song]):
                found[genre].append(stretch)
    return found


def measured(pieces: list[list[np.ndarray]], layout: Layout, genres: tuple[str, ...]) -> dict[str, Any]:
    """Similarity by distance of each genre, with 95 % intervals over pieces, and the grammar of all."""
    rng = np.random.default_rng(1)
    result: dict[str, Any] = {}
    for genre, mine in zip(genres, pieces, strict=True):
        rows = np.array([[similarity_of_pieces(one[np.newaxis], distance, layout)[0] for distance in DISTANCES]
                         for one in mine])  # fmt: skip
        draws = np.nanmean(rows[rng.integers(0, len(rows), (_RESAMPLES, len(rows)))], axis=1)
        low, high = np.percentile(draws, [2.5, 97.5], axis=0)
        tokens = np.concatenate([one[: len(one) // 2 * 2].reshape(-1, 2 * layout.bar_steps, one.shape[-1])
                                 for one in mine])  # fmt: skip
        counts = grammar(tokens, layout)
        result[genre] = {
            "pieces": len(mine),
            "similarity": {str(distance): [round(float(value), 4) for value in (mean, least, most)]
                           for distance, mean, least, most in zip(DISTANCES, np.nanmean(rows[..., 0], axis=0),
                                                                  low[:, 0], high[:, 0], strict=True)},
            "repeated": {str(distance): [round(float(value), 4) for value in (mean, least, most)]
                         for distance, mean, least, most in zip(DISTANCES, np.nanmean(rows[..., 1], axis=0),
                                                                low[:, 1], high[:, 1], strict=True)},
            "last_bar_onsets": round(float(np.mean([(one[-1] < 128).sum() for one in mine])), 2),
            "grammar": {name: round(counts[name].value, 4) for name in MEASURES},
        }  # fmt: skip
    return result


def difference(one: dict[str, Any], other: dict[str, Any]) -> dict[str, float]:
    """Mean difference of the similarities at the distances that count, by genre and of all."""
    found = {genre: float(np.mean([abs(one[genre]["similarity"][str(distance)][0]
                                       - other[genre]["similarity"][str(distance)][0]) for distance in JUDGED]))
             for genre in one}  # fmt: skip
    return {genre: round(float(value), 4) for genre, value in {**found, "all": np.mean(list(found.values()))}.items()}


class Opened(NamedTuple):
    """What a study of this folder was asked to measure, and where its results go."""

    run: Run
    dataset: Dataset
    model: MusAE
    form: Form
    to: Path


def opened(what: str, arguments: list[str] | None) -> Opened | None:
    """The run that a command line names, with its form; None after a sentence about a mistake that can be mended."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("run", help="run folder, trained with model.hidden_parts")
    parser.add_argument("--dataset", help="where the run's dataset is now, if it was moved")
    parser.add_argument("--to", type=Path, default=ROOT / "results" / "form", help="folder of the results")
    options = parser.parse_args(arguments)
    try:
        run = Run.open(options.run)
        dataset = Dataset.open(options.dataset or run.facts["dataset"]["path"])
        model = run.load_model()
        return Opened(run, dataset, model, load_form(run, model, dataset), options.to)
    except MusaeError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return None


def write(result: dict[str, Any], path: Path) -> None:
    """Write what was found as JSON; the folder is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(result, indent=1) + "\n", RunError)


def main(arguments: list[str] | None = None) -> int:
    """Measure and write; the exit code is 2 for a mistake that can be mended."""
    asked = opened(__doc__.partition("\n")[0], arguments)
    if asked is None:
        return 2
    run, dataset, model, form, to = asked
    held_out = measured(real(dataset, ("validation", "test")), run.layout, run.genres)
    training = measured(real(dataset, ("train",)), run.layout, run.genres)
    music = {"held-out songs": held_out, "training songs": training}
    for name, part in parts_of(form).items():
        music[name] = measured(made(run, model, part, piece), run.layout, run.genres)
    music["walk, phrases side by side"] = measured(made(run, model, None, side_by_side), run.layout, run.genres)
    for name, row in music.items():
        print(name, difference(row, held_out), flush=True)
    codes = likelihood.Codes.of_run(run, model, dataset)
    gains = {**likelihood.gains(codes, form), "recurrent network": recurrent.gain(codes)}
    result = {
        "command": shlex.join(["python", "studies/form/run.py", *(sys.argv[1:] if arguments is None else arguments)]),
        "revision": revision(),
        "dataset_hash": dataset.hash,
        "seed": run.config.seed,
        "steps": run.config.training.steps,
        "genres": list(run.genres),
        "pieces": PIECES,
        "bars": BARS,
        "difference_from_held_out_songs": {name: difference(row, held_out) for name, row in music.items()},
        "music": music,
        "gain_nats_a_window": gains,
    }
    write(result, to / "form.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
