"""`musae data`: build datasets and look at them."""

import hashlib
import json
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from musae_tf import __version__
from musae_tf.commands.runs import open_dataset, print_next
from musae_tf.data import Dataset, Source, build, describe, get_source
from musae_tf.errors import DatasetError
from musae_tf.files import write_text
from musae_tf.music import get_layout

SETTINGS = "build.json"
"""File in a dataset folder with what `musae data build` was asked for, so that it knows when there is nothing to do."""


def build_corpus(arguments: Namespace) -> None:
    """`musae data build corpus`."""
    _build(get_source("corpus"), Path(arguments.out or "datasets/corpus"), arguments)


def build_folder(arguments: Namespace) -> None:
    """`musae data build folder DIR`."""
    folder = Path(arguments.folder)
    source = get_source("folder", root=folder, labels=arguments.labels or "folder")
    _build(source, Path(arguments.out or Path("datasets") / folder.resolve().name), arguments)


def info(arguments: Namespace) -> None:
    """`musae data info PATH`."""
    print(describe(open_dataset(arguments.dataset)), end="")


def _build(source: Source, out: Path, arguments: Namespace) -> None:
    layout = get_layout(arguments.layout or source.layout, arguments.drums)
    items = repr(source.items()).encode("utf-8", "surrogateescape")
    settings = {
        "musae": __version__,
        "source": source.name,
        "items": hashlib.sha256(items).hexdigest(),
        "layout": layout.to_dict(),
        "seed": arguments.seed,
    }
    if not arguments.force and _is_built(out, settings):
        print(f"{out} is already built from the same songs with the same settings (--force builds it again)\n")
    else:
        build(source, out, layout, seed=arguments.seed, workers=arguments.workers)
        write_text(out / SETTINGS, json.dumps(settings, indent=1) + "\n", DatasetError)
    print(describe(Dataset.open(out)), end="")
    changed = "" if out == Path("datasets/corpus") else f" --set data.path={out}"
    changed += "" if layout.name == "voices" else f" --set music.layout={layout.name}"
    changed += "" if arguments.drums == "kit" else f" --set music.drums={arguments.drums}"
    print_next((f"train configs/voices.yaml{changed}", "train a model on it"))


def _is_built(out: Path, settings: Mapping[str, Any]) -> bool:
    try:
        if json.loads((out / SETTINGS).read_text(encoding="utf-8")) != settings:
            return False
        Dataset.open(out)
    except (OSError, ValueError, DatasetError):
        return False
    return True
