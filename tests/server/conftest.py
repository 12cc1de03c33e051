"""Servers in this process, on free ports of the loopback."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from musae_tf.protocol.messages import ModelServerConfig
from musae_tf.server import ModelServer, Options
from musae_tf.server.options import one_model
from tests.server.client import Client

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


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Return once a condition holds; fail if it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)
