"""Build datasets of mutated files and see that each is accounted for, within the limits of time and memory."""

import json
import resource
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from musae_tf.data import Dataset, FolderSource, LmdSource, LpdSource, build
from musae_tf.data.info import check
from musae_tf.data.lakh import Labels
from musae_tf.data.source import place
from musae_tf.errors import DatasetError
from musae_tf.music import Layout, get_layout
from tests import corpus
from tests.data.msd import folder_of, write_midi, write_npz
from tests.fuzz.mutate import MIDI, NPZ, mutate
from tests.fuzz.seeds import SEEDS


def fuzz(work: Path, files: int, seed: int = 0, workers: int = 2) -> Iterator[tuple[str, dict]]:
    """Mutate `files` MIDI files, and a tenth as many of every other format.

    Yields:
        Format, and: files, accepted, rejected by kind, seconds of the whole build, peak megabytes of a worker.

    Raises:
        AssertionError: A file is not accounted for, or the dataset of the others is not sound.
    """
    few = max(files // 10, 8)
    yield "midi", fuzz_midi(work / "midi", files, seed, workers)
    yield "npz", fuzz_npz(work / "npz", few, seed, workers)
    yield "h5", fuzz_h5(work / "h5", few, seed, workers)
    yield "tables", fuzz_tables(work / "tables", few, seed)
    yield "beats", fuzz_beats(work / "beats", few, seed, workers)


def fuzz_midi(work: Path, files: int, seed: int, workers: int) -> dict:
    """Mutated MIDI files, and a good one, on one voice a track and with chords and velocities in finer steps."""
    names = [f"{number:05d}.mid" for number in range(files)]
    (work / "music").mkdir(parents=True)
    for name, data in zip(names, mutants("*.mid", MIDI, files, seed), strict=True):
        (work / "music" / name).write_bytes(data)
    corpus.band_song(4).write(work / "music" / "good.mid")
    names.append("good.mid")
    built(FolderSource(work / "music"), work / "chords", names, workers, get_layout("band_full", grid="4/4x12"))
    return built(FolderSource(work / "music"), work / "set", names, workers)


def fuzz_npz(work: Path, files: int, seed: int, workers: int) -> dict:
    """Mutated pianorolls, zip bombs among them, and a good one."""
    names = []
    for number, data in enumerate(mutants("*.npz", NPZ, files, seed)):
        path = folder_of(work / "npz", track(number)) / track(number) / "mutant.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        names.append(path.relative_to(work / "npz").as_posix())
    good = write_npz(work / "npz", track(files), "good", corpus.band_song(4))
    names.append(good.relative_to(work / "npz").as_posix())
    return built(LpdSource(work / "npz"), work / "set", names, workers)


def fuzz_h5(work: Path, files: int, seed: int, workers: int) -> dict:
    """Good MIDI files whose label files are mutated, and one without any."""
    names = [write_midi(work / "midi", track(files), "good", corpus.band_song(4))]
    for number, data in enumerate(mutants("*.h5", (), files, seed)):
        names.append(write_midi(work / "midi", track(number), "song", corpus.band_song(2, number)))
        path = folder_of(work / "h5", track(number)) / f"{track(number)}.h5"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return built(LmdSource(work / "midi", labels=[work / "h5"]), work / "set", names, workers)


def fuzz_beats(work: Path, files: int, seed: int, workers: int) -> dict:
    """Good MIDI files with mutated files of beats beside them, and one without any."""
    (work / "music").mkdir(parents=True)
    names = ["good.mid"]
    corpus.band_song(4).write(work / "music" / "good.mid")
    for number, data in enumerate(mutants("*.beats.txt", (), files, seed)):
        names.append(f"{number:05d}.mid")
        corpus.band_song(2, number).write(work / "music" / names[-1])
        (work / "music" / f"{number:05d}.beats.txt").write_bytes(data)
    return built(FolderSource(work / "music"), work / "set", names, workers)


def fuzz_tables(work: Path, files: int, seed: int) -> dict:
    """Mutated label tables: each is read, or refused by a sentence that names it."""
    began, refused, count = time.monotonic(), Counter(), 0
    work.mkdir(parents=True)
    corpus.band_song(2).write(work / "music" / "a.mid")
    for pattern in ("*.cls", "id_list_*.txt", "*.csv"):
        for number, data in enumerate(mutants(pattern, (), files, seed)):
            path = work / f"{number}{Path(pattern).suffix}"
            path.write_bytes(data)
            count += 1
            try:
                if pattern == "*.csv":
                    FolderSource(work / "music", labels=path).items()
                else:
                    Labels([path])
            except DatasetError as cause:
                refused["refused" if str(path) in str(cause) else f"does not name the file: {cause}"] += 1
    rejected = dict(refused)
    return {"files": count, "accepted": count - sum(rejected.values()), "rejected": rejected,
            "seconds": time.monotonic() - began, "peak_megabytes": 0}  # fmt: skip


def mutants(pattern: str, mutations: tuple, files: int, seed: int) -> Iterable[bytes]:
    """The seeds of one format in turn, mutated."""
    seeds = [path.read_bytes() for path in sorted(SEEDS.glob(pattern))]
    for number in range(files):
        yield mutate(seeds[number % len(seeds)], mutations, np.random.default_rng([seed, number]))


def track(number: int) -> str:
    """A track id of the Million Song Dataset."""
    letters = "".join(chr(65 + number // 26**power % 26) for power in range(5))
    return f"TR{letters}128F{number:07X}"


def built(source, out: Path, names: list[str], workers: int, layout: Layout | None = None) -> dict:
    """Build, and compare what came of it with the files that were there."""
    began = time.monotonic()
    build(source, out, layout, workers=workers)
    seconds = time.monotonic() - began
    for _ in check(out):
        pass
    dataset = Dataset.open(out)
    rejected = [json.loads(line) for line in (out / "rejected.jsonl").read_text().splitlines()]
    accounted = [song["source"] for song in dataset.songs] + [row["source"] for row in rejected]
    listed = [place(item) for item in source.items()] + [rejection.source for rejection in source.rejected()]
    assert sorted(accounted) == sorted(listed), "a song is not accounted for, or twice"
    assert {name.partition("#")[0] for name in accounted} == set(names), "a file is not accounted for"
    assert all(row["reason"].strip() for row in rejected)
    return {
        "files": len(names),
        "accepted": len(dataset.songs),
        "rejected": dict(sorted(Counter(row["kind"] for row in rejected).items())),
        "seconds": seconds,
        "peak_megabytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }
