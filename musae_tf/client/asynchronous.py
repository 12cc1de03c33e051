"""The client that awaits: the twin of `musae_tf.client.sync`, with the same names and arguments."""

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TypeVar

import grpc
import numpy as np

from musae_tf.client import methods, songs
from musae_tf.client.base import BaseClient
from musae_tf.client.exchange import Pause, Steps
from musae_tf.client.replies import Description, Encoding, LatentMap, VersionStatus
from musae_tf.client.songs import Music
from musae_tf.music import Song
from musae_tf.music.grid import DEFAULT_TEMPO

T = TypeVar("T")


class AsyncMusaeClient(BaseClient):
    """`MusaeClient` for asyncio.

        async with AsyncMusaeClient("localhost:8500") as musae:
            song = await musae.sample("bach", bars=8, seed=7)

    A client belongs to the event loop that it is first used in; any number of tasks can share it there. The arguments
    are those of `BaseClient`.
    """

    async def sample(
        self, genre: str, bars: int = 8, temperature: float = 0.9, seed: int = 0, tempo: float | None = None
    ) -> Song:
        """As `MusaeClient.sample`."""
        return await self._run(songs.sample, genre, bars, temperature, seed, tempo)

    async def reconstruct(self, music: Music, temperature: float = 0.0, seed: int = 0) -> Song:
        """As `MusaeClient.reconstruct`."""
        return await self._run(songs.reconstruct, music, temperature, seed)

    async def interpolate(
        self,
        start: Music,
        end: Music,
        points: int = 5,
        temperature: float = 0.0,
        seed: int = 0,
        path: str = "linear",
    ) -> list[Song]:
        """As `MusaeClient.interpolate`."""
        return await self._run(songs.interpolate, start, end, points, temperature, seed, path)

    async def transfer(
        self,
        music: Music,
        to: str,
        source: str | None = None,
        strength: float = 1.0,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Song:
        """As `MusaeClient.transfer`."""
        return await self._run(songs.transfer, music, to, source, strength, temperature, seed)

    async def change(self, music: Music, changes: Mapping[str, float], temperature: float = 0.0, seed: int = 0) -> Song:
        """As `MusaeClient.change`."""
        return await self._run(songs.change, music, changes, temperature, seed)

    async def sweep(
        self,
        music: Music,
        attribute: str,
        points: int = 5,
        strength: float = 2.0,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Song]:
        """As `MusaeClient.sweep`."""
        return await self._run(songs.sweep, music, attribute, points, strength, temperature, seed)

    async def infer_genre(self, music: Music) -> str:
        """As `MusaeClient.infer_genre`."""
        return await self._run(songs.infer_genre, music)

    async def encode(self, music: Music) -> Encoding:
        """As `MusaeClient.encode`."""
        return await self._run(songs.encode, music)

    async def decode(
        self,
        latent: np.ndarray,
        temperature: float = 0.0,
        seed: int = 0,
        bars: int | None = None,
        tempo: float = DEFAULT_TEMPO,
    ) -> Song:
        """As `MusaeClient.decode`."""
        return await self._run(songs.decode, latent, temperature, seed, bars, tempo)

    async def describe(self) -> Description:
        """As `MusaeClient.describe`."""
        return await self._run(songs.describe)

    async def map(self) -> LatentMap:
        """As `MusaeClient.map`."""
        return await self._run(songs.latent_map)

    async def status(self) -> list[VersionStatus]:
        """As `MusaeClient.status`."""
        return await self._run(songs.status)

    async def ready(self) -> bool:
        """As `MusaeClient.ready`."""
        return await self._drive(methods.ready(self._session))

    async def wait_until_ready(self, timeout: float = 60.0) -> None:
        """As `MusaeClient.wait_until_ready`."""
        await self._drive(methods.wait_until_ready(self._session, timeout))

    async def close(self) -> None:
        """Close the connection."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    async def __aenter__(self) -> "AsyncMusaeClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, function: Callable[..., Steps[T]], *arguments) -> T:
        return await self._drive(methods.whole(self._session, function, *arguments))

    async def _drive(self, steps: Steps[T]) -> T:
        if self._channel is None:
            self._channel = self._open(grpc.aio)  # here, since it takes hold of the running event loop
        try:
            action = next(steps)
            while True:
                reply, error = None, None
                if isinstance(action, Pause):
                    await asyncio.sleep(action.seconds)
                else:
                    try:
                        reply = await self._send(action)
                    except grpc.RpcError as failure:
                        error = self._error(failure)
                action = steps.throw(error) if error else steps.send(reply)
        except StopIteration as stop:
            return stop.value
