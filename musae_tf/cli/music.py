"""`musae sample`, `reconstruct`, `interpolate`, `transfer`, `change`, and `musae request` with the same, for a server:
files of music in, files of music, pictures and sound out, wherever the model is.
"""

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from musae_tf.cli.parser import Commands, Parser, add_json, command, integer, number
from musae_tf.cli.served import open_client
from musae_tf.cli.shared import (
    add_dataset,
    add_output,
    add_pretrained,
    add_run,
    add_server,
    find_run,
    load_tensorflow,
    open_dataset,
    print_next,
)

if TYPE_CHECKING:
    from musae_tf.cli.output import MadePiece
    from musae_tf.verbs.methods import Verbs

AddModel = Callable[[Parser], None]
"""Adds what says where the model is. The functions that add a command are also given how its example begins."""

SAMPLES = "RUN/samples; samples with --pretrained"
"""Where pieces go if the user does not say."""


class Opened(NamedTuple):
    """A model that a command makes music with.

    Attributes:
        musae: the model.
        report: where it is, for --json.
        folder: where pieces go if the user does not say.
        picture: whether they are drawn.
        called: what names the model on a command line; None for a server.
    """

    musae: "Verbs"
    report: dict[str, str]
    folder: Path
    picture: bool
    called: str | None = None


# --- options ----------------------------------------------------------------------------------------------------------


def add_music(commands: Commands) -> None:
    """Add `musae sample`, `reconstruct`, `interpolate` and `transfer`."""
    for add in (sample_command, reconstruct_command, interpolate_command, transfer_command):
        parser = add(commands, "musae {} runs/NAME", add_local)
        add_output(parser, SAMPLES)
        add_json(parser)


def add_change(commands: Commands) -> None:
    """Add `musae change`."""
    parser = change_command(commands, "musae {} runs/NAME", add_local)
    add_dataset(parser)
    add_output(parser, SAMPLES)
    add_json(parser)


def add_local(parser: Parser) -> None:
    """Say which run's model makes music here."""
    add_run(parser)
    add_pretrained(parser)
    parser.set_defaults(open=_open_run)


def add_served(parser: Parser) -> None:
    """Say which server's model makes music."""
    add_server(parser)
    parser.set_defaults(open=_open_server)


def _add_first_bars(parser: Parser) -> None:
    parser.add_argument("--bars", type=integer(1), metavar="N", help="take the first N bars only (default: all)")


# --- the model --------------------------------------------------------------------------------------------------------


@contextmanager
def _open_run(arguments: Namespace) -> Iterator[Opened]:
    """The model of a run, or the one of the package."""
    _check_engraver(arguments)
    path = find_run(arguments.run, arguments.pretrained)
    dataset = getattr(arguments, "dataset", None)
    if dataset is not None:
        open_dataset(dataset)
    load_tensorflow()
    from musae_tf import Musae

    # A cache is no place for pieces.
    folder = Path("samples") if arguments.pretrained else path / "samples"
    with Musae.from_run(path, dataset, print) as musae:
        yield Opened(musae, {"run": str(path)}, folder, True, "--pretrained" if arguments.pretrained else str(path))


@contextmanager
def _open_server(arguments: Namespace) -> Iterator[Opened]:
    _check_engraver(arguments)
    with open_client(arguments) as musae:
        yield Opened(musae, {"server": arguments.server}, Path("."), arguments.png)


def _check_engraver(arguments: Namespace) -> None:
    """Miss what engraves before a model is loaded, if scores are to be engraved."""
    if arguments.score:
        from musae_tf.music.engraving import check_engraver

        check_engraver(arguments.score)


# --- the commands -----------------------------------------------------------------------------------------------------


def sample_command(commands: Commands, call: str, add_model: AddModel) -> Parser:
    """Add `sample`."""
    parser = command(
        commands, "sample", sample, "make new pieces", f"{call.format('sample')} --genre bach --bars 16 --seed 7 --wav"
    )
    parser.add_argument("--genre", metavar="NAME", help="genre by name (default: one piece of each)")
    parser.add_argument("--bars", type=integer(1, 4096), default=16, metavar="N", help="length (default: 16)")
    parser.add_argument("--tempo", type=number(1, 1000), metavar="BPM", help="quarters a minute (default: the genre's)")
    add_model(parser)
    return parser


def sample(arguments: Namespace) -> None:
    """`musae sample` and `musae request sample`."""
    from musae_tf.cli import output

    output.check_out(arguments.out, 1)
    with arguments.open(arguments) as opened:
        model = opened.musae.describe()
        genres = [arguments.genre] if arguments.genre else model.genres
        for genre in genres:
            model.genre_number(genre)
        output.check_out(arguments.out, len(genres))
        how = (arguments.bars, arguments.temperature, arguments.seed, arguments.tempo, arguments.trust)
        made = [output.sampled(genre, arguments.seed, opened.musae.sample(genre, *how)) for genre in genres]
        write(made, opened, arguments)
    if opened.called is not None:
        files = arguments.report["pieces"][0]
        written = files.get("midi") or files["score"]
        first, *others = model.genres
        print_next(
            (
                ("transfer", opened.called, written, "--to", others[0] if others else first),
                "move a piece to another genre",
            ),
            (("sample", opened.called, "--genre", first, "--seed", arguments.seed + 1), "another piece"),
        )


def reconstruct_command(commands: Commands, call: str, add_model: AddModel) -> Parser:
    """Add `reconstruct`."""
    summary = "encode a piece and decode it again"
    parser = command(commands, "reconstruct", reconstruct, summary, f"{call.format('reconstruct')} mine.mid")
    add_model(parser)
    parser.add_argument("song", metavar="SONG.mid", help="the piece")
    add_other_bars(parser)
    _add_first_bars(parser)
    return parser


def reconstruct(arguments: Namespace) -> None:
    """`musae reconstruct SONG.mid` and `musae request reconstruct SONG.mid`."""
    from musae_tf.cli import output

    (song,) = output.read_sources(arguments, 1, arguments.song)
    with arguments.open(arguments) as opened:
        output.say_losses(arguments.song, song, opened.musae.describe().layout)
        rebuilt = opened.musae.reconstruct(song, *_drawing(arguments))
        write([output.reconstructed(song, rebuilt)], opened, arguments)


def interpolate_command(commands: Commands, call: str, add_model: AddModel) -> Parser:
    """Add `interpolate`."""
    summary = "make pieces between one piece and another"
    parser = command(
        commands, "interpolate", interpolate, summary, f"{call.format('interpolate')} from.mid to.mid --points 7"
    )
    add_model(parser)
    parser.add_argument("start", metavar="START.mid", help="where the way begins")
    parser.add_argument("end", metavar="END.mid", help="where it ends")
    points = "pieces, reconstructions of both ends included (default: 5)"
    parser.add_argument("--points", type=integer(2, 256), default=5, metavar="N", help=points)
    path = "straight from code to code, or along great arcs (default: linear)"
    parser.add_argument("--path", choices=("linear", "spherical"), default="linear", help=path)
    _add_first_bars(parser)
    return parser


def interpolate(arguments: Namespace) -> None:
    """`musae interpolate START.mid END.mid` and `musae request interpolate START.mid END.mid`."""
    from musae_tf.cli import output

    ends = (arguments.start, arguments.end)
    start, end = output.read_sources(arguments, arguments.points, *ends)
    with arguments.open(arguments) as opened:
        for path, song in zip(ends, (start, end), strict=True):
            output.say_losses(path, song, opened.musae.describe().layout)
        how = (arguments.points, arguments.temperature, arguments.seed, arguments.path, arguments.trust)
        songs = opened.musae.interpolate(start, end, *how)
        write(output.interpolated(start, end, songs), opened, arguments)


def transfer_command(commands: Commands, call: str, add_model: AddModel) -> Parser:
    """Add `transfer`."""
    summary = "move a piece towards another genre"
    parser = command(
        commands, "transfer", transfer, summary, f"{call.format('transfer')} mine.mid --to palestrina --strength 0.8"
    )
    add_model(parser)
    parser.add_argument("song", metavar="SONG.mid", help="the piece")
    parser.add_argument("--to", required=True, metavar="GENRE", help="genre to move to")
    parser.add_argument("--source", metavar="GENRE", help="genre that the piece is in (default: the model decides)")
    amount = "0 stays, 1 goes prior.transfer_scale times the way between the genres (default: 1)"
    parser.add_argument("--strength", type=number(0, 10), default=1.0, metavar="X", help=amount)
    add_other_bars(parser)
    _add_first_bars(parser)
    return parser


def transfer(arguments: Namespace) -> None:
    """`musae transfer SONG.mid --to GENRE` and `musae request transfer SONG.mid --to GENRE`."""
    from musae_tf.cli import output

    (song,) = output.read_sources(arguments, 1, arguments.song)
    with arguments.open(arguments) as opened:
        model = opened.musae.describe()
        for genre in filter(None, (arguments.to, arguments.source)):
            model.genre_number(genre)
        output.say_losses(arguments.song, song, model.layout)
        source = arguments.source or opened.musae.infer_genre(song)
        if not arguments.source:
            print(f"{arguments.song}: taken for {source}; --source names another genre")
        how = (arguments.strength, *_drawing(arguments))
        moved = opened.musae.transfer(song, arguments.to, source, *how)
        piece = output.transferred(song, source, arguments.to, arguments.strength, moved)
        write([piece], opened, arguments, source=source, to=arguments.to)


def change_command(commands: Commands, call: str, add_model: AddModel) -> Parser:
    """Add `change`."""
    summary = "give a piece more or less notes, register or length"
    example = f"{call.format('change')} mine.mid --more soprano:notes --less bass:register"
    parser = command(commands, "change", change, summary, example)
    add_model(parser)
    parser.add_argument("song", metavar="SONG.mid", help="the piece")
    what = "notes, register, length, or soprano:notes; repeatable (default: none)"
    for flag in ("--more", "--less"):
        parser.add_argument(flag, action="append", default=[], metavar="NAME", help=what)
    parser.add_argument("--sweep", metavar="NAME", help="several pieces, from less to more of NAME (default: none)")
    points = "pieces of a sweep (default: 5)"
    parser.add_argument("--points", type=integer(2, 256), default=5, metavar="N", help=points)
    units = "in standard deviations over the training music (default: 2)"
    parser.add_argument("--strength", type=number(0, 10), default=2.0, metavar="X", help=units)
    add_other_bars(parser)
    _add_first_bars(parser)
    return parser


def change(arguments: Namespace) -> None:
    """`musae change SONG.mid --more NAME --less NAME`, or `--sweep NAME`; and `musae request change`."""
    from musae_tf.cli import output

    changes = output.wanted(arguments)
    (song,) = output.read_sources(arguments, 1 if changes else arguments.points, arguments.song)
    with arguments.open(arguments) as opened:
        model = opened.musae.describe()
        output.say_losses(arguments.song, song, model.layout)
        model.amounts(changes or {arguments.sweep: 0.0})
        how = _drawing(arguments)
        if changes:
            made = [output.changed(song, changes, opened.musae.change(song, changes, *how))]
        else:
            songs = opened.musae.sweep(song, arguments.sweep, arguments.points, arguments.strength, *how)
            made = output.swept(song, arguments.sweep, arguments.strength, songs)
        wish = {"changes": changes} if changes else {"sweep": arguments.sweep}
        write(made, opened, arguments, **wish)


def add_other_bars(parser: Parser) -> None:
    """What becomes of bars that the model cannot take."""
    bars = "bars that the model cannot take: as they are, or left out (default: keep)"
    parser.add_argument("--other-bars", choices=("keep", "drop"), default="keep", metavar="keep|drop", help=bars)


def _drawing(arguments: Namespace) -> tuple[float, int, float | None, str]:
    """How a piece is made from another."""
    return arguments.temperature, arguments.seed, arguments.trust, arguments.other_bars


def write(made: Sequence["MadePiece"], opened: Opened, arguments: Namespace, **facts: object) -> None:
    """Write pieces where the user wants them, with what goes with them, and report them."""
    from musae_tf.cli import output

    layout = opened.musae.describe().layout
    also = (opened.picture, arguments.wav, arguments.score, f".{arguments.format}")
    written = output.write_pieces(made, layout, arguments.out, opened.folder, *also)
    arguments.report = {**opened.report, **facts, "pieces": written}
