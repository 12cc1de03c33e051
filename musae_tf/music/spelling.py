"""The key of a song by its notes, and how its pitches are spelled in that key."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from musae_tf.music.song import Song

# How well each pitch class fits a key: the probe tone ratings of Krumhansl and Kessler (1982), tonic first.
_PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
_LINE = "FCGDAEB"  # the line of fifths without accidentals


class Key(NamedTuple):
    """A key signature (sharps, or flats if negative) and "major" or "minor"."""

    fifths: int
    mode: str


class Spelled(NamedTuple):
    """A pitch as it is written: letter, sharps (flats if negative) and octave, in which C4 is MIDI pitch 60."""

    step: str
    alter: int
    octave: int


def find_key(song: Song) -> Key:
    """The key whose profile correlates best with how long each pitch class sounds (Krumhansl, 1990).

    It is C major where nothing sounds.
    """
    sounding = np.zeros(12)
    for track in song.tracks:
        if not track.is_drum:
            duration = np.maximum(track.notes["duration"], 1)
            sounding += np.bincount(track.notes["pitch"] % 12, weights=duration, minlength=12)
    if not sounding.std():
        return Key(0, "major")
    fits = {
        (tonic, mode): np.corrcoef(np.roll(profile, tonic), sounding)[0, 1]
        for mode, profile in _PROFILES.items()
        for tonic in range(12)
    }
    tonic, mode = max(fits, key=lambda key: fits[key])
    # Of the signatures that sound alike the one with fewer accidentals: -5 (D flat major) to 6 (F sharp major).
    major = tonic if mode == "major" else (tonic + 3) % 12
    return Key((major * 7 + 5) % 12 - 5, mode)


@lru_cache(maxsize=4096)
def spell(pitch: int, key: Key) -> Spelled:
    """A MIDI pitch in a key: of the twelve nearest places on the line of fifths, with the leading notes of minor."""
    lowest = key.fifths - (3 if key.mode == "minor" else 4)
    place = lowest + (pitch * 7 - lowest) % 12  # C is 0
    alter, letter = divmod(place + 1, 7)
    return Spelled(_LINE[letter], alter, (pitch - alter) // 12 - 1)


def signature(key: Key) -> dict[str, int]:
    """The accidentals of a key signature by letter."""
    return {step: (key.fifths + 6 - place) // 7 for place, step in enumerate(_LINE)}
