"""`musae request`: the commands that make music, with a model on a server."""

from musae_tf.cli.editing import EDITS
from musae_tf.cli.music import (
    add_served,
    change_command,
    interpolate_command,
    reconstruct_command,
    sample_command,
    transfer_command,
)
from musae_tf.cli.parser import Commands, add_json
from musae_tf.cli.served import add_describe, add_status
from musae_tf.cli.shared import add_output


def add_request(commands: Commands) -> None:
    """Add `musae request`."""
    summary = "have music made by a model on a server"
    token = "A token in the environment variable MUSAE_TOKEN is sent along."
    example = "musae request sample --server HOST:8500 --genre bach --out bach.mid"
    request = commands.add_parser(
        "request", help=summary, description=f"{summary.capitalize()}. {token}", epilog=f"example:\n  {example}"
    )
    kinds = request.add_subparsers(metavar="COMMAND", required=True, dest="kind", title="commands")
    for add in (change_command, sample_command, reconstruct_command, interpolate_command, transfer_command, *EDITS):
        parser = add(kinds, "musae request {}", add_served)
        add_output(parser, "here")
        parser.add_argument("--png", action="store_true", help="draw pictures as well (needs matplotlib)")
        add_json(parser)
    add_describe(kinds)
    add_status(kinds)
