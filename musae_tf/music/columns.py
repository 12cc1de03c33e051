"""Notes to the symbols of columns: one voice, several voices, velocities."""

from collections.abc import Sequence

import numpy as np

from musae_tf.music.vocabulary import HOLD, REST, SAME_VELOCITY

# A note as one number of 63 bits: where it begins, its rank (7 bits), its length (24 bits), from the top.
_RANK = 24
_BEGIN = _RANK + 7


def lay_notes(
    flat: np.ndarray, role: np.ndarray, start: np.ndarray, end: np.ndarray, pitch: np.ndarray, keep_low: np.ndarray
) -> np.ndarray:
    """Write notes as onsets and holds, one at a time in each track.

    The track's winner is the highest note, or the lowest where `keep_low` says so. Of notes that start on one step the
    winner stays (the longest of equal ones); a note that starts while a winner over it sounds is lost; one that wins
    over or equals the note that sounds cuts it.

    Args:
        flat: uint16 [K, steps], rests to start with; written in place.
        role: int [notes], track of each note.
        start: int [notes] in steps.
        end: int [notes] in steps, exclusive, after the start.
        pitch: int [notes].
        keep_low: bool [K].

    Returns:
        Number of notes kept in each track, int64 [K].
    """
    tracks, steps = flat.shape
    if len(start) == 0:
        return np.zeros(tracks, np.int64)
    # All tracks on one line, one after the other: no note reaches into the next track. Begin, rank and length of a note
    # make one number each, whose order is the order of the notes and which sorts many times faster than three arrays.
    low = keep_low[role]
    keys = (role * steps + start) << _BEGIN | np.where(low, 127 - pitch, pitch) << _RANK | (end - start)
    keys.sort()
    begin = keys >> _BEGIN
    keys = keys[np.append(begin[1:] != begin[:-1], True)]
    begin, rank = keys >> _BEGIN, keys >> _RANK & 127
    finish = begin + (keys & ((1 << _RANK) - 1))

    beats = (finish[:-1] > begin[1:]) & (rank[:-1] > rank[1:])
    if beats.any():
        kept = np.ones(len(begin), bool)
        kept[_lost(begin.tolist(), finish.tolist(), rank.tolist(), np.flatnonzero(beats).tolist())] = False
        begin, finish, rank = begin[kept], finish[kept], rank[kept]

    finish[:-1] = np.minimum(finish[:-1], begin[1:])
    length = finish - begin
    line = flat.reshape(-1)
    line[np.repeat(finish - np.cumsum(length), length) + np.arange(length.sum())] = HOLD
    role = begin // steps
    line[begin] = np.where(keep_low[role], 127 - rank, rank)
    return np.bincount(role, minlength=tracks)


def _lost(begin: list[int], finish: list[int], rank: list[int], winners: list[int]) -> list[int]:
    """Indices of the notes, in order of start, that start while a winner over them sounds.

    `winners` are those that win over the note right after them. Each choice hangs on the one before it (a lost note
    blocks nothing), hence the loop; it runs over the lost notes alone.
    """
    lost: list[int] = []
    following, count = 0, len(begin)
    for winner in winners:
        if winner < following:  # itself lost
            continue
        until, top, following = finish[winner], rank[winner], winner + 1
        while following < count and begin[following] < until and rank[following] < top:
            lost.append(following)
            following += 1
    return lost


def lay_chords(flat: np.ndarray, start: np.ndarray, end: np.ndarray, pitch: np.ndarray) -> int:
    """Write notes as onsets and holds, as many at a time as there are columns.

    A note keeps its column. Those that begin on a step go to the free columns, the highest to the first one. A note
    that is struck again ends. Where too few columns are free, notes that go on end, those in the middle of what sounds
    first; where more notes begin than there are columns, the ones in the middle are lost. Of equal notes the longest
    stays.

    Args:
        flat: uint16 [N, steps], rests to start with; written in place.
        start: int [notes] in steps.
        end: int [notes] in steps, exclusive, after the start.
        pitch: int [notes].

    Returns:
        Number of notes kept.
    """
    voices = len(flat)
    sounding: list[tuple[int, int, int]] = [(-1, 0, 0)] * voices  # pitch, start and end of what each column has
    kept = 0
    order = np.lexsort((end, -pitch, start))
    begins, ends, pitches = (values[order].tolist() for values in (start, end, pitch))
    first, count = 0, len(begins)

    def close(column: int, until: int) -> None:
        own, since, stop = sounding[column]
        stop = min(stop, until)
        if stop > since:
            flat[column, since] = own
            flat[column, since + 1 : stop] = HOLD
        sounding[column] = (-1, 0, 0)

    while first < count:
        step, last = begins[first], first
        new: dict[int, int] = {}
        while last < count and begins[last] == step:
            new[pitches[last]] = ends[last]  # the longest of equal ones comes last
            last += 1
        first = last
        chosen = list(new)
        if len(chosen) > voices:
            chosen = chosen[: (voices + 1) // 2] + chosen[len(chosen) - voices // 2 :]
        for column, (own, _, stop) in enumerate(sounding):
            if own >= 0 and (stop <= step or own in new):
                close(column, step)
        held = [column for column in range(voices) if sounding[column][0] >= 0]
        missing = len(chosen) - (voices - len(held))
        if missing > 0:
            heights = sorted([*chosen, *(sounding[column][0] for column in held)])

            def outside(column: int, heights: Sequence[int] = heights) -> int:
                place = heights.index(sounding[column][0])
                return min(place, len(heights) - 1 - place)

            for column in sorted(held, key=outside, reverse=True)[:missing]:
                close(column, step)
        free = [column for column in range(voices) if sounding[column][0] < 0]
        for column, own in zip(free, chosen, strict=False):
            sounding[column] = (own, step, new[own])
        kept += len(chosen)
    for column in range(voices):
        close(column, flat.shape[1])
    return kept


def lay_velocities(
    flat: np.ndarray, columns: np.ndarray, start: np.ndarray, pitch: np.ndarray, velocity: np.ndarray, kit: bool
) -> None:
    """Write how loud the notes are that begin at each step: the level of their mean.

    Args:
        flat: uint16 [steps], `SAME_VELOCITY` to start with; written in place.
        columns: uint16 [N, steps], the symbols of the track. What they have no onset of is not heard.
        start: int [notes] in steps.
        pitch: int [notes].
        velocity: int [notes], 0..127.
        kit: whether the track is a kit, all notes of which are heard.
    """
    heard = np.full(len(start), kit) if kit else (columns[:, start] == pitch).any(axis=0)
    steps = start[heard]
    total = np.bincount(steps, velocity[heard].astype(np.float64), len(flat))
    number = np.bincount(steps, minlength=len(flat))
    begins = number > 0
    flat[begins] = np.floor(total[begins] / number[begins] + 0.5).astype(np.int64) >> 4


def notes_of_lines(lines: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start, end (steps, exclusive) and pitch of the notes of melodic columns [N, steps], one column after the other.

    A hold that has nothing to hold, after a rest or at the start, is a rest.
    """
    starts, ends, pitches = [], [], []
    for line in lines:
        changes = np.flatnonzero(line != HOLD)
        sounds = line[changes] < REST
        starts.append(changes[sounds])
        ends.append(np.append(changes[1:], len(line))[sounds])
        pitches.append(line[changes[sounds]].astype(np.int64))
    return np.concatenate(starts), np.concatenate(ends), np.concatenate(pitches)


def laid_again(lines: np.ndarray) -> np.ndarray:
    """Melodic columns uint16 [N, steps] of one track as `lay_chords` writes their notes."""
    flat = np.full(lines.shape, REST, np.uint16)
    lay_chords(flat, *notes_of_lines(lines))
    return flat


def levels_in_force(levels: np.ndarray) -> np.ndarray:
    """A column of velocities uint16 [steps] with the last level before filled in; `SAME_VELOCITY` before the first."""
    given = np.where(levels != SAME_VELOCITY, np.arange(len(levels)), -1)
    last = np.maximum.accumulate(given)
    return np.where(last >= 0, levels[np.maximum(last, 0)], SAME_VELOCITY).astype(np.uint16)
