"""The commands that make music, with a run (`musae sample`) or with a server (`musae request sample`)."""

from collections.abc import Callable

from musae_tf.cli.parser import Parser, add_json, command
from musae_tf.cli.shared import add_dataset, add_output, add_pretrained, add_run, add_server
from musae_tf.commands.values import integer, number

_SAMPLES = "RUN/samples; samples with --pretrained"


def add_music(commands) -> None:
    """Add `musae sample`, `reconstruct`, `interpolate` and `transfer`."""
    for parser in _music_commands(commands, "music", "musae {} runs/NAME", _add_model):
        add_output(parser, _SAMPLES)
        add_json(parser)


def add_change(commands) -> None:
    """Add `musae change`."""
    change = _change_command(commands, "change", "musae change runs/NAME", _add_model)
    add_dataset(change)
    add_output(change, _SAMPLES)
    add_json(change)


def _add_model(parser: Parser) -> None:
    add_run(parser)
    add_pretrained(parser)


def _change_command(commands, module: str, call: str, add_model: Callable[[Parser], None]) -> Parser:
    summary = "give a piece more or less notes, register or length"
    example = f"{call} mine.mid --more soprano:notes --less bass:register"
    change = command(commands, "change", f"{module}:change", summary, example)
    add_model(change)
    change.add_argument("song", metavar="SONG.mid", help="the piece")
    what = "notes, register or length of all tracks, or of one as in soprano:notes; may be repeated"
    for flag in ("--more", "--less"):
        change.add_argument(flag, action="append", default=[], metavar="NAME", help=what)
    change.add_argument("--sweep", metavar="NAME", help="several pieces, from less to more of NAME (default: none)")
    points = "pieces of a sweep (default: 5)"
    change.add_argument("--points", type=integer(2, 256), default=5, metavar="N", help=points)
    units = "in standard deviations over the training music (default: 2)"
    change.add_argument("--strength", type=number(0, 10), default=2.0, metavar="X", help=units)
    change.add_argument("--bars", type=integer(1), metavar="N", help="take the first N bars only (default: all)")
    return change


def add_request(commands) -> None:
    """Add `musae request`."""
    summary = "have music made by a model on a server"
    token = "A token in the environment variable MUSAE_TOKEN is sent along."
    example = "musae request sample --server HOST:8500 --genre bach --out bach.mid"
    request = commands.add_parser(
        "request", help=summary, description=f"{summary.capitalize()}. {token}", epilog=f"example:\n  {example}"
    )
    kinds = request.add_subparsers(metavar="COMMAND", required=True, dest="kind", title="commands")
    change = _change_command(kinds, "request", "musae request change", add_server)
    for parser in (*_music_commands(kinds, "request", "musae request {}", add_server), change):
        add_output(parser, "here")
        parser.add_argument("--png", action="store_true", help="draw pictures as well (needs matplotlib)")
        add_json(parser)
    nothing = "nothing was learnt"
    genres = "genres, tracks and sizes of the model"
    describe = command(kinds, "describe", "request:describe", genres, "musae request describe --json", nothing)
    states = "versions of the model and their states; exit code 1 if none is available"
    status = command(kinds, "status", "request:status", states, "musae request status --server HOST:8500", nothing)
    for parser in (describe, status):
        add_server(parser)
        add_json(parser)


def _music_commands(commands, module: str, call: str, add_model: Callable[[Parser], None]) -> tuple[Parser, ...]:
    """The commands that make music, whatever says where the model is; `call` begins their examples."""

    def made(name: str, summary: str, example: str) -> Parser:
        return command(commands, name, f"{module}:{name}", summary, f"{call.format(name)} {example}")

    sample = made("sample", "make new pieces", "--genre bach --bars 16 --seed 7 --wav")
    sample.add_argument("--genre", metavar="NAME", help="genre by name (default: one piece of each)")
    sample.add_argument("--bars", type=integer(1, 4096), default=16, metavar="N", help="length (default: 16)")
    sample.add_argument("--tempo", type=number(1, 1000), metavar="BPM", help="quarters a minute (default: the genre's)")
    add_model(sample)

    reconstruct = made("reconstruct", "encode a piece and decode it again", "mine.mid")
    add_model(reconstruct)
    reconstruct.add_argument("song", metavar="SONG.mid", help="the piece")

    interpolate = made("interpolate", "make pieces between one piece and another", "from.mid to.mid --points 7")
    add_model(interpolate)
    interpolate.add_argument("start", metavar="START.mid", help="where the way begins")
    interpolate.add_argument("end", metavar="END.mid", help="where it ends")
    points = "pieces, reconstructions of both ends included (default: 5)"
    interpolate.add_argument("--points", type=integer(2, 256), default=5, metavar="N", help=points)
    path = "straight from code to code, or along great arcs (default: linear)"
    interpolate.add_argument("--path", choices=("linear", "spherical"), default="linear", help=path)

    transfer = made("transfer", "move a piece towards another genre", "mine.mid --to palestrina --strength 0.8")
    add_model(transfer)
    transfer.add_argument("song", metavar="SONG.mid", help="the piece")
    transfer.add_argument("--to", required=True, metavar="GENRE", help="genre to move to")
    transfer.add_argument("--source", metavar="GENRE", help="genre that the piece is in (default: the model decides)")
    amount = "0 stays, 1 goes prior.reach times the way between the genres (default: 1)"
    transfer.add_argument("--strength", type=number(0, 10), default=1.0, metavar="X", help=amount)

    for parser in (reconstruct, interpolate, transfer):
        parser.add_argument("--bars", type=integer(1), metavar="N", help="take the first N bars only (default: all)")
    return sample, reconstruct, interpolate, transfer
