"""Make the model that comes with the package of a trained and evaluated run: `make pretrained RUN=runs/NAME`.

python -m musae_tf.pretrained.package RUN [--dataset PATH] [--to FOLDER]
"""

import argparse
import json
import re
import shlex
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from musae_tf.config import config_hash, config_to_yaml
from musae_tf.data import Dataset
from musae_tf.errors import MusaeError, RunError
from musae_tf.evaluation.compare import FOLDER, read_evaluation
from musae_tf.evaluation.headlines import HEADLINES
from musae_tf.evaluation.held_out import HeldOut
from musae_tf.export import export_run
from musae_tf.export.signatures import leave_cudnn
from musae_tf.files import write_bytes, write_text
from musae_tf.latent.of_run import FILE as ATTRIBUTES
from musae_tf.latent.of_run import attributes_path, is_current
from musae_tf.models import MusAE
from musae_tf.models.inference import decode, encode
from musae_tf.music.metrics import agreement
from musae_tf.pretrained.archive import ARCHIVE, pack
from musae_tf.training import Run

CARD = "card.md"
MOST_BYTES = 15_000_000
"""Of the archive and its card together."""


class Rounding(NamedTuple):
    """What half precision changes on the phrases of the test split, decoded greedily.

    Attributes:
        phrases: how many.
        same_tokens: share of the tokens that stay.
        same_phrases: share of the phrases of which all tokens stay.
        f1_before: onset F1 with the weights as they were trained.
        f1_after: onset F1 with the weights of the package.
    """

    phrases: int
    same_tokens: float
    same_phrases: float
    f1_before: float
    f1_after: float


def main(arguments: list[str] | None = None) -> int:
    """Build it; the exit code is 2 for a mistake that can be mended."""
    parser = argparse.ArgumentParser(prog="make pretrained", description=__doc__.partition("\n")[0])
    parser.add_argument("run", metavar="RUN", help="run folder, finished and evaluated")
    parser.add_argument("--dataset", metavar="PATH", help="where the run's dataset is now, if it was moved")
    parser.add_argument("--to", type=Path, default=ARCHIVE.parent, metavar="FOLDER", help="default: in the package")
    options = parser.parse_args(arguments)
    try:
        run = Run.open(options.run)
        build(run, Dataset.open(options.dataset or run.facts["dataset"]["path"]), options.to)
    except MusaeError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    return 0


def build(run: Run, dataset: Dataset, to: Path, log: Callable[[str], None] = print) -> Path:
    """Write the archive and its card.

    Args:
        run: finished, and evaluated with `musae evaluate`.
        dataset: the run's.
        to: the folder.
        log: takes the sentences for the user.

    Returns:
        The archive.

    Raises:
        RunError: the run is not finished or not evaluated, the dataset is another one, or the result is too large.
        ExportError: the exported graph does not answer as the model does.
    """
    evaluation = read_evaluation(run.path)
    if run.facts["state"] != "finished" or not is_current(run):
        raise RunError(f"{run.path} was trained after it was evaluated, or is not finished")
    if dataset.hash != run.facts["dataset"]["hash"]:
        raise RunError(f"{run.path} was trained on another dataset than {dataset.path}: their hashes differ")
    model = run.load_model()
    leave_cudnn(model)
    held_out = HeldOut.read(dataset, run.config, "test")
    before = _rebuilt(model, held_out)
    round_weights(model)
    rounding = _compare(held_out, before, _rebuilt(model, held_out))
    log(f"float16 keeps {rounding.same_tokens:.3%} of the tokens, {rounding.same_phrases:.2%} of the phrases")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "run")
        folder.mkdir()
        shutil.copy(attributes_path(run), folder / ATTRIBUTES)
        here = {**run.facts, "dataset": {**run.facts["dataset"], "path": str(dataset.path)}}
        export_run(Run(folder, run.config, here), log=log, model=model, songs=False)
        (folder / "export" / "musae" / ".lock").unlink()
        final = _portable(run, evaluation, folder)
        archive = pack(folder)
    text = card(final, dataset, evaluation, rounding, len(archive))
    if len(archive) + len(text.encode()) > MOST_BYTES:
        raise RunError(f"{run.path} makes {len(archive) / 1e6:.1f} MB with its card, more than {MOST_BYTES / 1e6:g} MB")
    write_bytes(to / ARCHIVE.name, archive, RunError)
    write_text(to / CARD, text, RunError)
    log(f"written: {to / ARCHIVE.name} ({len(archive) / 1e6:.1f} MB), {to / CARD}")
    return to / ARCHIVE.name


def round_weights(model: MusAE) -> None:
    """Give all weights that make music the nearest value that half precision has.

    Raises:
        RunError: one is too large for it.
    """
    for variable in model.music_variables:
        rounded = np.asarray(variable.value).astype(np.float16).astype(np.float32)
        if not np.isfinite(rounded).all():
            raise RunError(f"{variable.path} has values beyond 65504, the largest of half precision")
        variable.assign(rounded)


def _rebuilt(model: MusAE, held_out: HeldOut) -> np.ndarray:
    """Greedy reconstructions."""
    return decode(model, encode(model, held_out.tokens)[0])


def _compare(held_out: HeldOut, before: np.ndarray, after: np.ndarray) -> Rounding:
    same = before == after
    f1 = (agreement(tokens, held_out.tokens, held_out.layout)["onset_f1"]["all"] for tokens in (before, after))
    return Rounding(len(same), float(same.mean()), float(same.all(axis=(1, 2)).mean()), *map(float, f1))


def _portable(run: Run, evaluation: Mapping[str, Any], folder: Path) -> Run:
    """The run as it goes with the package, with its evaluation: nothing in it says where it lay."""
    name = run.facts["dataset"]["name"]
    config = replace(run.config, data=replace(run.config.data, path=f"datasets/{name}"))
    # Of absolute paths, as they are or behind an equals sign, the last name stays.
    parts = (re.sub("(^|=)/.*/", r"\1", part) for part in shlex.split(run.facts["command"]))
    moved = {"command": shlex.join(parts), "dataset": {**run.facts["dataset"], "path": f"datasets/{name}"}}
    write_text(folder / "config.yaml", config_to_yaml(config), RunError)
    write_text(folder / FOLDER / "evaluation.json", json.dumps({**evaluation, **moved}, indent=1) + "\n", RunError)
    for name in (f"{FOLDER}/songs.csv", "log.jsonl"):
        shutil.copy(run.path / name, folder / name)
    final = Run(folder, config, {**run.facts, **moved})
    final.update()
    return final


# --- its card ---------------------------------------------------------------------------------------------------------


def card(run: Run, dataset: Dataset, evaluation: Mapping[str, Any], rounding: Rounding, size: int) -> str:
    """The card as Markdown.

    Args:
        run: the run as it goes with the package.
        dataset: its dataset.
        evaluation: what its evaluation.json holds.
        rounding: what half precision changes.
        size: bytes of the archive.
    """
    config, facts = run.config, run.facts
    manifest = dataset.manifest
    songs, phrases = manifest["counts"]["songs"], sum(evaluation["phrases"].values())
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    same = f"{rounding.same_tokens:.3%} of the greedily decoded tokens and {rounding.same_phrases:.2%} of the phrases"
    licence = textwrap.fill(f"**Licence of the music.** {manifest['licence']}", 120, break_on_hyphens=False)
    return f"""# {config.name}: the pretrained model of musae-tf

{_KINDS[config.model.kind]} for phrases of {config.music.bars} bars.
Tracks: {", ".join(run.layout.names)}. Genres: {", ".join(run.genres)}.
{config.model.latent} latent axes. {size / 1e6:.1f} MB, unpacked at first use.

    musae sample --pretrained --wav
    musae serve --pretrained

## Data

The dataset `{manifest["name"]}` ({manifest["built_by"]}; hash `{dataset.hash}`), {songs} songs, split by
groups of related songs. Phrases that training saw and, in brackets, songs:
{_by_genre(run, dataset)}.

{licence}

## What is in the archive

- The weights, as a SavedModel for servers, with mean and covariance of each genre's codes.
- Vectors of the attributes, and a map of the latent space whose dots are draws of the model.
- The curves of the training and the evaluation; `songs.csv` names the songs of the test split and counts notes.

No note of a song is in it, and no code of one, from which a phrase like it could be decoded. The exports of your own
runs (`musae export`) do have such codes: those of the training songs, on their map.

## What it is worth

On {phrases} phrases of {evaluation["songs"]} songs that training never saw, decoded greedily;
intervals are 95 %, over songs.

{_table(evaluation)}

## How it was made

| | |
|---|---|
| training | `{facts["command"]}` |
| evaluation | `musae evaluate RUN` (seed {evaluation["evaluation_seed"]}) |
| package | `make pretrained RUN=RUN` |
| seed | {config.seed} |
| steps | {facts["steps"]}, in {facts["seconds"] / 60:.0f} minutes |
| machine | {facts["machine"]}; {facts["devices"]} |
| versions | {versions}; revision {facts["revision"]} |
| configuration | hash `{config_hash(config)}`; in full in `config.yaml` of the archive |
| dataset | hash `{dataset.hash}` |

Weights are rounded to half precision. On {rounding.phrases} phrases of the test split that leaves
{same} as they were;
onset F1 is {rounding.f1_after:.4f} after and {rounding.f1_before:.4f} before. The table above was measured before.

## Limits

- It knows the genres named above and nothing else. Other music is read as if it were one of them.
- Bars of 16 sixteenths, one note at a time in each track, no dynamics; tempo and instruments are not learnt.
- A piece is a walk through the latent space, in phrases of {config.music.bars} bars: neighbours are alike, but there
  is no form beyond that.
- The table says what does not work well: a row near its reference is no better than the reference.
"""


_KINDS = {
    "musae_gm": "MusAE-GM, an adversarial autoencoder with a Gaussian a genre,",
    "musae": "MusAE, an adversarial autoencoder with a Gaussian code and a style,",
    "vae": "A variational autoencoder",
    "cvae": "A variational autoencoder with a Gaussian a genre",
    "autoencoder": "An autoencoder",
}


def _by_genre(run: Run, dataset: Dataset) -> str:
    index = dataset.phrases("train", run.config.music.bars, sounding=run.config.data.sounding)
    parts = []
    for number, genre in enumerate(run.genres):
        rows = np.flatnonzero(index.song_labels[index.songs][:, number])
        parts.append(f"{genre} {len(rows):,} ({len(np.unique(index.songs[rows]))})")
    return ", ".join(parts)


def _table(evaluation: Mapping[str, Any]) -> str:
    lines = ["| | | 95 % | beside | |", "|---|---|---|---|---|"]
    for headline in HEADLINES:
        row = evaluation["headlines"].get(headline.key)
        if row is None:
            continue
        interval = f"{row['low']:.3f} to {row['high']:.3f}" if row.get("low") is not None else ""
        known = evaluation["references"].get(headline.key, {})
        beside = ", ".join(f"{what} {value:.3f}" for what, value in known.items())
        lines.append(f"| {headline.title} | {row['value']:.3f} | {interval} | {beside} | {headline.note} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
