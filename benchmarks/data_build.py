"""How fast a dataset is built, and how small it is, beside the route of MusAE's authors on the same files.

    python -m benchmarks.data_build --midi DIR [--limit N] [--out results/bench]

Without --midi, band songs are composed and written to a temporary folder. Every route runs in a fresh process that is
held to one core (two for the two workers). Both are asked for the same phrases: 4/4 throughout, drums, bass, guitar and
strings by the authors' program map, all combinations of candidates, 16 bars in steps of one, all tracks sounding in
every bar, one note at a time, drums as one voice. The authors look for a bar's length of silence from any step, we from
bar line to bar line: we find more phrases and have that much more to write.

"one worker" is the whole of `musae data build`: finding the files, starting a guarded process, reading, near-duplicates
and groups, the split, hashes and all files of the dataset. The authors' route has none of that but the reading, so the
like of it stands beside: "files alone" is what a build does with each file and nothing else, its arrays written to part
files, in a process that has its libraries loaded, as the authors' has.

The authors' route is in authors_route.py. Its time grows with the files and nothing else, so that --peer-limit files,
evenly chosen, are enough to know it.

"default" is `musae data build folder DIR` as it is: all bars of all songs, drums as a kit.

Times are of the processor, children included, and of the clock; on a machine that does other work only the first
mean much.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tabulate import tabulate

from benchmarks.authors_route import BARS, run_peer
from benchmarks.composed import compose
from benchmarks.measure import USAGES, Report, parser, processor_seconds
from musae_tf.data import Dataset, FolderSource, build
from musae_tf.data.build import CHUNK
from musae_tf.data.reader import FILTERS, Chunk, Filters, Reader, read_part, write_part
from musae_tf.music import get_layout

LAYOUT = get_layout("band_paper", drums="voice", keep="lowest")
CLAIMS = {
    "speed": ("files a second of processor time, against the authors' route", 60.0),
    "size": ("bytes a phrase of the authors' route, against ours", 500.0),
    "two_workers": ("files a second of two workers, against one", 1.7),
}


# --- our builder ------------------------------------------------------------------------------------------------------


def run_ours(root: Path, out: Path, workers: int, default: bool) -> dict:
    """The whole build of a dataset: start of processes, reading, grouping, split, hashes."""
    source = FolderSource(root)
    if default:
        build(source, out, workers=workers)
    else:
        build(source, out, LAYOUT, workers=workers, candidates="all", filters=Filters(FILTERS, BARS))
    dataset = Dataset.open(out)
    runs = dataset.runs[:, 2]
    phrases = int(np.maximum(runs - BARS + 1, 0).sum())
    return {"phrases": phrases, "bytes": sum(file.stat().st_size for file in out.iterdir())}


def run_files(root: Path, out: Path) -> dict:
    """What a build does with each file, in this process, and nothing else."""
    out.mkdir(parents=True)
    source = FolderSource(root)
    reader = Reader(source, LAYOUT, "all", Filters(FILTERS, BARS))
    items = source.items()
    phrases = size = 0
    for first in range(0, len(items), CHUNK):
        chunk = Chunk(out / f"{first}.npz", items[first : first + CHUNK])
        write_part(chunk, reader, {})
        size += chunk.path.stat().st_size
        phrases += int(np.maximum(read_part(chunk.path).runs[:, 1] - BARS + 1, 0).sum())
    return {"phrases": phrases, "bytes": size}


# --- measuring --------------------------------------------------------------------------------------------------------


def measure(route: str, cores: int, root: Path, out: Path, limit: int | None = None) -> dict:
    """Run one route in a fresh process on so many cores."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < cores:
        return {}
    command = [sys.executable, "-m", "benchmarks.data_build", "--route", route, "--midi", str(root), "--work", str(out)]
    command += ["--peer-limit", str(limit)] if limit else []
    process = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, "BENCH_CORES": str(cores)}
    )
    return json.loads(process.stdout.splitlines()[-1])


def chosen(files: list[Path], limit: int | None) -> list[Path]:
    """So many of the files, evenly chosen; all of them without a limit."""
    if not limit or limit >= len(files):
        return files
    return [files[round(index * (len(files) - 1) / max(limit - 1, 1))] for index in range(limit)]


def child(route: str, root: Path, out: Path, limit: int | None) -> None:
    """One measured run; prints its numbers."""
    cores = int(os.environ["BENCH_CORES"])
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[-cores:]))
    files = sorted(root.rglob("*.mid"))
    if route in ("peer", "vectorised"):
        import pretty_midi  # noqa: F401 - loading libraries is not part of the work
        import pypianoroll  # noqa: F401
    if route == "files":
        import symusic  # noqa: F401
    began, worked = time.perf_counter(), processor_seconds()
    if route in ("ours", "default"):
        result = run_ours(root, out, cores, default=route == "default")
    elif route == "files":
        result = run_files(root, out)
    else:
        files = chosen(files, limit)
        result = run_peer(files, out, vectorised=route == "vectorised")
    spared = result.pop("spared", {"seconds": 0.0, "processor_seconds": 0.0})
    result |= {
        "files": len(files),
        "seconds": time.perf_counter() - began - spared["seconds"],
        "processor_seconds": processor_seconds() - worked - spared["processor_seconds"],
    }
    result["peak_megabytes"] = max(resource.getrusage(who).ru_maxrss for who in USAGES) // 1024
    print(json.dumps(result))


def link(root: Path, limit: int | None, into: Path) -> None:
    """A tree of links to some MIDI files, evenly chosen, so that every route reads the same."""
    files = chosen(sorted(path for path in root.rglob("*") if path.suffix.lower() in (".mid", ".midi")), limit)
    for number, file in enumerate(dict.fromkeys(files)):
        target = into / file.parent.name / f"{number:06d}.mid"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(file.resolve())


def main() -> None:
    """Measure all routes, or one of them in a process of its own."""
    options = parser(__doc__, rounds=None)
    options.add_argument("--midi", type=Path, help="folder of real multi-track MIDI files")
    options.add_argument("--limit", type=int, help="of so many of them")
    options.add_argument("--peer-limit", type=int, help="files for the authors' route (default: all)")
    options.add_argument("--songs", type=int, default=600, help="songs to compose without --midi")
    options.add_argument("--route", choices=("peer", "vectorised", "ours", "files", "default"), help=argparse.SUPPRESS)
    options.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    arguments = options.parse_args()
    if arguments.route:
        return child(arguments.route, arguments.midi, arguments.work, arguments.peer_limit)
    report = Report("data_build", arguments, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        work, root = Path(folder), Path(folder) / "midi"
        if arguments.midi:
            link(arguments.midi, arguments.limit, root)
        else:
            compose(root, arguments.songs)
        files = sum(1 for _ in root.rglob("*.mid"))
        peer = arguments.peer_limit
        routes = {
            "one worker": measure("ours", 1, root, work / "ours 1"),
            "files alone": measure("files", 1, root, work / "files"),
            "two workers": measure("ours", 2, root, work / "ours 2"),
            "default": measure("default", 1, root, work / "default"),
            "authors": measure("peer", 1, root, work / "peer", peer),
            "authors, vectorised": measure("vectorised", 1, root, work / "vectorised", peer),
        }
    midi = arguments.midi.name if arguments.midi else "composed"
    report.content |= {"files": files, "midi": midi, "routes": routes}
    compare(report, routes)
    report.write()


def compare(report: Report, routes: dict[str, dict]) -> None:
    """Print the table and add the ratios."""
    rates = {
        name: {key: route["files"] / route[key] for key in ("processor_seconds", "seconds")}
        for name, route in routes.items()
        if route
    }

    def times(name: str, other: str, key: str = "processor_seconds") -> float:
        return rates[name][key] / rates[other][key]

    sizes = {name: route["bytes"] / route["phrases"] for name, route in routes.items() if route}
    ratios = {
        "speed": times("one worker", "authors"),
        "size": sizes["authors"] / sizes["one worker"],
        "two_workers": times("two workers", "one worker", "seconds") if routes["two workers"] else None,
        "speed_of_files_alone": times("files alone", "authors"),
        "speed_of_default": times("default", "authors"),
        "speed_beside_vectorised": times("one worker", "authors, vectorised"),
        "speed_by_the_clock": times("one worker", "authors", "seconds"),
    }
    head = ("", "files", "files/s of processor", "files/s", "phrases", "bytes a phrase", "peak MB")
    lines = [
        (name, routes[name]["files"], rate["processor_seconds"], rate["seconds"], routes[name]["phrases"], sizes[name],
         routes[name]["peak_megabytes"])
        for name, rate in rates.items()
    ]  # fmt: skip
    print(tabulate(lines, head, floatfmt=",.1f", intfmt=","))
    report.content["ratios"] = ratios
    for name, ratio in ratios.items():
        if name not in CLAIMS:
            print(f"{name.replace('_', ' ')}: {ratio:,.1f}")
        elif ratio is not None:
            report.add(CLAIMS[name][0], ratio, CLAIMS[name][1])


if __name__ == "__main__":
    main()
