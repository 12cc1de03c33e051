"""Commands that write a part of a piece: `musae fill`, `harmonise`, `continue` and `vary`; and the same of a server."""

from argparse import Namespace
from typing import TYPE_CHECKING

from musae_tf.cli.music import SAMPLES, AddModel, add_local, add_other_bars, write
from musae_tf.cli.parser import Commands, Parser, add_json, command, integer, number
from musae_tf.cli.shared import add_output
from musae_tf.errors import InvalidRequestError

if TYPE_CHECKING:
    from musae_tf.music import Song
    from musae_tf.verbs.description import Description


def add_editing(commands: Commands) -> None:
    """Add `musae fill`, `harmonise`, `continue` and `vary`."""
    for add in EDITS:
        parser = add(commands, "musae {} runs/NAME", add_local)
        add_output(parser, SAMPLES)
        add_json(parser)


def _add_genre(parser: Parser, instead: str) -> None:
    parser.add_argument("--genre", metavar="NAME", help=f"what is written is of this genre (default: {instead})")


def _read(arguments: Namespace, pieces: int) -> "Song":
    """The piece, before a model is loaded."""
    from musae_tf.cli import output
    from musae_tf.music import Song

    output.check_out(arguments.out, pieces, arguments.song)
    return Song.read(arguments.song)


def _check(arguments: Namespace, model: "Description", song: "Song") -> None:
    """Know the genre, and say what of the piece the model cannot take."""
    from musae_tf.cli import output

    if getattr(arguments, "genre", None) is not None:
        model.genre_number(arguments.genre)
    output.say_losses(arguments.song, song, model.layout)


def _drawing(arguments: Namespace) -> tuple[float, int, float | None]:
    return arguments.temperature, arguments.seed, arguments.trust


def fill_command(commands: Commands, call: str, add_model: AddModel) -> Parser:
    """Add `fill`."""
    summary = "write bars or tracks of a piece anew, and leave the rest as it is"
    parser = command(commands, "fill", fill, summary, f"{call.format('fill')} mine.mid --bars 5-6 --tracks alto,tenor")
    add_model(parser)
    parser.add_argument("song", metavar="SONG.mid", help="the piece")
    parser.add_argument("--bars", metavar="N", help="bars, from 1, such as 5, 5-6 or 3,7-8 (default: all)")
    parser.add_argument("--tracks", metavar="NAME,...", help="tracks of the model's layout or the piece (default: all)")
    rhythm = "notes stay where they are and get other pitches"
    pitches = "each voice keeps its pitches in their order, in a new rhythm"
    keeping = parser.add_mutually_exclusive_group()
    keeping.add_argument("--keep-rhythm", dest="keep", action="store_const", const="rhythm", help=rhythm)
    keeping.add_argument("--keep-pitches", dest="keep", action="store_const", const="pitches", help=pitches)
    parser.set_defaults(keep="nothing")
    _add_genre(parser, "that of what is there")
    return parser


def fill(arguments: Namespace) -> None:
    """`musae fill SONG.mid --bars N --tracks NAMES` and `musae request fill`."""
    from musae_tf.cli import output
    from musae_tf.music.selecting import selected_bars

    song = _read(arguments, 1)
    if arguments.bars is not None:
        selected_bars(song, arguments.bars)
    elif arguments.tracks is None and arguments.keep == "nothing":
        raise InvalidRequestError("say what is to be written: --bars 5-6, --tracks alto,tenor or both")
    with arguments.open(arguments) as opened:
        _check(arguments, opened.musae.describe(), song)
        how = (arguments.bars, arguments.tracks, arguments.keep, arguments.genre, *_drawing(arguments))
        made = opened.musae.fill(song, *how)
        output.say_left_out(arguments.song, made)
        wish = {"bars": arguments.bars, "tracks": arguments.tracks, "genre": arguments.genre}
        write([output.edited(song, "filled", arguments.seed, made)], opened, arguments, **wish)


def harmonise_command(commands: Commands, call: str, add_model: AddModel) -> Parser:
    """Add `harmonise`."""
    summary = "write all other tracks to a melody"
    example = f"{call.format('harmonise')} melody.mid --genre bach"
    parser = command(commands, "harmonise", harmonise, summary, example)
    add_model(parser)
    parser.add_argument("song", metavar="MELODY.mid", help="a piece of one track that has notes, one at a time")
    _add_genre(parser, "the likeliest one")
    parser.add_argument("--track", metavar="NAME", help="which one the melody is (default: by its name, or the first)")
    return parser


def harmonise(arguments: Namespace) -> None:
    """`musae harmonise MELODY.mid --genre NAME` and `musae request harmonise`."""
    from musae_tf.cli import output

    melody = _read(arguments, 1)
    with arguments.open(arguments) as opened:
        _check(arguments, opened.musae.describe(), melody)
        made = opened.musae.harmonise(melody, arguments.genre, arguments.track, *_drawing(arguments))
        piece = output.edited(melody, "harmonised", arguments.seed, made)
        write([piece], opened, arguments, genre=arguments.genre)


def continue_command(commands: Commands, call: str, add_model: AddModel) -> Parser:
    """Add `continue`."""
    summary = "go on with a piece after its last bar"
    parser = command(commands, "continue", go_on, summary, f"{call.format('continue')} mine.mid --bars 8")
    add_model(parser)
    parser.add_argument("song", metavar="SONG.mid", help="the piece")
    parser.add_argument("--bars", type=integer(1, 4096), default=8, metavar="N", help="bars to add (default: 8)")
    _add_genre(parser, "that of the piece")
    return parser


def go_on(arguments: Namespace) -> None:
    """`musae continue SONG.mid --bars N` and `musae request continue`."""
    from musae_tf.cli import output

    song = _read(arguments, 1)
    with arguments.open(arguments) as opened:
        _check(arguments, opened.musae.describe(), song)
        made = opened.musae.continue_(song, arguments.bars, arguments.genre, *_drawing(arguments))
        piece = output.edited(song, "continued", arguments.seed, made)
        write([piece], opened, arguments, bars=arguments.bars, genre=arguments.genre)


def vary_command(commands: Commands, call: str, add_model: AddModel) -> Parser:
    """Add `vary`."""
    summary = "make other versions of a piece"
    example = f"{call.format('vary')} mine.mid --amount 0.3 --versions 4"
    parser = command(commands, "vary", vary, summary, example)
    add_model(parser)
    parser.add_argument("song", metavar="SONG.mid", help="the piece")
    amount = "0 is the reconstruction, 1 has little left of the piece (default: 0.3)"
    parser.add_argument("--amount", type=number(0, 1), default=0.3, metavar="X", help=amount)
    parser.add_argument("--versions", type=integer(1, 256), default=4, metavar="N", help="how many (default: 4)")
    add_other_bars(parser)
    return parser


def vary(arguments: Namespace) -> None:
    """`musae vary SONG.mid --amount X --versions N` and `musae request vary`."""
    from musae_tf.cli import output

    song = _read(arguments, arguments.versions)
    with arguments.open(arguments) as opened:
        _check(arguments, opened.musae.describe(), song)
        how = (*_drawing(arguments), arguments.other_bars)
        songs = opened.musae.vary(song, arguments.amount, arguments.versions, *how)
        write(output.varied(song, arguments.amount, songs), opened, arguments, amount=arguments.amount)


EDITS = (fill_command, harmonise_command, continue_command, vary_command)
"""Add a command each, of a model here or on a server."""
