"""Every metric song by song: what intervals and paired comparisons of runs are computed from.

Kept in RUN/evaluation/songs.csv, so that runs can be compared without their models.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from musae_tf.errors import RunError
from musae_tf.evaluation.bootstrap import Interval, Ratio

ALL = "all"
COLUMNS = ("metric", "part", "genre", "song", "above", "below")

# The mean of the genres' values, each counting alike: what share of all phrases a genre has is the dataset's affair.
BALANCED = frozenset(
    {
        "two_sample_accuracy",
        "two_sample_auc",
        "genre_probe",
        "judge_real",
        "judge_reconstructions",
        "samples_as_asked",
        "transfer_success",
        "transfer_before",
        "transfer_chroma",
        "transfer_rhythm",
    }
)


class Ledger:
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

    def parts(self, metric: str) -> list[str]:
        """The parts of a metric that are known."""
        return [part for name, part in self._entries if name == metric]

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
    def read(cls, path: Path) -> "Ledger":
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
    def _of_rows(cls, rows: Iterable[list[str]], path: Path) -> "Ledger":
        grouped: dict[tuple[str, str], list[list[str]]] = {}
        for number, row in enumerate(rows, 2):
            if len(row) != len(COLUMNS):
                raise RunError(f"{path} is damaged: line {number} has {len(row)} fields, not {len(COLUMNS)}")
            grouped.setdefault((row[0], row[1]), []).append(row[2:])
        ledger = cls()
        try:
            for key, lines in grouped.items():
                genres, songs, above, below = zip(*lines, strict=True)
                numbers = (np.array(values, np.float64) for values in (above, below))
                ledger._entries[key] = [np.array(genres), np.array(songs), *numbers]
        except ValueError as cause:
            raise RunError(f"{path} is damaged: {cause}") from cause
        return ledger
