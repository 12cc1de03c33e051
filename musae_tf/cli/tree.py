"""All commands of `musae` in one parser."""

from musae_tf import __version__
from musae_tf.cli.data import add_data
from musae_tf.cli.making import add_change, add_music, add_request
from musae_tf.cli.parser import Parser
from musae_tf.cli.serving import add_export, add_serve, add_studio
from musae_tf.cli.tools import add_completion, add_doctor
from musae_tf.cli.training import add_compare, add_evaluate, add_train

_EPILOG = """\
example:
  musae data build corpus && musae train configs/voices.yaml

exit codes: 0; 1 for a no (doctor, request status); 2 for a mistake that you can mend; 130 after
Ctrl-C; 143 after SIGTERM. musae COMMAND --help lists the options of a command."""


def build_parser() -> Parser:
    """The parser; what it reads has `command`, "module:function" in `musae_tf.commands`, and `whole`, the parser."""
    parser = Parser(
        prog="musae", description="Train and use a latent space of multi-track symbolic music.", epilog=_EPILOG
    )
    parser.add_argument("--version", action="version", version=f"musae-tf {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="name", title="commands")
    for add in (
        add_data, add_train, add_evaluate, add_compare, add_music, add_change, add_export, add_serve, add_request,
        add_studio, add_doctor, add_completion,
    ):  # fmt: skip
        add(commands)
    parser.set_defaults(whole=parser)
    return parser
