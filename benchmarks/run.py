"""All benchmarks of speed, one after the other: results/bench.json and results/bench.md.

python -m benchmarks.run [--rounds 5] [--quick]
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import bar, parser, sentence
from musae_tf.files import write_text

SCRIPTS = ("training_step", "arithmetic", "pytorch", "cost_growth", "inference")


def page(reports: list[dict[str, Any]]) -> str:
    """The claims of all reports as a page of Markdown."""
    machine = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in reports[0]["machine"].items())
    claims = [
        (found["claim"], f"{found['value']:.2f}", bar(found), "yes" if found["holds"] else "no")
        for report in reports
        for found in report["claims"]
    ]
    runs = [(report["benchmark"], f"`{report['command']}`", report["rounds"], report["seed"], report["seconds"],
             report["load"]["before"], report["load"]["after"]) for report in reports]  # fmt: skip
    parts = [
        "# Benchmarks of speed",
        f"Made by `make bench` on: {machine}. A ratio is the median over rounds in which both sides took turns. Load\n"
        "is the average of the system over a minute, the work of the benchmark included. `bench.json` has all rounds.",
        table(claims, ("claim", "measured", "bar", "holds")),
        table(runs, ("script", "command", "rounds", "seed", "seconds", "load before", "load after")),
    ]
    for report in reports:
        rates = [
            (f"{name}, {run}".removeprefix(", "), f"{value:,.1f}")
            for name, part in [("", report), *report.items()]
            if isinstance(part, dict)
            for run, value in part.get("phrases_a_second", {}).items()
        ]
        if rates:
            parts.append(table(rates, (report["benchmark"], "phrases a second")))
        if "rows" in report:
            points = [(row, value, f"{point['milliseconds']:.3f}", f"{point['megabytes']:.3f}")
                      for row, found in report["rows"].items() for value, point in found.items()]  # fmt: skip
            parts.append(table(points, ("one phrase of a training step", "", "milliseconds", "megabytes")))
            parts.append("![time and memory of a phrase](bench/cost_growth.png)")
    return "\n\n".join(parts) + "\n"


def table(lines: list[tuple], head: tuple[str, ...]) -> str:
    """A table of Markdown, without the spaces that would line it up: cells are long."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in rows)


def main() -> int:
    """Run them; the exit code is 1 if one of them fails. A claim that is missed is no failure."""
    arguments = parser(__doc__, quick=True).parse_args()
    options = ["--rounds", str(arguments.rounds), "--out", str(arguments.out)]
    options += ["--quick"] if arguments.quick else []
    reports, code = [], 0
    for script in SCRIPTS:
        print(f"\n{script}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{script}", *options]).returncode:
            code = 1
            continue
        reports.append(json.loads((arguments.out / f"{script}.json").read_text(encoding="utf-8")))
    folder = Path(arguments.out).parent
    if reports:
        write_text(folder / "bench.json", json.dumps(reports, indent=1) + "\n")
        write_text(folder / "bench.md", page(reports))
    print()
    for report in reports:
        for found in report["claims"]:
            print(sentence(found))
    return code


if __name__ == "__main__":
    sys.exit(main())
