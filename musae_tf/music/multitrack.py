"""Exchange with pypianoroll: songs and tokens to `pypianoroll.Multitrack` and back.

A pianoroll has no onsets. Inside one note the velocity is constant, so a change of velocity is read as a new note, and
a note that repeats the one right before it is written one velocity step apart: that keeps repeated notes. To write a
MIDI file, use `from_multitrack(...).write(path)`: it keeps tempo changes, metres and repeated notes.
"""

from typing import TYPE_CHECKING

import numpy as np

from musae_tf.errors import MusicError, require
from musae_tf.music.grid import DEFAULT_TEMPO, DEFAULT_VELOCITY, detokenize
from musae_tf.music.layouts import Layout
from musae_tf.music.song import NOTE, Metre, Song, Tempo, Track

if TYPE_CHECKING:
    from pypianoroll import Multitrack

_MAX_CELLS = 2**28  # time steps x pitches of one track; a stray event hours away must not fill the memory
_FINEST_METRE = 64


def to_multitrack(music: Song | np.ndarray, layout: Layout | None = None, resolution: int = 4) -> "Multitrack":
    """A song, or tokens with their layout, as a Multitrack.

    Args:
        music: Song, or int tokens [bars * S, C] or [bars, S, C].
        layout: Layout of the tokens; not used for a song.
        resolution: Time steps a quarter note; starts and ends are rounded to them.

    Returns:
        Multitrack of `StandardTrack`s with velocities, tempo and downbeats a step.

    Raises:
        MusicError: pypianoroll is missing, tokens come without a layout or do not fit it, or the song is too long.
    """
    pypianoroll = require("pypianoroll", "the exchange of pianorolls")
    if not isinstance(music, Song):
        if layout is None:
            raise MusicError("tokens need a layout to become a pianoroll")
        music = detokenize(music, layout)
    if resolution < 1:
        raise MusicError(f"resolution is {resolution}, must be at least 1 step a quarter")
    quarter = music.ticks_per_quarter
    steps = -(-music.end * resolution // quarter)
    if steps * 128 > _MAX_CELLS:
        raise MusicError(f"the song has {steps:,} time steps at resolution {resolution}, at most {_MAX_CELLS // 128:,}")
    tempo = np.full(steps, DEFAULT_TEMPO)
    for tick, bpm in music.tempos:
        tempo[tick * resolution // quarter :] = bpm
    downbeat = np.zeros(steps, bool)
    starts = (2 * music.bars()[:, 0] * resolution + quarter) // (2 * quarter)
    downbeat[starts[starts < steps]] = True
    tracks = [
        pypianoroll.StandardTrack(track.name, track.program, track.is_drum, _roll(track, quarter, resolution, steps))
        for track in music.tracks
    ]
    return pypianoroll.Multitrack(music.name or None, resolution, tempo, downbeat, tracks)


def from_multitrack(multitrack: "Multitrack") -> Song:
    """A Multitrack (binary or with velocities) as a song.

    Metres are read from the downbeats: a bar whose length no metre expresses is a longer metre cut off by the next bar.
    After the last downbeat the metre goes on, unless what is left is a longer bar of at most four quarters. Without
    downbeats the song is 4/4, without tempos 120 quarters a minute.

    Raises:
        MusicError: Shapes or values are impossible.
    """
    resolution = int(multitrack.resolution)
    if not 1 <= resolution <= 32767:
        raise MusicError(f"pianoroll resolution is {resolution}, must be 1 to 32767 steps a quarter")
    step = max(1, 480 // resolution)
    tracks = []
    steps = 0
    for track in multitrack.tracks:
        roll = np.asarray(track.pianoroll)
        if roll.ndim != 2 or roll.shape[1] != 128:
            raise MusicError(f"pianoroll of track {track.name!r} has shape {list(roll.shape)}, must be [steps, 128]")
        steps = max(steps, len(roll))
        tracks.append(Track(track.name or "", int(track.program or 0), bool(track.is_drum), _notes(roll, step)))
    tempos = [Tempo(0, DEFAULT_TEMPO)]
    if multitrack.tempo is not None and np.size(multitrack.tempo):
        tempo = np.ravel(multitrack.tempo).astype(float)
        changes = np.flatnonzero(np.diff(tempo, prepend=np.nan) != 0)
        tempos = [Tempo(int(at) * step, float(tempo[at])) for at in changes]
    downbeats = np.empty(0, np.int64)
    if multitrack.downbeat is not None:
        downbeats = np.flatnonzero(np.ravel(multitrack.downbeat))
        steps = max(steps, np.size(multitrack.downbeat))
    return Song(
        ticks_per_quarter=resolution * step,
        tracks=tracks,
        tempos=tempos,
        metres=_metres(downbeats, steps, resolution, step),
        end=steps * step,
        name=multitrack.name or "",
    )


def _roll(track: Track, quarter: int, resolution: int, steps: int) -> np.ndarray:
    """uint8 [steps, 128] velocities; where notes of one pitch overlap the later one cuts the earlier."""
    order = np.lexsort((track.notes["start"], track.notes["pitch"]))
    notes = track.notes[order]
    tick = notes["start"].astype(np.int64)
    start = np.minimum((2 * tick * resolution + quarter) // (2 * quarter), max(steps - 1, 0))
    end = (2 * (tick + notes["duration"]) * resolution + quarter) // (2 * quarter)
    end = np.clip(end, start + 1, max(steps, 1))
    same = notes["pitch"][1:] == notes["pitch"][:-1]
    end[:-1] = np.where(same, np.minimum(end[:-1], start[1:]), end[:-1])
    velocity = np.maximum(notes["velocity"], 1).tolist()
    for later in (np.flatnonzero(same & (end[:-1] >= start[1:])) + 1).tolist():
        if velocity[later] == velocity[later - 1]:
            velocity[later] += -1 if velocity[later] > 1 else 1
    roll = np.zeros((steps, 128), np.uint8)
    length = end - start
    rows = np.repeat(end - np.cumsum(length), length) + np.arange(length.sum())
    roll[rows, np.repeat(notes["pitch"], length)] = np.repeat(np.array(velocity, np.uint8), length)
    return roll


def _notes(roll: np.ndarray, step: int) -> np.ndarray:
    """Notes of a pianoroll: stretches of one value above 0."""
    values = np.where(roll, DEFAULT_VELOCITY, 0) if roll.dtype == bool else roll
    padded = np.zeros((values.shape[1], len(values) + 2), np.int64)
    padded[:, 1:-1] = values.T
    changed = padded[:, 1:] != padded[:, :-1]
    # Row by row, starts and ends alternate: the i-th start belongs to the i-th end.
    pitch, start = np.nonzero(changed & (padded[:, 1:] > 0))
    _, end = np.nonzero(changed & (padded[:, :-1] > 0))
    velocity = padded[pitch, start + 1]
    if len(velocity) and velocity.max() > 127:
        raise MusicError(f"pianoroll has a velocity of {velocity.max()}, must be 0 to 127")
    notes = np.empty(len(start), NOTE)
    notes["start"], notes["duration"] = start * step, (end - start) * step
    notes["pitch"], notes["velocity"] = pitch, velocity
    return notes


def _metres(downbeats: np.ndarray, steps: int, resolution: int, step: int) -> list[Metre]:
    """Metre events in ticks (`step` a time step), at bars whose length differs from the bar before."""
    edges = downbeats if len(downbeats) == 0 or downbeats[0] == 0 else np.append(0, downbeats)
    metres: list[Metre] = []
    current = None
    bar = 0
    for at, bar in zip(edges[:-1].tolist(), np.diff(edges).tolist(), strict=True):
        fraction = _fraction(bar, resolution)
        if fraction != current or fraction is None:
            numerator, denominator = fraction or (-(-bar * _FINEST_METRE // (4 * resolution)), _FINEST_METRE)
            metres.append(Metre(at * step, numerator, denominator))
        current = fraction
    if len(edges):
        left = steps - int(edges[-1])
        fraction = _fraction(left, resolution) if bar < left <= 4 * resolution else None
        if fraction or current is None:
            metres.append(Metre(int(edges[-1]) * step, *(fraction or (4, 4))))
    return metres


def _fraction(length: int, resolution: int) -> tuple[int, int] | None:
    """The metre whose bar is `length` steps, in quarters where possible."""
    denominator = 4
    while denominator <= _FINEST_METRE:
        if length * denominator % (4 * resolution) == 0:
            return length * denominator // (4 * resolution), denominator
        denominator *= 2
    return None
