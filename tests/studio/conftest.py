"""A real browser, and studios over real servers."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from musae_tf.client import MusaeClient
from musae_tf.studio.embedded import MODEL
from tests.client.scripted import ScriptedServer
from tests.studio.driver import Studio

ATTRIBUTES = ("density", "register", "note length")


@pytest.fixture(scope="module")
def open_page(browser) -> Callable:
    """`open_page(url, **options)`: a page, with options in a profile of its own; what goes wrong in it is a failure."""
    shared = browser.new_context(accept_downloads=True)

    @contextmanager
    def opened(url: str, **options) -> Iterator:
        context = browser.new_context(**options) if options else shared
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.errors = []
        page.hosts = set()
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("dialog", lambda dialog: (page.errors.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: page.hosts.add(request.url.split("/")[2] if "//" in request.url else ""))
        try:
            page.goto(url)
            yield page
            assert page.errors == []
        finally:
            page.close()
            if options:
                context.close()

    return opened


@pytest.fixture(scope="session")
def studio_model(shared, model_folder) -> Path:
    """The tiny model, which says that it knows directions for three attributes."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    def make(folder: Path) -> None:
        shutil.copytree(model_folder, folder)
        graph = folder / "1" / "saved_model.pb"
        model = SavedModel.FromString(graph.read_bytes())
        for function in model.meta_graphs[0].graph_def.library.function:
            for node in function.node_def:
                texts = node.attr["value"].tensor.string_val if node.op == "Const" else []
                if texts and texts[0].startswith(b'{"format"'):
                    facts = json.loads(texts[0])
                    rows = [[float(axis == row) for axis in range(facts["latent"])] for row in range(len(ATTRIBUTES))]
                    facts["attributes"] = {"names": ATTRIBUTES, "directions": rows}
                    texts[0] = json.dumps(facts).encode()
        graph.write_bytes(model.SerializeToString())

    return shared("studio-tunes", make)


@pytest.fixture(scope="session")
def studio(installed, studio_model) -> Iterator[Studio]:
    """A studio that has started a server with the tiny model."""
    one = Studio(str(studio_model))
    try:
        yield one.wait()
    finally:
        one.close()


@pytest.fixture(scope="session")
def musae(studio) -> Iterator[MusaeClient]:
    """A client of the studio's own server."""
    with MusaeClient(studio.socket, MODEL) as client:
        yield client


@pytest.fixture(scope="module")
def remote(installed) -> Iterator[tuple[Studio, ScriptedServer]]:
    """A studio over a server that does as a test tells it, for 2 seconds a request."""
    with ScriptedServer() as server:
        one = Studio("--server", server.target, "--deadline", "2")
        try:
            yield one.wait(), server
        finally:
            one.close()
