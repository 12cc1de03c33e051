"""What became of every version since the server started: the answer to GetModelStatus."""

import threading
from collections.abc import Iterable
from typing import NamedTuple

from musae_tf.protocol.messages import ModelVersionStatus
from musae_tf.server.status import Code, StatusError

State = ModelVersionStatus.State
UNKNOWN, START, LOADING, AVAILABLE, UNLOADING, END = sorted(State.values())


class VersionState(NamedTuple):
    """The last news of a version.

    Attributes:
        state: a number of ModelVersionStatus.State.
        error: why it ended, if it failed.
        news: counts all news of the server, so that older ones can be told from newer.
    """

    state: int
    error: StatusError | None
    news: int


class Monitor:
    """Keeps the last state of every version ever seen, for any number of threads."""

    def __init__(self):
        self._states: dict[str, dict[int, VersionState]] = {}
        self._changed = threading.Condition()
        self._news = 0
        self._closed = False

    def publish(self, model: str, version: int, state: int, error: StatusError | None = None) -> None:
        """Note that a version has reached a state."""
        with self._changed:
            self._news += 1
            self._states.setdefault(model, {})[version] = VersionState(state, error, self._news)
            self._changed.notify_all()

    def versions(self, model: str) -> dict[int, VersionState]:
        """All versions of a model that were ever seen, highest first."""
        with self._changed:
            return dict(sorted(self._states.get(model, {}).items(), reverse=True))

    @property
    def news(self) -> int:
        """How many news there were so far."""
        return self._news

    def wait_available(self, models: Iterable[str], since: int = 0) -> dict[tuple[str, int], StatusError]:
        """Wait until every model has a version available, or has only versions that failed.

        Args:
            models: names of the models.
            since: look only at news after this number.

        Returns:
            The failed versions of models of which none is available.

        Raises:
            StatusError: CANCELLED, the server was closed meanwhile.
        """
        waiting, failed = set(models), {}
        with self._changed:
            while True:
                for model in sorted(waiting):
                    fresh = {
                        version: entry for version, entry in self._states.get(model, {}).items() if entry.news > since
                    }
                    if any(entry.state == AVAILABLE for entry in fresh.values()):
                        waiting.discard(model)
                    elif fresh and all(entry.state == END for entry in fresh.values()):
                        waiting.discard(model)
                        failed |= {(model, version): entry.error for version, entry in fresh.items() if entry.error}
                if not waiting:
                    return failed
                if self._closed:
                    raise StatusError(Code.CANCELLED, "the server is shutting down")
                self._changed.wait()

    def close(self) -> None:
        """End all waiting."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
