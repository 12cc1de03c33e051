"""`musae data`: its commands and options."""

from musae_tf.cli.parser import Parser, add_json, command, group
from musae_tf.commands.data_flags import SOURCES, SourceFlags
from musae_tf.commands.values import integer


def add_data(commands) -> None:
    """Add `musae data`."""
    summary = "build a dataset, look at one, or download a collection"
    kinds = group(commands, "data", summary, "musae data build corpus")
    build = "read songs and write a dataset folder; every source has options of its own"
    sources = group(kinds, "build", build, "musae data build folder ~/midi --layout band", "SOURCE", "source")
    for source in SOURCES:
        _add_source(sources, source)
    _add_fetch(kinds)
    _add_info(kinds)
    _add_check(kinds)
    _add_export(kinds)


def _add_source(sources, source: SourceFlags) -> None:
    again = "the same command goes on from the parts that are done"
    parser = command(sources, source.name, "data:build_dataset", source.summary, source.example, again)
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


def _add_fetch(kinds) -> None:
    public = "download a public collection of music: sizes and licences are shown first"
    again = "the same command goes on from what has come"
    parser = command(
        kinds, "fetch", "fetch:fetch_collection", public, "musae data fetch lmd --out downloads/lmd", again
    )
    parser.add_argument("collection", choices=("lmd", "lpd"), help="the Lakh MIDI or the Lakh Pianoroll Dataset")
    parser.add_argument("--out", metavar="DIR", help="where to (default: downloads/<name>)")
    only = "one of its folders; may be repeated (default: all)"
    parser.add_argument("--only", action="append", default=[], metavar="PART", help=only)
    parser.add_argument("--url", metavar="URL", help="a mirror with the same file names (default: the authors' site)")
    parser.add_argument("--keep-archives", action="store_true", help="keep the archives after they are unpacked")
    parser.add_argument("--yes", action="store_true", help="agree to sizes and licences without being asked")


def _add_info(kinds) -> None:
    parser = command(kinds, "info", "data:info", "what a dataset holds", "musae data info datasets/corpus --labels")
    _add_dataset_folder(parser)
    parser.add_argument("--rejected", action="store_true", help="list every file that was not used, and why")
    parser.add_argument("--labels", action="store_true", help="list which genres occur together")
    parser.add_argument("--duplicates", action="store_true", help="list songs that repeat another one")
    add_json(parser)


def _add_check(kinds) -> None:
    summary = "whether a dataset is whole and sound"
    parser = command(kinds, "check", "data:check", summary, "musae data check datasets/corpus")
    _add_dataset_folder(parser)
    add_json(parser)


def _add_export(kinds) -> None:
    summary = "write songs of a dataset as MIDI files, with a table of them"
    parser = command(
        kinds, "export", "data:export", summary, "musae data export datasets/corpus --out songs --genre bach --limit 10"
    )
    _add_dataset_folder(parser)
    parser.add_argument("--out", metavar="DIR", required=True, help="folder for the files")
    parser.add_argument("--song", action="append", metavar="ID", help="this song only; may be repeated (default: all)")
    parser.add_argument("--genre", metavar="NAME", help="songs of this genre only (default: all)")
    splits = ("train", "validation", "test")
    parser.add_argument("--split", choices=splits, metavar="NAME", help=f"{', '.join(splits)} only (default: all)")
    parser.add_argument("--limit", type=integer(1), metavar="N", help="the first N songs only (default: all)")
    parser.add_argument("--png", action="store_true", help="draw the first bars of every song as well")
    parser.add_argument("--tables", action="store_true", help="write the tables only, of all songs and rejections")
    add_json(parser)


def _add_dataset_folder(parser: Parser) -> None:
    parser.add_argument("dataset", metavar="PATH", help="dataset folder")
