"""A dataset in words and tables, for people, in numbers, for programs, and whether it is sound in itself."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from musae_tf.data.dataset import Dataset
from musae_tf.data.split import SPLITS
from musae_tf.data.store import ARRAYS, MANIFEST, NONE, REJECTED, SONGS, printable
from musae_tf.errors import DatasetError, MusicError
from musae_tf.music.grid import heads, tokenize
from musae_tf.music.layouts import Layout
from musae_tf.music.pieces import losses_in_words
from musae_tf.music.roles import POOLED, assign
from musae_tf.music.song import Song

PHRASE_BARS = 2


def describe(dataset: Dataset) -> str:
    """What a dataset holds: layout, songs, bars, those in which each track sounds, two-bar phrases by genre and split,
    losses, rejections, size, hash.

    Songs and bars are those that are used, without duplicates; a song with several genres counts in each. Phrases are
    cut at every bar, and all tracks sound in them.
    """
    manifest = dataset.manifest
    counts = manifest["counts"]
    tempos = np.array([song["tempo"] for song in dataset.songs])
    size = sum((dataset.path / name).stat().st_size for name in (*ARRAYS, MANIFEST, SONGS, REJECTED))
    split = "as the source has it"
    if manifest["split"]:
        fractions = zip(SPLITS, manifest["split"]["fractions"], strict=True)
        shares = ", ".join(f"{name} {share:g}" for name, share in fractions)
        split = f"{shares}, seed {manifest['split']['seed']}"
    shared = ", ".join(f"{name} {share:.1%}" for name, share in manifest["shared"].items())
    lines = [
        ("dataset", f"{manifest['name']} in {dataset.path}"),
        ("source", f"{manifest['source']}, built by {manifest['built_by']}"),
        ("layout", f"{dataset.layout.name}: {', '.join(dataset.layout.names)}"),
        ("songs", f"{counts['songs']:,} in {counts['groups']:,} groups, {counts['duplicates']:,} of them duplicates"),
        ("bars", f"{counts['bars']:,} in {counts['runs']:,} stretches"),
        ("sounding", ", ".join(f"{track} in {bars:,}" for track, bars in dataset.sounding_bars.items())),
        ("tempo", f"{tempos.min():g} to {tempos.max():g} quarters a minute, median {np.median(tempos):g}"),
        ("split", split),
        ("shared", f"{shared} of two-bar windows also in train, in some key"),
        ("size", f"{size / 1e6:,.1f} MB"),
        ("hash", dataset.hash),
        ("licence", manifest["licence"]),
    ]
    width = max(len(name) for name, _ in lines)
    sections = ["\n".join(f"{name:<{width}}  {value}" for name, value in lines)]
    sections.append(table(*_genres(dataset)))
    combined = sum(len(song["labels"]) > 1 for song in dataset.songs)
    if combined:
        sections.append(f"{combined:,} songs have several genres.")
    sections.append(table(("what the grid could not hold", "count"), _counted(manifest["losses"])))
    if manifest.get("warnings"):
        sections.append(table(("what reading mended or ignored", "count"), _counted(manifest["warnings"])))
    if manifest["rejected"]:
        total = sum(manifest["rejected"].values())
        header = (f"rejected, see {REJECTED}", f"{total:,}")
        sections.append(table(header, _counted(manifest["rejected"])))
    return "\n\n".join(sections) + "\n"


def describe_file(path: str, song: Song, layout: Layout) -> str:
    """What the song of a music file holds and what a layout takes of it: tracks, tempos, metres, what is lost."""
    try:
        roles = assign(song, layout)
        taken, losses = roles.tolist(), losses_in_words(song, tokenize(song, layout, roles))
    except MusicError as cause:
        taken, losses = [-1] * len(song.tracks), str(cause)
    names = {**dict(enumerate(layout.names)), POOLED: "all tracks, chord by chord", -1: "left out"}
    rows = [
        (track.name or "-", "drums" if track.is_drum else str(track.program), f"{len(track.notes):,}", names[role])
        for track, role in zip(song.tracks, taken, strict=True)
    ]
    tempos = sorted({tempo.bpm for tempo in song.tempos}) or [120.0]
    metres = sorted({f"{metre.numerator}/{metre.denominator}" for metre in song.metres}) or ["4/4"]
    lines = [
        ("file", path),
        ("bars", f"{len(song.bars()):,}"),
        ("tempo", f"{_first([f'{bpm:g}' for bpm in tempos])} quarters a minute"),
        ("metre", _first(metres)),
        ("layout", f"{layout.name} on {layout.time.name}: {losses or 'takes every note'}"),
    ]
    head = "\n".join(f"{name:<6}  {value}" for name, value in lines)
    return printable(f"{head}\n\n{table(('track', 'program', 'notes', 'plays'), rows)}\n")


def _first(values: Sequence[str], most: int = 8) -> str:
    """Values in a line, and how many more there are."""
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return f"{', '.join(values[:most])}{more}"


def facts(dataset: Dataset) -> dict[str, Any]:
    """What `describe` says, as JSON holds it."""
    manifest = dataset.manifest
    return {
        "path": str(dataset.path),
        **{key: manifest[key] for key in ("name", "source", "built_by", "licence", "counts", "losses", "rejected")},
        **{key: manifest[key] for key in ("split", "shared")},
        "warnings": manifest.get("warnings", {}),
        "layout": dataset.layout.to_dict(),
        "hash": dataset.hash,
        "sounding_bars": dataset.sounding_bars,
        "genres": _counts(dataset),
    }


def label_counts(dataset: Dataset) -> dict[str, int]:
    """How many songs, duplicates included, have each combination of genres, the most frequent first."""
    counts = Counter(", ".join(song["labels"]) for song in dataset.songs)
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def repeats(dataset: Dataset) -> list[tuple[str, str]]:
    """Songs that are used, and songs that repeat them."""
    return sorted((song["duplicate_of"], song["id"]) for song in dataset.songs if song["duplicate_of"] is not None)


def list_labels(dataset: Dataset) -> str:
    """`label_counts` as a table."""
    rows = [(labels, f"{count:,}") for labels, count in label_counts(dataset).items()]
    return table(("genres", "songs"), rows) + "\n"


def list_duplicates(dataset: Dataset) -> str:
    """Songs that repeat another one, by the song that they repeat."""
    found = repeats(dataset)
    if not found:
        return "No song repeats another one.\n"
    width = max(17, *(len(original) for original, _ in found))
    rows = (("song that is used", "repeated by"), *found)
    return printable("".join(f"{original:<{width}}  {song}\n" for original, song in rows))


def list_rejected(dataset: Dataset) -> str:
    """Every file that was not used, by kind, with its reason."""
    lines = [f"{rejection['kind']}: {rejection['reason']}" for rejection in dataset.rejections()]
    return printable("\n".join(sorted(lines))) + "\n" if lines else "No file was rejected.\n"


def _all(dataset: Dataset) -> str:
    """The name of all genres together: one that no genre has."""
    name = "all"
    while name in dataset.genres:
        name = f"({name})"
    return name


def _counts(dataset: Dataset) -> dict[str, dict[str, dict[str, int]]]:
    """Songs, bars and phrases in every split, by genre and of all."""
    used = np.array([song["duplicate_of"] is None for song in dataset.songs])
    bars = np.array([song["bars"] for song in dataset.songs])
    splits = np.array([song["split"] for song in dataset.songs])
    names = (*dataset.genres, _all(dataset))
    found: dict[str, dict[str, dict[str, int]]] = {name: {} for name in names}
    for split in SPLITS:
        here = used & (splits == split)
        labels = dataset.song_labels[here]
        phrases = dataset.phrases(split, PHRASE_BARS)
        columns = (
            [*labels.sum(axis=0), here.sum()],
            [*(labels.T @ bars[here]), bars[here].sum()],
            [*phrases.labels.sum(axis=0), len(phrases)],
        )
        for name, *row in zip(found, *columns, strict=True):
            found[name][split] = dict(zip(("songs", "bars", "phrases"), map(int, row), strict=True))
    return found


def _genres(dataset: Dataset) -> tuple[Sequence[str], list[Sequence[str]]]:
    """`_counts` as a header and rows."""
    header: list[str] = ["genre", *(word for split in SPLITS for word in (f"{split} songs", "bars", "phrases"))]
    rows: list[Sequence[str]] = [
        (name, *(f"{count:,}" for split in SPLITS for count in splits[split].values()))
        for name, splits in _counts(dataset).items()
    ]
    return header, rows


def _counted(counts: dict[str, int]) -> list[Sequence[str]]:
    return [(name.replace("_", " "), f"{count:,}") for name, count in counts.items()]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be: the first one to the left, numbers to the right."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines]
    return "\n".join("  ".join(line) for line in aligned)


_SCAN = 65536  # bars looked at in one go


def check(path: str | os.PathLike) -> Iterator[str]:
    """Check a dataset folder from the outside in; every yielded sentence is something that was found to be in order.

    Raises:
        DatasetError: The first thing that is not.
    """
    dataset = Dataset.open(path, verify=True)
    counts = dataset.manifest["counts"]
    yield f"manifest, {counts['songs']:,} songs and arrays of {counts['bars']:,} bars have the hashes of the manifest"
    _check_songs(dataset)
    yield "every song has genres of the dataset and a split; duplicates name a song that is there"
    _check_splits(dataset)
    yield f"no group of related songs is in two splits ({counts['groups']:,} groups)"
    _check_tokens(dataset)
    yield "all symbols belong to their track's vocabulary, and first symbols of bars say what is held there"


def _check_songs(dataset: Dataset) -> None:
    names = {song["id"] for song in dataset.songs}
    originals = {song["id"] for song in dataset.songs if song["duplicate_of"] is None}
    if len(names) < len(dataset.songs):
        raise DatasetError(f"{dataset.path}: two songs have one id")
    for song in dataset.songs:
        if not song["labels"] or not set(song["labels"]) <= set(dataset.genres):
            raise DatasetError(f"{dataset.path}: song {song['id']!r} has the genres {song['labels']}")
        if NONE in song["labels"] and len(song["labels"]) > 1:
            raise DatasetError(f"{dataset.path}: song {song['id']!r} has a genre and has none: {song['labels']}")
        if song["split"] not in SPLITS:
            raise DatasetError(f"{dataset.path}: song {song['id']!r} is in the split {song['split']!r}")
        if song["duplicate_of"] is not None and song["duplicate_of"] not in originals:
            raise DatasetError(
                f"{dataset.path}: song {song['id']!r} repeats {song['duplicate_of']!r}, which is no song that is used"
            )


def _check_splits(dataset: Dataset) -> None:
    where: dict[int, str] = {}
    for song in dataset.songs:
        if where.setdefault(song["group"], song["split"]) != song["split"]:
            raise DatasetError(f"{dataset.path}: group {song['group']} is in two splits, see song {song['id']!r}")


def _check_tokens(dataset: Dataset) -> None:
    sizes = np.array(dataset.layout.vocabulary_sizes)
    for first in range(0, len(dataset.tokens), _SCAN):
        for array in (dataset.tokens[first : first + _SCAN], dataset.heads[first : first + _SCAN]):
            wrong = np.argwhere(array >= sizes)
            if len(wrong):
                raise DatasetError(
                    f"{dataset.path}: bar {first + wrong[0][0]} has the symbol {array[tuple(wrong[0])]} on track "
                    f"{dataset.layout.columns[wrong[0][-1]].name}"
                )
    for _, bar, bars in dataset.runs.tolist():
        resolved = heads(dataset.tokens[bar : bar + bars], [(0, bars)], dataset.layout)
        misfits = np.flatnonzero((resolved != dataset.heads[bar : bar + bars]).any(axis=1))
        if len(misfits):
            raise DatasetError(f"{dataset.path}: the first symbols of bar {bar + misfits[0]} do not fit its tokens")
