"""Whether the borders between the windows of a new piece can be heard: what happens there beside real bar lines.

    python studies/form/seams.py runs/voices

At each bar line of pieces of 16 bars: whether a voice holds its note over it, and if a note begins in the bar after it,
its interval from the last one before. Every window of a new piece begins one bar after the last, so every bar line is a
border; with phrases side by side every other one. Both are held against bar lines of songs that training never saw by
a permutation test over pieces: of the total variation between the two distributions, how often it is as large if pieces
change sides. Writes results/form/seams.json.
"""

import json
import shlex
import sys
from typing import Any

import numpy as np

from musae_tf.music import HOLD, REST
from musae_tf.training.run import revision
from studies.form.run import made, opened, piece, real, side_by_side, write

EDGES = (0, 1, 2, 4, 7, 12)
"""Intervals up to so many semitones are of one kind; larger ones are the last."""
_PERMUTATIONS = 2000


def at_bar_lines(bars: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """What happens at bar lines of a piece.

    Args:
        bars: int [bars, S, C], melodic columns.
        lines: int, numbers of the bars that begin there, 1 or more.

    Returns:
        Counts int64 [2 + 7]: of voices that hold a note over the line and that do not, then of the intervals from the
        last onset before the line to the first in the bar after it.
    """
    counts = np.zeros(2 + len(EDGES) + 1, np.int64)
    flat = bars.reshape(-1, bars.shape[-1])
    steps = bars.shape[1]
    for line in lines.tolist():
        for voice in range(flat.shape[1]):
            before, after = flat[: line * steps, voice], flat[line * steps : (line + 1) * steps, voice]
            sounding = before[before != HOLD]
            if len(sounding) and sounding[-1] < REST:
                counts[0 if after[0] == HOLD else 1] += 1
            last, following = before[before < REST], after[after < REST]
            if len(last) and len(following):
                counts[2 + np.searchsorted(EDGES, abs(int(following[0]) - int(last[-1])))] += 1
    return counts


def held_and_intervals(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two distributions of counts [pieces, 9]: held or not, float [2], and the kinds of intervals, float [7]."""
    total = counts.sum(axis=0).astype(np.float64)
    return total[:2] / total[:2].sum(), total[2:] / total[2:].sum()


def two_sample(one: np.ndarray, other: np.ndarray, seed: int = 1) -> dict[str, dict[str, float]]:
    """Total variation between the distributions of two sets of pieces, and how often it is as large by chance."""
    both, rng = np.concatenate([one, other]), np.random.default_rng(seed)

    def distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        pairs = zip(held_and_intervals(left), held_and_intervals(right), strict=True)
        return np.array([0.5 * np.abs(a - b).sum() for a, b in pairs])

    found, larger = distances(one, other), np.zeros(2)
    for _ in range(_PERMUTATIONS):
        order = rng.permutation(len(both))
        larger += distances(both[order[: len(one)]], both[order[len(one) :]]) >= found - 1e-12
    chances = (larger + 1) / (_PERMUTATIONS + 1)
    return {name: {"total_variation": round(float(distance), 4), "p": round(float(chance), 4)}
            for name, distance, chance in zip(("held", "intervals"), found, chances, strict=True)}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Measure and write; the exit code is 2 for a mistake that can be mended."""
    asked = opened(__doc__.partition("\n")[0], arguments)
    if asked is None:
        return 2
    run, dataset, model, form, to = asked
    length = run.config.music.bars
    kinds = {
        "seam-free": (made(run, model, form, piece), 1),
        "side by side": (made(run, model, None, side_by_side), length),
    }
    songs = real(dataset, ("validation", "test"))
    halves = [[group[side::2] for group in songs] for side in (0, 1)]
    found: dict[str, Any] = {}
    for number, genre in enumerate(run.genres):
        counted = [np.stack([at_bar_lines(one, np.arange(1, len(one))) for one in half[number]]) for half in halves]
        both = np.concatenate(counted)
        found[genre] = {"real": _shares(both), "real against real": two_sample(*counted)}
        for kind, (pieces, hop) in kinds.items():
            own = np.stack([at_bar_lines(one, np.arange(hop, len(one), hop)) for one in pieces[number]])
            found[genre][kind] = {**_shares(own), "against real": two_sample(own, both)}
        print(genre, json.dumps(found[genre]), flush=True)
    result = {
        "command": shlex.join(["python", "studies/form/seams.py", *(sys.argv[1:] if arguments is None else arguments)]),
        "revision": revision(), "dataset_hash": dataset.hash, "intervals_up_to": EDGES, "genres": found,
    }  # fmt: skip
    write(result, to / "seams.json")
    return 0


def _shares(counts: np.ndarray) -> dict[str, Any]:
    held, intervals = held_and_intervals(counts)
    return {
        "pieces": len(counts),
        "held": round(float(held[0]), 4),
        "intervals": [round(x, 4) for x in intervals.tolist()],
    }


if __name__ == "__main__":
    sys.exit(main())
