"""From what mma played to a band of four: one instrument a part, and a part made up where the groove has none."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import numpy as np

from musae_tf.data.band.genres import STYLES, Chord
from musae_tf.data.band.plan import SongPlan
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


def arrange(song: Song, drums: Song | None, plan: SongPlan) -> Song:
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


def _drums(song: Song, other: Song | None, plan: SongPlan, bar: int) -> Track:
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


def _choose(tracks: list[Track], plan: SongPlan, bar: int, dice: Random) -> Track | None:
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


def _sounding(notes: np.ndarray, plan: SongPlan, bar: int) -> np.ndarray:
    """In which of the main bars notes sound."""
    change = np.zeros(len(plan.bars) + 1, np.int64)
    first = (notes["start"] + bar // 32) // bar
    last = (notes["start"] + np.maximum(notes["duration"], 1) - bar // 32) // bar
    np.add.at(change, np.clip(first, 0, len(plan.bars)), 1)
    np.add.at(change, np.clip(np.maximum(first, last) + 1, 0, len(plan.bars)), -1)
    return np.cumsum(change)[plan.main.start : plan.main.stop] > 0


STEPS = 16


def swings(drums: np.ndarray, bar: int) -> bool:
    """Whether the off-beats of a drum track come late, as in triplets."""
    within = drums["start"] % (bar // 4) / (bar // 4)
    late, even = np.abs(within - 2 / 3) < 0.06, np.abs(within - 1 / 2) < 0.06
    return bool(late.sum() > even.sum())


def bass_line(plan: SongPlan, bar: int, drums: np.ndarray, swung: bool, dice: Random) -> Track:
    """Roots and fifths on a rhythm, or on the strokes of the bass drum."""
    rhythm = dice.choice(STYLES[plan.genre].bass)
    kicks = drums["start"][np.isin(drums["pitch"], (35, 36))]
    steps = np.unique((kicks * STEPS // bar).astype(np.int64))
    follows = len(steps) > len(plan.bars) and dice.random() < 0.5
    notes = []
    for number, planned in enumerate(plan.bars):
        if follows:
            inside = (steps[steps // STEPS == number] % STEPS).tolist() or [0]
            rhythm = "".join("x" if step in inside else "-" if step > inside[0] else "." for step in range(STEPS))
        for step, length in strokes(rhythm):
            chord = _chord_at(planned.chords, step)
            root = 28 + (chord.root - 28) % 12
            fifth = root + 7 if root < 33 else root - 5
            notes.append((number, step, length, fifth if step == 8 and len(planned.chords) == 1 else root))
    return _track("Bass", 33, notes, bar, swung)


def comping(plan: SongPlan, bar: int, swung: bool, dice: Random) -> Track:
    """Three notes of the chord on a rhythm."""
    rhythm, top = dice.choice(STYLES[plan.genre].comping), dice.randint(60, 70)
    notes = _chords(plan, rhythm, rhythm, top, (5, 7), 15)
    return _track("Chord", dice.choice((0, 4, 24, 25, 26)), notes, bar, swung)


def strings_line(plan: SongPlan, bar: int, swung: bool, dice: Random) -> Track:
    """Held chords, a melody, stabs or broken chords."""
    style = STYLES[plan.genre]
    kind = dice.choices(("pad", "melody", "stabs", "broken"), style.strings)[0]
    if kind == "melody":
        notes, program = _melody(plan, dice), dice.choice((40, 56, 65, 68, 73, 48))
    elif kind == "pad":
        twice = "x-------x-------"
        rhythm, middle = dice.choice(("x---------------", twice)), dice.randint(66, 76)
        notes, program = _chords(plan, rhythm, twice, middle, (6, 6), 15), dice.choice((48, 49, 50, 52, 89))
    else:
        rhythm = dice.choice(style.stabs if kind == "stabs" else style.broken)
        middle, up = dice.randint(64, 74), dice.random() < 0.5
        if kind == "stabs":
            notes, program = _chords(plan, rhythm, rhythm, middle, (5, 7), 9), dice.choice((61, 62, 48, 45))
        else:
            notes, program = _broken(plan, rhythm, middle, up), dice.choice((45, 46, 48, 81))
    return _track("Strings", program, notes, bar, swung)


def strokes(rhythm: str) -> Iterator[tuple[int, int]]:
    """Step and length of every stroke of a rhythm."""
    for step, sign in enumerate(rhythm):
        if sign == "x":
            rest = rhythm[step + 1 :]
            yield step, 1 + len(rest) - len(rest.lstrip("-"))


def _chords(
    plan: SongPlan, rhythm: str, halved: str, middle: int, span: tuple[int, int], width: int
) -> list[tuple[int, int, int, int]]:
    """Chords of up to three notes, moving as little as they can; on the rhythm `halved` in bars of two chords.

    The highest note lies within `span` below and above `middle`, the others up to `width` semitones below it.
    """
    notes, high = [], middle
    for number, planned in enumerate(plan.bars):
        for step, length in strokes(rhythm if len(planned.chords) == 1 else halved):
            chord = _chord_at(planned.chords, step)
            high = _nearest(chord.classes, high, middle - span[0], middle + span[1])
            below = [pitch for pitch in range(high - 1, high - 1 - width, -1) if pitch % 12 in chord.classes][:2]
            notes += [(number, step, length, pitch) for pitch in (high, *below)]
    return notes


def _broken(plan: SongPlan, rhythm: str, middle: int, up: bool) -> list[tuple[int, int, int, int]]:
    """One note of the chord after the other."""
    notes = []
    for number, planned in enumerate(plan.bars):
        for count, (step, length) in enumerate(strokes(rhythm)):
            chord = _chord_at(planned.chords, step)
            ladder = [pitch for pitch in range(middle - 6, middle + 8) if pitch % 12 in chord.classes]
            notes.append((number, step, length, ladder[(count if up else -1 - count) % len(ladder)]))
    return notes


def _melody(plan: SongPlan, dice: Random) -> list[tuple[int, int, int, int]]:
    """A motif of two bars that comes back: chord tones on the beat, steps of the scale between."""
    style = STYLES[plan.genre]
    rhythms = [dice.choice(style.melodies), dice.choice(style.melodies)]
    scale = [(plan.tonic + tone) % 12 for tone in style.scales[plan.minor]]
    middle = dice.randint(67, 77)
    moves = [dice.choice((-3, -2, -1, 1, 2, 3)) for _ in range(8)]
    notes, pitch, count = [], middle, 0
    for number, planned in enumerate(plan.bars):
        if number % 4 == 0:
            count = 0  # the motif begins anew
        for step, length in strokes(rhythms[number % 2]):
            classes = _chord_at(planned.chords, step).classes if step % 4 == 0 else scale
            pitch = _nearest(classes, pitch + moves[count % len(moves)], middle - 9, middle + 9)
            notes.append((number, step, length, pitch))
            count += 1
    return notes


def _chord_at(chords: tuple[Chord, ...], step: int) -> Chord:
    return chords[step * len(chords) // STEPS]


def _nearest(classes: tuple[int, ...] | list[int], pitch: int, low: int, high: int) -> int:
    """The pitch of one of the classes that is nearest to `pitch` within low..high, the lower one of two."""
    allowed = [one for one in range(low, high + 1) if one % 12 in classes]
    return min(allowed, key=lambda one: abs(one - pitch))


def _track(name: str, program: int, notes: list[tuple[int, int, int, int]], bar: int, swung: bool) -> Track:
    """Notes of (bar, step, length in steps, pitch) in ticks; with swing, the second half of a beat comes late."""
    table = np.array(notes, np.int64).reshape(-1, 4)
    first = table[:, 0] * STEPS + table[:, 1]
    start, end = (_ticks(steps, bar, swung) for steps in (first, first + table[:, 2]))
    rows = np.zeros(len(table), NOTE)
    rows["start"], rows["duration"], rows["pitch"], rows["velocity"] = start, end - start, table[:, 3], 80
    return Track(name, program, False, rows)


def _ticks(steps: np.ndarray, bar: int, swung: bool) -> np.ndarray:
    late = (steps % 4 == 2) & swung
    return steps * bar // STEPS + late * (bar // 24)
