"""The `musae` command. This package only reads the command line: what a command needs is imported when it runs."""

import importlib
import json
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import redirect_stdout

from musae_tf.cli.parser import USAGE
from musae_tf.cli.tree import build_parser
from musae_tf.errors import MusaeError


class _Terminated(KeyboardInterrupt):
    """SIGTERM, as an exception that libraries clean up after as they do after Ctrl-C."""


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
        return _fail(f"this command needs the package {package}, which is not here: pip install 'musae-tf[train]'")
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
    module, function = arguments.command.split(":")
    command = getattr(importlib.import_module(f"musae_tf.commands.{module}"), function)
    if not getattr(arguments, "json", False):
        return command(arguments) or 0
    with redirect_stdout(sys.stderr):
        code = command(arguments) or 0
    print(json.dumps(arguments.report, indent=1, ensure_ascii=False))
    return code


def _fail(sentence: str, code: int = USAGE) -> int:
    print(f"musae: {sentence}", file=sys.stderr)
    return code


def _terminate_by_exception():
    owner = os.getpid()

    def terminate(number: int, frame: object) -> None:
        if os.getpid() != owner:
            os._exit(128 + number)  # a worker process that inherited the handler
        raise _Terminated

    return signal.signal(signal.SIGTERM, terminate)
