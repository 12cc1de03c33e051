"""The versions of models: which there are, which are wanted, in which order to change them, and what became of each."""

import enum
import logging
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from musae_tf.protocol.messages import ModelConfig, ModelVersionStatus
from musae_tf.server.status import Code, StatusError

_LARGEST = 2**63 - 1


class Phase(enum.Enum):
    """Where a version stands inside the manager."""

    NEW = enum.auto()
    LOADING = enum.auto()
    READY = enum.auto()
    UNLOADING = enum.auto()
    UNLOADED = enum.auto()
    FAILED = enum.auto()


class Standing(NamedTuple):
    """A version as the policy sees it."""

    version: int
    wanted: bool
    phase: Phase


class Action(NamedTuple):
    """What to do next with a model: load a version, or unload it."""

    version: int
    load: bool


def next_action(versions: Iterable[Standing]) -> Action | None:
    """The next step that keeps the model available all the time.

    An old version goes only when a wanted one is ready, or nothing is wanted, or another old one is left; the new
    version is loaded beside it before that.
    """
    versions = list(versions)
    wanted = [entry for entry in versions if entry.wanted]
    left_over = [entry.version for entry in versions if not entry.wanted and entry.phase is Phase.READY]
    served = any(entry.phase is Phase.READY for entry in wanted)
    if left_over and (not wanted or served or len(left_over) > 1):
        return Action(min(left_over), load=False)
    new = [entry.version for entry in wanted if entry.phase is Phase.NEW]
    return Action(max(new), load=True) if new else None


def version_folders(base: Path) -> dict[int, Path]:
    """The children of a base path whose whole name is a number, by that number.

    Raises:
        OSError: the base path is missing or cannot be read.
    """
    found = {}
    for child in sorted(base.iterdir()):
        if re.fullmatch("[0-9]+", child.name) and int(child.name) <= _LARGEST:
            found[int(child.name)] = child
    return found


def choose(versions: dict[int, Path], policy: Any) -> dict[int, Path]:
    """The versions that a ServableVersionPolicy wants of those that are there; without a policy, the latest."""
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return versions
    if kind == "specific":
        return {number: versions[number] for number in policy.specific.versions if number in versions}
    count = policy.latest.num_versions or 1
    return {number: versions[number] for number in sorted(versions)[-count:]}


_log = logging.getLogger(__name__)


class VersionWatcher:
    """Tells, at every poll, which versions of which model are wanted."""

    def __init__(self, want: Callable[[str, dict[int, Path]], None], poll_seconds: float):
        """Prepare; nothing is watched before `configure`.

        Args:
            want: called with a model and its wanted versions.
            poll_seconds: time between two looks; 0 looks once after each `configure`, less than 0 never.
        """
        self._want, self._seconds = want, poll_seconds
        self._models: dict[str, ModelConfig] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._complaints: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="musae-source", daemon=True)
        if poll_seconds > 0:
            self._thread.start()

    def configure(self, models: Iterable[ModelConfig]) -> None:
        """Watch these models (ModelConfig messages) and no others, and look at once."""
        with self._lock:
            gone = self._models
            self._models = {model.name: model for model in models}
            for name in gone.keys() - self._models.keys():
                self._want(name, {})
            if self._seconds >= 0:
                self._poll()

    def close(self) -> None:
        """Stop watching; no `want` follows."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(self._seconds):
            with self._lock:
                self._poll()

    def _poll(self) -> None:
        for name, model in self._models.items():
            try:
                there = version_folders(Path(model.base_path))
            except OSError as error:
                # As in the container, a base path that is gone changes nothing: what is loaded stays.
                self._complain(name, f"base path {model.base_path} of {name} cannot be read: {error.strerror}")
                continue
            if not there:
                self._complain(name, f"base path {model.base_path} of {name} holds no version")
            else:
                self._complaints.pop(name, None)
            self._want(name, choose(there, model.model_version_policy))

    def _complain(self, name: str, sentence: str) -> None:
        if self._complaints.get(name) != sentence:
            self._complaints[name] = sentence
            _log.warning(sentence)


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

    def __init__(self) -> None:
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
        waiting = set(models)
        failed: dict[tuple[str, int], StatusError] = {}
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
