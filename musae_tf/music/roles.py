"""Which track of a layout each instrument of a song plays."""

import math
import re
from collections.abc import Sequence
from itertools import combinations, product

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music.layouts import Layout
from musae_tf.music.song import Song, Track

CANDIDATES = ("merge", "best", "all")
"""What `choices` knows to do with several source tracks for one track of the layout."""

POOLED = -2
"""Role of a source track whose notes are shared out among the register voices chord by chord."""

# Middle of the highest and of the lowest voice of a choir; the voices between are spaced evenly.
_TOP_CENTRE, _BOTTOM_CENTRE = 70.0, 50.0

# How people name the part that leads, in the languages of most files, and those that go along with it.
_LEAD = re.compile(
    r"melod|\blead|vocal|\bvox\b|\bvoices?\b|\bvoz\b|\bvoix\b|sing(er|ing)|gesang|\bcanto\b", re.IGNORECASE
)
_BACKING = re.compile(r"back|\bbg\b|choir|chorus|harmon|counter", re.IGNORECASE)

_CHORDAL_SHARE = 0.1  # of a track's notes start while another of its notes sounds

_POOL_STEPS = 4096  # steps looked at together, so that memory stays small whatever the length of the piece


def assign(song: Song, layout: Layout) -> np.ndarray:
    """The layout track that takes each source track.

    A track named like a layout track is taken by name, unless all melodic tracks of the song share one name (a type 0
    file has a single name for all channels). The others are taken by the layout's rules. Rule "register":

    - as many sounding tracks as voices: highest mean pitch to the first voice, and so on down;
    - more: of those that play (`chosen_parts`) the highest, the lowest and, between them, those with the most notes;
      the rest are left out;
    - fewer, one of them with chords (a piano), and voices of one note: all are pooled and shared out chord by chord
      (`split_chords`);
    - fewer, each a single line: to the voices whose register is nearest, keeping the order.

    A track that leads the song and that no rule takes, since others play what the rule asks for, joins the last of the
    tracks that are chosen by program: one that is named as a melody or a voice and is busy, or, where no track is named
    so, the highest line if it is a busy one.

    Returns:
        int64 [source tracks]: index of the layout track, -1 where none takes it, or `POOLED`.

    Raises:
        MusicError: No track of the song has a place in the layout.
    """
    wanted = {(track.name.casefold(), track.is_drum): index for index, track in enumerate(layout.tracks)}
    names = [track.name.strip().casefold() for track in song.tracks]
    melodic_names = [name for name, track in zip(names, song.tracks, strict=True) if not track.is_drum]
    telling = len(melodic_names) == 1 or len(set(melodic_names)) > 1
    named = [
        wanted.get((name, track.is_drum), -1) if telling or track.is_drum else -1
        for name, track in zip(names, song.tracks, strict=True)
    ]
    roles = np.array(_place_by_rule(song, layout, named), np.int64)
    _place_by_register(song, layout, roles)
    _place_leads(song, layout, roles)
    if not (roles != -1).any():
        found = ", ".join(_describe(track) for track in song.tracks) or "no tracks with notes"
        raise MusicError(f"no track fits the layout {layout.name!r} ({', '.join(layout.names)}): found {found}")
    return roles


def left_out(song: Song, roles: np.ndarray) -> list[str]:
    """The tracks with notes that have no role, in words: number of notes, name and program."""
    return [
        f"{len(track.notes):,} of {_describe(track)}"
        for track, role in zip(song.tracks, roles.tolist(), strict=True)
        if role == -1 and len(track.notes)
    ]


def chosen_parts(sounding: Sequence[float], notes: Sequence[int], count: int) -> list[int]:
    """Which of too many parts to take, from the highest to the lowest.

    A part plays if it sounds at least half as long as the one that sounds longest. Of these the highest, the lowest
    and, between them, those with the most notes are taken; where too few play, the parts that sound longest.

    Args:
        sounding: How long each part sounds, from the highest part to the lowest.
        notes: How many notes each has.
        count: Parts to take, at most as many as there are.

    Returns:
        Numbers of the parts, in order.
    """
    playing = [part for part, length in enumerate(sounding) if 2 * length >= max(sounding)]
    if len(playing) <= count:
        return sorted(sorted(range(len(sounding)), key=lambda part: -sounding[part])[:count])
    outer = [] if count == 1 else [playing[0], playing[-1]]
    inner = [part for part in playing if part not in outer]
    return sorted([*outer, *sorted(inner, key=lambda part: -notes[part])[: count - len(outer)]])


def choices(song: Song, layout: Layout, roles: np.ndarray, candidates: str, most: int = 256) -> list[np.ndarray]:
    """What to do where several source tracks could play one track of the layout.

    Args:
        song: The song.
        layout: The layout.
        roles: What `assign` says.
        candidates: "merge" lets all of them play, and the grid keeps one note at a time. "best" takes the one that
            strikes at the most different times, the first of equals. "all" gives every combination of one source track
            for each track, as MusAE's authors do; tracks with the rule "others", which collect what is left, stay
            merged.
        most: Combinations that are allowed.

    Returns:
        Roles as `assign` gives them, one for each way to play the song.

    Raises:
        MusicError: There are more combinations than `most`.
    """
    if candidates == "merge":
        return [roles]
    rivals = []
    for role, spec in enumerate(layout.tracks):
        found = [i for i in np.flatnonzero(roles == role).tolist() if len(song.tracks[i].notes)]
        if len(found) < 2 or (candidates == "all" and spec.rule == "others"):
            continue
        if candidates == "best":
            found = [max(found, key=lambda index: len(np.unique(song.tracks[index].notes["start"])))]
        rivals.append((role, found))
    count = math.prod(len(found) for _, found in rivals)
    if count > most:
        raise MusicError(f"{count:,} combinations of the tracks that could play {layout.name}, at most {most}")
    ways = []
    for chosen in product(*(found for _, found in rivals)):
        way = roles.copy()
        for (role, _), index in zip(rivals, chosen, strict=True):
            way[roles == role] = -1
            way[index] = role
        ways.append(way)
    return ways


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


def _place_by_rule(song: Song, layout: Layout, named: list[int]) -> list[int]:
    """Roles by name, filled in for the tracks that no name decides and whose program (or channel) does."""
    roles = list(named)
    for role, spec in enumerate(layout.tracks):
        free = [
            index for index, taken in enumerate(roles) if taken == -1 and song.tracks[index].is_drum == spec.is_drum
        ]
        if spec.tiers and free:
            sounds = any(taken == role and len(song.tracks[index].notes) for index, taken in enumerate(named))
            programs = spec.tiers[0] if sounds else _tier(song, spec.tiers, free)
            free = [index for index in free if song.tracks[index].program in programs]
        if spec.is_drum or spec.tiers:
            for index in free:
                roles[index] = role
    for role, spec in enumerate(layout.tracks):
        if spec.rule == "others":
            roles = [role if r == -1 and not t.is_drum else r for r, t in zip(roles, song.tracks, strict=True)]
    return roles


def _tier(song: Song, tiers: Sequence[frozenset[int]], free: Sequence[int]) -> frozenset[int]:
    """The first programs of a rule that sound in the song, or its first ones if none do."""
    sounding = {song.tracks[index].program for index in free if len(song.tracks[index].notes)}
    return next((programs for programs in tiers if programs & sounding), tiers[0])


def _place_by_register(song: Song, layout: Layout, roles: np.ndarray) -> None:
    """Fill in the roles of the tracks that the rule "register" decides."""
    voices = [index for index, spec in enumerate(layout.tracks) if spec.rule == "register"]
    if not voices:
        return
    free = [index for index in voices if index not in roles]
    left = [
        index
        for index, track in enumerate(song.tracks)
        if roles[index] == -1 and not track.is_drum and len(track.notes)
    ]
    if not free or not left:
        return
    single = all(layout.tracks[index].voices == 1 for index in voices)
    if single and len(free) == len(voices) > len(left) and any(_is_chordal(song, index) for index in left):
        roles[left] = POOLED
        return
    mean = {index: float(song.tracks[index].notes["pitch"].mean()) for index in left}
    left.sort(key=lambda index: -mean[index])
    if len(left) > len(free):
        tracks = [song.tracks[index].notes for index in left]
        kept = chosen_parts([_sounding_ticks(one) for one in tracks], [len(one) for one in tracks], len(free))
        left = [left[part] for part in kept]
    centres = dict(zip(voices, np.linspace(_TOP_CENTRE, _BOTTOM_CENTRE, len(voices)), strict=True))
    best = min(
        combinations(free, len(left)),
        key=lambda places: sum(abs(mean[i] - centres[v]) for i, v in zip(left, places, strict=True)),
    )
    roles[left] = best


def _sounding_ticks(notes: np.ndarray) -> int:
    """For how many ticks at least one of some notes sounds."""
    start = notes["start"].astype(np.int64)
    until = np.maximum.accumulate(start + notes["duration"])
    return int((until - np.maximum(start, np.append(0, until[:-1]))).clip(0).sum())


def _place_leads(song: Song, layout: Layout, roles: np.ndarray) -> None:
    """Give leading tracks that no rule took to the last track of the layout that is chosen by program."""
    takers = [role for role, spec in enumerate(layout.tracks) if spec.tiers]
    if not takers or (roles != -1).all():
        return
    strokes = {
        index: len(np.unique(track.notes["start"]))
        for index, track in enumerate(song.tracks)
        if not track.is_drum and len(track.notes)
    }
    free = [index for index in strokes if roles[index] == -1]
    if not free:
        return
    most = max(strokes.values())
    named = [index for index in strokes if _is_lead(song.tracks[index].name)]
    leads = [index for index in free if index in named and 4 * strokes[index] >= most]
    if not named:
        height = {index: float(song.tracks[index].notes["pitch"].mean()) for index in strokes}
        highest = max(height, key=lambda index: (height[index], roles[index] != -1))
        fits = any(song.tracks[highest].program in tier for role in takers for tier in layout.tracks[role].tiers)
        leads = [highest] if highest in free and fits and 2 * strokes[highest] >= most else []
    roles[leads] = takers[-1]


def _is_lead(name: str) -> bool:
    return bool(_LEAD.search(name)) and not _BACKING.search(name)


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
