"""`musae request`: music from a model on a server. The base install is enough, but for pictures and sound."""

import os
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from musae_tf.cli.music import change_command, music_commands
from musae_tf.cli.parser import add_json, command
from musae_tf.cli.shared import add_output, add_server

if TYPE_CHECKING:
    from musae_tf.cli.pieces import Piece
    from musae_tf.client import MusaeClient
    from musae_tf.music import Layout


TOKEN = "MUSAE_TOKEN"
"""Environment variable of the token: other users of the machine can read a command line."""


def add_request(commands) -> None:
    """Add `musae request`."""
    summary = "have music made by a model on a server"
    token = "A token in the environment variable MUSAE_TOKEN is sent along."
    example = "musae request sample --server HOST:8500 --genre bach --out bach.mid"
    request = commands.add_parser(
        "request", help=summary, description=f"{summary.capitalize()}. {token}", epilog=f"example:\n  {example}"
    )
    kinds = request.add_subparsers(metavar="COMMAND", required=True, dest="kind", title="commands")
    moved = change_command(kinds, change, "musae request change", add_server)
    for parser in (
        *music_commands(kinds, (sample, reconstruct, interpolate, transfer), "musae request {}", add_server),
        moved,
    ):
        add_output(parser, "here")
        parser.add_argument("--png", action="store_true", help="draw pictures as well (needs matplotlib)")
        add_json(parser)
    nothing = "nothing was learnt"
    genres = "genres, tracks and sizes of the model"
    description = command(kinds, "describe", describe, genres, "musae request describe --json", nothing)
    states = "versions of the model and their states; exit code 1 if none is available"
    states_of = command(kinds, "status", status, states, "musae request status --server HOST:8500", nothing)
    for parser in (description, states_of):
        add_server(parser)
        add_json(parser)


def sample(arguments: Namespace) -> None:
    """`musae request sample`."""
    from musae_tf.cli import pieces

    with open_client(arguments) as musae:
        model = musae.describe()
        genres = [arguments.genre] if arguments.genre else model.genres
        for genre in genres:
            model.genre_number(genre)
        pieces.check_out(arguments.out, len(genres))
        how = (arguments.bars, arguments.temperature, arguments.seed, arguments.tempo)
        made = [pieces.sampled(genre, arguments.seed, musae.sample(genre, *how)) for genre in genres]
    _write(made, model.layout, arguments)


def reconstruct(arguments: Namespace) -> None:
    """`musae request reconstruct SONG.mid`."""
    from musae_tf.cli import pieces

    pieces.check_out(arguments.out, 1)
    with open_client(arguments) as musae:
        layout = musae.describe().layout
        song = pieces.read_song(arguments.song, layout, arguments.bars)
        rebuilt = musae.reconstruct(song, arguments.temperature, arguments.seed)
    _write([pieces.reconstructed(song, rebuilt)], layout, arguments)


def interpolate(arguments: Namespace) -> None:
    """`musae request interpolate START.mid END.mid`."""
    from musae_tf.cli import pieces

    pieces.check_out(arguments.out, arguments.points)
    with open_client(arguments) as musae:
        layout = musae.describe().layout
        start, end = (pieces.read_song(path, layout, arguments.bars) for path in (arguments.start, arguments.end))
        how = (arguments.points, arguments.temperature, arguments.seed, arguments.path)
        songs = musae.interpolate(start, end, *how)
    _write(pieces.interpolated(start, end, songs), layout, arguments)


def transfer(arguments: Namespace) -> None:
    """`musae request transfer SONG.mid --to GENRE`."""
    from musae_tf.cli import pieces

    pieces.check_out(arguments.out, 1)
    with open_client(arguments) as musae:
        model = musae.describe()
        for genre in filter(None, (arguments.to, arguments.source)):
            model.genre_number(genre)
        song = pieces.read_song(arguments.song, model.layout, arguments.bars)
        source = arguments.source or musae.infer_genre(song)
        if not arguments.source:
            print(f"{arguments.song}: taken for {source}; --source names another genre")
        how = (arguments.strength, arguments.temperature, arguments.seed)
        moved = musae.transfer(song, arguments.to, source, *how)
    piece = pieces.transferred(song, source, arguments.to, arguments.strength, moved)
    _write([piece], model.layout, arguments, source=source, to=arguments.to)


def change(arguments: Namespace) -> None:
    """`musae request change SONG.mid --more NAME --less NAME`, or `--sweep NAME`."""
    from musae_tf.cli import pieces

    changes = pieces.wanted(arguments)
    pieces.check_out(arguments.out, 1 if changes else arguments.points)
    with open_client(arguments) as musae:
        model = musae.describe()
        model.amounts(changes or {arguments.sweep: 0.0})
        song = pieces.read_song(arguments.song, model.layout, arguments.bars)
        how = (arguments.temperature, arguments.seed)
        if changes:
            made = [pieces.changed(song, changes, musae.change(song, changes, *how))]
        else:
            songs = musae.sweep(song, arguments.sweep, arguments.points, arguments.strength, *how)
            made = pieces.swept(song, arguments.sweep, arguments.strength, songs)
    wish = {"changes": changes} if changes else {"sweep": arguments.sweep}
    _write(made, model.layout, arguments, **wish)


def describe(arguments: Namespace) -> None:
    """`musae request describe`."""
    with open_client(arguments) as musae:
        model = musae.describe()
    arguments.report = {
        "name": model.name,
        "version": model.version,
        "created": model.created,
        "genres": list(model.genres),
        "tempos": dict(model.tempos),
        "layout": model.layout.to_dict(),
        "bars": model.bars,
        "latent": model.latent,
        "attributes": list(model.attributes.names) if model.attributes else [],
        "dataset": model.dataset_hash,
    }
    genres = [f"{genre} ({model.tempos[genre]:.0f} bpm)" if genre in model.tempos else genre for genre in model.genres]
    for name, value in (
        ("model", f"{model.name}, version {model.version}"),
        ("exported", model.created),
        ("genres", ", ".join(genres)),
        ("tracks", f"{', '.join(model.layout.names)} ({model.layout.name})"),
        ("phrase", f"{model.bars} bars"),
        ("latent", f"{model.latent} axes"),
        ("changes", ", ".join(model.attributes.names) if model.attributes else "none"),
        ("dataset", model.dataset_hash),
    ):
        print(f"{name:<10}{value}")


def status(arguments: Namespace) -> int:
    """`musae request status`.

    Returns:
        0 if a version is available, otherwise 1.
    """
    with open_client(arguments) as musae:
        versions = musae.status()
    arguments.report = {"versions": [version._asdict() for version in versions]}
    for version in versions:
        failure = "" if version.code == "OK" else f"  {version.code}: {version.message}"
        print(f"version {version.version}  {version.state}{failure}")
    return int(all(version.state != "AVAILABLE" for version in versions))


def open_client(arguments: Namespace) -> "MusaeClient":
    """A client for the options of `musae_tf.cli.shared.add_server`."""
    from musae_tf.client import MusaeClient, Tls

    files = (arguments.tls_ca, arguments.tls_cert, arguments.tls_key, arguments.tls_name)
    return MusaeClient(
        arguments.server,
        arguments.model,
        arguments.model_version,
        arguments.model_label,
        tls=Tls(*files) if any(files) else arguments.tls,
        token=os.environ.get(TOKEN) or None,
        deadline=arguments.deadline,
    )


def _write(made: Sequence["Piece"], layout: "Layout", arguments: Namespace, **facts: str) -> None:
    from musae_tf.cli import pieces

    written = pieces.write_pieces(made, layout, arguments.out, Path("."), arguments.png, arguments.wav)
    arguments.report = {"server": arguments.server, **facts, "pieces": written}
