"""What the benchmarks share: timing in turns, the machine, reports.

A ratio is taken in every round, of runs that follow each other, so that what else the machine does weighs on both
sides; the median of the rounds is reported. The load before and after is in the report.
"""

import argparse
import json
import os
import platform
import resource
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from musae_tf import __version__
from musae_tf.cores import available_cores
from musae_tf.files import write_text

RESULTS = Path("results/bench")
_PACKAGES = ("tensorflow", "keras", "numpy", "grpcio")


def parser(document: str | None, rounds: int | None = 5, quick: bool = False) -> argparse.ArgumentParser:
    """Command line of a benchmark, whose module says in its docstring what it does.

    Args:
        document: the docstring.
        rounds: that are timed if not told otherwise; None for a benchmark without rounds.
        quick: whether it can run at toy sizes.
    """
    made = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    if rounds:
        made.add_argument("--rounds", type=int, default=rounds, metavar="N", help=f"timed rounds (default: {rounds})")
    if quick:
        made.add_argument("--quick", action="store_true", help="toy sizes, one round: only to see that it runs")
    made.add_argument("--out", type=Path, default=RESULTS, metavar="PATH",
                      help=f"JSON file, or folder for it (default: {RESULTS})")  # fmt: skip
    return made


def in_turns(runs: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 1) -> dict[str, list[float]]:
    """Seconds of each run in each round; every round starts with another one."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    names = list(runs)
    for number in range(warm_up + rounds):
        for offset in range(len(names)):
            name = names[(number + offset) % len(names)]
            began = time.perf_counter()
            runs[name]()
            if number >= warm_up:
                seconds[name].append(time.perf_counter() - began)
    return seconds


class Peer:
    """A peer in a process of its own: it answers every line with a line, when it has done what the line says.

    Args:
        command: its command line.
        first: what it has to know.
        settings: of its environment, besides ours.
    """

    def __init__(self, command: Sequence[str | Path], first: str, settings: Mapping[str, str] | None = None):
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            env={**os.environ, **(settings or {})},
        )  # fmt: skip
        self.said = self.run(first)

    def run(self, line: str) -> str:
        """Send a line; the answer."""
        self._process.stdin.write(line + "\n")
        answer = self._process.stdout.readline().strip()
        if not answer:
            raise SystemExit(f"{self._process.args} ended with code {self._process.wait()}")
        return answer

    def close(self) -> None:
        """End it."""
        self._process.stdin.close()
        self._process.wait()


def times_faster(seconds: Mapping[str, list[float]], ours: str, theirs: str) -> dict[str, float]:
    """How many times faster `ours` is than `theirs`: median, least and greatest of the rounds."""
    return spread([other / own for own, other in zip(seconds[ours], seconds[theirs], strict=True)])


def spread(ratios: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest."""
    return {"median": statistics.median(ratios), "least": min(ratios), "greatest": max(ratios)}


def rate(count: float, seconds: list[float]) -> float:
    """Things a second, of the median run."""
    return count / statistics.median(seconds)


USAGES = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def processor_seconds() -> float:
    """Of this process and its children that have ended."""
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, USAGES))


def machine() -> dict[str, Any]:
    """Where and with what a benchmark runs."""
    return {
        "processor": _processor(),
        "cores": available_cores(),
        "memory_gigabytes": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "musae-tf": __version__,
        **{package: metadata.version(package) for package in _PACKAGES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


class Report:
    """The report of one benchmark, filled while it runs.

    Attributes:
        path: of the JSON.
        content: what will be in it: name, command, machine, and the claims with their numbers; to be added to.
    """

    def __init__(self, name: str, arguments: argparse.Namespace, seed: int = 1):
        out = arguments.out
        self.path = out if out.suffix == ".json" else out / f"{name}.json"
        self._began, self._load = time.monotonic(), os.getloadavg()
        self.content: dict[str, Any] = {
            "benchmark": name,
            "command": shlex.join(["python", "-m", f"benchmarks.{name}", *sys.argv[1:]]),
            **{key: getattr(arguments, key) for key in ("quick", "rounds") if hasattr(arguments, key)},
            "seed": seed,
            "machine": machine(),
            "claims": [],
        }

    def add(self, text: str, value: float, bar: float, at_most: bool = False) -> None:
        """Add a claim, with its number and the number that it has to reach, and print it."""
        holds = value <= bar if at_most else value >= bar
        found = {"claim": text, "value": value, "bar": bar, "holds": holds, "at_most": at_most}
        self.content["claims"].append(found)
        print(sentence(found), flush=True)

    def write(self) -> None:
        """Write the JSON."""
        self.content["load"] = {"before": round(self._load[0], 2), "after": round(os.getloadavg()[0], 2)}
        self.content["seconds"] = round(time.monotonic() - self._began, 1)
        write_text(self.path, json.dumps(self.content, indent=1) + "\n")
        print(f"written to {self.path}; load {self._load[0]:.1f} before, {os.getloadavg()[0]:.1f} after", flush=True)


def bar(found: Mapping[str, Any]) -> str:
    """What a claim has to reach."""
    return f"{'at most' if found['at_most'] else 'at least'} {found['bar']:g}"


def sentence(found: Mapping[str, Any]) -> str:
    """A claim as a line of text."""
    return f"{found['claim']}: {found['value']:.2f}, {bar(found)}{'' if found['holds'] else ' (MISSED)'}"
