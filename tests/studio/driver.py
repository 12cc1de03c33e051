"""The studio as a process, and the browser that looks at it: for tests, screenshots and the benchmark."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from tests.waiting import wait_for

BROWSERS = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """Where the system's Chromium is, if it has one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Studio:
    """`musae studio` as a process.

    Attributes:
        url: of its page.
        socket: of its own server, if it has one.
        process: the process.
    """

    def __init__(self, *arguments: str):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}/"
        self._folder = tempfile.TemporaryDirectory()
        environment = {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "musae_tf.cli", "studio", *arguments, "--port", port, "--no-browser"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**environment, "TMPDIR": self._folder.name},
        )  # fmt: skip

    @property
    def socket(self) -> str:
        (path,) = Path(self._folder.name).glob("musae-studio-*/socket")
        return f"unix:{path}"

    def wait(self) -> "Studio":
        """Return when the page is there."""
        wait_for(self._answers, process=self.process)
        return self

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.url, timeout=10).close()
        except OSError:
            return False
        return True

    def close(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=30)
        self._folder.cleanup()
