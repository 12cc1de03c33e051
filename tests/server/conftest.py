"""Servers in this process, on free ports of the loopback."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from musae_tf.protocol.messages import ModelServerConfig
from musae_tf.server import ModelServer, Options
from musae_tf.server.engine import Session
from musae_tf.server.options import one_model
from musae_tf.server.tasks import DirectRunner
from musae_tf.server.versions import VersionWatcher
from tests.server.client import Client
from tests.waiting import LIMIT, wait_for

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def saved_models(shared) -> Path:
    """A folder with the SavedModels `one` and `two` of tests/server/models.py."""

    def make(folder: Path) -> None:
        # In a process of its own: the server must do without TensorFlow's Python package.
        command = [sys.executable, "-m", "tests.server.models", str(folder)]
        subprocess.run(command, check=True, capture_output=True, timeout=300, cwd=ROOT)

    return shared("server-models", make)


def publish(model: Path, base: Path, version: int | str) -> Path:
    """Copy a SavedModel to base/version so that a server sees all of it or nothing."""
    base.mkdir(exist_ok=True, parents=True)
    hidden = base / f".new-{version}"
    shutil.copytree(model, hidden)
    return hidden.rename(base / str(version))


@pytest.fixture
def base(tmp_path, saved_models) -> Path:
    """A base path with version 1."""
    publish(saved_models / "one", tmp_path / "model", 1)
    return tmp_path / "model"


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[ModelServer, Client]]]:
    """`serve(base or config, **options)`: a started server and a client of it; both end with the test."""
    with ExitStack() as stack:

        def start(models, credentials=None, **settings) -> tuple[ModelServer, Client]:
            config = models if isinstance(models, ModelServerConfig) else one_model("model", str(models))
            defaults = {"port": 0, "rest_port": None, "poll_seconds": 0.1, "max_load_retries": 0, "drain_seconds": 5}
            server = stack.enter_context(ModelServer(Options(config, **{**defaults, **settings})))
            return server, stack.enter_context(Client(server.port, credentials))

        yield start


@pytest.fixture(scope="session")
def base_of_all(shared, saved_models) -> Path:
    """A base path with version 1 that no test changes."""
    return shared("server-base", lambda folder: publish(saved_models / "one", folder, 1)).resolve()


@pytest.fixture(scope="module")
def served(base_of_all) -> Iterator[ModelServer]:
    """A server of version 1 that the tests of a file share; labels: stable."""
    config = one_model("model", str(base_of_all))
    config.model_config_list.config[0].version_labels["stable"] = 1
    options = Options(
        config, port=0, rest_port=0, labels_for_unavailable=True, metrics_path="/metrics", max_load_retries=0
    )
    with ModelServer(options) as server:
        yield server


@pytest.fixture(scope="module")
def client(served) -> Iterator[Client]:
    with Client(served.port) as client:
        yield client


class Runs:
    """What the servers of this process run.

    Attributes:
        begun: how many runs of a graph have begun.
        taken: tasks that were taken to run alone, in order.
    """

    def __init__(self) -> None:
        self.begun, self.taken = 0, []
        self._free = threading.Event()
        self._free.set()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Runs that begin in this time end after it."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()

    def begin(self) -> None:
        """Called at the beginning of every run."""
        self.begun += 1
        assert self._free.wait(LIMIT)


@pytest.fixture
def runs(monkeypatch) -> Runs:
    """See `Runs`; ask for it before a server is started."""
    found = Runs()
    run, submit = Session.run, DirectRunner.submit

    def counted(*arguments):
        found.begin()
        return run(*arguments)

    def noted(runner, session, plan, task):
        submit(runner, session, plan, task)
        found.taken.append(task)

    monkeypatch.setattr(Session, "run", counted)
    monkeypatch.setattr(DirectRunner, "submit", noted)
    return found


@pytest.fixture
def looks(monkeypatch) -> Callable[[], None]:
    """`looks()`: return when servers of this process have looked at their base paths anew, from beginning to end."""
    done = [0]
    poll = VersionWatcher._poll

    def counted(watcher):
        poll(watcher)
        done[0] += 1

    def wait() -> None:
        before = done[0]
        wait_for(lambda: done[0] > before + 1)  # the first may have begun before

    monkeypatch.setattr(VersionWatcher, "_poll", counted)
    return wait
