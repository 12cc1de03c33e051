"""Make the model that comes with the package of a trained and evaluated run: `make pretrained RUN=runs/NAME`.

python -m musae_tf.pretrained.package RUN [--dataset PATH] [--to FOLDER]
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from musae_tf.data import Dataset
from musae_tf.errors import MusaeError, RunError
from musae_tf.evaluation.held_out import HeldOut
from musae_tf.export.signatures import leave_cudnn
from musae_tf.files import write_bytes, write_text
from musae_tf.models import MusAE
from musae_tf.models.inference import decode, encode
from musae_tf.music.metrics import agreement
from musae_tf.pretrained.archive import ARCHIVE, pack
from musae_tf.pretrained.cards import card
from musae_tf.pretrained.portable import check_portable, write_portable
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
    evaluation = check_portable(run, dataset)
    model = run.load_model()
    leave_cudnn(model)
    held_out = HeldOut.read(dataset, run.config, "test")
    before = _rebuilt(model, held_out)
    round_weights(model)
    rounding = _compare(held_out, before, _rebuilt(model, held_out))
    log(f"float16 keeps {rounding.same_tokens:.3%} of the tokens, {rounding.same_phrases:.2%} of the phrases")
    with tempfile.TemporaryDirectory() as temporary:
        final = write_portable(run, dataset, Path(temporary, "run"), log, model)
        archive = pack(final.path)
    title, size = f"{final.config.name}: the pretrained model of musae-tf", f"{len(archive) / 1e6:.1f} MB"
    commands = ("musae sample --pretrained --wav", "musae serve --pretrained")
    made = {"package": "`make pretrained RUN=RUN`"}
    text = card(final, dataset, evaluation, title, f"{size}, unpacked at first use", commands, made, _note(rounding))
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


def _note(rounding: Rounding) -> str:
    same = f"{rounding.same_tokens:.3%} of the greedily decoded tokens and {rounding.same_phrases:.2%} of the phrases"
    return f"""Weights are rounded to half precision. On {rounding.phrases} phrases of the test split that leaves
{same} as they were;
onset F1 is {rounding.f1_after:.4f} after and {rounding.f1_before:.4f} before. The table above was measured before."""


if __name__ == "__main__":
    sys.exit(main())
