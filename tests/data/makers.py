"""Trees of MIDI files, datasets of them, and fresh Python processes, for the tests of the dataset layer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import musae_tf
from musae_tf.data.build import Summary, build
from musae_tf.data.folder import FolderSource
from musae_tf.music.named_layouts import get_layout
from musae_tf.music.song import Metre, Song, Tempo, Track
from tests.corpus import four_voice_song
from tests.waiting import LIMIT

VOICES = get_layout("voices")


def write_song(path: Path, seed: int, bars: int = 8) -> Path:
    """A four-voice song as a MIDI file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    four_voice_song(bars, seed).write(path)
    return path


def write_tree(root: Path, **songs: int) -> Path:
    """`songs` of every genre, all different, of 4 to 10 bars; the genre `none` lies right below the root."""
    seed = 0
    for genre, count in songs.items():
        for number in range(count):
            write_song(root / ("." if genre == "none" else genre) / f"{number:02}.mid", seed, bars=4 + seed % 7)
            seed += 1
    return root


def write_played(root: Path, number: int, bars: int = 8) -> Path:
    """A song of POP909, `001/001.mid`: four voices as three tracks, at wavering beats that its tempo track has not.

    The beats beside it begin .3 seconds after the file does, with the second beat of a bar.
    """
    song = four_voice_song(bars, number)
    tracks = [
        Track(name, 0, False, part.notes)
        for name, part in zip(("MELODY", "BRIDGE", "PIANO"), song.tracks, strict=False)
    ]
    beats = 0.3 + np.append(0, np.cumsum(np.random.default_rng(number).uniform(0.4, 0.7, 4 * bars)))
    for track in tracks:
        start, end = track.notes["start"].copy(), track.notes["start"] + track.notes["duration"]
        start, end = (np.rint(960 * np.interp(tick / 480, np.arange(len(beats)), beats)) for tick in (start, end))
        track.notes["start"], track.notes["duration"] = start, end - start
    folder = root / f"{number:03}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{number:03}.mid"
    Song(480, tracks, [Tempo(0, 120)], [Metre(0, 1, 4)]).write(path)
    marks = [f"{time:.9f} {float(at % 2 == 1)} {float(at % 4 == 1)}\n" for at, time in enumerate(beats.tolist())]
    (folder / "beat_midi.txt").write_text("".join(marks).rstrip())
    return path


def build_voices(root: Path, target: Path, **options) -> Summary:
    """Build a dataset of four voices in this process."""
    return build(FolderSource(root), target, VOICES, **{"workers": 0, **options})


def content(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def python(*command: str | Path, interpreter: str = sys.executable, **options) -> subprocess.Popen:
    """Start Python in a process that finds this package and these tests."""
    found = [Path(musae_tf.__file__).parents[1], Path(__file__).parents[2], os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, found)), "TF_CPP_MIN_LOG_LEVEL": "2"}
    return subprocess.Popen(
        [interpreter, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


def output(*command: str | Path) -> str:
    """What Python prints; an error if it fails."""
    process = python(*command)
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, err
    return out


def rejections(folder: Path) -> list[dict]:
    """What a dataset says of files that gave no song."""
    return [json.loads(line) for line in (folder / "rejected.jsonl").read_text().splitlines()]


def hidden(folder: Path) -> list[str]:
    """What a build left beside a dataset."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


STUCK = """
import signal, sys
from musae_tf.data.build import build
from musae_tf.data.folder import FolderSource
from musae_tf.music.named_layouts import get_layout

class Stuck(FolderSource):
    def load(self, item):
        if item.path >= "a/64.mid":
            signal.pause()
        return super().load(item)

if __name__ == "__main__":
    build(Stuck(sys.argv[1]), sys.argv[2], get_layout("voices"), workers=2)
"""
