"""Make the model that comes with the package of a trained and evaluated run: `make pretrained RUN=runs/NAME`.

python -m musae_tf.pretrained.build RUN [--dataset PATH] [--to FOLDER]
"""

import argparse
import json
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from musae_tf.config import config_to_yaml
from musae_tf.data import Dataset
from musae_tf.errors import MusaeError, RunError
from musae_tf.evaluation.compare import FOLDER, read_evaluation
from musae_tf.evaluation.held_out import HeldOut
from musae_tf.export import export_run
from musae_tf.export.signatures import leave_cudnn
from musae_tf.files import write_bytes, write_text
from musae_tf.latent.of_run import FILE as ATTRIBUTES
from musae_tf.latent.of_run import attributes_path, is_current
from musae_tf.models import MusAE
from musae_tf.models.inference import decode, encode
from musae_tf.music.metrics import onset_f1
from musae_tf.pretrained.card import Rounding, card
from musae_tf.pretrained.store import ARCHIVE, pack
from musae_tf.training import Run

CARD = "card.md"
MOST_BYTES = 15_000_000
"""Of the archive and its card together."""


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


def build(run: Run, dataset: Dataset, to: Path, say: Callable[[str], None] = print) -> Path:
    """Write the archive and its card.

    Args:
        run: finished, and evaluated with `musae evaluate`.
        dataset: the run's.
        to: the folder.
        say: takes the sentences for the user.

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
    say(f"float16 keeps {rounding.same_tokens:.3%} of the tokens, {rounding.same_phrases:.2%} of the phrases")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "run")
        folder.mkdir()
        shutil.copy(attributes_path(run), folder / ATTRIBUTES)
        here = {**run.facts, "dataset": {**run.facts["dataset"], "path": str(dataset.path)}}
        export_run(Run(folder, run.config, here), say=say, model=model, songs=False)
        (folder / "export" / "musae" / ".lock").unlink()
        final = _portable(run, evaluation, folder)
        archive = pack(folder)
    text = card(final, dataset, evaluation, rounding, len(archive))
    if len(archive) + len(text.encode()) > MOST_BYTES:
        raise RunError(f"{run.path} makes {len(archive) / 1e6:.1f} MB with its card, more than {MOST_BYTES / 1e6:g} MB")
    write_bytes(to / ARCHIVE.name, archive, RunError)
    write_text(to / CARD, text, RunError)
    say(f"written: {to / ARCHIVE.name} ({len(archive) / 1e6:.1f} MB), {to / CARD}")
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
    f1 = (onset_f1(tokens, held_out.tokens, held_out.layout)["all"] for tokens in (before, after))
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


if __name__ == "__main__":
    sys.exit(main())
