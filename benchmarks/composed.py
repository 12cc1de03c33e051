"""MIDI files of made-up band songs, for benchmarks of the dataset builder on machines that have no others."""

from pathlib import Path

import numpy as np

from musae_tf.music import Metre, Song, Tempo, Track
from musae_tf.music.song import NOTE

PARTS = (
    ("kit", 0, 36, 50, 2),
    ("low", 33, 30, 45, 1),
    ("guitar a", 25, 45, 65, 2),
    ("guitar b", 29, 50, 75, 1),
    ("keys", 0, 50, 80, 2),
    ("strings", 48, 55, 80, 2),
    ("lead", 73, 65, 90, 1),
)


def compose(root: Path, songs: int) -> None:
    """Band songs of 40 bars: drums, bass, two guitars, piano, strings and a lead, some 2,000 notes each."""
    for number in range(songs):
        rng = np.random.default_rng(number)
        tracks = []
        for name, program, low, high, voices in PARTS:
            start = np.repeat(np.arange(0, 40 * 1920, 240), voices)
            start = start[rng.random(len(start)) < 0.7]
            notes = np.zeros(len(start), NOTE)
            notes["start"], notes["duration"], notes["velocity"] = start, 200, 90
            notes["pitch"] = rng.integers(low, high, len(start))
            tracks.append(Track(name, program, name == "kit", notes))
        song = Song(480, tracks, [Tempo(0, 100.0 + number % 60)], [Metre(0, 4, 4)], 40 * 1920)
        song.write(root / f"genre {number % 4}" / f"{number:05d}.mid")
