"""One note at a time: which of several notes a melodic track keeps."""

import numpy as np

from musae_tf.music.vocabulary import HOLD

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
