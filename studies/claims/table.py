"""The table of the study: headlines of each system over the seeds, and bars that the improved one has to reach."""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from musae_tf.errors import RunError
from musae_tf.renamed import renew_json
from studies.claims.cells import SYSTEMS

# Below it two systems count as different.
_SIGNIFICANT = 0.05


class Column(NamedTuple):
    """One of the headlines of an evaluation, and whether more of it is better."""

    key: str
    title: str
    more_is_better: bool = True

    def value(self, cell: dict[str, Any]) -> float | None:
        """The number of a cell; None if it was not measured."""
        return cell["evaluation"]["headlines"].get(self.key, {}).get("value")


COLUMNS = (
    Column("token_auc_samples", "samples told from real music, AUC", more_is_better=False),
    Column("grammar_dissonant_pairs", "dissonant pairs, shuffled 0 to real 1"),
    Column("grammar_minor_seconds", "minor seconds, 0 to 1"),
    Column("grammar_steps", "melodic steps, 0 to 1"),
    Column("grammar_chords", "chords on the beat, 0 to 1"),
    Column("grammar_midpoints", "least of the four, midpoints"),
    Column("grammar_transfers", "least of the four, transfers"),
    Column("onset_f1", "onset F1"),
    Column("accuracy_off_hold_rest", "accuracy off holds and rests"),
    Column("two_sample_auc", "codes told from the prior, AUC", more_is_better=False),
    Column("sliced_wasserstein", "sliced Wasserstein", more_is_better=False),
    Column("genre_probe", "genre read from codes"),
    Column("samples_as_asked", "samples classified as asked"),
    Column("transfer_success", "transfer classified as target"),
    Column("transfer_chroma", "chroma kept by transfer"),
    Column("interpolation_monotone", "monotone interpolations"),
    Column("interpolation_evenness", "evenness"),
    Column("interpolation_smoothness", "smoothness"),
    Column("overlapped_area", "overlapped area of samples"),
)


class Entry(NamedTuple):
    """One system in one column: its values over the seeds, and how it stands beside the best."""

    values: list[float]
    best: bool
    as_good: bool
    """Not the best on average, but the seeds do not tell them apart (Welch's t-test, two-sided, 0.05)."""

    @property
    def text(self) -> str:
        """Mean, and half of the distance between the seeds' extremes."""
        if not self.values:
            return "-"
        half = (max(self.values) - min(self.values)) / 2
        return f"{np.mean(self.values):.3f}" + (f" ± {half:.3f}" if len(self.values) > 1 else "")


def read(folder: Path) -> list[dict[str, Any]]:
    """All cells that are done.

    Raises:
        RunError: there is none, or they are of different datasets.
    """
    found = list(_files(folder / "cells").values())
    if not found:
        raise RunError(f"no cell in {folder / 'cells'}: make them with python studies/claims/run.py")
    if len({cell["dataset_hash"] for cell in found}) > 1:
        raise RunError(f"the cells in {folder / 'cells'} are of different datasets; run.py makes the old ones again")
    return found


def tried(folder: Path) -> dict[str, dict[str, Any]]:
    """Cells of configurations that were given up, by name: what a system was before it became what it is."""
    return _files(folder / "tried")


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: _read(path) for path in sorted(folder.glob("*.json"))}


def _read(path: Path) -> dict[str, Any]:
    return renew_json(json.loads(path.read_text(encoding="utf-8")), "evaluation.json")


def tabulate(found: list[dict[str, Any]]) -> dict[str, dict[Column, Entry]]:
    """The table: for each system each column, over the seeds of the cells with the system's own weight."""
    systems = [system for system in SYSTEMS if any(cell["system"] == system for cell in found)]
    columns = {}
    for column in COLUMNS:
        values = {system: list(_values(found, system, column)) for system in systems}
        known = {system: np.mean(numbers) for system, numbers in values.items() if numbers}
        best = (max if column.more_is_better else min)(known, key=known.get, default=None)
        columns[column] = {
            system: Entry(
                numbers, system == best, system != best and bool(numbers) and not _differ(numbers, values[best])
            )
            for system, numbers in values.items()
        }
    return {system: {column: columns[column][system] for column in COLUMNS} for system in systems}


def _values(found: list[dict[str, Any]], system: str, column: Column) -> Iterator[float]:
    for cell in sorted(found, key=lambda cell: cell["seed"]):
        if cell["system"] == system and cell["factor"] == 1:
            value = column.value(cell)
            if value is not None:
                yield value


def _differ(one: list[float], other: list[float]) -> bool:
    from scipy.stats import ttest_ind

    if min(len(one), len(other)) < 2:
        return False
    with warnings.catch_warnings():  # of a variance of none, in which case the p-value is 0 or no number
        warnings.simplefilter("ignore", RuntimeWarning)
        return bool(ttest_ind(one, other, equal_var=False).pvalue < _SIGNIFICANT)


class Bar(NamedTuple):
    """A number that the improved system has to reach."""

    text: str
    value: float
    least: float

    @property
    def met(self) -> bool:
        """Whether it does."""
        return self.value >= self.least


def bars(table: dict[str, dict[Column, Entry]]) -> list[Bar]:
    """The bars, as far as the table has numbers for them: means over the seeds of `musae_gm`, beside `vae`."""
    means = {
        (system, column.key): np.mean(entry.values)
        for system, row in table.items()
        for column, entry in row.items()
        if entry.values
    }

    def mean(key: str, system: str = "musae_gm") -> float:
        return float(means.get((system, key), np.nan))

    rows = (
        Bar("onset F1 above that of the VAE", mean("onset_f1") - mean("onset_f1", "vae"), 0.05),
        Bar("AUC of codes and prior, below the VAE's", mean("two_sample_auc", "vae") - mean("two_sample_auc"), 0.0),
        Bar("samples classified as the genre that was asked for", mean("samples_as_asked"), 0.75),
        Bar("transfers classified as the target genre", mean("transfer_success"), 0.6),
        Bar("chroma that they keep", mean("transfer_chroma"), 0.7),
        Bar("interpolations with monotone distance", mean("interpolation_monotone"), 0.95),
    )
    return [row for row in rows if not np.isnan(row.value)]


def classifier_on_real_phrases(found: list[dict[str, Any]]) -> float | None:
    """Balanced accuracy of the genre classifier on real held-out phrases: the same in all cells."""
    for cell in found:
        reference = cell["evaluation"].get("references", {}).get("samples_as_asked", {}).get("real music")
        if reference is not None:
            return reference
    return None
