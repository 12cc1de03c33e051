"""Loads and unloads versions so that a model stays available while one replaces another."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from musae_tf.server.status import Code, StatusError
from musae_tf.server.versions import AVAILABLE, END, LOADING, START, UNLOADING, Monitor, Phase, Standing, next_action

_log = logging.getLogger(__name__)


class Loaded(Protocol):
    """What a loader returns: a loaded version."""

    def interrupt(self) -> None:
        """Cut the requests under way."""

    def close(self) -> None:
        """Free it; nobody uses it any more."""


class _Version:
    """A version that the manager takes care of."""

    def __init__(self, number: int, path: Path):
        self.number = number
        self.path = path
        self.wanted = True
        self.phase = Phase.NEW
        self.loaded: Any = None  # what the loader returned
        self.users = 0
        self.given_up = threading.Event()  # set when it is not wanted any more: ends the wait for another attempt


class Lease:
    """The right to use a loaded version; it stays loaded until `release`.

    Attributes:
        version: the version's number.
        loaded: what the loader returned for it.
    """

    def __init__(self, manager: "Manager", entry: _Version):
        self._manager, self._entry = manager, entry
        self.version: int = entry.number
        self.loaded: Any = entry.loaded

    def release(self) -> None:
        """Give it back, once."""
        self._manager._release(self._entry)

    def __enter__(self) -> "Lease":
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


class Manager:
    """Brings the loaded versions in line with the wanted ones.

    Loads and unloads happen on their own threads: a slow load holds up no other model.
    """

    def __init__(
        self,
        load: Callable[[str, int, Path], Loaded],
        monitor: Monitor,
        threads: int = 4,
        retries: int = 5,
        retry_seconds: float = 60.0,
    ):
        """Start the manager.

        Args:
            load: loads version `number` of model `name` from a folder, or raises StatusError.
            monitor: told of every state.
            threads: versions that load or unload at once.
            retries: further attempts after a load that failed.
            retry_seconds: time between two attempts.
        """
        self._load, self._monitor = load, monitor
        self._retries, self._retry_seconds = retries, retry_seconds
        self._changed = threading.Condition()
        self._models: dict[str, dict[int, _Version]] = {}
        self._wanted: dict[str, dict[int, Path]] = {}
        self._closing = False
        self._workers = ThreadPoolExecutor(threads, "musae-load")
        self._loop = threading.Thread(target=self._run, name="musae-manager", daemon=True)
        self._loop.start()

    def want(self, model: str, versions: dict[int, Path]) -> None:
        """Say which versions of a model shall be loaded, and that no others shall."""
        with self._changed:
            self._wanted[model] = dict(versions)
            self._changed.notify_all()

    def lease(self, model: str, version: int | None = None) -> Lease:
        """Take a loaded version: the given one, or the highest.

        Raises:
            StatusError: NOT_FOUND, it is not loaded.
        """
        with self._changed:
            versions = self._models.get(model, {})
            if version is None:
                ready = [entry for entry in versions.values() if entry.phase is Phase.READY]
                entry = max(ready, key=lambda entry: entry.number, default=None)
            else:
                entry = versions.get(version)
            if entry is None or entry.phase is not Phase.READY:
                asked = f"Latest({model})" if version is None else f"Specific({model}, {version})"
                raise StatusError(Code.NOT_FOUND, f"Servable not found for request: {asked}")
            entry.users += 1
            return Lease(self, entry)

    def close(self) -> None:
        """Unload everything; requests under way are cut."""
        with self._changed:
            busy = [entry for versions in self._models.values() for entry in versions.values() if entry.users]
            for entry in busy:
                entry.loaded.interrupt()
            self._wanted = {model: {} for model in self._models}
            self._closing = True
            self._changed.notify_all()
        self._loop.join()
        self._workers.shutdown()

    def _release(self, entry: _Version) -> None:
        with self._changed:
            entry.users -= 1
            if not entry.users and entry.phase is Phase.UNLOADING:
                self._changed.notify_all()

    def _run(self) -> None:
        with self._changed:
            while True:
                for model in {*self._models, *self._wanted}:
                    self._apply_wanted(model)
                acted = [self._act(model, versions) for model, versions in self._models.items()]
                self._models = {model: versions for model, versions in self._models.items() if versions}
                if self._closing and not self._models:
                    return
                if not any(acted):
                    self._changed.wait()

    def _apply_wanted(self, model: str) -> None:
        versions = self._models.setdefault(model, {})
        _forget_gone(versions)
        wanted = self._wanted.get(model)
        leaving = {number for number, entry in versions.items() if not entry.wanted and entry.phase is not Phase.READY}
        if wanted is None or leaving & wanted.keys():
            return  # no news, or a version came back that is on its way out: it must be gone first
        del self._wanted[model]
        for number in wanted.keys() & versions.keys():
            versions[number].wanted = True  # perhaps again: the version that was to replace it has vanished
        for number, entry in versions.items():
            if entry.wanted and number not in wanted:
                entry.wanted = False
                entry.given_up.set()
        _forget_gone(versions)
        for number in wanted.keys() - versions.keys():
            versions[number] = _Version(number, wanted[number])
            self._monitor.publish(model, number, START)

    def _act(self, model: str, versions: dict[int, _Version]) -> bool:
        action = next_action(Standing(entry.number, entry.wanted, entry.phase) for entry in versions.values())
        if action is None:
            return False
        entry = versions[action.version]
        if action.load:
            entry.phase = Phase.LOADING
            self._workers.submit(self._bring_up, model, entry)
        else:
            entry.phase = Phase.UNLOADING  # from here on it cannot be leased
            self._workers.submit(self._take_down, model, entry)
        return True

    def _bring_up(self, model: str, entry: _Version) -> None:
        self._monitor.publish(model, entry.number, LOADING)
        loaded: Loaded | None = None
        error: StatusError | None = None
        for attempt in range(self._retries + 1):
            if entry.given_up.wait(self._retry_seconds if attempt else 0):
                error = error or StatusError(Code.CANCELLED, "cancelled before it was loaded")
                break
            try:
                loaded, error = self._load(model, entry.number, entry.path), None
                break
            except StatusError as failure:
                error = failure
            except Exception as failure:  # a defect here must not leave the version LOADING for ever
                _log.exception("loading %s version %d", model, entry.number)
                error = StatusError(Code.INTERNAL, f"{type(failure).__name__}: {failure}")
            _log.warning(
                "%s version %d did not load, attempt %d of %d: %s",
                model, entry.number, attempt + 1, self._retries + 1, error,
            )  # fmt: skip
        with self._changed:
            entry.loaded = loaded
            entry.phase = Phase.FAILED if loaded is None else Phase.READY
            self._changed.notify_all()
        if loaded is None:
            self._monitor.publish(model, entry.number, END, error)
        else:
            self._monitor.publish(model, entry.number, AVAILABLE)
            _log.info("%s version %d is available", model, entry.number)

    def _take_down(self, model: str, entry: _Version) -> None:
        self._monitor.publish(model, entry.number, UNLOADING)
        with self._changed:
            self._changed.wait_for(lambda: not entry.users)
        entry.loaded.close()
        entry.loaded = None
        self._monitor.publish(model, entry.number, END)
        _log.info("%s version %d is unloaded", model, entry.number)
        with self._changed:
            entry.phase = Phase.UNLOADED
            self._changed.notify_all()


def _forget_gone(versions: dict[int, _Version]) -> None:
    """Drop what is neither wanted nor loaded: should a failed version come back, it is tried again."""
    over = (Phase.NEW, Phase.UNLOADED, Phase.FAILED)
    for number in [number for number, entry in versions.items() if not entry.wanted and entry.phase in over]:
        del versions[number]
