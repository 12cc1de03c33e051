"""All benchmarks of speed, one after the other: results/bench.json and results/bench.md.

python -m benchmarks.run [--rounds 5] [--quick]
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import parser, say
from musae_tf.files import write_text

SCRIPTS = ("training_step", "arithmetic", "pytorch", "cost_growth", "inference")


def table(reports: list[dict[str, Any]]) -> str:
    """The claims of all reports as a page of Markdown."""
    machine = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in reports[0]["machine"].items())
    lines = [
        "# Benchmarks of speed",
        "",
        f"Made by `make bench` on: {machine}. A ratio is the median over rounds in which both sides took turns. Load",
        "is the average of the system over a minute, the work of the benchmark included. `bench.json` has all rounds.",
        "",
        "| claim | measured | bar | holds |",
        "|---|---|---|---|",
    ]
    for report in reports:
        for found in report["claims"]:
            bar = f"{'at most' if found['at_most'] else 'at least'} {found['bar']:g}"
            lines.append(f"| {found['claim']} | {found['value']:.2f} | {bar} | {'yes' if found['holds'] else 'no'} |")
    lines += [
        "",
        "| script | command | rounds | seed | seconds | load before | load after |",
        "|---|---|---|---|---|---|---|",
    ]
    for report in reports:
        cells = (report["benchmark"], f"`{report['command']}`", report["rounds"], report["seed"], report["seconds"],
                 report["load"]["before"], report["load"]["after"])  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    for report in reports:
        rates = {
            f"{name}, {run}": value
            for name, part in [("", report), *report.items()]
            if isinstance(part, dict)
            for run, value in part.get("phrases_a_second", {}).items()
        }
        if rates:
            lines += ["", f"| {report['benchmark']} | phrases a second |", "|---|---|"]
            lines += [f"| {name.removeprefix(', ')} | {value:,.1f} |" for name, value in rates.items()]
        if "rows" in report:
            lines += ["", "| one phrase of a training step | | milliseconds | megabytes |", "|---|---|---|---|"]
            for row, found in report["rows"].items():
                lines += [f"| {row} | {value} | {point['milliseconds']:.3f} | {point['megabytes']:.3f} |"
                          for value, point in found.items()]  # fmt: skip
            lines += ["", "![time and memory of a phrase](bench/cost_growth.png)"]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run them; the exit code is 1 if one of them fails. A claim that is missed is no failure."""
    arguments = parser(__doc__).parse_args()
    options = [
        "--rounds",
        str(arguments.rounds),
        "--out",
        str(arguments.out),
        *(["--quick"] if arguments.quick else []),
    ]
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
        write_text(folder / "bench.md", table(reports))
    print()
    for report in reports:
        for found in report["claims"]:
            print(say(found))
    return code


if __name__ == "__main__":
    sys.exit(main())
