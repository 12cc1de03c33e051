"""Claim: the cost of a phrase grows no faster than its length and its columns, and genres cost next to nothing.

    python -m benchmarks.cost_growth

One thing varies at a time, the rest is the preset `voices_one_pass`: length 2 to 16 bars, batch 16 to 512, tracks 4
to 8, genres 4 to 256; and columns 4 to 24 with the preset `voices`, whose decoder hears what it has written. Time and
memory are those of one training step, divided by its phrases; memory is how far the resident set of the process rises
during a step (Linux only). The configurations of a row take turns. Lengths are measured for both recurrences, over
beats and over steps.
"""

import ctypes
import gc
import math
import re
import statistics
from collections.abc import Callable
from pathlib import Path

from tabulate import tabulate

from benchmarks.measure import Report, in_turns, parser
from benchmarks.steps import TrainingStep
from benchmarks.training_step import CONFIGS, TOY
from musae_tf.config import load_config
from musae_tf.files import atomic_path

# A row of measurements: what varies, its values, and the changes of the preset that go with one of them.
ROWS = {
    "bars": ((2, 4, 8, 16), lambda value: [f"music.bars={value}"]),
    "bars, core step": ((2, 4, 8, 16), lambda value: [f"music.bars={value}", "model.core=step", "critic.steps=1"]),
    "batch": ((16, 64, 128, 512), lambda value: [f"training.batch_size={value}"]),
    "tracks": ((4, 6, 8), lambda value: []),
    "columns": ((4, 8, 12, 24), lambda value: []),
    "genres": ((4, 32, 256), lambda value: []),
}
LIMITS = {"bars": 1.0, "bars, core step": 1.0, "tracks": 1.0, "columns": 1.0}
"""Largest allowed exponent of growth; a measurement may be off by SLACK."""

SLACK, GENRES = 0.1, 1.05
# A decoder that hears what it has written takes longest to be made ready: benchmarks.training_step has one.
QUICK = [*TOY, "model.latent=256", "model.decoder=flat", "model.hidden_parts=false", "model.known_ahead=false"]


def step_of(row: str, value: int, quick: bool) -> TrainingStep:
    """The training step of one measurement."""
    changes = [*ROWS[row][1](value), "prior.axes=1", *(QUICK if quick else [])]
    config = load_config(CONFIGS / ("voices.yaml" if row == "columns" else "voices_one_pass.yaml"), changes)
    columns = value if row in ("tracks", "columns") else 4
    return TrainingStep(config, (130,) * columns, value if row == "genres" else 4)


def measure(row: str, rounds: int, quick: bool) -> dict[int, dict[str, float]]:
    """Milliseconds and megabytes a phrase, by value."""
    values = ROWS[row][0][: 2 if quick else None]
    steps = {str(value): step_of(row, value, quick) for value in values}
    seconds = in_turns(steps, rounds)
    found = {}
    for value in values:
        phrases = steps[str(value)].rows
        found[value] = {
            "milliseconds": 1e3 * statistics.median(seconds[str(value)]) / phrases,
            "megabytes": peak(steps[str(value)]) / 1e6 / phrases,
        }
    return found


def peak(run: Callable[[], object]) -> float:
    """How many bytes the resident set rises during a run."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # from now on VmHWM is the peak
    except (OSError, AttributeError):
        return float("nan")
    before = resident("VmRSS")
    run()
    return resident("VmHWM") - before


def resident(field: str) -> int:
    """A field of /proc/self/status, in bytes."""
    return 1024 * int(re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])


def exponent(found: dict[int, dict[str, float]], key: str) -> float:
    """With which power of the value the cost of a phrase grows, from the least value to the greatest."""
    (low, first), *_, (high, last) = found.items()
    return math.log(last[key] / first[key]) / math.log(high / low)


def picture(rows: dict[str, dict[int, dict[str, float]]], path: Path) -> None:
    """Time and memory of a phrase, row by row."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3 * len(rows), 5), layout="constrained")
    for number, (row, found) in enumerate(rows.items()):
        for line, key in enumerate(("milliseconds", "megabytes")):
            axes = figure.add_subplot(2, len(rows), 1 + number + line * len(rows))
            axes.plot(list(found), [point[key] for point in found.values()], marker="o")
            axes.set(xscale="log", ylabel=f"{key} a phrase" if not number else "", ylim=(0, None))
            axes.set_xticks(list(found), [str(value) for value in found], minor=False)
            axes.minorticks_off()
            axes.set_title(row) if not line else axes.set_xlabel(row.partition(",")[0])
    with atomic_path(path) as draft:
        FigureCanvasAgg(figure).print_png(draft)


def main() -> None:
    """Measure all rows."""
    arguments = parser(__doc__, quick=True).parse_args()
    report, rows = Report("cost_growth", arguments), {}
    for row in ("bars", "columns", "genres") if arguments.quick else ROWS:
        rows[row] = found = measure(row, 1 if arguments.quick else arguments.rounds, arguments.quick)
        lines = [(value, point["milliseconds"], point["megabytes"]) for value, point in found.items()]
        print(tabulate(lines, (row, "ms a phrase", "MB a phrase"), floatfmt=".3f"), flush=True)
    report.content["rows"] = rows
    for row, limit in LIMITS.items():
        for key in ("milliseconds", "megabytes"):
            if row in rows and not math.isnan(next(iter(rows[row].values()))[key]):
                name = f"{row}: exponent of the growth of {key} a phrase"
                report.add(name, exponent(rows[row], key), limit + SLACK, at_most=True)
    most, least = max(rows["genres"]), min(rows["genres"])
    times = rows["genres"][most]["milliseconds"] / rows["genres"][least]["milliseconds"]
    report.add(f"genres: time with {most} over time with {least}", times, GENRES, at_most=True)
    picture(rows, report.path.with_suffix(".png"))
    report.write()


if __name__ == "__main__":
    main()
