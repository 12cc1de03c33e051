"""The `musae` command. The options of a command stand beside the function that runs it, in one file; what the function
needs is imported when it runs, so that a help loads nothing but the standard library.
"""

import json
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import redirect_stdout

from musae_tf import __version__
from musae_tf.cli.data import add_data
from musae_tf.cli.doctor import add_doctor
from musae_tf.cli.editing import add_editing
from musae_tf.cli.evaluate import add_compare, add_evaluate
from musae_tf.cli.hub import add_hub
from musae_tf.cli.layouts import add_layouts
from musae_tf.cli.live import add_live
from musae_tf.cli.music import add_change, add_music
from musae_tf.cli.parser import USAGE, Commands, Parser, command
from musae_tf.cli.request import add_request
from musae_tf.cli.serve import add_export, add_serve
from musae_tf.cli.studio import add_studio
from musae_tf.cli.train import add_configs, add_train
from musae_tf.errors import MusaeError

_EPILOG = """\
example:
  musae data build corpus && musae train voices

exit codes: 0; 1 for a no (doctor, request status); 2 for a mistake that you can mend; 130 after
Ctrl-C; 143 after SIGTERM. musae COMMAND --help lists the options of a command."""


class _Terminated(KeyboardInterrupt):
    """SIGTERM, as an exception that libraries clean up after as they do after Ctrl-C."""


def build_parser() -> Parser:
    """The parser; what it reads has `command`, the function to call with it."""
    parser = Parser(
        prog="musae", description="Train and use a latent space of multi-track symbolic music.", epilog=_EPILOG
    )
    parser.add_argument("--version", action="version", version=f"musae-tf {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="name", title="commands")
    for add in (
        add_data, add_layouts, add_configs, add_train, add_evaluate, add_compare, add_music, add_change, add_editing,
        add_export, add_serve, add_request, add_studio, add_live, add_hub,
        add_doctor,
    ):  # fmt: skip
        add(commands)
    _add_completion(commands, parser)
    return parser


def _add_completion(commands: Commands, whole: Parser) -> None:
    def completion(arguments: Namespace) -> None:
        import shtab

        print(shtab.complete(whole, shell=arguments.shell))

    summary = "print what makes a shell complete musae's commands and options"
    example = "musae completion bash > ~/.local/share/bash-completion/completions/musae"
    parser = command(commands, "completion", completion, summary, example)
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="which shell")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code: 0; 1 if the answer of a command that answers a question is no (`doctor`, `request status`); 2 for
        a mistake that the user can mend; 75 for a worker that only has to be started again; 130 after Ctrl-C, 143 after
        SIGTERM.
    """
    arguments = build_parser().parse_args(argv)
    previous = _terminate_by_exception()
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except MusaeError as error:
        return _fail(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "musae_tf"):
            raise
        remedy = f"pip install 'musae-tf[{arguments.extra}]'"
        return _fail(f"this command needs the package {package}, which is not here: {remedy}")
    except BrokenPipeError:
        # The reader of the output (head, less) has gone; Python would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}")
    except KeyboardInterrupt as stop:
        caught = signal.SIGTERM if isinstance(stop, _Terminated) else signal.SIGINT
        print(f"\nmusae: stopped; {arguments.stopped}", file=sys.stderr)
        return 128 + caught
    finally:
        signal.signal(signal.SIGTERM, previous)


def _run(arguments: Namespace) -> int:
    """Run the command; with --json its report is all of standard output, and what it says goes to standard error."""
    if not getattr(arguments, "json", False):
        return arguments.command(arguments) or 0
    with redirect_stdout(sys.stderr):
        code = arguments.command(arguments) or 0
    print(json.dumps(arguments.report, indent=1, ensure_ascii=False))
    return code


def _fail(sentence: str, code: int = USAGE) -> int:
    print(f"musae: {sentence}", file=sys.stderr)
    return code


def _terminate_by_exception() -> "signal._HANDLER":
    owner = os.getpid()

    def terminate(number: int, frame: object) -> None:
        if os.getpid() != owner:
            os._exit(128 + number)  # a worker process that inherited the handler
        raise _Terminated

    return signal.signal(signal.SIGTERM, terminate)
