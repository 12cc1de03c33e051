"""A song of which a part is to be written anew: what stays of it, what goes, and the song with the new music in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from musae_tf.music.grid import DEFAULT_VELOCITY, detokenize
from musae_tf.music.known import FREE, KNOWN, ONSET, PITCH
from musae_tf.music.layouts import Layout
from musae_tf.music.placing import Grid, Placement
from musae_tf.music.roles import POOLED, split_chords
from musae_tf.music.song import NOTE, Song, Track
from musae_tf.music.vocabulary import HOLD, KIT, MELODIC, REST, VELOCITY
from musae_tf.time_grid import TICKS_PER_QUARTER

KEEP = ("nothing", "rhythm", "pitches")
"""What may stay of notes that are written anew: when they begin and how long they are, or their pitches in their order.
"""

_NEVER = np.iinfo(np.int32).max


class Places(NamedTuple):
    """Where the notes of a song are on a grid, an array for each source track.

    Attributes:
        step: int64 [notes], steps of the grid; -1 outside its bars.
        track: int64 [notes], tracks of the layout; -1 for those of none.
    """

    step: list[np.ndarray]
    track: list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Hole:
    """A song with a hole. A note is known or not as a whole, by its track and by where it begins.

    Attributes:
        song: The whole song.
        roles: int64 [source tracks], as `roles.assign` gives them.
        grid: What is known, on the grid; if something is kept of what is not, all of the song.
        levels: int32 [bars, S, C], of the symbols of the grid: those of `musae_tf.music.known`.
        places: Where the notes are.
        leaving: bool [notes] for each source track: those that are not known.
        keep: What stays of the notes that are not known, one of `KEEP`.
    """

    song: Song
    roles: np.ndarray
    grid: Grid
    levels: np.ndarray
    places: Places
    leaving: list[np.ndarray]
    keep: str


def placed(song: Song, placement: Placement, roles: np.ndarray) -> Places:
    """Where the notes of a song are, for roles as `roles.assign` gives them."""
    voices = [number for number, spec in enumerate(placement.layout.tracks) if spec.rule == "register"]
    steps, tracks, ends = [], [], []
    for source, role in zip(song.tracks, roles.tolist(), strict=True):
        tick, duration = (source.notes[name].astype(np.int64) for name in ("start", "duration"))
        start, end, inside, _ = placement.quantised(tick, duration)
        steps.append(np.where(inside, start, -1))
        ends.append(end)
        tracks.append(np.full(len(tick), max(role, -1), np.int64))
    pool = np.flatnonzero(roles == POOLED).tolist()
    if pool:
        start, end = (np.concatenate([values[source] for source in pool]) for values in (steps, ends))
        pitch = np.concatenate([song.tracks[source].notes["pitch"] for source in pool]).astype(np.int64)
        own, inside = np.full(len(start), -1, np.int64), start >= 0
        own[inside] = np.array(voices)[split_chords(start[inside], end[inside], pitch[inside], len(voices))]
        sizes = np.cumsum([len(steps[source]) for source in pool])[:-1]
        for source, part in zip(pool, np.split(own, sizes), strict=True):
            tracks[source] = part
    return Places(steps, tracks)


def cut_hole(
    song: Song,
    layout: Layout,
    roles: np.ndarray,
    wanted: Callable[[Placement], np.ndarray],
    keep: str = "nothing",
) -> Hole:
    """Cut a hole into a song.

    A note that begins in the hole leaves, and what rings into it stays. In columns of velocities nothing is written
    where a note that stays begins.

    Args:
        song: The song.
        layout: What to take from it.
        roles: int [source tracks], as `roles.assign` gives them.
        wanted: Gives of the bars what is to be written, bool [bars * S, C]. The notes of a track that leave are those
            that begin where its first column is wanted.
        keep: What of those notes stays, one of `KEEP`. With "rhythm" the levels are `ONSET` where melodic ones begin,
            with "pitches" they are `PITCH` wherever melodic ones may; kits stay with both.

    Raises:
        MusicError: No bar is of the layout's metre, or the song is too long.
    """
    placement = Placement(song, layout)
    free = wanted(placement)
    places = placed(song, placement, roles)
    first = np.array(layout.first_columns)
    changing = np.array([not (keep != "nothing" and spec.vocabulary == KIT) for spec in layout.tracks])
    leaving = [
        (step >= 0) & (track >= 0) & changing[track] & free[step, first[track]]
        for step, track in zip(places.step, places.track, strict=True)
    ]
    staying = [~leaves if keep == "nothing" else np.ones(len(leaves), bool) for leaves in leaving]
    parts = []
    for number, spec in enumerate(layout.tracks):
        kept = zip(song.tracks, places.track, staying, strict=True)
        notes = [source.notes[(track == number) & stays] for source, track, stays in kept]
        parts.append(Track(spec.name, spec.program, spec.is_drum, np.concatenate([np.empty(0, NOTE), *notes])))
    whole = replace(song, tracks=parts)
    grid = next(Placement(whole, layout).grids([np.arange(len(parts))]))
    return Hole(song, roles, grid, _levels(grid, free, keep), places, leaving, keep)


def _levels(grid: Grid, free: np.ndarray, keep: str) -> np.ndarray:
    layout, tokens = grid.layout, grid.tokens
    free = free.reshape(tokens.shape)
    melodic = np.array([column.vocabulary == MELODIC for column in layout.columns])
    if keep == "rhythm":
        return np.where(free & melodic & (tokens < REST), ONSET, KNOWN).astype(np.int32)
    if keep == "pitches":
        return _levels_of_pitches(grid, free)
    # What still sounds in the hole began before it.
    free = free & ~(melodic & (tokens != REST))
    for column in layout.columns_of(VELOCITY):
        track = layout.columns[column].track
        lines = tokens[..., layout.voices_of(track)]
        kit = layout.tracks[track].vocabulary == KIT
        free[..., column] &= ~(lines != KIT.rest if kit else lines < REST).any(axis=-1)
    return np.where(free, FREE, KNOWN).astype(np.int32)


def _levels_of_pitches(grid: Grid, free: np.ndarray) -> np.ndarray:
    layout, tokens = grid.layout, grid.tokens
    levels = np.full(tokens.shape, KNOWN, np.int32)
    for column in layout.columns_of(MELODIC):
        # What still sounds in the hole and began before it stays.
        own = tokens[..., column].reshape(-1)
        place = np.where(own == HOLD, -1, np.arange(len(own)))
        begin = np.maximum(np.maximum.accumulate(place), 0).reshape(tokens.shape[:-1])
        levels[..., column] = np.where(free[..., column] & free[..., column].reshape(-1)[begin], PITCH, KNOWN)
    for column in layout.columns_of(VELOCITY):
        track = layout.columns[column].track
        if layout.tracks[track].vocabulary == MELODIC:
            lines = layout.voices_of(track)
            staying = (tokens[..., lines] < REST) & (levels[..., lines] == KNOWN)
            levels[..., column] = np.where(free[..., column] & ~staying.any(axis=-1), FREE, KNOWN)
    return levels


def filled(hole: Hole, tokens: np.ndarray) -> Song:
    """The song with new music in its hole; all that is known is there as it was, to the tick.

    New notes join the source track that plays most of their track of the layout, or a new track where none does. A new
    note that begins while a known one of its pitch and source track sounds is left out, and one that runs into a known
    one ends there. Where no dynamics are written, they are as loud as the track is, or the song. If something was kept
    of the notes that leave, the song's warnings count as `without_new_pitch`, or `without_new_place`, those of them
    that are not there any more.

    Args:
        hole: The hole.
        tokens: int [bars, S, C], what was written, see `musae_tf.music.windows`; the rest of them does not matter.
    """
    made, warnings = (_repitched if hole.keep == "rhythm" else _added)(hole, tokens), dict(hole.song.warnings)
    if hole.keep == "nothing":
        return made
    before, now = (sum(len(track.notes) for track in song.tracks) for song in (hole.song, made))
    warnings["without_new_pitch" if hole.keep == "rhythm" else "without_new_place"] = before - now
    return replace(made, warnings={name: count for name, count in warnings.items() if count})


def _added(hole: Hole, tokens: np.ndarray) -> Song:
    song, layout, roles = hole.song, hole.grid.layout, hole.roles.tolist()
    notes = [track.notes[~leaves] for track, leaves in zip(song.tracks, hole.leaving, strict=True)]
    usual = _loudness([*notes, *(track.notes for track in song.tracks)], DEFAULT_VELOCITY)
    joining: dict[int, Track] = {}
    for number, (spec, new) in enumerate(zip(layout.tracks, _new_notes(hole, tokens), strict=True)):
        first = layout.first_columns[number]
        if (hole.levels[..., first : layout.voices_of(number)[-1] + 1] == KNOWN).all():
            continue
        target = _target(song, hole.roles, number, spec.rule == "register")
        known = np.empty(0, NOTE) if target is None else notes[target]
        if not spec.dynamics:
            new["velocity"] = _loudness([known], usual)
        if target is None:
            joining[number] = Track(spec.name, spec.program, spec.is_drum, new)
        else:
            notes[target] = np.concatenate([known, _beside(known, new)])
    tracks = [replace(track, notes=own) for track, own in zip(song.tracks, notes, strict=True)]
    for number, track in joining.items():
        # After the tracks that stand before it in the layout.
        place = max((at + 1 for at, role in enumerate(roles) if 0 <= role < number), default=0)
        tracks.insert(place, track)
        roles.insert(place, number)
    return replace(song, tracks=tracks)


def _target(song: Song, roles: np.ndarray, number: int, register: bool) -> int | None:
    """The source track with the most notes that plays a track of the layout."""
    playing = np.flatnonzero((roles == number) | (register & (roles == POOLED))).tolist()
    return max(playing, key=lambda source: len(song.tracks[source].notes), default=None)


def _loudness(sources: Sequence[np.ndarray], usual: int) -> int:
    """The mean velocity of some notes."""
    velocity = np.concatenate([notes["velocity"] for notes in sources])
    return int(np.rint(velocity.mean())) if len(velocity) else usual


def _new_notes(hole: Hole, tokens: np.ndarray) -> list[np.ndarray]:
    """The notes of each track of the layout that begin where it is free, in ticks of the song."""
    layout, song = hole.grid.layout, hole.song
    rests = np.array([column.vocabulary.rest for column in layout.columns])
    velocities = np.array([column.vocabulary == VELOCITY for column in layout.columns])
    tokens = np.where((hole.levels != KNOWN) | velocities, tokens, rests)
    found: list[list[np.ndarray]] = [[np.empty(0, NOTE)] for _ in layout.tracks]
    for tick, bar, bars in hole.grid.stretches.tolist():
        for own, track in zip(found, detokenize(tokens[bar : bar + bars], layout).tracks, strict=True):
            notes = track.notes.copy()
            start = notes["start"].astype(np.int64)
            start, end = (
                tick + np.rint(ticks * song.ticks_per_quarter / TICKS_PER_QUARTER).astype(np.int64)
                for ticks in (start, start + notes["duration"])
            )
            notes["start"], notes["duration"] = start, np.maximum(end - start, 1)
            own.append(notes)
    return [np.concatenate(own) for own in found]


def _beside(known: np.ndarray, new: np.ndarray) -> np.ndarray:
    """New notes, but for those that begin while a known one of their pitch sounds; each ends where the next begins."""
    kept = []
    for pitch in np.unique(new["pitch"]).tolist():
        own, other = new[new["pitch"] == pitch], known[known["pitch"] == pitch]
        own = own[np.unique(own["start"], return_index=True)[1]]
        other = other[np.argsort(other["start"], kind="stable")]
        start = other["start"].astype(np.int64)
        until = np.append(0, np.maximum.accumulate(start + np.maximum(other["duration"], 1)))
        before = np.searchsorted(start, own["start"], side="right")
        own = own[until[before] <= own["start"]]
        begin = np.union1d(start, own["start"])
        following = np.append(begin, _NEVER)[np.searchsorted(begin, own["start"], side="right")]
        own["duration"] = np.minimum(own["duration"], following - own["start"])
        kept.append(own)
    return np.concatenate([new[:0], *kept])


def _repitched(hole: Hole, tokens: np.ndarray) -> Song:
    """The notes that leave, with the pitches of their places; of those that become equal one stays.

    What the grid had no room for has no place, and goes.
    """
    layout, old = hole.grid.layout, hole.grid.tokens.reshape(-1, tokens.shape[-1])
    flat = np.asarray(tokens).reshape(old.shape)
    tracks = []
    parts = zip(hole.song.tracks, hole.leaving, hole.places.step, hole.places.track, strict=True)
    for source, leaves, step, track in parts:
        known, moving = source.notes[~leaves], []
        for number in np.unique(track[leaves]).tolist():
            own = leaves & (track == number)
            notes, lines = source.notes[own].copy(), layout.voices_of(number)
            same = old[step[own]][:, lines] == notes["pitch"][:, np.newaxis]
            pitch = flat[step[own]][np.arange(len(notes)), np.array(lines)[same.argmax(axis=1)]]
            notes["pitch"] = pitch
            moving.append(notes[same.any(axis=1) & (pitch < REST)])
        new = np.concatenate([known[:0], *moving])
        tracks.append(replace(source, notes=np.concatenate([known, _beside(known, new)])))
    return replace(hole.song, tracks=tracks)
