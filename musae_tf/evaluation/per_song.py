"""Metrics song by song, and the confidence intervals that resampling of songs gives.

Phrases of a song are alike, so that N phrases of S songs say less than N independent ones: songs are drawn with
replacement, all phrases of a song together (cluster bootstrap; Efron and Tibshirani 1993, chapters 8 and 13:
percentile intervals). The sums of each song are kept in RUN/evaluation/songs.csv, so that runs can be compared without
their models.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from musae_tf.errors import RunError
from musae_tf.evaluation.grammar import TITLES
from musae_tf.renamed import JSON_KEYS

RESAMPLES = 1000
LEVEL = 0.95
ALL = "all"
COLUMNS = ("metric", "part", "genre", "song", "above", "below")

# The mean of the genres' values, each counting alike: what share of all phrases a genre has is the dataset's affair.
BALANCED = frozenset(
    {
        "two_sample_accuracy",
        "two_sample_auc",
        "genre_probe",
        "classifier_real",
        "classifier_reconstructions",
        "samples_as_asked",
        "transfer_success",
        "transfer_chroma",
        "transfer_rhythm",
        "token_auc",
        "network_auc",
        *(f"grammar_{key}" for key in TITLES),
    }
)


class Interval(NamedTuple):
    """A value and the limits between which it lies at `LEVEL` confidence."""

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """A difference of two values, its limits, and how often chance alone would show one as large."""

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Ratio:
    """A metric that is a ratio of sums, so that any resampling of its songs has a value.

    Attributes:
        parts: float [N], what each unit (a phrase, a pair) adds above the line.
        wholes: float [N], what it adds below.
        songs: int or str [N], the song of each unit.
        strata: int [N]; the value is the mean of the strata's ratios (balanced accuracy: strata are the classes).
            None for a single ratio of all.
    """

    parts: np.ndarray
    wholes: np.ndarray
    songs: np.ndarray
    strata: np.ndarray | None = None

    def value(self) -> float:
        """The metric; NaN if there is nothing below the line."""
        parts, wholes, _ = self._sums()
        return float(_mean_ratio(parts.sum(axis=0), wholes.sum(axis=0)))

    def interval(self, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
        """The metric with a percentile interval over resampled songs; NaN limits with fewer than 2 songs."""
        parts, wholes, _ = self._sums()
        if len(parts) < 2:
            return Interval(self.value(), float("nan"), float("nan"))
        weights = _weights(len(parts), seed, resamples)
        return Interval(self.value(), *_limits(_mean_ratio(weights @ parts, weights @ wholes)))

    def minus(self, other: "Ratio", seed: int = 0, resamples: int = RESAMPLES) -> Difference:
        """How much larger this metric is than another one of the same songs: both are resampled together.

        `p` is two-sided: twice the smaller share of resamples on one side of 0, and never below 1 / resamples.

        Raises:
            ValueError: they are of other songs.
        """
        ours, ours_below, songs = self._sums()
        theirs, theirs_below, other_songs = other._sums()
        if not np.array_equal(songs, other_songs):
            raise ValueError("the two metrics were not measured on the same songs")
        value = self.value() - other.value()
        if len(songs) < 2:
            return Difference(value, float("nan"), float("nan"), float("nan"))
        weights = _weights(len(songs), seed, resamples)
        draws = _mean_ratio(weights @ ours, weights @ ours_below) - _mean_ratio(
            weights @ theirs, weights @ theirs_below
        )
        draws = draws[np.isfinite(draws)]
        if not len(draws):
            return Difference(value, float("nan"), float("nan"), float("nan"))
        beyond = 2 * min((draws <= 0).mean(), (draws >= 0).mean())
        return Difference(value, *_limits(draws), float(np.clip(beyond, 1 / resamples, 1.0)))

    def of(self, rows: np.ndarray) -> "Ratio":
        """The same of some units."""
        strata = None if self.strata is None else self.strata[rows]
        return Ratio(self.parts[rows], self.wholes[rows], self.songs[rows], strata)

    def _sums(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sums of each song and stratum, float [songs, strata] twice, and the songs."""
        songs, song = np.unique(self.songs, return_inverse=True)
        strata = np.zeros(len(song), int) if self.strata is None else np.unique(self.strata, return_inverse=True)[1]
        sums = np.zeros((2, len(songs), strata.max(initial=0) + 1))
        for number, values in enumerate((self.parts, self.wholes)):
            np.add.at(sums[number], (song, strata), values)
        return sums[0], sums[1], songs


class PerSongMetrics:
    """Sums above and below the line, by metric, part (track, strength, ...), genre and song."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], list[np.ndarray]] = {}

    def add(
        self,
        metric: str,
        part: str,
        songs: np.ndarray,
        genres: np.ndarray,
        above: np.ndarray,
        below: np.ndarray | None = None,
    ) -> None:
        """Enter N units.

        Args:
            metric: name of the metric.
            part: what of it, or `ALL`.
            songs: str [N].
            genres: str [N].
            above: float [N]; without `below` the metric is their mean, and NaNs are left out.
            below: float [N].
        """
        if below is None:
            known = np.isfinite(above)
            above, below = np.where(known, above, 0.0), known.astype(np.float64)
        pairs, place = np.unique(np.stack([genres, songs]).astype(str), axis=1, return_inverse=True)
        sums = [np.bincount(place.ravel(), np.asarray(v, np.float64), len(pairs[0])) for v in (above, below)]
        self._entries[metric, part] = [pairs[0], pairs[1], *sums]

    @property
    def keys(self) -> list[tuple[str, str]]:
        """All pairs of metric and part."""
        return list(self._entries)

    def ratio(self, metric: str, part: str = ALL, genre: str | None = None) -> Ratio | None:
        """A metric, of all genres or of one; None if it was not measured."""
        entry = self._entries.get((metric, part))
        if entry is None:
            return None
        genres, songs, above, below = entry
        ratio = Ratio(above, below, songs, genres if metric in BALANCED else None)
        if genre is None:
            return ratio
        rows = np.flatnonzero(genres == genre)
        return ratio.of(rows) if len(rows) else None

    def interval(self, metric: str, part: str = ALL, genre: str | None = None) -> Interval | None:
        """Its value and limits; None if it was not measured."""
        ratio = self.ratio(metric, part, genre)
        return None if ratio is None else ratio.interval()

    def to_csv(self) -> str:
        """All entries, a line for each song, genre, part and metric."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for (metric, part), (genres, songs, above, below) in self._entries.items():
            for genre, song, one, other in zip(genres, songs, above, below, strict=True):
                writer.writerow([metric, part, genre, song, f"{one:.8g}", f"{other:.8g}"])
        return text.getvalue()

    @classmethod
    def read(cls, path: Path) -> "PerSongMetrics":
        """Read a file of `to_csv`.

        Raises:
            RunError: missing or damaged.
        """
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.reader(file))
        except FileNotFoundError:
            raise RunError(f"there is no {path}: measure the run with musae evaluate {path.parent.parent}") from None
        except (OSError, UnicodeDecodeError, csv.Error) as cause:
            raise RunError(f"cannot read {path}: {cause}") from cause
        if not rows or tuple(rows[0]) != COLUMNS:
            raise RunError(f"{path} is damaged: its first line is not {','.join(COLUMNS)}")
        return cls._of_rows(rows[1:], path)

    @classmethod
    def _of_rows(cls, rows: Iterable[list[str]], path: Path) -> "PerSongMetrics":
        names = JSON_KEYS["evaluation.json"]
        grouped: dict[tuple[str, str], list[list[str]]] = {}
        for number, row in enumerate(rows, 2):
            if len(row) != len(COLUMNS):
                raise RunError(f"{path} is damaged: line {number} has {len(row)} fields, not {len(COLUMNS)}")
            grouped.setdefault((row[0], row[1]), []).append(row[2:])
        per_song = cls()
        try:
            for (metric, part), lines in grouped.items():
                genres, songs, above, below = zip(*lines, strict=True)
                numbers = (np.array(values, np.float64) for values in (above, below))
                per_song._entries[names.get(metric, metric), part] = [np.array(genres), np.array(songs), *numbers]
        except ValueError as cause:
            raise RunError(f"{path} is damaged: {cause}") from cause
        return per_song


def _weights(songs: int, seed: int, resamples: int) -> np.ndarray:
    """How often each song is in each resampling, float [resamples, songs]."""
    return np.random.default_rng(seed).multinomial(songs, np.full(songs, 1 / songs), size=resamples).astype(float)


def _mean_ratio(parts: np.ndarray, wholes: np.ndarray) -> np.ndarray:
    """Ratios [..., strata], then their mean over the strata that are there."""
    known = wholes > 0
    ratios = np.where(known, parts / np.where(known, wholes, 1.0), 0.0)
    count = known.sum(axis=-1)
    return np.where(count > 0, ratios.sum(axis=-1) / np.maximum(count, 1), np.nan)


def _limits(draws: np.ndarray) -> tuple[float, float]:
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return float("nan"), float("nan")
    low, high = np.percentile(draws, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)
