"""A real browser, and studios over real servers."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from musae_tf.client import MusaeClient
from musae_tf.pretrained import has_pretrained
from musae_tf.studio.embedded import MODEL
from tests.client.scripted import ScriptedServer
from tests.studio.driver import Studio


@pytest.fixture(scope="module")
def open_page(browser) -> Callable:
    """`open_page(url, **options)`: a page, with options in a profile of its own; what goes wrong in it is a failure."""
    shared = browser.new_context(accept_downloads=True)

    @contextmanager
    def opened(url: str, **options) -> Iterator:
        context = browser.new_context(**options) if options else shared
        page = context.new_page()
        page.set_default_timeout(180_000)
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
def studio(installed, request, tmp_path_factory) -> Iterator[Studio]:
    """A studio that has started a server with the model of the package, or with the tiny one where there is none."""
    if has_pretrained():
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MUSAE_CACHE", str(tmp_path_factory.mktemp("cache")))
            one = Studio("--pretrained")
    else:
        one = Studio(str(request.getfixturevalue("model_folder")))
    with closing(one):
        yield one.wait()


@pytest.fixture(scope="session")
def musae(studio) -> Iterator[MusaeClient]:
    """A client of the studio's own server."""
    with MusaeClient(studio.socket, MODEL) as client:
        yield client


@pytest.fixture(scope="session")
def genres(musae) -> tuple[str, ...]:
    """Of the studio's model, at least two; the page starts with the first."""
    return musae.describe().genres


@pytest.fixture(scope="module")
def remote(installed) -> Iterator[tuple[Studio, ScriptedServer]]:
    """A studio over a server that does as a test tells it, for 2 seconds a request."""
    with ScriptedServer() as server, closing(Studio("--server", server.target, "--deadline", "2")) as one:
        yield one.wait(), server
