"""What a song must be to stay whole, or to stay at all: the filters of MusAE's authors, each an option of its own."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from musae_tf.data.source import UnfitError
from musae_tf.errors import DatasetError
from musae_tf.music.grid import Grid, heads
from musae_tf.music.song import Song

FOUR_FOUR = "four-four"
ALL_PARTS = "all-parts"
NO_SILENT_BARS = "no-silent-bars"
FILTERS = (FOUR_FOUR, ALL_PARTS, NO_SILENT_BARS)


@dataclass(frozen=True)
class Filters:
    """Which songs and bars a dataset takes.

    Attributes:
        names: Any of `FILTERS`. "four-four" refuses a song with any other metre. "all-parts" refuses a song in which a
            track of the layout never sounds. "no-silent-bars" cuts out every bar in which a track is silent, so that
            in each phrase of neighbouring bars all tracks sound in every bar.
        phrase: Bars. With "no-silent-bars", stretches shorter than this are cut out too: no phrase fits in them.
    """

    names: Iterable[str] = ()
    phrase: int = 1

    def __post_init__(self) -> None:
        wanted = set(self.names)
        unknown = sorted(wanted - set(FILTERS))
        if unknown:
            raise DatasetError(f"filter {', '.join(map(repr, unknown))} is unknown; known: {', '.join(FILTERS)}")
        if not 1 <= self.phrase <= 1024:
            raise DatasetError(f"a phrase of {self.phrase} bars; must be 1 to 1024")
        object.__setattr__(self, "names", tuple(name for name in FILTERS if name in wanted))

    def check_song(self, song: Song) -> None:
        """Raises UnfitError if the song may not be used, whatever its tracks."""
        others = sorted({f"{m.numerator}/{m.denominator}" for m in song.metres if m[1:] != (4, 4)})
        if FOUR_FOUR in self.names and others:
            raise UnfitError(f"has bars of {', '.join(others[:5])}", "not in 4/4 throughout")

    def select(self, grid: Grid, sounds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, int]]:
        """The bars of a song that are used.

        Args:
            grid: The song on the grid.
            sounds: bool [bars, K], which tracks sound in which bars.

        Returns:
            tokens uint16 [bars, 16, K], heads uint16 [bars, K] (first symbols of the bars with holds resolved), runs
            int64 [runs, 2] and counts of what was cut out.

        Raises:
            UnfitError: Nothing of the song is used.
        """
        runs = np.array(grid.runs, np.int64).reshape(-1, 2)
        present = sounds.any(axis=0).tolist()
        if ALL_PARTS in self.names and not all(present):
            silent = [name for name, sounding in zip(grid.layout.names, present, strict=True) if not sounding]
            raise UnfitError(f"has no {', '.join(silent)}", "without a part of the layout")
        if NO_SILENT_BARS not in self.names:
            return grid.tokens, heads(grid.tokens, grid.runs, grid.layout), runs, {}
        first, bars = _stretches(sounds.all(axis=1), runs)
        first, bars = first[bars >= self.phrase], bars[bars >= self.phrase]
        if len(first) == 0:
            raise UnfitError(
                f"has no {self.phrase} neighbouring bars in which all tracks sound",
                "without a phrase free of silent bars",
            )
        kept = np.repeat(first - np.cumsum(bars) + bars, bars) + np.arange(bars.sum())
        tokens, first_symbols = grid.tokens[kept], heads(grid.tokens, grid.runs, grid.layout)[kept]
        starts = np.cumsum(bars) - bars
        # A note that sounded into a bar that is now the first of its stretch is struck there.
        tokens[starts, 0] = first_symbols[starts]
        runs = np.stack([starts, bars], axis=1)
        return tokens, first_symbols, runs, {"bars_with_silence": len(grid.tokens) - len(kept)}


def _stretches(wanted: np.ndarray, runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First bars and lengths of maximal stretches of wanted bars that no boundary of `runs` crosses."""
    starts = np.zeros(len(wanted) + 1, bool)
    starts[runs[:, 0]] = starts[-1] = True
    apart = np.zeros(len(wanted) + 2, bool)
    apart[1:-1] = wanted
    first = np.flatnonzero(wanted & (~apart[:-2] | starts[:-1]))
    last = np.flatnonzero(wanted & (~apart[2:] | starts[1:]))
    return first, last - first + 1
