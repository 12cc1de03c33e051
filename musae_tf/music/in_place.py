"""What a model made of a song, put back where it came from: the bars that it cannot take stay as they were."""

import numpy as np

from musae_tf.music.placing import Grid
from musae_tf.music.roles import POOLED, split_chords
from musae_tf.music.song import NOTE, Metre, Song, Tempo, Track
from musae_tf.time_grid import TICKS_PER_QUARTER


def in_place(song: Song, made: Song, grid: Grid) -> Song:
    """A song with other music in the bars that its grid took.

    Tempos, metres and length are the song's, programs and names those of the tracks that were taken. Outside these
    bars the tracks of the layout have the notes of the song that they would take; a note that lasts into such a bar
    ends there.

    Args:
        song: The song.
        made: What is to stand in the bars of `grid.tokens`, one after the other, as `detokenize` makes it.
        grid: The song on the grid.

    Returns:
        A song of `TICKS_PER_QUARTER`, with the name of `made`.
    """
    time, layout = grid.layout.time, grid.layout
    bar = time.steps * time.ticks_per_step
    # Of each stretch: its first tick in the song and in what comes out, and its end in the song.
    first = grid.stretches[:, 0]
    until = first + np.rint(grid.stretches[:, 2] * time.quarters * song.ticks_per_quarter).astype(np.int64)
    moved_by = _scaled(first, song) - grid.stretches[:, 1] * bar
    half = time.ticks_per_step * song.ticks_per_quarter // (2 * TICKS_PER_QUARTER)
    left = _left_bars(song, grid, first, until, half)
    tracks = []
    for number, track in enumerate(made.tracks):
        notes = track.notes.copy()
        stretch = np.searchsorted(grid.stretches[:, 1] * bar, notes["start"], side="right") - 1
        notes["start"] += moved_by[stretch].astype(np.int32)
        name = grid.names[number]
        tracks.append(Track(name, track.program, layout.tracks[number].is_drum, np.concatenate([notes, left[number]])))
    return Song(
        TICKS_PER_QUARTER,
        tracks,
        [Tempo(int(_scaled(tempo.tick, song)), tempo.bpm) for tempo in song.tempos],
        [Metre(int(_scaled(tick, song)), numerator, denominator) for tick, numerator, denominator in song.metres],
        max(int(_scaled(song.end, song)), int(_scaled(until.max(), song))),
        made.name,
    )


def _scaled(ticks: np.ndarray | int, song: Song) -> np.ndarray:
    return np.rint(np.asarray(ticks, np.float64) * TICKS_PER_QUARTER / song.ticks_per_quarter).astype(np.int64)


def _left_bars(song: Song, grid: Grid, first: np.ndarray, until: np.ndarray, half: int) -> list[np.ndarray]:
    """The notes of each track of the layout that begin outside the stretches [first - half, until), scaled."""
    roles = grid.roles
    pooled = [index for index, role in enumerate(roles.tolist()) if role == POOLED]
    voices = [number for number, spec in enumerate(grid.layout.tracks) if spec.rule == "register"]
    found = []
    for number in range(len(grid.layout.tracks)):
        sources = [song.tracks[index].notes for index in np.flatnonzero(roles == number).tolist()]
        found.append(_outside(np.concatenate([np.empty(0, NOTE), *sources]), first, until, half))
    if pooled:
        notes = _outside(np.concatenate([song.tracks[index].notes for index in pooled]), first, until, half)
        start = notes["start"].astype(np.int64)
        voice = split_chords(
            start, start + np.maximum(notes["duration"], 1), notes["pitch"].astype(np.int64), len(voices)
        )
        for place, number in enumerate(voices):
            found[number] = np.concatenate([found[number], notes[voice == place]])
    for notes in found:
        ends = _scaled(notes["start"].astype(np.int64) + notes["duration"], song)
        notes["start"] = _scaled(notes["start"], song)
        notes["duration"] = ends - notes["start"]
    return found


def _outside(notes: np.ndarray, first: np.ndarray, until: np.ndarray, half: int) -> np.ndarray:
    # A note up to half a step early belongs to the stretch.
    stretch = np.searchsorted(first - half, notes["start"], side="right") - 1
    inside = (stretch >= 0) & (notes["start"] < until[np.maximum(stretch, 0)])
    notes = notes[~inside]
    following = np.append(first, np.iinfo(np.int32).max)[np.searchsorted(first, notes["start"], side="right")]
    end = np.minimum(notes["start"].astype(np.int64) + notes["duration"], following)
    notes["duration"] = np.maximum(end - notes["start"], 1)
    return notes
