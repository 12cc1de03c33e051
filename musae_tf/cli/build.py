"""`musae data build`: songs of a source become a dataset folder."""

import argparse
import hashlib
import json
import os
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musae_tf.cli.parser import Commands, Parser, add_json, command, group, integer
from musae_tf.cli.proposal import print_training
from musae_tf.errors import DatasetError
from musae_tf.files import write_text

if TYPE_CHECKING:
    from musae_tf.data import Source
    from musae_tf.time_grid import TimeGrid

SETTINGS = "build.json"
"""File in a dataset folder with what `musae data build` was asked for, so that it knows when there is nothing to do."""

SIXTEENTHS = "4/4x4"
AUTO = "auto"
"""The grid that suits the songs."""

LOOKED_AT = 200
"""Songs, evenly spaced, that say which grid suits a source."""


def add_build(kinds: Commands) -> None:
    """Add `musae data build` with a command for every source."""
    build = "read songs and write a dataset folder; every source has options of its own"
    sources = group(kinds, "build", build, "musae data build folder ~/midi --layout band", "SOURCE", "source")
    for add in (_add_corpus, _add_band, _add_folder, _add_jsb, _add_lmd, _add_lpd, _add_pop909):
        add(sources)


# --- sources ----------------------------------------------------------------------------------------------------------


def _add_corpus(sources: Commands) -> None:
    summary = "four schools of four-voice music (Bach, quartets, Palestrina, Monteverdi) out of the music21 package"
    parser = _source(sources, "corpus", summary, "musae data build corpus")
    _add_every(parser, _corpus, "datasets/corpus")


def _corpus(arguments: Namespace) -> "Source":
    from musae_tf.data.corpus import CorpusSource

    return CorpusSource()


def _add_band(sources: Commands) -> None:
    summary = "songs made up over the groove files of the program mma: drums, bass, guitar, strings, eight genres"
    parser = _source(sources, "band", summary, "musae data build band --songs 20 --out datasets/small")
    own = parser.add_argument_group("options of this source")
    songs = "songs in each of fourteen kinds of groove (default: 100)"
    own.add_argument("--songs", type=integer(1), default=100, metavar="N", help=songs)
    fine = "fourteen genres; otherwise neighbours share one of eight"
    own.add_argument("--fine", action="store_true", help=fine)
    own.add_argument("--mma", metavar="COMMAND", help="name or path of the program (default: mma)")
    library = "its groove files (default: where the package puts them)"
    own.add_argument("--mma-library", metavar="DIR", help=library)
    _add_every(parser, _band, "datasets/band")


def _band(arguments: Namespace) -> "Source":
    from musae_tf.data.band.songs import BandSource

    # The seed decides the songs too, and not only their split.
    return BandSource(
        songs=arguments.songs,
        fine=arguments.fine,
        mma=arguments.mma,
        mma_library=arguments.mma_library,
        seed=arguments.seed,
    )


def _add_folder(sources: Commands) -> None:
    summary = "your own music files: MIDI, MusicXML, ABC, Humdrum"
    parser = _source(sources, "folder", summary, "musae data build folder ~/midi --layout band")
    parser.add_argument("root", metavar="DIR", help="files anywhere below it; the first folder is the genre")
    own = parser.add_argument_group("options of this source")
    table = "table of genres: columns path, labels (a;b), maybe group (default: folders)"
    own.add_argument("--labels", default="folder", metavar="CSV", help=table)
    _add_every(parser, _folder)


def _folder(arguments: Namespace) -> "Source":
    from musae_tf.data.folder import FolderSource

    return FolderSource(arguments.root, arguments.labels)


def _add_jsb(sources: Commands) -> None:
    summary = "Bach's chorales from the public JSON file, in the parts that the literature trains and tests on"
    parser = _source(sources, "jsb", summary, "musae data build jsb --file Jsb16thSeparated.json")
    own = parser.add_argument_group("options of this source")
    own.add_argument("--file", required=True, metavar="JSON", help="train, valid and test: chorales, steps, pitches")
    grid = "sixteenth: four voices a step; quarter: a set of pitches a step (default: sixteenth)"
    own.add_argument("--grid", choices=("sixteenth", "quarter"), default="sixteenth", help=grid)
    _add_every(parser, _jsb, "datasets/jsb", grids=False)


def _jsb(arguments: Namespace) -> "Source":
    from musae_tf.data.jsb import JsbSource

    return JsbSource(arguments.file, arguments.grid)


def _add_lmd(sources: Commands) -> None:
    summary = "the Lakh MIDI Dataset, or any MIDI files in folders named by track ids"
    example = "musae data build lmd --midi lmd_matched --labels lmd_matched_h5 msd_tagtraum_cd2.cls"
    parser = _source(sources, "lmd", summary, example)
    own = parser.add_argument_group("options of this source")
    own.add_argument("--midi", required=True, metavar="DIR", help="lmd_matched: A/B/C/TR.../*.mid")
    _add_labels(own)
    _add_every(parser, _lmd, "datasets/lmd", most_genres="32")


def _lmd(arguments: Namespace) -> "Source":
    from musae_tf.data.lakh import LmdSource

    return LmdSource(arguments.midi, arguments.labels)


def _add_lpd(sources: Commands) -> None:
    summary = "the Lakh Pianoroll Dataset, or any .npz files of pypianoroll"
    parser = _source(sources, "lpd", summary, "musae data build lpd --npz lpd_5 --labels id_lists")
    own = parser.add_argument_group("options of this source")
    own.add_argument("--npz", required=True, metavar="DIR", help="lpd_5: A/B/C/TR.../*.npz")
    _add_labels(own)
    _add_every(parser, _lpd, "datasets/lpd", most_genres="32")


def _lpd(arguments: Namespace) -> "Source":
    from musae_tf.data.lakh import LpdSource

    return LpdSource(arguments.npz, arguments.labels)


def _add_pop909(sources: Commands) -> None:
    summary = "909 pop songs as melody, bridge and piano, put on their beats"
    parser = _source(sources, "pop909", summary, "musae data build pop909 --dir POP909")
    own = parser.add_argument_group("options of this source")
    own.add_argument("--dir", required=True, metavar="DIR", help="songs: 001/001.mid with 001/beat_midi.txt, ...")
    _add_every(parser, _pop909, "datasets/pop909")


def _pop909(arguments: Namespace) -> "Source":
    from musae_tf.data.pop909 import Pop909Source

    return Pop909Source(arguments.dir)


def _source(sources: Commands, name: str, summary: str, example: str) -> Parser:
    again = "the same command goes on from the parts that are done"
    parser = command(sources, name, build_dataset, summary, example, again)
    add_json(parser)
    return parser


def _add_labels(own: argparse._ArgumentGroup) -> None:
    tables = (
        "tables of track id and genres (tagtraum .cls, MASD, MAGD), id lists (id_list_Rock.txt) or folders of "
        "them, folders of the Million Song Dataset's song files (A/B/C/TR....h5) (default: no labels)"
    )
    own.add_argument("--labels", nargs="+", default=(), metavar="PATH", help=tables)


def _add_every(
    parser: Parser,
    make: Callable[[Namespace], "Source"],
    folder: str | None = None,
    most_genres: str | None = None,
    grids: bool = True,
) -> None:
    """The options of every source.

    Args:
        parser: of a source.
        make: makes the source from what was read.
        folder: where the dataset goes if nothing is said; None for the name of the folder that is read.
        most_genres: how many genres are kept if nothing is said; None for all.
        grids: whether the source's songs may have other bars than 4/4.
    """
    parser.set_defaults(make_source=make)
    every = parser.add_argument_group("options of every source")
    out = f"dataset folder (default: {folder or 'datasets/<name of DIR>'})"
    every.add_argument("--out", default=folder, metavar="PATH", help=out)
    layouts = "track layout, or a YAML file with one (default: the source's)"
    every.add_argument("--layout", metavar="NAME", help=layouts)
    grid = "metre and steps of a beat: 3/4x4, 6/8x6 ...; or auto (default: 4/4x4)"
    if grids:
        every.add_argument("--grid", default=SIXTEENTHS, metavar="GRID", help=grid, dest="time_grid")
    parser.set_defaults(time_grid=SIXTEENTHS)
    drums = "kit, or a single voice (default: kit)"
    every.add_argument("--drums", choices=("kit", "voice"), default="kit", help=drums)
    keep = "note that stays where several sound (default: the layout's, highest)"
    every.add_argument("--keep", choices=("highest", "lowest"), help=keep)
    candidates = "tracks that could play one part: merge them, take the best, or a song of each (default: merge)"
    names = ("merge", "best", "all")
    every.add_argument("--candidates", choices=names, default="merge", metavar="merge|best|all", help=candidates)
    filters = "four-four, all-parts: leave out other songs; no-silent-bars: cut such bars out (default: none)"
    names = ("four-four", "all-parts", "no-silent-bars")
    every.add_argument("--filters", nargs="+", choices=names, default=(), metavar="NAME", help=filters)
    phrase = "with no-silent-bars, keep stretches of at least N bars only (default: 1)"
    every.add_argument("--phrase-bars", type=integer(1, 1024), default=1, metavar="N", help=phrase)
    beat = "songs played without a beat: leave them out, or take them (default: refuse)"
    every.add_argument("--off-grid", choices=("refuse", "allow"), default="refuse", help=beat)
    genres = f"keep the N most frequent genres, or these (default: {most_genres or 'all'})"
    every.add_argument("--genres", default=most_genres, metavar="N|A,B,...", help=genres)
    every.add_argument("--labelled", action="store_true", help="leave out songs with none of the genres")
    every.add_argument("--workers", type=integer(1), metavar="N", help="processes (default: one a core)")
    every.add_argument("--seed", type=integer(0), default=1, metavar="N", help="decides the split (default: 1)")
    engine = "what reads the files: this machine or Apache Beam (default: processes)"
    every.add_argument("--engine", choices=("processes", "beam"), default="processes", help=engine)
    options = 'of Beam: --beam-options="--runner=FlinkRunner" (default: none)'
    every.add_argument("--beam-options", default="", metavar="STRING", help=options)
    every.add_argument("--force", action="store_true", help="build again even if it is there already")


# --- the command ------------------------------------------------------------------------------------------------------


def build_dataset(arguments: Namespace) -> None:
    """`musae data build SOURCE`."""
    from musae_tf import __version__
    from musae_tf.data import Dataset, build, describe
    from musae_tf.data.info import facts
    from musae_tf.data.reader import Filters
    from musae_tf.music import get_layout

    source: Source = arguments.make_source(arguments)
    out = Path(arguments.out or Path("datasets") / Path(os.path.abspath(arguments.root)).name)
    layout = get_layout(arguments.layout or source.layout, arguments.drums, arguments.keep)
    layout = replace(layout, time=_time(source, arguments))
    genres = _genres(arguments.genres)
    filters = Filters(arguments.filters, arguments.phrase_bars, arguments.off_grid)
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
        if source.name == "folder" and arguments.time_grid != AUTO:
            _say_misfits(source, arguments)
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
    print_training(dataset, arguments.layout or dataset.layout.name, arguments.drums)


def _time(source: "Source", arguments: Namespace) -> "TimeGrid":
    """The grid that is asked for, or the one that suits the songs, with what was found out about them."""
    from musae_tf.data.advice import in_a_line
    from musae_tf.data.suitability import sample
    from musae_tf.time_grid import TimeGrid

    if arguments.time_grid != AUTO:
        return TimeGrid.parse(arguments.time_grid)
    found = sample(source, LOOKED_AT, arguments.workers)
    print(f"{in_a_line(found)}\n")
    return TimeGrid.parse(found.survey.best)


def _say_misfits(source: "Source", arguments: Namespace) -> None:
    """Say it before a long build if many bars will not be used."""
    from musae_tf.data.advice import misfits_in_a_line
    from musae_tf.data.suitability import sample

    line = misfits_in_a_line(sample(source, LOOKED_AT, arguments.workers), arguments.time_grid)
    if line:
        print(f"{line}\n")


def _genres(text: str | None) -> int | list[str] | None:
    """What --genres says: a number, names, or nothing."""
    if text is None:
        return None
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
