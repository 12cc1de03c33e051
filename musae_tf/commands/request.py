"""`musae request`: music from a model on a server. The base install is enough, but for pictures and sound."""

import os
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from musae_tf.client import MusaeClient, Tls
from musae_tf.commands.pieces import (
    Piece,
    changed,
    check_out,
    interpolated,
    read_song,
    reconstructed,
    sampled,
    swept,
    transferred,
    wanted,
    write_pieces,
)
from musae_tf.music import Layout

TOKEN = "MUSAE_TOKEN"
"""Environment variable of the token: other users of the machine can read a command line."""


def sample(arguments: Namespace) -> None:
    """`musae request sample`."""
    with open_client(arguments) as musae:
        model = musae.describe()
        genres = [arguments.genre] if arguments.genre else model.genres
        for genre in genres:
            model.genre_number(genre)
        check_out(arguments.out, len(genres))
        how = (arguments.bars, arguments.temperature, arguments.seed, arguments.tempo)
        pieces = [sampled(genre, arguments.seed, musae.sample(genre, *how)) for genre in genres]
    _write(pieces, model.layout, arguments)


def reconstruct(arguments: Namespace) -> None:
    """`musae request reconstruct SONG.mid`."""
    check_out(arguments.out, 1)
    with open_client(arguments) as musae:
        layout = musae.describe().layout
        song = read_song(arguments.song, layout, arguments.bars)
        rebuilt = musae.reconstruct(song, arguments.temperature, arguments.seed)
    _write([reconstructed(song, rebuilt)], layout, arguments)


def interpolate(arguments: Namespace) -> None:
    """`musae request interpolate START.mid END.mid`."""
    check_out(arguments.out, arguments.points)
    with open_client(arguments) as musae:
        layout = musae.describe().layout
        start, end = (read_song(path, layout, arguments.bars) for path in (arguments.start, arguments.end))
        how = (arguments.points, arguments.temperature, arguments.seed, arguments.path)
        songs = musae.interpolate(start, end, *how)
    _write(interpolated(start, end, songs), layout, arguments)


def transfer(arguments: Namespace) -> None:
    """`musae request transfer SONG.mid --to GENRE`."""
    check_out(arguments.out, 1)
    with open_client(arguments) as musae:
        model = musae.describe()
        for genre in filter(None, (arguments.to, arguments.source)):
            model.genre_number(genre)
        song = read_song(arguments.song, model.layout, arguments.bars)
        source = arguments.source or musae.infer_genre(song)
        if not arguments.source:
            print(f"{arguments.song}: taken for {source}; --source names another genre")
        how = (arguments.strength, arguments.temperature, arguments.seed)
        moved = musae.transfer(song, arguments.to, source, *how)
    piece = transferred(song, source, arguments.to, arguments.strength, moved)
    _write([piece], model.layout, arguments, source=source, to=arguments.to)


def change(arguments: Namespace) -> None:
    """`musae request change SONG.mid --more NAME --less NAME`, or `--sweep NAME`."""
    changes = wanted(arguments)
    check_out(arguments.out, 1 if changes else arguments.points)
    with open_client(arguments) as musae:
        model = musae.describe()
        model.amounts(changes or {arguments.sweep: 0.0})
        song = read_song(arguments.song, model.layout, arguments.bars)
        how = (arguments.temperature, arguments.seed)
        if changes:
            pieces = [changed(song, changes, musae.change(song, changes, *how))]
        else:
            songs = musae.sweep(song, arguments.sweep, arguments.points, arguments.strength, *how)
            pieces = swept(song, arguments.sweep, arguments.strength, songs)
    wish = {"changes": changes} if changes else {"sweep": arguments.sweep}
    _write(pieces, model.layout, arguments, **wish)


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


def open_client(arguments: Namespace) -> MusaeClient:
    """A client for the options of `musae_tf.cli.shared.add_server`."""
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


def _write(pieces: Sequence[Piece], layout: Layout, arguments: Namespace, **facts: str) -> None:
    written = write_pieces(pieces, layout, arguments.out, Path("."), arguments.png, arguments.wav)
    arguments.report = {"server": arguments.server, **facts, "pieces": written}
