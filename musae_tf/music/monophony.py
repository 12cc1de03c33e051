"""One note at a time: which of several notes a melodic track keeps."""

import numpy as np

from musae_tf.music.vocabulary import HOLD

# A note as one number of 63 bits: where it begins, its rank (7 bits), its length (24 bits), from the top.
_RANK = 24
_BEGIN = _RANK + 7


def lay_notes(
    flat: np.ndarray, role: np.ndarray, start: np.ndarray, end: np.ndarray, pitch: np.ndarray, keep_low: np.ndarray
) -> int:
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
        Number of notes kept.
    """
    if len(start) == 0:
        return 0
    steps = flat.shape[1]
    # All tracks on one line, one after the other: no note reaches into the next track. Begin, rank and length of a note
    # make one number each, whose order is the order of the notes and which sorts many times faster than three arrays.
    low = keep_low[role]
    keys = (role * steps + start) << _BEGIN | np.where(low, 127 - pitch, pitch) << _RANK | (end - start)
    keys.sort()
    begin = keys >> _BEGIN
    keys = keys[np.append(begin[1:] != begin[:-1], True)]
    begin, rank = keys >> _BEGIN, keys >> _RANK & 127
    finish = begin + (keys & ((1 << _RANK) - 1))

    if ((finish[:-1] > begin[1:]) & (rank[:-1] > rank[1:])).any():
        survivors = _survivors(begin.tolist(), finish.tolist(), rank.tolist())
        begin, finish, rank = begin[survivors], finish[survivors], rank[survivors]

    finish[:-1] = np.minimum(finish[:-1], begin[1:])
    length = finish - begin
    line = flat.reshape(-1)
    line[np.repeat(finish - np.cumsum(length), length) + np.arange(length.sum())] = HOLD
    line[begin] = np.where(keep_low[begin // steps], 127 - rank, rank)
    return len(begin)


def _survivors(begin: list[int], finish: list[int], rank: list[int]) -> list[int]:
    """Indices of the notes, in order of start, that do not start while a winner over them sounds.

    Each choice hangs on the one before it (a lost note blocks nothing), hence the loop; it runs over at most one note
    a step and only where notes overlap.
    """
    kept = []
    until = top = -1
    for index, at in enumerate(begin):
        if at >= until or rank[index] >= top:
            kept.append(index)
            until, top = finish[index], rank[index]
    return kept
