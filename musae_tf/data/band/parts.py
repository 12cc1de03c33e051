"""From what mma played to a band of four: one instrument a part, and a part made up where the groove has none."""

from dataclasses import replace
from random import Random

import numpy as np

from musae_tf.data.band.compose import bass_line, comping, strings_line, swings
from musae_tf.data.band.plan import Plan
from musae_tf.errors import MusicError
from musae_tf.music.song import NOTE, Song, Track

SOLID = 0.8
"""An instrument that plays in this share of the main bars can be a part on its own."""

WEAK = 0.6
"""A part that sounds in fewer of the main bars than this is made up instead."""

LEAST = 0.5
"""A song in which all four parts sound in fewer of the main bars than this is of no use."""

NAMES = ("bass", "guitar", "strings")
"""Every layout that has tracks of these names takes them, whatever instruments it counts as what."""

BASS, GUITAR, STRINGS = range(32, 40), range(0, 32), range(40, 128)
LOW = 52
"""What mma calls a bass but gives another instrument, such as a tuba, is one if half its notes are below this pitch."""


def arrange(song: Song, drums: Song | None, plan: Plan) -> Song:
    """The four parts of a rendered song.

    Args:
        song: What mma made of the plan.
        drums: What it made of the plan's other drum patterns, if there are any.
        plan: Chords, bars, and the seed of what is drawn here.

    Raises:
        MusicError: The song is not as long as planned, has no drums, or lacks a part in too many bars.
    """
    dice = Random(f"parts {plan.seed}")
    bar = 4 * song.ticks_per_quarter
    if any((metre.numerator, metre.denominator) != (4, 4) for metre in song.metres):
        raise MusicError("a groove is not in 4/4")
    # Some endings fall silent before they are over.
    if not plan.main.stop - 1 <= round(song.end / bar) <= len(plan.bars) + 1:
        raise MusicError(f"mma made {song.end / bar:.1f} bars of {len(plan.bars)}")
    kit = _drums(song, drums, plan, bar)
    melodic = [track for track in song.tracks if not track.is_drum and len(track.notes)]
    basses = [track for track in melodic if track.program in BASS] or [
        Track(track.name, 33, False, track.notes) for track in melodic if _is_low_bass(track)
    ]
    low = {track.name for track in basses}
    guitars = [track for track in melodic if track.program in GUITAR and track.name not in low]
    strings = [track for track in melodic if track.program in STRINGS and track.name not in low]

    swung = swings(kit.notes, bar)
    bass = _choose(basses, plan, bar, dice) or bass_line(plan, bar, kit.notes, swung, dice)
    guitar = _choose(guitars, plan, bar, dice) or comping(plan, bar, swung, dice)
    line = _choose(strings, plan, bar, dice) or strings_line(plan, bar, swung, dice)
    parts = [kit, *(replace(track, name=name) for track, name in zip((bass, guitar, line), NAMES, strict=True))]
    together = np.logical_and.reduce([_sounding(part.notes, plan, bar) for part in parts]).mean()
    if together < LEAST:
        raise MusicError(f"all four parts sound in only {together:.0%} of the main bars")
    return Song(song.ticks_per_quarter, parts, song.tempos, song.metres, bar * len(plan.bars), plan.title)


def _drums(song: Song, other: Song | None, plan: Plan, bar: int) -> Track:
    """All percussion; in bars with a pattern from elsewhere, that pattern's."""
    notes = _percussion(song)
    if other is not None:
        replaced = np.array([planned.drums is not None for planned in plan.bars])
        foreign = _percussion(other)
        notes = np.concatenate([notes[~_in(notes, replaced, bar)], foreign[_in(foreign, replaced, bar)]])
    if len(notes) == 0:
        raise MusicError("the groove has no drums")
    return Track("drums", 0, True, notes)


def _percussion(song: Song) -> np.ndarray:
    return np.concatenate([np.empty(0, NOTE), *(track.notes for track in song.tracks if track.is_drum)])


def _in(notes: np.ndarray, bars: np.ndarray, bar: int) -> np.ndarray:
    # Strokes a little before the beat belong to the bar that they lead to.
    return bars[np.clip((notes["start"] + bar // 32) // bar, 0, len(bars) - 1)]


def _is_low_bass(track: Track) -> bool:
    return track.name.lower().startswith(("bass", "walk")) and float(np.median(track.notes["pitch"])) < LOW


def _choose(tracks: list[Track], plan: Plan, bar: int, dice: Random) -> Track | None:
    """One instrument that plays nearly always, or all together if none does, or None if even they play too little."""
    if not tracks:
        return None
    solid = [track for track in tracks if _sounding(track.notes, plan, bar).mean() >= SOLID]
    if solid:
        return dice.choice(solid)
    notes = np.concatenate([track.notes for track in tracks])
    if _sounding(notes, plan, bar).mean() < WEAK:
        return None
    busiest = max(tracks, key=lambda track: len(track.notes))
    return Track(busiest.name, busiest.program, False, notes)


def _sounding(notes: np.ndarray, plan: Plan, bar: int) -> np.ndarray:
    """In which of the main bars notes sound."""
    change = np.zeros(len(plan.bars) + 1, np.int64)
    first = (notes["start"] + bar // 32) // bar
    last = (notes["start"] + np.maximum(notes["duration"], 1) - bar // 32) // bar
    np.add.at(change, np.clip(first, 0, len(plan.bars)), 1)
    np.add.at(change, np.clip(np.maximum(first, last) + 1, 0, len(plan.bars)), -1)
    return np.cumsum(change)[plan.main.start : plan.main.stop] > 0
