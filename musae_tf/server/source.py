"""Watches the base paths of the models for versions that come and go."""

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from google.protobuf.message import Message

from musae_tf.server.policy import choose, version_folders

_log = logging.getLogger(__name__)


class Source:
    """Tells, at every poll, which versions of which model are wanted."""

    def __init__(self, want: Callable[[str, dict[int, Path]], None], poll_seconds: float):
        """Prepare; nothing is watched before `configure`.

        Args:
            want: called with a model and its wanted versions.
            poll_seconds: time between two looks; 0 looks once after each `configure`, less than 0 never.
        """
        self._want, self._seconds = want, poll_seconds
        self._models: dict[str, Message] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._complaints: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="musae-source", daemon=True)
        if poll_seconds > 0:
            self._thread.start()

    def configure(self, models: Iterable[Message]) -> None:
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
