"""`musae data`: build datasets and look at them."""

import hashlib
import json
import os
import shlex
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from musae_tf import __version__
from musae_tf.commands.data_flags import SOURCES
from musae_tf.commands.runs import open_dataset, print_next
from musae_tf.data import Dataset, build, describe, get_source
from musae_tf.data.check import check as check_dataset
from musae_tf.data.export import REJECTIONS, TABLE, export_songs, rejection_table, rejections, song_table
from musae_tf.data.filters import Filters
from musae_tf.data.info import PHRASE_BARS, facts, label_counts, list_duplicates, list_labels, list_rejected, repeats
from musae_tf.errors import DatasetError
from musae_tf.files import write_text
from musae_tf.music import get_layout
from musae_tf.progress import progress

SETTINGS = "build.json"
"""File in a dataset folder with what `musae data build` was asked for, so that it knows when there is nothing to do."""


def build_dataset(arguments: Namespace) -> None:
    """`musae data build SOURCE`."""
    flags = next(flags for flags in SOURCES if flags.name == arguments.source)
    options = {option.parameter: getattr(arguments, option.parameter) for option in flags.options}
    if flags.seeded:
        options["seed"] = arguments.seed
    source = get_source(arguments.source, **options)
    out = Path(arguments.out or flags.out or Path("datasets") / Path(os.path.abspath(arguments.root)).name)
    layout = get_layout(arguments.layout or source.layout, arguments.drums, arguments.keep)
    genres = _genres(arguments.genres, flags.genres)
    filters = Filters(arguments.filters, arguments.phrase_bars)
    items = repr(source.items()).encode("utf-8", "surrogateescape")
    settings = {
        "musae": __version__,
        "source": source.name,
        "items": hashlib.sha256(items).hexdigest(),
        "layout": layout.to_dict(),
        "genres": genres,
        "labelled": arguments.labelled,
        "candidates": arguments.candidates,
        "filters": repr(filters),
        "seed": arguments.seed,
    }
    if not arguments.force and _is_built(out, settings):
        print(f"{out} is already built from the same songs with the same settings (--force builds it again)\n")
    else:
        build(
            source,
            out,
            layout,
            seed=arguments.seed,
            workers=arguments.workers,
            genres=genres,
            unlabelled=not arguments.labelled,
            candidates=arguments.candidates,
            filters=filters,
            engine=arguments.engine,
            beam_options=arguments.beam_options,
        )
        write_text(out / SETTINGS, json.dumps(settings, indent=1) + "\n", DatasetError)
    dataset = Dataset.open(out)
    arguments.report = facts(dataset) if arguments.json else {}
    print(describe(dataset), end="")
    _print_training(dataset, arguments.drums)


def _print_training(dataset: Dataset, drums: str) -> None:
    """Say how a model is trained on the dataset, or why none can be."""
    lacks = {sounding: dataset.lacks(PHRASE_BARS, sounding) for sounding in ("all", "any")}
    if lacks["any"]:
        print(f"\nnothing to train a model on yet: {lacks['any']}")
        return
    preset, path = ("band", "datasets/band") if dataset.layout.name == "band" else ("voices", "datasets/corpus")
    changes = {
        "data.path": (str(dataset.path), path),
        "music.layout": (dataset.layout.name, preset),
        "music.drums": (drums, "kit"),
        "data.sounding": ("any" if lacks["all"] else "all", "all"),
    }
    sets = [f" --set {shlex.quote(f'{key}={value}')}" for key, (value, usual) in changes.items() if value != usual]
    reason = ", on phrases in which any track sounds: those in which all do are too few" if lacks["all"] else ""
    print_next((f"train configs/{preset}.yaml{''.join(sets)}", f"train a model on it{reason}"))


def info(arguments: Namespace) -> None:
    """`musae data info PATH`."""
    dataset = open_dataset(arguments.dataset)
    if arguments.json:
        arguments.report = {
            **facts(dataset),
            **({"labels": label_counts(dataset)} if arguments.labels else {}),
            **({"duplicates": repeats(dataset)} if arguments.duplicates else {}),
            **({"rejections": rejections(dataset)} if arguments.rejected else {}),
        }
        return
    print(describe(dataset), end="")
    for wanted, table in (
        (arguments.labels, list_labels),
        (arguments.duplicates, list_duplicates),
        (arguments.rejected, list_rejected),
    ):
        if wanted:
            print(f"\n{table(dataset)}", end="")


def check(arguments: Namespace) -> None:
    """`musae data check PATH`."""
    arguments.report = {"path": arguments.dataset, "sound": []}
    for sentence in check_dataset(open_dataset(arguments.dataset).path):
        print(sentence)
        arguments.report["sound"].append(sentence)


def export(arguments: Namespace) -> None:
    """`musae data export PATH`."""
    dataset = open_dataset(arguments.dataset)
    out = Path(arguments.out)
    write_text(out / REJECTIONS, rejection_table(dataset), DatasetError)
    arguments.report = {"folder": str(out), "table": str(out / TABLE), "rejections": str(out / REJECTIONS)}
    if arguments.tables:
        write_text(out / TABLE, song_table(dataset.songs), DatasetError)
        print(f"{out / TABLE}: {len(dataset.songs):,} songs\n{out / REJECTIONS}")
        return
    numbers = _chosen(dataset, arguments)
    arguments.report["songs"] = [dataset.songs[number]["id"] for number in numbers]
    table = export_songs(dataset, progress(numbers, title="writing songs", unit="songs"), out, pictures=arguments.png)
    print(f"{len(numbers):,} songs in {out}, listed in {table}")
    print_next((f"data build folder {out} --labels {table}", "make a dataset of them again"))


def _chosen(dataset: Dataset, arguments: Namespace) -> list[int]:
    """Numbers of the songs that an export asks for. Raises DatasetError if there are none."""
    if arguments.genre is not None and arguments.genre not in dataset.genres:
        raise DatasetError(f"the dataset has no genre {arguments.genre!r}; it has {', '.join(dataset.genres)}")
    known = {song["id"]: number for number, song in enumerate(dataset.songs)}
    missing = [name for name in arguments.song or () if name not in known]
    if missing:
        raise DatasetError(f"the dataset has no song {missing[0]!r}; songs.jsonl in {dataset.path} lists them")
    numbers = [known[name] for name in dict.fromkeys(arguments.song)] if arguments.song else range(len(known))
    chosen = [
        number
        for number in numbers
        if (arguments.genre is None or arguments.genre in dataset.songs[number]["labels"])
        and (arguments.split is None or arguments.split == dataset.songs[number]["split"])
    ]
    if not chosen:
        raise DatasetError("no song of the dataset is of that genre and in that split")
    return chosen[: arguments.limit]


def _genres(text: str | None, default: int | None) -> int | list[str] | None:
    """What --genres says: a number, names, or nothing."""
    if text is None:
        return default
    if text.strip().isdecimal():
        if int(text) == 0:
            raise DatasetError("--genres is 0; must be a number of 1 or more, or names separated by commas")
        return int(text)
    return [name.strip() for name in text.split(",") if name.strip()]


def _is_built(out: Path, settings: Mapping[str, Any]) -> bool:
    try:
        if json.loads((out / SETTINGS).read_text(encoding="utf-8")) != settings:
            return False
        Dataset.open(out)
    except (OSError, ValueError, DatasetError):
        return False
    return True
