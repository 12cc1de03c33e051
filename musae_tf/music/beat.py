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


def off_beat(song: Song) -> float:
    """Share of notes that begin neither on a sixteenth nor on a third of a quarter, 0 to 1.

    A note is on one if it begins within 1/32 of a quarter of it. The whole song may lie by a constant off its beats, as
    recordings that begin with some silence do: the shift that suits most notes is taken.
    """
    starts = [track.notes["start"] for track in song.tracks if len(track.notes)]
    if not starts:
        return 0.0
    quarter = song.ticks_per_quarter
    within = np.concatenate(starts) % quarter
    bins = (within.astype(np.int64) * 2 * _BINS + quarter) // (2 * quarter) % _BINS
    return float(1 - (_SHIFTED @ np.bincount(bins, minlength=_BINS)).max() / len(bins))


def has_no_beat(song: Song) -> str:
    """What to say of a song whose notes do not follow its beat; empty if they do, or are too few to tell."""
    if sum(len(track.notes) for track in song.tracks) < FEWEST_NOTES:
        return ""
    share = off_beat(song)
    if share <= MOST_OFF_BEAT:
        return ""
    return f"is played without a beat: {share:.0%} of the notes lie off its sixteenths and triplets"
