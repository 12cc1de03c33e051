"""Attribute vectors of a trained run, fitted once and kept in RUN/attributes.npz."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from musae_tf.data import Dataset
from musae_tf.data.pipeline import held_out_phrases
from musae_tf.errors import RunError
from musae_tf.latent import AttributeVectors, fit_directions
from musae_tf.models import MusAE
from musae_tf.models.inference import decode, encode
from musae_tf.music.properties import attribute_names, attribute_values
from musae_tf.training import Run

FILE = "attributes.npz"
# Phrases that are encoded and moved, evenly over the genres.
_PHRASES = 4000
# Size of the random moves on each axis, as a share of the codes' spread: what a listener would still call the piece.
_MOVE = 0.5
_STREAM = 20


def fit_attributes(run: Run, model: MusAE, dataset: Dataset) -> AttributeVectors:
    """Attribute vectors from training phrases. Deterministic; takes seconds.

    Raises:
        DatasetError: the training split has no phrase.
    """
    index = dataset.phrases("train", run.config.music.bars, sounding=run.config.data.sounding)
    index, _ = held_out_phrases(index, _PHRASES, run.config.seed)
    tokens = index.tokens()
    return fit_to_phrases(model, tokens, encode(model, tokens)[0], run)


def fit_to_phrases(model: MusAE, tokens: np.ndarray, codes: np.ndarray, run: Run) -> AttributeVectors:
    """`fit_attributes` to phrases int [N, T, K] with known codes float32 [N, D]."""
    layout = run.layout
    draws = np.random.default_rng([run.config.seed, _STREAM]).standard_normal(codes.shape, np.float32)
    offsets = _MOVE * float(codes.std(axis=0).mean()) * draws
    more, less = (attribute_values(decode(model, codes + sign * offsets), layout) for sign in (1, -1))
    units = _spread(attribute_values(tokens, layout))
    return AttributeVectors(
        attribute_names(layout),
        fit_directions(offsets, more, less, units),
        units.astype(np.float32),
    )


def load_attributes(run: Run, model: MusAE, dataset: Dataset | None) -> AttributeVectors:
    """Those of RUN/attributes.npz, or fitted and written there.

    Args:
        run: the run.
        model: its model.
        dataset: the run's; None if it is not there any more.

    Raises:
        RunError: damaged, or not there and no dataset to make it from.
    """
    return kept_or_fitted(run, attributes_path(run), AttributeVectors, fit_attributes, model, dataset)


def is_current(run: Run) -> bool:
    """Whether the run has attribute vectors that are not older than its newest checkpoint."""
    return is_newest(run, attributes_path(run))


class Kept(Protocol):
    """What is fitted to a run's model and kept in a file."""

    @classmethod
    def load(cls: type["K"], path: str | os.PathLike) -> "K":
        """Read what `save` wrote."""

    def save(self, path: str | os.PathLike) -> None:
        """Write it."""


K = TypeVar("K", bound=Kept)


def kept_or_fitted(
    run: Run, path: Path, kind: type[K], fit: Callable[[Run, MusAE, Dataset], K], model: MusAE, dataset: Dataset | None
) -> K:
    """What a file keeps if it is not older than the newest checkpoint, or else fitted and written there.

    Raises:
        RunError: damaged, or not there and no dataset to make it from.
    """
    if is_newest(run, path):
        return kind.load(path)
    if dataset is None:
        raise RunError(f"there is no {path}, and it cannot be made without the run's dataset: name it with --dataset")
    fitted = fit(run, model, dataset)
    fitted.save(path)
    return fitted


def is_newest(run: Run, path: Path) -> bool:
    """Whether there is such a file and it is not older than the run's newest checkpoint."""
    newest = run.checkpoints / "checkpoint"
    return path.is_file() and not (newest.is_file() and path.stat().st_mtime < newest.stat().st_mtime)


def attributes_path(run: Run) -> Path:
    """Where a run's attribute vectors are."""
    return run.path / FILE


def _spread(values: np.ndarray) -> np.ndarray:
    """Standard deviation of each column of [N, A] without its NaNs, 1 where there is none."""
    columns = [column[np.isfinite(column)] for column in values.T]
    return np.array([column.std() if len(column) and column.std() > 0 else 1.0 for column in columns])
