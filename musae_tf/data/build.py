"""Build a dataset folder from a source: in parallel, resumable, deterministic, and there all at once or not at all."""

import fcntl
import hashlib
import json
import os
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musae_tf import __version__
from musae_tf.cores import available_cores
from musae_tf.data.reader import Chunk, Filters, Reader, read_part
from musae_tf.data.source import Rejection, Source
from musae_tf.data.split import FRACTIONS, check_fractions
from musae_tf.data.store import FORMAT, MANIFEST, REJECTED, make_table, printable, write_dataset, write_rejected
from musae_tf.data.workers import make_parts
from musae_tf.errors import DatasetError
from musae_tf.files import write_text
from musae_tf.music.layouts import Layout
from musae_tf.music.named_layouts import get_layout
from musae_tf.progress import progress

ENGINES = ("processes", "beam")

CHUNK = 32
"""Items in one part file: small enough to keep all workers busy to the end, large enough to cost little each."""


@dataclass(frozen=True)
class Summary:
    """What a build gave. `rejected` counts by kind of reason; `hash` is the content hash of the dataset."""

    path: Path
    name: str
    genres: tuple[str, ...]
    songs: int
    bars: int
    groups: int
    duplicates: int
    rejected: dict[str, int]
    hash: str


def build(
    source: Source,
    target: str | os.PathLike,
    layout: Layout | None = None,
    *,
    seed: int = 1,
    split: Sequence[float] = FRACTIONS,
    workers: int | None = None,
    name: str | None = None,
    genres: Sequence[str] | int | None = None,
    unlabelled: bool = True,
    candidates: str = "merge",
    filters: Filters = Filters(),  # noqa: B008 - it cannot be changed
    engine: str = "processes",
    beam_options: str = "",
) -> Summary:
    """Read all songs of `source` and write a dataset folder.

    The same songs, layout, seed and options give the same bytes, whatever the engine, the number of workers and however
    often the build was interrupted. Finished parts are kept in `.<name of target>.partial` beside the target, and the
    same call goes on from them. The folder appears by one rename; a dataset that is there already is replaced at that
    moment.

    Args:
        source: Where the songs come from.
        target: The dataset folder. Its parent is made if needed.
        layout: Track layout; None for the source's own.
        seed: Decides the split.
        split: Shares of train, validation and test; of no use where the source says which split each song is in.
        workers: Processes, each within `Limits` of time and memory for every file; None for one a core, 0 for this
            process alone (which a file that crashes or hangs the reader takes along).
        name: Name in the manifest; None for the folder's.
        genres: Labels to keep, in this order; or how many of the most frequent ones; None for all, by name. A song with
            none of them belongs to the genre "none".
        unlabelled: False to leave songs of "none" out.
        candidates: What to do with several source tracks for one track of the layout: "merge", "best" or "all", see
            `musae_tf.music.roles.choices`.
        filters: Which songs and bars to take.
        engine: "processes" on this machine, or "beam" for Apache Beam, see `musae_tf.data.beam`.
        beam_options: Pipeline options of Beam, as on its command line.

    Raises:
        DatasetError: Nothing is usable, the disk is full or cannot be written, or `target` is something else.
    """
    check_fractions(split)
    target = Path(os.path.abspath(target))
    layout = layout or get_layout(source.layout)
    reader = Reader(source, layout, candidates, filters)
    run = _engine(engine, available_cores() if workers is None else workers, beam_options)
    with _workplace(target) as partial:
        items = list(source.items())
        if len(set(items)) < len(items):
            raise DatasetError(f"source {source.name} lists an item twice")
        rejected = list(source.rejected())
        parts = _parts(partial, reader, items, run)
        del items  # the parts know all that matters of them
        table = make_table(map(read_part, parts), seed=seed, split=split, genres=genres, unlabelled=unlabelled)
        rejected += table.rejected
        if not len(table):
            _forget(partial)
            raise DatasetError(_nothing(source, rejected, target))
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "name": name or target.name,
            "layout": layout.to_dict(),
            "genres": table.genres,
            "source": source.name,
            "licence": source.licence,
            "candidates": candidates,
            "filters": {"names": list(filters.names), "phrase": filters.phrase},
            "split": {} if table.given else {"seed": seed, "fractions": [float(share) for share in split]},
            "built_by": f"musae-tf {__version__}",
        }
        made = partial / "dataset"
        manifest = write_dataset(made, manifest, table, map(read_part, parts), rejected)
        _put_in_place(made, target)
        _forget(partial)
    return Summary(
        path=target,
        genres=tuple(manifest["genres"]),
        **{key: manifest["counts"][key] for key in ("songs", "bars", "groups", "duplicates")},
        **{key: manifest[key] for key in ("name", "rejected", "hash")},
    )


@contextmanager
def _workplace(target: Path) -> Iterator[Path]:
    """The folder that holds parts between calls, locked; errors of the disk become sentences."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        with open(partial / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as cause:
                raise DatasetError(f"{target} is being built by another process") from cause
            try:
                _tidy(target)
                shutil.rmtree(partial / "dataset", ignore_errors=True)
                yield partial
            finally:
                # A copy of the parts is not worth its place on a full disk; the parts are, if there are any.
                shutil.rmtree(partial / "dataset", ignore_errors=True)
                for half in partial.glob(".part-*"):  # of a process that was killed while it wrote
                    half.unlink()
                if not any(partial.glob("part-*.npz")):
                    shutil.rmtree(partial, ignore_errors=True)
    except OSError as cause:
        raise DatasetError(f"cannot build {target}: {cause.strerror or cause}{_kept(partial)}") from cause


def _kept(partial: Path) -> str:
    if not any(partial.glob("part-*.npz")):
        return ""
    return f"; finished parts are kept in {partial} and the same build goes on from them"


def _tidy(target: Path) -> None:
    """Finish a replacement that was interrupted, and refuse a target that is no dataset."""
    old = _old(target)
    if old.exists():
        if target.exists():
            shutil.rmtree(old)
        else:
            old.rename(target)
    if target.is_dir() and os.listdir(target) == [REJECTED]:  # of a build that found no song
        (target / REJECTED).unlink()
    if target.exists() and not (target / MANIFEST).is_file() and not (target.is_dir() and not os.listdir(target)):
        raise DatasetError(f"{target} exists and is not a dataset; it is not replaced")


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _put_in_place(made: Path, target: Path) -> None:
    if target.exists():
        target.rename(_old(target))
    made.rename(target)
    shutil.rmtree(_old(target), ignore_errors=True)


_Engine = Callable[[Sequence[Chunk], Reader, Callable[[int], None]], None]


def _engine(name: str, workers: int, beam_options: str) -> _Engine:
    """What writes parts: called with chunks, the reader, and what to tell of progress."""
    if name not in ENGINES:
        raise DatasetError(f"engine is {name!r}; allowed: {', '.join(ENGINES)}")
    if name == "processes":
        return lambda chunks, reader, done: make_parts(chunks, reader, workers, done)
    try:
        from musae_tf.data import beam
    except ImportError as cause:
        raise DatasetError("the engine beam needs Apache Beam: pip install 'musae-tf[beam]'") from cause
    return lambda chunks, reader, done: beam.make_parts(chunks, reader, beam_options, done)


def _parts(partial: Path, reader: Reader, items: Sequence[Hashable], run: _Engine) -> list[Path]:
    """Make the part files that are not there yet; all paths, in the order of the items."""
    signature = _signature(reader, items)
    marker = partial / "signature"
    if not marker.is_file() or marker.read_text(encoding="ascii") != signature:
        _forget(partial)
        write_text(marker, signature, DatasetError)
    chunks = [
        Chunk(partial / f"part-{number:06d}.npz", items[first : first + CHUNK])
        for number, first in enumerate(range(0, len(items), CHUNK))
    ]
    missing = [chunk for chunk in chunks if not zipfile.is_zipfile(chunk.path)]
    left = sum(len(chunk.items) for chunk in missing)
    title = f"reading {reader.source.name}"
    with progress(total=len(items), initial=len(items) - left, title=title, unit="files") as bar:
        try:
            run(missing, reader, bar.update)
        except DatasetError as cause:
            raise DatasetError(f"{cause}{_kept(partial)}") from cause
    return [chunk.path for chunk in chunks]


def _signature(reader: Reader, items: Sequence[Hashable]) -> str:
    """What parts must have been made of to be used again."""
    facts = [FORMAT, __version__, reader.source.name, reader.layout.to_dict(), reader.candidates, repr(reader.filters)]
    digest = hashlib.sha256(json.dumps([*facts, CHUNK]).encode("ascii"))
    for item in items:
        digest.update(repr(item).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _forget(partial: Path) -> None:
    for part in partial.glob("part-*.npz"):
        part.unlink()


def _nothing(source: Source, rejected: list[Rejection], target: Path) -> str:
    """Why there is no dataset; every file is listed with its reason where the dataset would be."""
    where = getattr(source, "root", f"source {source.name}")
    kinds = [f"{count:,} {kind}" for kind, count in sorted(Counter(rejection.kind for rejection in rejected).items())]
    sentence = f"no usable song in {where}: {', '.join([f'{len(rejected):,} files found', *kinds])}"
    if not rejected:
        return sentence
    # A dataset of earlier songs that is there stays as it is.
    path = target.with_name(f"{target.name}.{REJECTED}") if (target / MANIFEST).exists() else target / REJECTED
    path.parent.mkdir(exist_ok=True)
    write_rejected(path, rejected)
    return f"{sentence}; for instance {printable(rejected[0].reason)}; all are listed in {path}"
