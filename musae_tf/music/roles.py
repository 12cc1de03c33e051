"""Which track of a layout each instrument of a song plays."""

from itertools import combinations

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music.layouts import Layout
from musae_tf.music.song import Song, Track

POOLED = -2
"""Role of a source track whose notes are shared out among the register voices chord by chord."""

# Middle of the highest and of the lowest voice of a choir; the voices between are spaced evenly.
_TOP_CENTRE, _BOTTOM_CENTRE = 70.0, 50.0

_CHORDAL_SHARE = 0.1  # of a track's notes start while another of its notes sounds

_POOL_STEPS = 4096  # steps looked at together, so that memory stays small whatever the length of the piece


def assign(song: Song, layout: Layout) -> np.ndarray:
    """The layout track that takes each source track.

    A track named like a layout track is taken by name, unless all melodic tracks of the song share one name (a type 0
    file has a single name for all channels). The others are taken by the layout's rules. Rule "register":

    - as many sounding tracks as voices: highest mean pitch to the first voice, and so on down;
    - more: the highest, the lowest and, between them, those with the most notes; the rest are left out;
    - fewer, one of them with chords (a piano): all are pooled and shared out chord by chord (`split_chords`);
    - fewer, each a single line: to the voices whose register is nearest, keeping the order.

    Returns:
        int64 [source tracks]: index of the layout track, -1 where none takes it, or `POOLED`.

    Raises:
        MusicError: No track of the song has a place in the layout.
    """
    roles = np.full(len(song.tracks), -1, np.int64)
    wanted = {(track.name.casefold(), track.is_drum): index for index, track in enumerate(layout.tracks)}
    melodic_names = [track.name.strip().casefold() for track in song.tracks if not track.is_drum]
    telling = len(melodic_names) == 1 or len(set(melodic_names)) > 1
    for index, track in enumerate(song.tracks):
        if telling or track.is_drum:
            roles[index] = wanted.get((track.name.strip().casefold(), track.is_drum), -1)
        if roles[index] < 0:
            roles[index] = _by_rule(track, layout)
    _place_by_register(song, layout, roles)
    if not (roles != -1).any():
        found = ", ".join(_describe(track) for track in song.tracks) or "no tracks with notes"
        raise MusicError(f"no track fits the layout {layout.name!r} ({', '.join(layout.names)}): found {found}")
    return roles


def split_chords(start: np.ndarray, end: np.ndarray, pitch: np.ndarray, voices: int) -> np.ndarray:
    """Share out the notes of chordal music among voices by their place in the chord that sounds when they start.

    The highest note goes to the first voice, the lowest of several to the last, those between fill the inner voices
    from above; more notes than voices meet in the lowest inner voice.

    Args:
        start: int [notes] in steps.
        end: int [notes] in steps, exclusive.
        pitch: int [notes].
        voices: Number of voices.

    Returns:
        int64 [notes]: voice of each note, 0 is the highest.
    """
    voice = np.zeros(len(start), np.int64)
    if len(start) == 0 or voices == 1:
        return voice
    last = int(start.max()) + 1
    for low in (np.unique(start // _POOL_STEPS) * _POOL_STEPS).tolist():
        high = min(low + _POOL_STEPS, last)
        near = np.flatnonzero((start < high) & (end > low))
        change = np.zeros((high - low + 1, 128), np.int32)
        np.add.at(change, (np.maximum(start[near] - low, 0), pitch[near]), 1)
        np.add.at(change, (np.minimum(end[near], high) - low, pitch[near]), -1)
        sounding = np.cumsum(change, axis=0) > 0
        up_to = np.cumsum(sounding, axis=1, dtype=np.uint8)
        own = near[start[near] >= low]
        row, column = start[own] - low, pitch[own]
        lower = up_to[row, column].astype(np.int64) - 1
        higher = up_to[row, -1].astype(np.int64) - 1 - lower
        inner = np.minimum(higher, voices - 2)
        voice[own] = np.where(higher == 0, 0, np.where(lower == 0, voices - 1, inner))
    return voice


def _by_rule(track: Track, layout: Layout) -> int:
    for index, spec in enumerate(layout.tracks):
        if track.is_drum == spec.is_drum and (spec.is_drum or track.program in spec.programs):
            return index
    if not track.is_drum:
        for index, spec in enumerate(layout.tracks):
            if spec.rule == "others":
                return index
    return -1


def _place_by_register(song: Song, layout: Layout, roles: np.ndarray) -> None:
    """Fill in the roles of the tracks that the rule "register" decides."""
    voices = [index for index, spec in enumerate(layout.tracks) if spec.rule == "register"]
    free = [index for index in voices if index not in roles]
    left = [
        index
        for index, track in enumerate(song.tracks)
        if roles[index] == -1 and not track.is_drum and len(track.notes)
    ]
    if not free or not left:
        return
    if len(free) == len(voices) > len(left) and any(_is_chordal(song, index) for index in left):
        roles[left] = POOLED
        return
    mean = {index: float(song.tracks[index].notes["pitch"].mean()) for index in left}
    left.sort(key=lambda index: -mean[index])
    if len(left) > len(free):
        busy = sorted(left if len(free) == 1 else left[1:-1], key=lambda index: -len(song.tracks[index].notes))
        kept = set(busy[:1]) if len(free) == 1 else {left[0], left[-1], *busy[: len(free) - 2]}
        left = [index for index in left if index in kept]
    centres = dict(zip(voices, np.linspace(_TOP_CENTRE, _BOTTOM_CENTRE, len(voices)), strict=True))
    best = min(
        combinations(free, len(left)),
        key=lambda places: sum(abs(mean[i] - centres[v]) for i, v in zip(left, places, strict=True)),
    )
    roles[left] = best


def _is_chordal(song: Song, index: int) -> bool:
    notes = song.tracks[index].notes
    start = notes["start"].astype(np.int64)
    sounding_until = np.maximum.accumulate(start + notes["duration"])
    # Legato overlaps of up to half a step are not chords.
    overlaps = start[1:] + song.ticks_per_quarter / 8 < sounding_until[:-1]
    together = start[1:] == start[:-1]
    return bool((overlaps | together).sum() >= max(1, _CHORDAL_SHARE * len(notes)))


def _describe(track: Track) -> str:
    kind = "drums" if track.is_drum else f"program {track.program}"
    return f"{track.name!r} ({kind})" if track.name else kind
