"""How commands and values are read, and how their help looks: at most 40 lines of 100 columns, with an example."""

import argparse
import math
import shutil
import textwrap
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

USAGE = 2
"""Exit code of a mistake that the user can mend; argparse uses the same."""

COLUMNS = 100
"""Widest line of a help."""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str):
        width = min(COLUMNS, shutil.get_terminal_size((COLUMNS, 24)).columns)
        super().__init__(prog, max_help_position=30, width=width)

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        # The names of commands stand one indentation further in, which argparse does not reckon with.
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += self._indent_increment


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, and takes options before, between and after the arguments."""

    _reading = False

    def __init__(self, *arguments: Any, **named: Any):
        super().__init__(*arguments, **{"formatter_class": _Formatter, **named})
        self.description = textwrap.fill(self.description or "", COLUMNS)

    def error(self, message: str) -> NoReturn:
        """End with exit code 2 and one sentence."""
        self.exit(USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse, but `transfer RUN --to bach SONG` is understood too."""
        # argparse gives a command's arguments all at once: options between them need its intermixed form, which calls
        # this method again.
        if self._subparsers is not None or self._reading:
            return super().parse_known_args(args, namespace)
        # While it works, the arguments are hidden, from a help too.
        self.usage = self._usage()
        self._reading = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._reading = False

    def format_help(self) -> str:
        """The help, its usage without the options: they are listed below it."""
        self.usage = self.usage or self._usage()
        return super().format_help()

    def _usage(self) -> str:
        needed = [action for action in self._actions if action.option_strings and action.required]
        others = [
            action for action in self._actions if action.option_strings and action.dest not in ("help", "version")
        ]
        words = [self.prog, *(_place(action) for action in self._actions if not action.option_strings)]
        words += [f"{action.option_strings[0]} {action.metavar or action.dest.upper()}" for action in needed]
        return " ".join(words + ["[OPTIONS]"] * (len(others) > len(needed))).replace("%", "%%")


class _FullHelp(argparse.Action):
    """Prints the help with the options that are otherwise left out of it."""

    def __call__(self, parser: argparse.ArgumentParser, *rest: object) -> NoReturn:
        for action in parser._actions:
            action.help = getattr(action, "full_help", action.help)
        parser.print_help()
        parser.exit()


class _Rare(argparse._StoreAction):
    """An option that only --help-all shows."""

    def __init__(self, **named: Any):
        super().__init__(**{**named, "help": argparse.SUPPRESS})
        self.full_help = named["help"]


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"
"""Where commands are added."""


def command(
    commands: Commands,
    name: str,
    function: Callable[[argparse.Namespace], int | None],
    summary: str,
    example: str,
    stopped: str = "nothing was written",
    note: str = "",
    extra: str = "train",
) -> Parser:
    """Add a command.

    Args:
        commands: where to; of `add_subparsers`.
        name: of the command.
        function: called with the arguments; it may give them a `report` for --json, and returns the exit code or None.
        summary: one line of help, beginning small, without a full stop.
        example: one command line.
        stopped: what Ctrl-C leaves behind.
        note: a sentence more for its help.
        extra: of the package, which brings what may be missing.
    """
    text = f"{summary[0].upper()}{summary[1:]}.{f' {note}' if note else ''}"
    parser = commands.add_parser(name, help=summary, description=text, epilog=f"example:\n  {example}")
    parser.set_defaults(command=function, stopped=stopped, example=example, extra=extra)
    return parser


def group(
    commands: Commands, name: str, summary: str, example: str, metavar: str = "COMMAND", dest: str = "kind"
) -> Commands:
    """Add a command that has commands; returns where to add them."""
    text = f"{summary[0].upper()}{summary[1:]}."
    parser = commands.add_parser(name, help=summary, description=text, epilog=f"example:\n  {example}")
    return parser.add_subparsers(metavar=metavar, required=True, dest=dest, title=f"{metavar.lower()}s")


def add_full_help(parser: Parser) -> None:
    """Add --help-all, which shows the options added with `add_rare` too."""
    parser.add_argument("--help-all", nargs=0, action=_FullHelp, default=argparse.SUPPRESS, help="show every option")


def add_rare(parser: Parser, flag: str, **settings: Any) -> None:
    """Add an option that only --help-all shows."""
    parser.add_argument(flag, action=_Rare, **settings)


def add_json(parser: Parser) -> None:
    """Add --json: see `musae_tf.cli.main`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object; what is said goes to stderr")


def _place(action: argparse.Action) -> str:
    """An argument in the usage."""
    name = action.metavar or action.dest
    return {"?": f"[{name}]", "*": f"[{name} ...]", "+": f"{name} ..."}.get(str(action.nargs), str(name))


def integer(low: int, high: int = 2**31 - 1) -> Callable[[str], int]:
    """A whole number from `low` to `high`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return value

    return read


def number(low: float, high: float) -> Callable[[str], float]:
    """A number from `low` to `high`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
        return value

    return read


def boolean(text: str) -> bool:
    """True or false."""
    if text.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f"{text!r} is not true or false (an argument of the command goes before it)")
    return text.lower() in ("true", "1")


def pairs(text: str) -> tuple[tuple[str, str | int], ...]:
    """KEY=VALUE,KEY=VALUE: keys and values, whole numbers as such."""
    found = []
    for entry in text.split(","):
        key, separator, value = entry.partition("=")
        if not key or not separator:
            raise argparse.ArgumentTypeError(f"{entry!r} is not of the form KEY=VALUE")
        found.append((key, int(value) if value.lstrip("-").isdecimal() else value))
    return tuple(found)
