"""`musae layouts`: which tracks there are to choose from."""

from argparse import Namespace
from typing import TYPE_CHECKING

from musae_tf.cli.parser import Commands, add_json, command
from musae_tf.cli.shared import print_next

if TYPE_CHECKING:
    from musae_tf.music import Layout, TrackSpec


def add_layouts(commands: Commands) -> None:
    """Add `musae layouts`."""
    summary = "list the track layouts that come with musae-tf, or print one as a file to change"
    example = "musae layouts band_full > mine.yaml"
    parser = command(commands, "layouts", layouts, summary, example, "nothing was printed")
    which = "print this one, or check a YAML file of yours (default: list all)"
    parser.add_argument("layout", nargs="?", metavar="NAME", help=which)
    add_json(parser)


def layouts(arguments: Namespace) -> None:
    """`musae layouts [NAME]`."""
    from musae_tf.music import LAYOUTS, get_layout
    from musae_tf.music.layout_files import to_yaml
    from musae_tf.music.named_layouts import DESCRIPTIONS

    if arguments.layout is not None:
        text = to_yaml(get_layout(arguments.layout))
        arguments.report = {"layout": arguments.layout, "text": text}
        print(text, end="")
        return
    arguments.report = {
        name: {"description": DESCRIPTIONS[name], "columns": len(layout.columns), **layout.to_dict()}
        for name, layout in LAYOUTS.items()
    }
    width = max(map(len, LAYOUTS)) + 2
    for name, layout in LAYOUTS.items():
        print(f"{name:<{width}}{DESCRIPTIONS[name]}\n{'':<{width}}{_tracks(layout)}")
    print_next(
        (("data", "info", "DIR"), "what each of them would keep of your music"),
        (("layouts", "band_full"), "one of them as YAML, to change and to name with --layout mine.yaml"),
    )


def _tracks(layout: "Layout") -> str:
    count = len(layout.columns)
    every = all(track.dynamics for track in layout.tracks)
    names = ", ".join(_track(track, not every) for track in layout.tracks)
    return f"{count} columns: {names}{', with velocities' if every else ''}"


def _track(track: "TrackSpec", dynamics: bool) -> str:
    voices = f" x{track.voices}" if track.voices > 1 else ""
    return f"{track.name}{voices}{' + velocity' if dynamics and track.dynamics else ''}"
