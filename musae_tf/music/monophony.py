"""One note at a time: which of several notes a melodic track keeps."""

import numpy as np

from musae_tf.music.vocabulary import HOLD


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
    rank = np.where(keep_low[role], 127 - pitch, pitch)
    # All tracks on one line, one after the other: no note reaches into the next track.
    begin, finish = role * steps + start, role * steps + end
    order = np.lexsort((finish, rank, begin))
    begin = begin[order]
    winners = np.append(begin[1:] != begin[:-1], True)
    order = order[winners]
    begin, finish, rank = begin[winners], finish[order], rank[order]

    if ((finish[:-1] > begin[1:]) & (rank[:-1] > rank[1:])).any():
        survivors = _survivors(begin.tolist(), finish.tolist(), rank.tolist())
        order, begin, finish = order[survivors], begin[survivors], finish[survivors]

    finish[:-1] = np.minimum(finish[:-1], begin[1:])
    length = finish - begin
    line = flat.reshape(-1)
    line[np.repeat(finish - np.cumsum(length), length) + np.arange(length.sum())] = HOLD
    line[begin] = pitch[order]
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
