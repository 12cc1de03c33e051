"""`musae request describe` and `status`: what is known of a model on a server; and the client that asks for it."""

import os
from argparse import Namespace
from typing import TYPE_CHECKING

from musae_tf.cli.parser import Commands, add_json, command
from musae_tf.cli.shared import add_server

if TYPE_CHECKING:
    from musae_tf.client import MusaeClient

TOKEN = "MUSAE_TOKEN"
"""Environment variable of the token: other users of the machine can read a command line."""


def open_client(arguments: Namespace) -> "MusaeClient":
    """A client for the options of `musae_tf.cli.shared.add_server`."""
    from musae_tf import Musae
    from musae_tf.client import Tls

    files = (arguments.tls_ca, arguments.tls_cert, arguments.tls_key, arguments.tls_name)
    return Musae.connect(
        arguments.server,
        arguments.model,
        version=arguments.model_version,
        label=arguments.model_label,
        tls=Tls(*files) if any(files) else arguments.tls,
        token=os.environ.get(TOKEN) or None,
        deadline=arguments.deadline,
    )


def add_describe(commands: Commands) -> None:
    """Add `musae request describe`."""
    summary = "genres, tracks and sizes of the model"
    example = "musae request describe --json"
    parser = command(commands, "describe", describe, summary, example, "nothing was learnt")
    add_server(parser)
    add_json(parser)


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


def add_status(commands: Commands) -> None:
    """Add `musae request status`."""
    summary = "versions of the model and their states; exit code 1 if none is available"
    example = "musae request status --server HOST:8500"
    parser = command(commands, "status", status, summary, example, "nothing was learnt")
    add_server(parser)
    add_json(parser)


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
