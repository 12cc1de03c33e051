"""What goes wrong is a sentence in the page, never markup, and the page goes on."""

import http.client
import os
import re
import signal
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from musae_tf.music import Song, Track
from musae_tf.studio.recipe import MAX_BYTES
from tests.client.scripted import ScriptedServer
from tests.corpus import broken_files, four_voice_song
from tests.studio.driver import Studio
from tests.studio.hand import Hand, result
from tests.waiting import LIMIT, wait_for

MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def alert(page, words: str) -> None:
    page.get_by_role("alert").get_by_text(words).wait_for()


@pytest.fixture
def page(studio, open_page):
    with open_page(studio.url) as page:
        page.get_by_role("tab", name="Change").click()
        page.get_by_label("Your piece", exact=True).wait_for()
        yield page


@pytest.fixture
def recovers(page, genres, song_folder) -> Callable[[], None]:
    def check() -> None:
        Hand(page, "mouse").bring("Your piece", song_folder / "hymns" / "hymn 0.mid")
        result(page, f"hymn 0 to {genres[0]} by 1")
        assert page.get_by_role("alert").inner_text() == ""

    return check


def test_a_broken_file(page, tmp_path, recovers):
    path = tmp_path / "broken.mid"
    for name in ("text", "header alone", "cut at byte 30"):
        path.write_bytes(broken_files()[name])
        Hand(page, "mouse").bring("Your piece", path)
        alert(page, "Broken.mid")
    recovers()


def test_a_score_is_a_piece_and_a_broken_one_is_named(page, tmp_path, recovers):
    path = tmp_path / "chant.krn"
    path.write_text("**kern\t**kern\n*M4/4\t*M4/4\n=1\t=1\n1c\t1cc\n=2\t=2\n1d\t1dd\n*-\t*-\n")
    Hand(page, "mouse").bring("Your piece", path)
    page.get_by_text("2 bars, 120 bpm").first.wait_for()
    path.write_text("no chant\n")
    Hand(page, "mouse").bring("Your piece", path)
    alert(page, "Chant.krn")
    recovers()


def test_a_file_of_100_megabytes(page, tmp_path, recovers):
    path = tmp_path / "huge.mid"
    with open(path, "wb") as file:
        file.truncate(100_000_000)
    page.get_by_label("Your piece", exact=True).set_input_files(path)
    alert(page, "Huge.mid has 100.0 MB; a file may have 4 MB.")
    recovers()


@pytest.mark.parametrize("declared", [True, False])
def test_a_stranger_s_large_file_is_refused_before_it_is_read(studio, declared):
    where = urlsplit(studio.url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
    connection.putrequest("POST", "/pieces")
    header = ("Content-Length", str(100_000_000)) if declared else ("Transfer-Encoding", "chunked")
    connection.putheader(*header)
    connection.endheaders()
    if not declared:
        block = bytes(MAX_BYTES // 4)
        for _ in range(5):
            connection.send(b"%x\r\n%s\r\n" % (len(block), block))
    # The answer comes though most of the file was never sent.
    reply = connection.getresponse()
    assert reply.status == 413
    assert b"larger than 4 MB" in reply.read()
    connection.close()


def test_markup_in_names_is_text(page, genres, tmp_path):
    song = four_voice_song(4)
    for track in song.tracks:
        track.name = MARKUP
    path = tmp_path / f"{MARKUP.replace('/', '')}.mid"
    path.write_bytes(song.to_bytes())
    Hand(page, "mouse").bring("Your piece", path)
    name = path.name.removesuffix(".mid")
    result(page, f"{name} to {genres[0]} by 1")
    page.get_by_text(path.name).wait_for()
    assert page.locator("img[src='x'], main script").count() == 0
    path.write_bytes(b"no music")
    Hand(page, "mouse").bring("Your piece", path)
    alert(page, name)
    assert page.locator("img[src='x'], main script, .alert *").count() == 0


def test_a_piece_with_nothing_for_the_model(page, tmp_path, recovers):
    path = tmp_path / "silence.mid"
    Song(tracks=[Track("drums", 0, True, four_voice_song(1).tracks[0].notes)], end=1920).write(path)
    Hand(page, "mouse").bring("Your piece", path)
    alert(page, "Silence.mid: ")
    recovers()


def test_impossible_numbers(page, genres):
    page.get_by_role("tab", name="Sample").click()
    page.get_by_label("Seed", exact=True).fill("")
    page.get_by_role("button", name="Sample", exact=True).click()
    alert(page, "Seed is '', must be a whole number")
    page.get_by_label("Seed", exact=True).fill("4")
    page.get_by_role("button", name="Sample", exact=True).click()
    result(page, f"{genres[0]}, 8 bars, seed 4")


def test_buttons_without_a_piece_say_what_is_missing(page):
    page.get_by_role("button", name="Make").click()
    alert(page, "Bring a piece first")


def test_a_model_without_attributes_and_map_has_no_fields_for_them(remote, open_page):
    with open_page(remote[0].url) as page:
        page.get_by_role("tab", name="Change").click()
        page.get_by_role("button", name="Transfer").wait_for()
        assert page.get_by_role("button", name="Reshape").count() == 0
        assert page.get_by_role("tab", name="Map").count() == 0


def test_without_verovio_the_score_is_a_sentence(open_page, tmp_path, monkeypatch):
    (tmp_path / "verovio.py").write_text("raise ImportError(name='verovio')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])))
    with ScriptedServer() as server:
        studio = Studio("--server", server.target).wait()
        try:
            with open_page(studio.url) as page:
                page.get_by_role("button", name="Sample", exact=True).click()
                result(page, "loud, 8 bars, seed 1")
                page.get_by_role("button", name="Score", exact=True).click()
                page.get_by_text("No score: engraving scores needs verovio: run `pip install verovio`").wait_for()
        finally:
            studio.close()


def test_a_slow_server(remote, open_page):
    studio, server = remote
    with open_page(studio.url) as page:
        page.get_by_role("button", name="Sample", exact=True).wait_for()

        given_up = threading.Event()

        def slow(request):
            assert given_up.wait(LIMIT)
            return server.echo(request)

        server.answer = slow
        page.get_by_role("button", name="Sample", exact=True).click()
        page.get_by_text("Making …").wait_for()
        alert(page, "No answer in time from")
        given_up.set()
        server.answer = server.echo
        page.get_by_role("button", name="Sample", exact=True).click()
        result(page, "loud, 8 bars, seed 1")


def test_a_server_that_comes_late_is_stopped_and_comes_back(open_page):
    with ScriptedServer() as nobody:
        port = nobody.port
    studio = Studio("--server", f"localhost:{port}", "--deadline", "5")
    try:
        with open_page(studio.wait().url) as page:
            sample = page.get_by_role("button", name="Sample", exact=True)
            alert(page, f"Cannot reach localhost:{port}")
            with ScriptedServer(port):
                sample.click()
                assert page.get_by_role("alert").inner_text() == ""
                result(page, "loud, 8 bars, seed 1")
            page.get_by_label("Seed", exact=True).fill("2")
            sample.click()
            alert(page, f"Cannot reach localhost:{port}")
            with ScriptedServer(port):
                sample.click()
                result(page, "loud, 8 bars, seed 2")
                assert page.get_by_role("alert").inner_text() == ""
    finally:
        studio.close()


def test_the_studio_starts_its_own_server_again(page, studio, genres, song_folder):
    """Last in this file: everything else would have to wait for the new server."""
    before = child(studio)
    os.kill(before, signal.SIGKILL)
    made = page.get_by_role("heading", name=f"hymn 0 to {genres[0]} by 1", exact=True)
    refused = page.get_by_role("alert").filter(has_text=re.compile(r"\S"))

    def recovered() -> bool:
        """What is asked too early is refused, and asked again."""
        Hand(page, "mouse").bring("Your piece", song_folder / "hymns" / "hymn 0.mid")
        made.or_(refused).first.wait_for()
        return made.is_visible()

    wait_for(recovered)
    assert child(studio) != before


def child(studio) -> int:
    (number,) = (
        int(entry)
        for entry in os.listdir("/proc")
        if entry.isdecimal() and parent(entry) == studio.process.pid and state(entry) != "Z"
    )
    return number


def fields(entry: str) -> list[str]:
    try:
        with open(f"/proc/{entry}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return ["Z", "0"]


def parent(entry: str) -> int:
    return int(fields(entry)[1])


def state(entry: str) -> str:
    return fields(entry)[0]
