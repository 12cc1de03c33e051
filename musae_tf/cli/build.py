"""`musae data build`: songs of a source become a dataset folder."""

import hashlib
import json
import os
import shlex
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musae_tf.cli.parser import add_json, command, group, integer
from musae_tf.cli.shared import print_next
from musae_tf.errors import DatasetError
from musae_tf.files import write_text

if TYPE_CHECKING:
    from musae_tf.data import Dataset


@dataclass(frozen=True)
class Option:
    """An option or argument of one source.

    Attributes:
        flags: As argparse takes them: "--labels", or a name without dashes for an argument.
        parameter: The parameter of the source that it sets.
        settings: Further settings of argparse: help, metavar, nargs and the like.
    """

    flags: tuple[str, ...]
    parameter: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceFlags:
    """A sub-command of `musae data build`.

    Attributes:
        name: Of the sub-command and of the source in `musae_tf.data.sources.SOURCES`.
        summary: One line of help.
        example: One command line.
        options: Its own ones.
        out: Where the dataset goes; None for the name of the folder that is read.
        genres: How many genres it keeps if nothing is said; None for all.
        seeded: Whether --seed decides the songs too, and not only their split.
    """

    name: str
    summary: str
    example: str
    options: tuple[Option, ...] = ()
    out: str | None = None
    genres: int | None = None
    seeded: bool = False


_LABELS = Option(
    ("--labels",),
    "labels",
    {
        "nargs": "+",
        "default": (),
        "metavar": "PATH",
        "help": "tables of track id and genres (tagtraum .cls, MASD, MAGD), id lists (id_list_Rock.txt) or folders of "
        "them, folders of the Million Song Dataset's song files (A/B/C/TR....h5) (default: no labels)",
    },
)

SOURCES = (
    SourceFlags(
        "corpus",
        "four schools of four-voice music (Bach, quartets, Palestrina, Monteverdi) out of the music21 package",
        "musae data build corpus",
        out="datasets/corpus",
    ),
    SourceFlags(
        "band",
        "songs made up over the groove files of the program mma: drums, bass, guitar, strings, eight genres",
        "musae data build band --songs 20 --out datasets/small",
        (
            Option(
                ("--songs",),
                "songs",
                {
                    "type": integer(1),
                    "default": 100,
                    "metavar": "N",
                    "help": "songs in each of fourteen kinds of groove (default: 100)",
                },
            ),
            Option(
                ("--fine",),
                "fine",
                {"action": "store_true", "help": "fourteen genres; otherwise neighbours share one of eight"},
            ),
            Option(("--mma",), "mma", {"metavar": "COMMAND", "help": "name or path of the program (default: mma)"}),
            Option(
                ("--mma-library",),
                "mma_library",
                {"metavar": "DIR", "help": "its groove files (default: where the package puts them)"},
            ),
        ),
        out="datasets/band",
        seeded=True,
    ),
    SourceFlags(
        "folder",
        "your own music files: MIDI, MusicXML, ABC, Humdrum",
        "musae data build folder ~/midi --layout band",
        (
            Option(
                ("root",), "root", {"metavar": "DIR", "help": "files anywhere below it; the first folder is the genre"}
            ),
            Option(
                ("--labels",),
                "labels",
                {
                    "default": "folder",
                    "metavar": "CSV",
                    "help": "table of genres: columns path, labels (a;b), maybe group (default: folders)",
                },
            ),
        ),
    ),
    SourceFlags(
        "lmd",
        "the Lakh MIDI Dataset, or any MIDI files in folders named by track ids",
        "musae data build lmd --midi lmd_matched --labels lmd_matched_h5 msd_tagtraum_cd2.cls",
        (
            Option(("--midi",), "midi", {"required": True, "metavar": "DIR", "help": "lmd_matched: A/B/C/TR.../*.mid"}),
            _LABELS,
        ),
        out="datasets/lmd",
        genres=32,
    ),
    SourceFlags(
        "lpd",
        "the Lakh Pianoroll Dataset, or any .npz files of pypianoroll",
        "musae data build lpd --npz lpd_5 --labels id_lists",
        (
            Option(("--npz",), "npz", {"required": True, "metavar": "DIR", "help": "lpd_5: A/B/C/TR.../*.npz"}),
            _LABELS,
        ),
        out="datasets/lpd",
        genres=32,
    ),
)


def add_build(kinds) -> None:
    """Add `musae data build`."""
    build = "read songs and write a dataset folder; every source has options of its own"
    sources = group(kinds, "build", build, "musae data build folder ~/midi --layout band", "SOURCE", "source")
    for source in SOURCES:
        _add_source(sources, source)


def _add_source(sources, source: SourceFlags) -> None:
    again = "the same command goes on from the parts that are done"
    parser = command(sources, source.name, build_dataset, source.summary, source.example, again)
    add_json(parser)
    own = parser.add_argument_group("options of this source") if source.options else parser
    for option in source.options:
        place = own if option.flags[0].startswith("-") else parser
        place.add_argument(*option.flags, **option.settings)
    _add_build_options(parser.add_argument_group("options of every source"), source)


def _add_build_options(parser, source: SourceFlags) -> None:
    out = f"dataset folder (default: {source.out or 'datasets/<name of DIR>'})"
    parser.add_argument("--out", metavar="PATH", help=out)
    layouts = "track layout: voices, band, band_paper or lpd5 (default: the source's)"
    parser.add_argument("--layout", metavar="NAME", help=layouts)
    drums = "kit, or a single voice (default: kit)"
    parser.add_argument("--drums", choices=("kit", "voice"), default="kit", help=drums)
    keep = "note that stays where several sound (default: the layout's, highest)"
    parser.add_argument("--keep", choices=("highest", "lowest"), help=keep)
    candidates = "tracks that could play one part: merge them, take the best, or a song of each (default: merge)"
    names = ("merge", "best", "all")
    parser.add_argument("--candidates", choices=names, default="merge", metavar="merge|best|all", help=candidates)
    filters = "four-four, all-parts: leave out other songs; no-silent-bars: cut such bars out (default: none)"
    names = ("four-four", "all-parts", "no-silent-bars")
    parser.add_argument("--filters", nargs="+", choices=names, default=(), metavar="NAME", help=filters)
    phrase = "with no-silent-bars, keep stretches of at least N bars only (default: 1)"
    parser.add_argument("--phrase-bars", type=integer(1, 1024), default=1, metavar="N", help=phrase)
    genres = f"keep the N most frequent genres, or these (default: {source.genres or 'all'})"
    parser.add_argument("--genres", metavar="N|A,B,...", help=genres)
    parser.add_argument("--labelled", action="store_true", help="leave out songs with none of the genres")
    parser.add_argument("--workers", type=integer(1), metavar="N", help="processes (default: one a core)")
    parser.add_argument("--seed", type=integer(0), default=1, metavar="N", help="decides the split (default: 1)")
    engine = "what reads the files: this machine or Apache Beam (default: processes)"
    parser.add_argument("--engine", choices=("processes", "beam"), default="processes", help=engine)
    options = 'of Beam: --beam-options="--runner=FlinkRunner" (default: none)'
    parser.add_argument("--beam-options", default="", metavar="STRING", help=options)
    parser.add_argument("--force", action="store_true", help="build again even if it is there already")


SETTINGS = "build.json"
"""File in a dataset folder with what `musae data build` was asked for, so that it knows when there is nothing to do."""


def build_dataset(arguments: Namespace) -> None:
    """`musae data build SOURCE`."""
    from musae_tf import __version__
    from musae_tf.data import Dataset, build, describe, get_source
    from musae_tf.data.filters import Filters
    from musae_tf.data.info import facts
    from musae_tf.music import get_layout

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


def _print_training(dataset: "Dataset", drums: str) -> None:
    """Say how a model is trained on the dataset, or why none can be."""
    from musae_tf.data.info import PHRASE_BARS

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
    print_next((f"train {preset}{''.join(sets)}", f"train a model on it{reason}"))


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
    from musae_tf.data import Dataset

    try:
        if json.loads((out / SETTINGS).read_text(encoding="utf-8")) != settings:
            return False
        Dataset.open(out)
    except (OSError, ValueError, DatasetError):
        return False
    return True
