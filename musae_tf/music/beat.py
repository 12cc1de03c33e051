"""Whether the notes of a song follow its beat: those of a performance recorded without one do not."""

import numpy as np

from musae_tf.music.song import Song

MOST_OFF_BEAT = 0.45
"""Largest share of notes off the beat of a song that has one. Of notes at random times about 0.59 are off it."""

FEWEST_NOTES = 64
"""Songs of fewer notes are not judged: in a few, chance decides."""

_BINS = 48  # of a quarter; one bin to either side of a point counts as on it
_ON = np.zeros(_BINS, bool)
_ON[[(_BINS * point // 12 + near) % _BINS for point in (0, 3, 4, 6, 8, 9) for near in (-1, 0, 1)]] = True
_SHIFTED = np.stack([np.roll(_ON, shift) for shift in range(_BINS)]).astype(np.int64)


_WAY_OUT = "a file of its beats beside it, .beats.txt, puts it on them"


def off_beat(song: Song) -> float:
    """Share of notes that begin neither on a sixteenth nor on a third of a quarter, 0 to 1.

    A note is on one if it begins within 1/32 of a quarter of it. The whole song may lie by a constant off its beats, as
    recordings that begin with some silence do: the shift that suits most notes is taken.
    """
    starts = _starts(song)
    return float(1 - (_SHIFTED @ _histogram(starts, song)).max() / len(starts)) if len(starts) else 0.0


def off_grid(song: Song) -> float:
    """As `off_beat`, counted from the beginnings of the song's bars and with no shift: as a grid has the notes.

    Raises:
        MusicError: The song has too many bars.
    """
    starts = _starts(song)
    if not len(starts):
        return 0.0
    bars = song.bars()[:, 0]
    inside = starts - bars[np.searchsorted(bars, starts, side="right") - 1]
    return float(1 - (_ON @ _histogram(inside, song)) / len(starts))


def _starts(song: Song) -> np.ndarray:
    starts = [track.notes["start"] for track in song.tracks if len(track.notes)]
    return np.concatenate([np.empty(0, np.int64), *starts])


def _histogram(ticks: np.ndarray, song: Song) -> np.ndarray:
    quarter = song.ticks_per_quarter
    bins = (ticks % quarter * 2 * _BINS + quarter) // (2 * quarter) % _BINS
    return np.bincount(bins, minlength=_BINS)


def has_no_beat(song: Song) -> str:
    """What to say of a song whose notes do not follow its beat; empty if they do, or are too few to tell."""
    if sum(len(track.notes) for track in song.tracks) < FEWEST_NOTES:
        return ""
    share = off_beat(song)
    if share <= MOST_OFF_BEAT:
        return ""
    off = f"{share:.0%} of the notes lie off its sixteenths and triplets"
    if song.warnings.get("files_of_beats"):
        return f"does not follow the beats of the file beside it: {off}"
    return f"is played without a beat: {off}; {_WAY_OUT}"


def has_another_beat(song: Song) -> str:
    """What to say of a song whose notes follow a beat, but not that of its bars; empty of all others.

    Raises:
        MusicError: The song has too many bars.
    """
    if sum(len(track.notes) for track in song.tracks) < FEWEST_NOTES:
        return ""
    share = off_grid(song)
    # In this order, since whoever asks has asked for the beat itself already, and most songs are on their grid.
    if share <= MOST_OFF_BEAT or has_no_beat(song):
        return ""
    off = f"{share:.0%} of the notes lie off the sixteenths and triplets of its bars, most by the same"
    if song.warnings.get("files_of_beats"):
        return f"has another beat than the file of beats beside it: {off}"
    return f"has another beat than its tempo track: {off}; {_WAY_OUT}"
