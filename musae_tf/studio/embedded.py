"""Where the studio's model is: in an embedded server that is its child, or on a server of somebody else."""

import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Protocol

from musae_tf.client import MusaeClient
from musae_tf.errors import StudioError

MODEL = "musae"
"""What the child calls the model."""

START_SECONDS = 180.0


class ModelSource(Protocol):
    """Where the model is."""

    target: str

    def ensure(self) -> None:
        """Return when it can be asked."""


class EmbeddedServer:
    """`musae serve` with a model, on a socket that only this user reaches; a context manager.

    Args:
        model: a run or a model folder, as `musae serve` takes it.

    Attributes:
        target: for a client.
    """

    def __init__(self, model: str):
        self._model = model
        self._folder = tempfile.TemporaryDirectory(prefix="musae-studio-")
        self._process: subprocess.Popen | None = None
        self._lock = threading.Lock()
        self._closed = False
        self.target = f"unix:{self._folder.name}/socket"

    def __enter__(self) -> "EmbeddedServer":
        try:
            self.ensure()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._closed = True
        self._end()
        self._folder.cleanup()

    def _end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def process(self) -> int | None:
        """Number of the child, if it runs."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def ensure(self) -> None:
        """Return when the child answers; start it if it does not run, anew if it has ended.

        Raises:
            StudioError: it cannot be started; the message is the child's.
        """
        with self._lock:
            if self.process is None:
                self._start()

    def _start(self) -> None:
        said = Path(self._folder.name, "said")
        socket = self.target.removeprefix("unix:")
        Path(socket).unlink(missing_ok=True)
        # No warm-up: one person does not use all signatures, and each of them is ready with its first request.
        command = [sys.executable, "-m", "musae_tf.cli", "serve", self._model, "--model-name", MODEL,
                   "--port", "0", "--rest-api-port", "0", "--grpc-socket-path", socket,
                   "--drain-seconds", "2", "--max-num-load-retries", "0", "--enable-model-warmup=false"]  # fmt: skip
        with open(said, "w", encoding="utf-8") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        if self._closed:  # by another thread, which may have looked before there was a child
            self._end()
        expires = time.monotonic() + START_SECONDS
        with MusaeClient(self.target, MODEL, deadline=5.0) as client:
            while not client.ready():
                if self._process.poll() is not None or time.monotonic() > expires:
                    raise StudioError(f"the model's server did not start: {_reason(said)}")
                time.sleep(0.2)


def _reason(said: Path) -> str:
    lines = said.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
    return re.sub(r"^musae: ", "", lines[-1])


class RemoteServer:
    """A server that somebody else runs, with the same methods."""

    def __init__(self, target: str):
        self.target = target

    def __enter__(self) -> "RemoteServer":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def ensure(self) -> None:
        """Nothing to do."""
