"""Layouts by name: those that come with the package, and those of files."""

import os
from dataclasses import replace
from pathlib import Path

from musae_tf.errors import MusicError
from musae_tf.music.layout_files import SUFFIXES, read_layout
from musae_tf.music.layouts import Layout, TrackSpec
from musae_tf.music.vocabulary import KIT, MELODIC
from musae_tf.time_grid import SIXTEENTHS, TimeGrid


def _drums() -> TrackSpec:
    return TrackSpec("drums", 0, KIT, "drums")


def _played(name: str, program: int, rule: str, voices: int = 1) -> TrackSpec:
    return TrackSpec(name, program, MELODIC, rule, voices=voices, dynamics=True)


# Programs written: choir aahs for all voices; General MIDI 25 steel guitar, 33 finger bass, 48 string ensemble.
LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout("voices", tuple(TrackSpec(n, 52, MELODIC, "register") for n in ("soprano", "alto", "tenor", "bass"))),
        # One family of instruments a track, so that its line is one that somebody plays. Guitars (and banjo, sitar,
        # shamisen, koto), or where there are none the pianos, or the organs. Bowed strings, string ensembles and
        # voices, or organs, brass, reeds, pipes and pads, or synthesiser leads. A tuba plays the bass where there is no
        # other. Tuned percussion, orchestra hits and sound effects are no line and are left out.
        Layout(
            "band",
            (
                _drums(),
                TrackSpec("bass", 33, MELODIC, "programs 32-39 or 58-58,87-87"),
                TrackSpec("guitar", 25, MELODIC, "programs 24-31,104-107 or 0-7 or 16-23"),
                TrackSpec(
                    "strings", 48, MELODIC, "programs 40-46,48-54,110-110 or 16-23,56-79,88-95,109-109,111-111 or 80-87"
                ),
            ),
        ),
        # The map of MusAE (Valenti et al., 2020): pianos, tuned percussion and organs count as guitar, and all that is
        # no drum, guitar or bass is strings.
        Layout(
            "band_paper",
            (
                _drums(),
                TrackSpec("bass", 33, MELODIC, "programs 32-39"),
                TrackSpec("guitar", 25, MELODIC, "programs 0-31"),
                TrackSpec("strings", 48, MELODIC, "others"),
            ),
        ),
        # The map of the Lakh Pianoroll Dataset, LPD-5 (Dong et al., 2018): whatever is no drum, piano, guitar or bass,
        # tuned percussion (8-15) and organs (16-23) too, counts as strings.
        Layout(
            "lpd5",
            (
                _drums(),
                TrackSpec("piano", 0, MELODIC, "programs 0-7"),
                TrackSpec("guitar", 25, MELODIC, "programs 24-31"),
                TrackSpec("bass", 33, MELODIC, "programs 32-39"),
                TrackSpec("strings", 48, MELODIC, "others"),
            ),
        ),
        # Whole songs: every General MIDI program has a place, and chords and dynamics stay.
        Layout(
            "band_full",
            (
                replace(_drums(), dynamics=True),
                _played("bass", 33, "programs 32-39,87-87"),
                _played("guitar", 25, "programs 24-31,104-107", 4),
                _played("keys", 0, "programs 0-23,108-108,112-119", 4),
                _played("strings", 48, "programs 40-79,88-103,110-110,120-127", 4),
                _played("lead", 80, "programs 80-86,109-109,111-111"),
            ),
        ),
        # All that is no drum, as one would play it on a piano.
        Layout("piano", (_played("piano", 0, "others", 6),)),
        # The tracks of POP909 (Wang et al., 2020), by their names.
        Layout(
            "pop909", (_played("melody", 0, "named"), _played("bridge", 0, "named"), _played("piano", 0, "others", 5))
        ),
        # Any song: its parts from the highest to the lowest, chords and all.
        Layout("ensemble", tuple(_played(f"part {number}", 0, "register", 3) for number in range(1, 7))),
    )
}

DESCRIPTIONS = {
    "voices": "four voices from the highest to the lowest, one note each",
    "band": "drums, bass, guitar, strings, one note each; one family of instruments a track, with stand-ins",
    "band_paper": "the same tracks by the programs of MusAE's authors",
    "lpd5": "drums, piano, guitar, bass, strings, one note each: the map of the Lakh Pianoroll Dataset",
    "band_full": "drums, bass, guitar, keys, strings, lead with chords and dynamics: every program has a place",
    "piano": "all that is no drum as one piano, six notes at once, with dynamics",
    "pop909": "melody, bridge and piano of POP909, the piano with five notes at once, with dynamics",
    "ensemble": "up to six parts from the highest to the lowest, three notes each, with dynamics",
}
"""What each of them takes, in words."""


def get_layout(
    name: str | os.PathLike, drums: str = "kit", keep: str | None = None, grid: str | TimeGrid = SIXTEENTHS
) -> Layout:
    """A built-in layout, or one of a file.

    Args:
        name: One of `LAYOUTS`, or the path of a YAML file, see `read_layout`.
        drums: "kit" for nine pieces struck together, "voice" for a single voice of 130 symbols (MusAE as published).
        keep: "highest" or "lowest" note of several wins, on all tracks; None for each track's own rule.
        grid: The steps of a bar, or their name as `TimeGrid.parse` takes it.

    Raises:
        MusicError: An argument is none of these, or the file is no layout.
    """
    name = os.fspath(name)
    layout = LAYOUTS.get(name) or (read_layout(name) if Path(name).suffix in SUFFIXES else None)
    if layout is None:
        raise MusicError(f"layout is {name!r}, must be one of {', '.join(LAYOUTS)}, or a file that ends in .yaml")
    if drums not in ("kit", "voice"):
        raise MusicError(f"drums is {drums!r}, must be 'kit' or 'voice'")
    tracks = layout.tracks
    if drums == "voice":
        tracks = tuple(replace(track, vocabulary=MELODIC) if track.is_drum else track for track in tracks)
    if keep is not None:
        tracks = tuple(replace(track, keep=keep) for track in tracks)
    return Layout(layout.name, tracks, TimeGrid.parse(grid) if isinstance(grid, str) else grid)
