"""What a model made of a song, put back where it came from: the bars that it cannot take stay as they were."""

import numpy as np

from musae_tf.music.grid import detokenize, heads
from musae_tf.music.placing import Grid
from musae_tf.music.roles import POOLED, split_chords
from musae_tf.music.song import NOTE, Metre, Song, Tempo, Track
from musae_tf.time_grid import TICKS_PER_QUARTER


def in_place(song: Song, tokens: np.ndarray, grid: Grid) -> Song:
    """A song with other music in the bars that its grid took.

    Tempos, metres and length are the song's, programs and names those of the tracks that were taken. Outside these
    bars the tracks of the layout have the notes of the song that they would take; a note that lasts into such a bar
    ends there. Where tokens hold a note from one stretch of bars into the next, it begins anew.

    Args:
        song: The song.
        tokens: int [bars, S, C], what is to stand in the bars of `grid.tokens`.
        grid: The song on the grid.

    Returns:
        A song of `TICKS_PER_QUARTER`.
    """
    time, layout = grid.layout.time, grid.layout
    # Of each stretch: its first tick in the song, and its end.
    first = grid.stretches[:, 0]
    until = first + np.rint(grid.stretches[:, 2] * time.quarters * song.ticks_per_quarter).astype(np.int64)
    half = time.ticks_per_step * song.ticks_per_quarter // (2 * TICKS_PER_QUARTER)
    left = _left_bars(song, grid, first, until, half)
    parts = [[notes] for notes in left]
    begin = heads(tokens, [(0, len(tokens))], layout)
    for tick, bar, bars in grid.stretches.tolist():
        stretch = np.array(tokens[bar : bar + bars])
        stretch[0, 0] = begin[bar]
        for own, track in zip(parts, detokenize(stretch, layout).tracks, strict=True):
            track.notes["start"] += _scaled(tick, song).astype(np.int32)
            own.append(track.notes)
    kinds = zip(grid.names, grid.programs, layout.tracks, parts, strict=True)
    tracks = [Track(name, program, spec.is_drum, np.concatenate(own)) for name, program, spec, own in kinds]
    return Song(
        TICKS_PER_QUARTER,
        tracks,
        [Tempo(int(_scaled(tempo.tick, song)), tempo.bpm) for tempo in song.tempos],
        [Metre(int(_scaled(tick, song)), numerator, denominator) for tick, numerator, denominator in song.metres],
        max(int(_scaled(song.end, song)), int(_scaled(until.max(), song))),
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
