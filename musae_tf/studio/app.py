"""The studio as a web server: the page, the files that arrive, the files that leave."""

import asyncio
import json
import socket
from contextlib import closing

from fastapi import Request
from fastapi.responses import PlainTextResponse, Response
from nicegui import app, ui

from musae_tf.errors import MusaeError, StudioError
from musae_tf.music.engraving import to_svg
from musae_tf.music.writing import as_file
from musae_tf.signals import signals_kept
from musae_tf.studio.embedded import ModelSource
from musae_tf.studio.page import Page
from musae_tf.studio.recipe import MAX_BYTES
from musae_tf.studio.service import Service

FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#3a5fcd"/>'
    '<g fill="#fff"><rect x="6" y="19" width="9" height="4" rx="1"/><rect x="12" y="13" width="9" height="4" rx="1"/>'
    '<rect x="18" y="7" width="8" height="4" rx="1"/></g></svg>'
)

_MEDIA_TYPES = {
    "json": "application/json",
    "mid": "audio/midi",
    "musicxml": "application/vnd.recordare.musicxml+xml",
    "svg": "image/svg+xml",
    "wav": "audio/wav",
}
"""What leaves, by the endings of its files."""


def run(server: ModelSource, model: str, deadline: float, host: str, port: int, browser: bool) -> None:
    """Serve the studio until the process is told to stop.

    Args:
        server: where the model is.
        model: its name there.
        deadline: seconds that the server has for each request.
        host: address to listen on.
        port: to listen on.
        browser: whether to open one.
    """
    service = Service(server, model, deadline)

    @ui.page("/", title="MusAE studio", favicon=FAVICON)
    async def page(request: Request) -> None:
        await Page(service, dict(request.query_params)).start()

    @app.post("/pieces")
    async def piece(request: Request) -> Response:
        return await receive(service, request)

    @app.get("/results/{key}/{name}")
    async def result(key: str, name: str) -> Response:
        return await send(service, key, name)

    app.on_shutdown(service.musae.close)
    with signals_kept() as caught:
        app.on_startup(lambda: app.shutdown() if caught else None)
        ui.run(
            host=host, port=port, reload=False, show=browser, show_welcome_message=False, tailwind=False, dark=None,
            title="MusAE studio", language="en-US",
        )  # fmt: skip


async def receive(service: Service, request: Request) -> Response:
    """Take a file: its key, or 413 and a sentence as soon as it is known to be too large."""
    refusal = PlainTextResponse(f"larger than {MAX_BYTES / 1e6:g} MB, the most that a file may have", 413)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BYTES:
        return refusal
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MAX_BYTES:
            return refusal
    return PlainTextResponse(service.keep_file(bytes(data)))


async def send(service: Service, key: str, name: str) -> Response:
    """The MIDI, MusicXML, SVG or WAV file of a result or its messages for a MIDI port as JSON, or a sentence."""
    result = service.results.get(key)
    kind = name.rpartition(".")[2]
    if result is None or kind not in _MEDIA_TYPES:
        return PlainTextResponse("this result is not kept any longer: make it again.", 404)
    try:
        if kind == "wav":
            data = await service.results.wav(result)
        elif kind == "json":
            data = json.dumps(await asyncio.to_thread(result.messages)).encode()
        elif kind == "svg":
            data = await asyncio.to_thread(to_svg, result.song)
        else:
            data = await asyncio.to_thread(as_file, result.song, f"{result.stem}.{kind}")
    except MusaeError as error:
        return PlainTextResponse(str(error), 500)
    headers = {"Content-Disposition": f'attachment; filename="{result.stem}.{kind}"', "Cache-Control": "no-store"}
    return Response(data, media_type=_MEDIA_TYPES[kind], headers=headers)


def check_port(host: str, port: int) -> None:
    """Whether one can listen there.

    Raises:
        StudioError: one cannot; the message says what to do.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with closing(socket.socket(family, kind, protocol)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as cause:
        raise StudioError(f"cannot listen on {host}:{port}: {cause.strerror or cause}; --port names another") from cause
