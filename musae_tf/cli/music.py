"""`musae sample`, `reconstruct`, `interpolate`, `transfer`, `change`: MIDI files in, MIDI, pictures and sound out."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from musae_tf.cli.parser import Parser, add_json, command, integer, number
from musae_tf.cli.shared import (
    add_dataset,
    add_output,
    add_pretrained,
    add_run,
    open_dataset,
    open_run,
    print_next,
    samples_folder,
)

if TYPE_CHECKING:
    from musae_tf.cli.pieces import Piece
    from musae_tf.training import Run

Function = Callable[[Namespace], int | None]
_SAMPLES = "RUN/samples; samples with --pretrained"


def add_music(commands) -> None:
    """Add `musae sample`, `reconstruct`, `interpolate` and `transfer`."""
    for parser in music_commands(
        commands, (sample, reconstruct, interpolate, transfer), "musae {} runs/NAME", _add_model
    ):
        add_output(parser, _SAMPLES)
        add_json(parser)


def add_change(commands) -> None:
    """Add `musae change`."""
    parser = change_command(commands, change, "musae change runs/NAME", _add_model)
    add_dataset(parser)
    add_output(parser, _SAMPLES)
    add_json(parser)


def _add_model(parser: Parser) -> None:
    add_run(parser)
    add_pretrained(parser)


def change_command(commands, change: Function, call: str, add_model: Callable[[Parser], None]) -> Parser:
    """Add `change`, whatever says where the model is; `call` begins its example."""
    summary = "give a piece more or less notes, register or length"
    example = f"{call} mine.mid --more soprano:notes --less bass:register"
    parser = command(commands, "change", change, summary, example)
    add_model(parser)
    parser.add_argument("song", metavar="SONG.mid", help="the piece")
    what = "notes, register or length of all tracks, or of one as in soprano:notes; may be repeated"
    for flag in ("--more", "--less"):
        parser.add_argument(flag, action="append", default=[], metavar="NAME", help=what)
    parser.add_argument("--sweep", metavar="NAME", help="several pieces, from less to more of NAME (default: none)")
    points = "pieces of a sweep (default: 5)"
    parser.add_argument("--points", type=integer(2, 256), default=5, metavar="N", help=points)
    units = "in standard deviations over the training music (default: 2)"
    parser.add_argument("--strength", type=number(0, 10), default=2.0, metavar="X", help=units)
    parser.add_argument("--bars", type=integer(1), metavar="N", help="take the first N bars only (default: all)")
    return parser


def music_commands(
    commands, functions: Sequence[Function], call: str, add_model: Callable[[Parser], None]
) -> tuple[Parser, ...]:
    """The commands that make music, whatever says where the model is; `call` begins their examples."""

    def made(function: Function, summary: str, example: str) -> Parser:
        name = function.__name__
        return command(commands, name, function, summary, f"{call.format(name)} {example}")

    of_sample, of_reconstruct, of_interpolate, of_transfer = functions

    sample = made(of_sample, "make new pieces", "--genre bach --bars 16 --seed 7 --wav")
    sample.add_argument("--genre", metavar="NAME", help="genre by name (default: one piece of each)")
    sample.add_argument("--bars", type=integer(1, 4096), default=16, metavar="N", help="length (default: 16)")
    sample.add_argument("--tempo", type=number(1, 1000), metavar="BPM", help="quarters a minute (default: the genre's)")
    add_model(sample)

    reconstruct = made(of_reconstruct, "encode a piece and decode it again", "mine.mid")
    add_model(reconstruct)
    reconstruct.add_argument("song", metavar="SONG.mid", help="the piece")

    interpolate = made(of_interpolate, "make pieces between one piece and another", "from.mid to.mid --points 7")
    add_model(interpolate)
    interpolate.add_argument("start", metavar="START.mid", help="where the way begins")
    interpolate.add_argument("end", metavar="END.mid", help="where it ends")
    points = "pieces, reconstructions of both ends included (default: 5)"
    interpolate.add_argument("--points", type=integer(2, 256), default=5, metavar="N", help=points)
    path = "straight from code to code, or along great arcs (default: linear)"
    interpolate.add_argument("--path", choices=("linear", "spherical"), default="linear", help=path)

    transfer = made(of_transfer, "move a piece towards another genre", "mine.mid --to palestrina --strength 0.8")
    add_model(transfer)
    transfer.add_argument("song", metavar="SONG.mid", help="the piece")
    transfer.add_argument("--to", required=True, metavar="GENRE", help="genre to move to")
    transfer.add_argument("--source", metavar="GENRE", help="genre that the piece is in (default: the model decides)")
    amount = "0 stays, 1 goes prior.reach times the way between the genres (default: 1)"
    transfer.add_argument("--strength", type=number(0, 10), default=1.0, metavar="X", help=amount)

    for parser in (reconstruct, interpolate, transfer):
        parser.add_argument("--bars", type=integer(1), metavar="N", help="take the first N bars only (default: all)")
    return sample, reconstruct, interpolate, transfer


def sample(arguments: Namespace) -> None:
    """`musae sample RUN`."""
    from musae_tf.cli import pieces

    run = open_run(arguments)
    from musae_tf import generation

    genres = [arguments.genre] if arguments.genre else run.genres
    for genre in genres:
        generation.genre_number(run.genres, genre)
    pieces.check_out(arguments.out, len(genres))
    model = run.load_model()
    made = []
    for genre in genres:
        tempo = arguments.tempo or run.facts.get("tempos", {}).get(genre, 120.0)
        song = generation.sample(model, run.layout, genre, arguments.bars, arguments.temperature, arguments.seed, tempo)
        made.append(pieces.sampled(genre, arguments.seed, song))
    _write(made, run, arguments)
    written = arguments.report["pieces"][0]["midi"]
    first, *others = run.genres
    model = "--pretrained" if arguments.pretrained else run.path
    print_next(
        (f"transfer {model} {written} --to {others[0] if others else first}", "move a piece to another genre"),
        (f"sample {model} --genre {first} --seed {arguments.seed + 1}", "another piece"),
    )


def reconstruct(arguments: Namespace) -> None:
    """`musae reconstruct RUN SONG.mid`."""
    from musae_tf.cli import pieces

    run = open_run(arguments)
    pieces.check_out(arguments.out, 1)
    song = pieces.read_song(arguments.song, run.layout, arguments.bars)
    from musae_tf import generation

    model = run.load_model()
    rebuilt = generation.reconstruct(model, run.layout, song, arguments.temperature, arguments.seed)
    _write([pieces.reconstructed(song, rebuilt)], run, arguments)


def interpolate(arguments: Namespace) -> None:
    """`musae interpolate RUN START.mid END.mid`."""
    from musae_tf.cli import pieces

    run = open_run(arguments)
    pieces.check_out(arguments.out, arguments.points)
    start, end = (pieces.read_song(path, run.layout, arguments.bars) for path in (arguments.start, arguments.end))
    from musae_tf import generation

    model = run.load_model()
    songs = generation.interpolate(
        model, run.layout, start, end, arguments.points, arguments.temperature, arguments.seed, arguments.path
    )
    _write(pieces.interpolated(start, end, songs), run, arguments)


def transfer(arguments: Namespace) -> None:
    """`musae transfer RUN SONG.mid --to GENRE`."""
    from musae_tf.cli import pieces

    run = open_run(arguments)
    from musae_tf import generation

    for genre in filter(None, (arguments.to, arguments.source)):
        generation.genre_number(run.genres, genre)
    pieces.check_out(arguments.out, 1)
    song = pieces.read_song(arguments.song, run.layout, arguments.bars)
    model = run.load_model()
    source = arguments.source or generation.infer_genre(model, run.layout, song)
    if not arguments.source:
        print(f"{arguments.song}: taken for {source}; --source names another genre")
    moved = generation.transfer(
        model, run.layout, song, arguments.to, source, arguments.strength, arguments.temperature, arguments.seed
    )
    piece = pieces.transferred(song, source, arguments.to, arguments.strength, moved)
    _write([piece], run, arguments, source=source, to=arguments.to)


def _write(made: Sequence["Piece"], run: "Run", arguments: Namespace, **facts: str) -> None:
    from musae_tf.cli import pieces

    folder = samples_folder(run, arguments)
    written = pieces.write_pieces(made, run.layout, arguments.out, folder, wav=arguments.wav)
    arguments.report = {"run": str(run.path), **facts, "pieces": written}


def change(arguments: Namespace) -> None:
    """`musae change RUN SONG.mid --more NAME --less NAME`, or `--sweep NAME`."""
    from musae_tf.cli import pieces

    changes = pieces.wanted(arguments)
    run = open_run(arguments)
    from musae_tf import generation
    from musae_tf.errors import RunError
    from musae_tf.latent import attribute_names
    from musae_tf.latent.of_run import attributes_path, is_current, load_attributes
    from musae_tf.music.pieces import attribute_number

    for name in changes or [arguments.sweep]:
        attribute_number(attribute_names(run.layout), name, RunError)
    pieces.check_out(arguments.out, 1 if changes else arguments.points)
    song = pieces.read_song(arguments.song, run.layout, arguments.bars)
    model = run.load_model()
    dataset = None
    if not is_current(run):
        print(f"fitting attribute vectors, once: they are kept in {attributes_path(run)}")
        dataset = open_dataset(arguments.dataset or run.facts["dataset"]["path"])
    attributes = load_attributes(run, model, dataset)
    what, how = (model, run.layout, song, attributes), (arguments.temperature, arguments.seed)
    if changes:
        made = [pieces.changed(song, changes, generation.change(*what, changes, *how))]
    else:
        songs = generation.sweep(*what, arguments.sweep, arguments.points, arguments.strength, *how)
        made = pieces.swept(song, arguments.sweep, arguments.strength, songs)
    written = pieces.write_pieces(made, run.layout, arguments.out, samples_folder(run, arguments), wav=arguments.wav)
    wish = {"changes": changes} if changes else {"sweep": arguments.sweep}
    arguments.report = {"run": str(run.path), **wish, "pieces": written}
