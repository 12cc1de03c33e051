"""What all pages of a studio share: the model, the files that have arrived, the results."""

import asyncio
import secrets
from collections import OrderedDict
from typing import Protocol

from musae_tf.client import AsyncMusaeClient, Description, LatentMap, UnavailableError
from musae_tf.studio.results import Results

FILES_KEPT = 20
"""Files that have arrived and were not looked at yet; the oldest make room."""


AGAIN_SECONDS = 1.0
"""After that a server that did not answer is asked once more."""


class Server(Protocol):
    """Where the model is."""

    target: str

    def ensure(self) -> None:
        """Return when it can be asked."""


class Service:
    """The model behind the pages, and what they keep.

    Args:
        server: where the model is.
        model: its name there.
        deadline: seconds that the server has for each request.
    """

    def __init__(self, server: Server, model: str, deadline: float):
        self._server = server
        self.client = AsyncMusaeClient(server.target, model, deadline=deadline)
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
            return await self.client.describe()
        except UnavailableError:
            # It may be ending at this moment, which is seen a little later.
            await asyncio.sleep(AGAIN_SECONDS)
            await asyncio.to_thread(self._server.ensure)
            return await self.client.describe()

    async def map(self) -> LatentMap:
        """The map of the model, asked for once.

        Raises:
            MusaeError: it cannot be asked, or has no map.
        """
        created = (await self.client.describe()).created
        if self._map is None or self._map[0] != created:
            self._map = created, await self.client.map()
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
