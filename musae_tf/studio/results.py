"""Songs that the page has shown: their MIDI files and their sound, for as long as there is room."""

import asyncio
import re
import secrets
from collections import OrderedDict
from typing import Any

from musae_tf.music import Song
from musae_tf.music.audio import seconds, to_wav

SAMPLE_RATE = 48000
"""What the synthesiser makes: converting it to another rate would take longer than making it."""

KEPT = 400
"""Songs that are kept. A song is some kilobytes."""

SOUNDS_KEPT = 40
"""Songs whose sound is kept too: 11 MB a minute."""


class Result:
    """A song under a key that nobody guesses.

    Attributes:
        key: its name in addresses.
        song: the song.
        stem: of its files.
    """

    def __init__(self, song: Song, stem: str):
        self.key = secrets.token_urlsafe(9)
        self.song = song
        self.stem = plain(stem)
        self.sound: bytes | None = None
        self._lock = asyncio.Lock()

    async def wav(self) -> bytes:
        """Its sound as a WAV file, made when it is first asked for.

        Raises:
            MusicError: the synthesiser is not installed, or the song is too long.
        """
        async with self._lock:
            if self.sound is None:
                self.sound = await asyncio.to_thread(to_wav, self.song, SAMPLE_RATE)
        return self.sound

    def to_dict(self) -> dict[str, Any]:
        """What the player needs, as JSON. Times are in quarters."""
        quarter = self.song.ticks_per_quarter
        tracks = []
        for track in self.song.tracks:
            notes = zip(track.notes["start"] / quarter, track.notes["duration"] / quarter, track.notes["pitch"],
                        strict=True)  # fmt: skip
            rows = [[round(float(start), 4), round(float(length), 4), int(pitch)] for start, length, pitch in notes]
            tracks.append({"name": track.name, "drums": track.is_drum, "notes": rows})
        return {
            "key": self.key,
            "stem": self.stem,
            "tracks": tracks,
            "quarters": self.song.end / quarter,
            "seconds": seconds(self.song),
        }


class Results:
    """The newest `KEPT` results, the newest `SOUNDS_KEPT` of those that were heard with their sound."""

    def __init__(self):
        self._results: OrderedDict[str, Result] = OrderedDict()
        self._heard: OrderedDict[str, Result] = OrderedDict()

    def add(self, song: Song, stem: str) -> Result:
        """Keep a song."""
        result = Result(song, stem)
        self._results[result.key] = result
        while len(self._results) > KEPT:
            self._heard.pop(self._results.popitem(last=False)[0], None)
        return result

    def get(self, key: str) -> Result | None:
        """The result of a key, if it is still there."""
        return self._results.get(key)

    async def wav(self, result: Result) -> bytes:
        """As `Result.wav`; the oldest sounds make room."""
        sound = await result.wav()
        self._heard[result.key] = result
        self._heard.move_to_end(result.key)
        while len(self._heard) > SOUNDS_KEPT:
            self._heard.popitem(last=False)[1].sound = None
        return sound


def plain(stem: str) -> str:
    """A name for files that every system takes."""
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.")[:80] or "musae"
