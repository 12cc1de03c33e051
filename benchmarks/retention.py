"""Claim: at least 97 % of the notes of people's songs come back from tokens, as loud as they were.

    python -m benchmarks.retention pop909 DIR band DIR quartets DIR [--songs N]

Every collection is a name and a folder of music; `pop909` has a folder for each song, with its beats. Every song goes
to tokens and back to MIDI bytes, once for each layout, on the grid that suits it best of those of `music.survey`. A
note has come back if the song that is read again has one of its pitch that starts within half a step of it; a drum's
pitch is the piece of the kit that it counts as. Its velocity error is the difference of the two. Notes that meet
others of their pitch at their own tick are counted once. Lost notes are counted by reason, as the grid counts them.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from benchmarks.measure import Report, parser
from musae_tf.data.pop909 import Pop909Source
from musae_tf.errors import MusicError
from musae_tf.music import Layout, Song, detokenize, get_layout, tokenize
from musae_tf.music.placing import Placement
from musae_tf.music.reading import SUFFIXES
from musae_tf.music.roles import assign
from musae_tf.music.survey import best_grid
from musae_tf.music.vocabulary import KIT_BITS
from musae_tf.progress import progress

LAYOUTS = ("voices", "band", "lpd5", "band_full", "piano", "pop909", "ensemble")
OLD = ("voices", "band", "lpd5")
BAR, VELOCITY_BAR = 0.97, 8.0
RESULTS = Path("results/retention")


def main() -> int:
    """Measure all collections."""
    options = parser(__doc__)
    options.set_defaults(out=RESULTS)
    options.add_argument("collections", nargs="+", metavar="NAME DIR", help="names of collections and their folders")
    options.add_argument("--songs", type=int, default=0, metavar="N", help="of each, evenly chosen (default: all)")
    arguments = options.parse_args()
    if len(arguments.collections) % 2:
        options.error("collections are pairs of a name and a folder")
    report = Report("retention", arguments)
    pairs = zip(arguments.collections[::2], map(Path, arguments.collections[1::2]), strict=True)
    report.content["collections"] = {name: collection(name, folder, arguments.songs) for name, folder in pairs}
    rows = []
    for name, found in report.content["collections"].items():
        for layout, numbers in found["layouts"].items():
            rows.append([name, layout, numbers["kept"], numbers["velocity_error"], *numbers["lost"].values()])
        best = max(found["layouts"].values(), key=lambda numbers: numbers["kept"])
        report.add(f"{name}: share of notes that come back, best layout", best["kept"], BAR)
        report.add(f"{name}: median velocity error there", best["velocity_error"], VELOCITY_BAR, True)
    print(tabulate(rows, ["collection", "layout", "kept", "velocity error", *REASONS], floatfmt=".3f"))
    report.write()
    return 0


REASONS = ("outside_layout", "other_metre", "overlapped", "same_step")
"""For which notes are lost, as `Grid.losses` has them."""


def collection(name: str, folder: Path, most: int) -> dict[str, Any]:
    """What comes back of the songs of a folder, by layout."""
    songs, unread = read_all(name, folder, most)
    result: dict[str, Any] = {"songs": len(songs), "unread": unread, "grids": {}, "layouts": {}}
    grids = [best_grid(song) for song in songs]
    result["grids"] = dict(Counter(grids).most_common())
    for wanted in LAYOUTS:
        notes, kept, errors, lost, unfit = 0, 0, [], Counter(), 0
        for song, grid in zip(songs, grids, strict=True):
            layout = get_layout(wanted, grid=grid)
            notes += len(_notes(song)[0])
            try:
                found, error, losses = returned(song, layout)
            except MusicError:
                unfit += 1
                continue
            kept += found
            errors.append(error)
            lost.update(losses)
        values = np.concatenate([np.zeros(0), *errors])
        result["layouts"][wanted] = {
            "kept": kept / notes,
            "velocity_error": float(np.median(values)) if len(values) else float("nan"),
            "songs_that_do_not_fit": unfit,
            "lost": {reason: lost[reason] / notes for reason in REASONS},
        }
        print(name, wanted, json.dumps(result["layouts"][wanted]), file=sys.stderr, flush=True)
    return result


def read_all(name: str, folder: Path, most: int) -> tuple[list[Song], int]:
    """The songs of a collection, and how many files cannot be read."""
    if name == "pop909":
        source = Pop909Source(folder)
        items = list(source.items())
        read = [lambda item=item: source.load(item).song for item in items]
    else:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        read = [lambda path=path: Song.read(path) for path in paths]
    if most:
        read = [read[number] for number in np.unique(np.linspace(0, len(read) - 1, most).astype(int))]
    songs, unread = [], 0
    for one in progress(read, title=f"reading {name}", unit="songs"):
        try:
            songs.append(one())
        except MusicError:
            unread += 1
    return songs, unread


def returned(song: Song, layout: Layout) -> tuple[int, np.ndarray, dict[str, int]]:
    """Notes of a song that come back through MIDI, the velocity error of each, and what was lost."""
    roles = assign(song, layout)
    grid = tokenize(song, layout, roles)
    back = Song.read(detokenize(grid.tokens, layout, grid.tempos, grid.programs).to_bytes())
    bar = layout.time.steps * layout.time.ticks_per_step
    scale = bar / (layout.time.quarters * song.ticks_per_quarter)
    placement = Placement(song, layout)
    start, sound, velocity = _notes(song)
    places = np.full(len(start), np.nan)
    half = layout.time.ticks_per_step / 2
    for tick, first, bars in placement.stretches.tolist():
        at = (start - tick) * scale
        inside = (at >= -half) & (at < bars * bar)
        places[inside] = at[inside] + first * bar
    began, heard, loud = _notes(back)
    keys = {}
    for one, other, level in zip(began.tolist(), heard.tolist(), loud.tolist(), strict=True):
        keys.setdefault((int(one) // layout.time.ticks_per_step, other), level)
    steps = np.floor(places / layout.time.ticks_per_step + 0.5)
    found, errors = 0, []
    for step, pitch, own in zip(steps.tolist(), sound.tolist(), velocity.tolist(), strict=True):
        # A note at the very end of a stretch is put on its last step.
        level = None if np.isnan(step) else keys.get((int(step), pitch), keys.get((int(step) - 1, pitch)))
        if level is not None:
            found += 1
            errors.append(abs(level - own))
    return found, np.array(errors, float), grid.losses


def _notes(song: Song) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start, what sounds and velocity of all notes; of several of one sound at one tick the loudest."""
    parts = []
    for track in song.tracks:
        pitch = track.notes["pitch"].astype(np.int64)
        piece = np.array([256 + int(KIT_BITS[one]).bit_length() for one in range(128)])
        sound = piece[pitch] if track.is_drum else pitch
        parts.append(np.stack([track.notes["start"].astype(np.int64), sound, track.notes["velocity"]], axis=1))
    rows = np.concatenate([np.zeros((0, 3), np.int64), *parts])
    rows = rows[np.lexsort((-rows[:, 2], rows[:, 1], rows[:, 0]))]
    first = np.ones(len(rows), bool)
    first[1:] = (rows[1:, :2] != rows[:-1, :2]).any(axis=1)
    return tuple(rows[first].T)


if __name__ == "__main__":
    sys.exit(main())
