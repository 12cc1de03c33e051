"""A dataset in words and tables, for people."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from musae_tf.data.dataset import Dataset
from musae_tf.data.export import rejections
from musae_tf.data.split import SPLITS
from musae_tf.data.store import ARRAYS, MANIFEST, REJECTED, SONGS

PHRASE_BARS = 2


def describe(dataset: Dataset) -> str:
    """What a dataset holds: layout, songs, bars and two-bar phrases by genre and split, losses, rejections, size, hash.

    Songs and bars are those that are used, without duplicates; a song with several genres counts in each. Phrases are
    cut at every bar, and all tracks sound in them.
    """
    manifest = dataset.manifest
    counts = manifest["counts"]
    tempos = np.array([song["tempo"] for song in dataset.songs])
    size = sum((dataset.path / name).stat().st_size for name in (*ARRAYS, MANIFEST, SONGS, REJECTED))
    shares = ", ".join(f"{name} {share:g}" for name, share in zip(SPLITS, manifest["split"]["fractions"], strict=True))
    shared = ", ".join(f"{name} {share:.1%}" for name, share in manifest["shared"].items())
    facts = [
        ("dataset", f"{manifest['name']} in {dataset.path}"),
        ("source", f"{manifest['source']}, built by {manifest['built_by']}"),
        ("layout", f"{dataset.layout.name}: {', '.join(dataset.layout.names)}"),
        ("songs", f"{counts['songs']:,} in {counts['groups']:,} groups, {counts['duplicates']:,} of them duplicates"),
        ("bars", f"{counts['bars']:,} in {counts['runs']:,} stretches"),
        ("tempo", f"{tempos.min():g} to {tempos.max():g} quarters a minute, median {np.median(tempos):g}"),
        ("split", f"{shares}, seed {manifest['split']['seed']}"),
        ("shared", f"{shared} of two-bar windows also in train, in some key"),
        ("size", f"{size / 1e6:,.1f} MB"),
        ("hash", dataset.hash),
        ("licence", manifest["licence"]),
    ]
    width = max(len(name) for name, _ in facts)
    sections = ["\n".join(f"{name:<{width}}  {value}" for name, value in facts)]
    sections.append(_table(*_genres(dataset)))
    combined = sum(len(song["labels"]) > 1 for song in dataset.songs)
    if combined:
        sections.append(f"{combined:,} songs have several genres.")
    sections.append(_table(("what the grid could not hold", "count"), _counted(manifest["losses"])))
    if manifest["rejected"]:
        total = sum(manifest["rejected"].values())
        header = (f"rejected, see {REJECTED}", f"{total:,}")
        sections.append(_table(header, _counted(manifest["rejected"])))
    return "\n\n".join(sections) + "\n"


def list_labels(dataset: Dataset) -> str:
    """How many songs, duplicates included, have each combination of genres, the most frequent first."""
    counts = Counter(", ".join(song["labels"]) for song in dataset.songs)
    rows = [(labels, f"{count:,}") for labels, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
    return _table(("genres", "songs"), rows) + "\n"


def list_duplicates(dataset: Dataset) -> str:
    """Songs that repeat another one, by the song that they repeat."""
    repeats = sorted((song["duplicate_of"], song["id"]) for song in dataset.songs if song["duplicate_of"] is not None)
    if not repeats:
        return "No song repeats another one.\n"
    header = ("song that is used", "repeated by")
    width = max(len(original) for original, _ in (header, *repeats))
    return _printable("".join(f"{original:<{width}}  {song}\n" for original, song in (header, *repeats)))


def list_rejected(dataset: Dataset) -> str:
    """Every file that was not used, by kind, with its reason."""
    lines = [f"{rejection['kind']}: {rejection['reason']}" for rejection in rejections(dataset)]
    return _printable("\n".join(sorted(lines))) + "\n" if lines else "No file was rejected.\n"


def _printable(text: str) -> str:
    # Names of files need not be valid Unicode, what is printed is.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _genres(dataset: Dataset) -> tuple[Sequence[str], list[Sequence[str]]]:
    """Rows of genres; columns of songs, bars and phrases in every split."""
    used = np.array([song["duplicate_of"] is None for song in dataset.songs])
    bars = np.array([song["bars"] for song in dataset.songs])
    splits = np.array([song["split"] for song in dataset.songs])
    header, columns = ["genre"], []
    for split in SPLITS:
        here = used & (splits == split)
        labels = dataset.song_labels[here]
        phrases = dataset.phrases(split, PHRASE_BARS)
        columns.append([*labels.sum(axis=0), here.sum()])
        columns.append([*(labels.T @ bars[here]), bars[here].sum()])
        columns.append([*phrases.labels.sum(axis=0), len(phrases)])
        header += [f"{split} songs", "bars", "phrases"]
    rows = [(name, *(f"{column[row]:,}" for column in columns)) for row, name in enumerate((*dataset.genres, "all"))]
    return header, rows


def _counted(counts: dict[str, int]) -> list[Sequence[str]]:
    return [(name.replace("_", " "), f"{count:,}") for name, count in counts.items()]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be: the first one to the left, numbers to the right."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines]
    return "\n".join("  ".join(line) for line in aligned)
