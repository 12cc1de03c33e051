"""The tiny run behind a real server, and a server that does as a test tells it."""

import asyncio
import socket
from collections.abc import Callable, Iterator

import pytest

from musae_tf.client import AsyncMusaeClient, MusaeClient
from musae_tf.protocol.messages import ModelServerConfig
from musae_tf.server import ModelServer, Options
from tests.client.certificates import Certificates, make_certificates
from tests.client.scripted import ScriptedServer


@pytest.fixture(scope="session")
def serve(model_folder) -> Callable[..., ModelServer]:
    """`serve(**options)`: the tiny run as the model `musae`, its version 1 labelled `stable`."""

    def start(**options) -> ModelServer:
        config = ModelServerConfig()
        config.model_config_list.config.add(name="musae", base_path=str(model_folder), model_platform="tensorflow")
        config.model_config_list.config[0].version_labels["stable"] = 1
        more = {"rest_port": None, "labels_for_unavailable": True, "drain_seconds": 1, "warm_up": False, **options}
        return ModelServer(Options(config, port=0, **more))

    return start


@pytest.fixture(scope="session")
def target(serve) -> Iterator[str]:
    """HOST:PORT of a server of the tiny run."""
    with serve() as server:
        yield f"localhost:{server.port}"


@pytest.fixture
def musae(target) -> Iterator[MusaeClient]:
    with MusaeClient(target) as client:
        yield client


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="session")
def certificates(tmp_path_factory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=["sync", "asyncio"])
def ask(request):
    """`ask(target, method, *arguments, **options)`: one call by either client."""

    def sync(target: str, method: str, *arguments, **options):
        with MusaeClient(target, **options) as musae:
            return getattr(musae, method)(*arguments)

    async def awaiting(target: str, method: str, *arguments, **options):
        async with AsyncMusaeClient(target, **options) as musae:
            return await getattr(musae, method)(*arguments)

    return sync if request.param == "sync" else lambda *a, **k: asyncio.run(awaiting(*a, **k))


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]
