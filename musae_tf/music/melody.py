"""A melody that other tracks are to be written to, and a piece that is to go on."""

from dataclasses import replace

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music.layouts import Layout
from musae_tf.music.placing import Placement
from musae_tf.music.roles import assign
from musae_tf.music.song import Song


def melody_of(song: Song, layout: Layout, track: int | None = None) -> tuple[Song, int]:
    """A song that is one melody, without its silent tracks, and the track of a layout that the melody plays.

    Args:
        song: The song.
        layout: The layout.
        track: Number of the track that it is to play; None for the one of its name, or else the one that the rules of
            the layout give it by its program, or else the first one that takes a melody.

    Raises:
        MusicError: It has no notes, more than one track with notes, drums, or several notes at once.
    """
    sounding = [part for part in song.tracks if len(part.notes)]
    if not sounding:
        raise MusicError("the melody has no notes")
    if len(sounding) > 1:
        names = ", ".join(repr(part.name) for part in sounding)
        raise MusicError(f"{len(sounding)} tracks have notes ({names}), a melody is one: fill writes some tracks anew")
    (own,) = sounding
    if own.is_drum:
        raise MusicError("the track with notes is drums, a melody has pitches")
    melody = replace(song, tracks=[own])
    number = _track_for(melody, layout) if track is None else track
    if layout.tracks[number].is_drum:
        raise MusicError(f"the track {layout.names[number]!r} is drums and plays no melody")
    placement = Placement(melody, layout)
    step, _, inside, _ = placement.quantised(*(own.notes[name].astype(np.int64) for name in ("start", "duration")))
    steps, count = np.unique(step[inside], return_counts=True)
    if (count > 1).any():
        chord = int(own.notes["start"][inside][step[inside] == steps[count > 1][0]][0])
        bar = int(np.searchsorted(song.bars()[:, 0], chord, side="right"))
        raise MusicError(f"a melody has one note at a time, but in bar {bar} {count[count > 1][0]} begin at once")
    return melody, number


def _track_for(melody: Song, layout: Layout) -> int:
    """Where a melody has its place: a high or low one does not become another voice for it."""
    name = melody.tracks[0].name.strip().casefold()
    for number, spec in enumerate(layout.tracks):
        if spec.name.casefold() == name and not spec.is_drum:
            return number
    try:
        (role,) = assign(melody, layout).tolist()
    except MusicError:
        role = -1
    if role >= 0 and layout.tracks[role].rule != "register":
        return role
    able = [number for number, spec in enumerate(layout.tracks) if not spec.is_drum]
    if not able:
        raise MusicError(f"the layout {layout.name!r} has no track that plays a melody")
    return next((number for number in able if layout.tracks[number].keep == "highest"), able[0])


def extended(song: Song, layout: Layout, bars: int) -> tuple[Song, int]:
    """A song with empty bars of a layout's metre after the last bar in which something sounds.

    Silence, tempos and metres behind that bar are left out.

    Returns:
        The song, and the tick at which the empty bars begin.

    Raises:
        MusicError: It has no notes, or the last bar with some is not one that the layout takes.
    """
    ends = [int((part.notes["start"].astype(np.int64) + part.notes["duration"]).max()) for part in song.tracks
            if len(part.notes)]  # fmt: skip
    if not ends:
        raise MusicError("the song has no notes")
    edges, length = song.bars(), round(layout.time.quarters * song.ticks_per_quarter)
    last = int(np.searchsorted(edges[:, 0], max(max(ends) - 1, 0), side="right")) - 1
    for tick, _, count in Placement(song, layout).stretches.tolist():
        if tick <= edges[last, 0] and edges[last].sum() <= tick + count * length:
            end = tick + -(-int(edges[last].sum() - tick) // length) * length
            tempos = [tempo for tempo in song.tempos if tempo.tick < end]
            metres = [metre for metre in song.metres if metre.tick < end]
            return replace(song, tempos=tempos, metres=metres, end=end + bars * length), end
    metre = f"{layout.time.numerator}/{layout.time.denominator}"
    raise MusicError(f"the last bar with notes, {last + 1}, is not one in {metre}: the model cannot go on from it")
