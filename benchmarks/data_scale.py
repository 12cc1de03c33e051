"""A tree as large as Lakh's: how long its dataset takes, how much memory, and whether interruptions change a byte.

    python -m benchmarks.data_scale [--midi DIR] [--songs 20000] [--tree DIR] [--out results/bench]

A tree like lmd_matched is made first: MIDI files in folders of track ids, MSD song files (h5) with artists and terms
for two tracks of three, tagtraum labels (.cls) for every second one. Its music comes from --midi, every file as often
as it takes, each copy transposed by an amount of its own; without --midi songs are composed. --tree keeps the tree, or
takes one that is there.

`musae data build lmd` then runs in processes of its own: with two workers; with one; with two on a tenth of the tree;
and with two, killed (SIGKILL) at random moments and started again until it is through. Memory is the resident memory of
the process and its children, added up and looked at several times a second; what they share counts for each of them.
Seconds are by the clock, which means little on a machine that does other work; processor seconds, children included,
mean more.
"""

import hashlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
from tabulate import tabulate

from benchmarks.composed import compose
from benchmarks.measure import Report, parser, processor_seconds
from musae_tf.data.dataset import Dataset
from musae_tf.files import write_text
from musae_tf.music import Song
from musae_tf.progress import progress

FOLDS = 10  # the small tree is a tenth
SONGS = np.dtype([("artist_id", "S32"), ("artist_name", "S1024"), ("title", "S1024")])


def make_tree(root: Path, sources: list[Path], songs: int) -> None:
    """A tree of so many songs; the first letters of a track id decide where it lies, as in Lakh's."""
    labels = []
    with progress(total=songs, title="making the tree", unit="songs") as bar:
        for number in range(songs):
            digest = hashlib.sha256(str(number).encode()).hexdigest().upper()
            track = "TR" + "".join(chr(ord("A") + int(digit, 16)) for digit in digest[:5]) + digest[5:16]
            source = sources[number % len(sources)]
            song = moved(Song.read(source), random.Random(number).randrange(-5, 7))
            song.write(root / "midi" / track[2] / track[3] / track[4] / track / f"{digest[:32].lower()}.mid")
            if number % 3:
                write_facts(root / "h5" / track[2] / track[3] / track[4] / f"{track}.h5", number, source.parent.name)
            if number % 2:
                labels.append(f"{track}\t{source.parent.name.title()}")
            bar.update(1)
    write_text(root / "genres.cls", "# made by benchmarks/data_scale.py\n" + "\n".join(labels) + "\n")


def moved(song: Song, semitones: int) -> Song:
    """The song in another key."""
    for track in song.tracks:
        if not track.is_drum:
            track.notes["pitch"] = np.clip(track.notes["pitch"].astype(int) + semitones, 0, 127)
    return song


def write_facts(path: Path, number: int, genre: str) -> None:
    """What a build reads of an MSD song file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    row = np.zeros(1, SONGS)
    row["artist_id"], row["artist_name"] = f"AR{number % 4000:06d}".encode(), f"Artist {number % 4000}".encode()
    row["title"] = f"Song {number}".encode()
    terms = np.array([genre.encode(), b"music", f"term {number % 50}".encode()], "S256")
    with h5py.File(path, "w") as file:
        file.create_dataset("metadata/songs", data=row, maxshape=(None,), compression=1)
        file.create_dataset("metadata/artist_terms", data=terms, maxshape=(None,), chunks=(1024,), compression=1)


def build(midi: Path, tree: Path, out: Path, workers: int, kill_after: float | None = None) -> dict | None:
    """One build in a process of its own; None if it was killed."""
    command = [sys.executable, "-m", "musae_tf.cli", "data", "build", "lmd", "--midi", str(midi), "--out", str(out)]
    command += ["--labels", str(tree / "h5"), str(tree / "genres.cls"), "--workers", str(workers)]
    out.parent.mkdir(exist_ok=True)
    began, worked, peak = time.perf_counter(), processor_seconds(), 0
    with open(out.with_name(f"{out.name}.log"), "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            if kill_after is not None and time.perf_counter() - began > kill_after:
                process.send_signal(signal.SIGKILL)
                process.wait()
                return None
            time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"the build failed:\n{Path(log.name).read_text()[-2000:]}")
    seconds, worked = time.perf_counter() - began, processor_seconds() - worked
    dataset = Dataset.open(out)
    return {
        "files": sum(1 for _ in midi.rglob("*.mid")),
        "songs": len(dataset.songs),
        "bars": len(dataset.tokens),
        "seconds": seconds,
        "processor_seconds": worked,
        "peak_megabytes": peak // 2**20,
        "hash": dataset.hash,
    }


def resident(pid: int) -> int:
    """Bytes of a process and its children in memory."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            own = int(file.read().split()[1]) * resource.getpagesize()
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return own + sum(resident(int(child)) for child in file.read().split())
    except OSError:  # it has just ended
        return 0


def interrupted(tree: Path, out: Path, seconds: float, kills: int, seed: int) -> dict:
    """A build that is killed so many times, where a whole one takes so many seconds."""
    dice = random.Random(seed)
    done = 0
    while done < kills:
        result = build(tree / "midi", tree, out, 2, dice.uniform(0.0, 2 * seconds / kills))
        if result is not None:  # it was through before
            break
        done += 1
    else:
        result = build(tree / "midi", tree, out, 2)
    return {**result, "kills": done}


def files_of(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a dataset. `build.json` says when and how it was built, and is no part of it."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.iterdir())
        if file.name != "build.json"
    }


def main() -> None:
    """Make the tree, build it in all ways, and say what came of it."""
    options = parser(__doc__, rounds=None)
    options.add_argument("--midi", type=Path, help="folder of MIDI files that the tree's music comes from")
    options.add_argument("--songs", type=int, default=20_000)
    options.add_argument("--tree", type=Path, help="folder to keep the tree in, or one that has it")
    options.add_argument("--kills", type=int, default=8, help="interruptions")
    options.add_argument("--seed", type=int, default=1, help="of the moments of interruption")
    arguments = options.parse_args()
    report = Report("data_scale", arguments, arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        tree = arguments.tree or work / "tree"
        if not (tree / "genres.cls").is_file():
            if not arguments.midi:
                compose(work / "composed", 400)
            found = sorted((arguments.midi or work / "composed").rglob("*.mid"))
            make_tree(tree, found, arguments.songs)
        small = work / "small"
        small.mkdir()
        for letter in sorted((tree / "midi").iterdir()):
            for track in sorted(letter.glob("*/*/*"))[::FOLDS]:
                shutil.copytree(track, small / track.name)
        # Datasets of one name, which is in the manifest.
        two, one, tenth, killed = (work / name / "dataset" for name in ("two", "one", "tenth", "killed"))
        builds = {"two workers": build(tree / "midi", tree, two, 2)}
        builds["one worker"] = build(tree / "midi", tree, one, 1)
        builds["a tenth of the tree"] = build(small, tree, tenth, 2)
        seconds = builds["two workers"]["seconds"]
        builds["interrupted"] = interrupted(tree, killed, seconds, arguments.kills, arguments.seed)
        reference = files_of(two)
        same = {"one worker": files_of(one) == reference, "interrupted": files_of(killed) == reference}
    whole = builds["two workers"]
    numbers = {
        "seconds": whole["seconds"],
        "peak_megabytes": max(one["peak_megabytes"] for one in builds.values()),
        "two_workers": builds["one worker"]["seconds"] / whole["seconds"],
    }
    keys = ("files", "seconds", "processor_seconds", "peak_megabytes")
    lines = [(name, *(one[key] for key in keys)) for name, one in builds.items()]
    print(tabulate(lines, ("", "files", "seconds", "of processors", "peak MB"), floatfmt=",.1f", intfmt=","))
    print(f"killed {builds['interrupted']['kills']} times; same bytes: {same}")
    report.content |= {"builds": builds, "numbers": numbers, "same_bytes": same}
    report.add("seconds of two workers", numbers["seconds"], 360.0, at_most=True)
    report.add("megabytes of memory at the peak", numbers["peak_megabytes"], 1000, at_most=True)
    report.add("times as fast with two workers as with one", numbers["two_workers"], 1.7)
    report.write()
    sys.exit(not all(same.values()))


if __name__ == "__main__":
    main()
