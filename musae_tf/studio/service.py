"""What all pages of a studio share: the model, the files that have arrived, and the songs that were shown."""

import asyncio
import re
import secrets
from collections import OrderedDict
from typing import Any

import numpy as np

from musae_tf.client import AsyncMusaeClient, UnavailableError
from musae_tf.music import Song
from musae_tf.music.audio import seconds, to_wav
from musae_tf.music.messages import channel_messages
from musae_tf.studio.embedded import ModelSource
from musae_tf.verbs.description import Description, LatentMap

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

    def messages(self) -> list[tuple[float, list[int]]]:
        """What a MIDI port is sent: seconds from the beginning, and bytes."""
        messages = channel_messages(self.song)
        times = self.song.seconds_at(np.array([tick for tick, _ in messages], np.int64)).tolist()
        return [(round(time, 4), list(message)) for time, (_, message) in zip(times, messages, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """What the player needs, as JSON. Times are in quarters."""
        quarter = self.song.ticks_per_quarter
        tracks = []
        for track in self.song.tracks:
            notes = track.notes
            columns = (notes["start"] / quarter, notes["duration"] / quarter, notes["pitch"], notes["velocity"])
            rows = [
                [round(float(start), 4), round(float(length), 4), int(pitch), int(velocity)]
                for start, length, pitch, velocity in zip(*columns, strict=True)
            ]
            tracks.append({"name": track.name, "drums": track.is_drum, "notes": rows})
        return {
            "key": self.key,
            "stem": self.stem,
            "tracks": tracks,
            "bars": [round(start / quarter, 4) for start in self.song.bars()[:, 0].tolist()],
            "quarters": self.song.end / quarter,
            "seconds": seconds(self.song),
        }


class Results:
    """The newest `KEPT` results, the newest `SOUNDS_KEPT` of those that were heard with their sound."""

    def __init__(self) -> None:
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


FILES_KEPT = 20
"""Files that have arrived and were not looked at yet; the oldest make room."""


AGAIN_SECONDS = 1.0
"""After that a server that did not answer is asked once more."""


class Service:
    """The model behind the pages, and what they keep.

    Args:
        server: where the model is.
        model: its name there.
        deadline: seconds that the server has for each request.
    """

    def __init__(self, server: ModelSource, model: str, deadline: float):
        self._server = server
        self.musae = AsyncMusaeClient(server.target, model, deadline=deadline)
        self.results = Results()
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._map: tuple[str, LatentMap] | None = None

    async def model(self) -> Description:
        """The model as it describes itself now; a server of our own that has ended is started again.

        Raises:
            MusaeError: it cannot be asked.
        """
        await asyncio.to_thread(self._server.ensure)
        try:
            return await self.musae.describe()
        except UnavailableError:
            # It may be ending at this moment, which is seen a little later.
            await asyncio.sleep(AGAIN_SECONDS)
            await asyncio.to_thread(self._server.ensure)
            return await self.musae.describe()

    async def map(self) -> LatentMap:
        """The map of the model, asked for once.

        Raises:
            MusaeError: it cannot be asked, or has no map.
        """
        created = (await self.musae.describe()).created
        if self._map is None or self._map[0] != created:
            self._map = created, await self.musae.map()
        return self._map[1]

    def keep_file(self, data: bytes) -> str:
        """Keep a file that has arrived, under a key that nobody guesses."""
        key = secrets.token_urlsafe(9)
        self._files[key] = data
        while len(self._files) > FILES_KEPT:
            self._files.popitem(last=False)
        return key

    def take_file(self, key: str) -> bytes:
        """The file of a key; it is not kept any longer. Empty if it is not there."""
        return self._files.pop(key, b"")
