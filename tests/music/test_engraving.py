"""Scores as SVG and as PDF."""

import io
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import pytest

from musae_tf.errors import MusicError
from musae_tf.music import Metre, Song
from musae_tf.music.engraving import to_pdf, to_svg, write_svg
from tests.corpus import band_song, four_voice_song

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def _verovio():
    pytest.importorskip("verovio")


def test_every_note_is_on_a_page(tmp_path):
    song = four_voice_song(40)
    write_svg(song, tmp_path / "score.svg")
    drawn = ElementTree.fromstring((tmp_path / "score.svg").read_bytes())
    pages = drawn.findall(f"{SVG}svg")
    assert len(pages) > 1
    tops = [int(page.get("y")) for page in pages]
    assert tops == sorted(set(tops))
    assert int(drawn.get("height")) > tops[-1]
    heads = [element for element in drawn.iter(f"{SVG}g") if element.get("class") == "note"]
    assert len(heads) >= sum(len(track.notes) for track in song.tracks)  # tied ones have several
    text = "".join(drawn.itertext())
    assert song.name in text
    assert all(track.name in text for track in song.tracks)


def test_the_same_song_is_the_same_file():
    assert to_svg(band_song()) == to_svg(band_song())


def test_any_thread_can_engrave():
    song = band_song()
    expected = to_svg(song)
    for _ in range(2):
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(to_svg, song).result() == expected


def test_a_song_without_notes_is_an_empty_staff():
    assert b'class="staff"' in to_svg(Song())


def test_what_cannot_be_engraved_is_said(monkeypatch):
    with pytest.raises(MusicError, match="metre at tick 0 is 3/128"):
        to_svg(Song(metres=[Metre(0, 3, 128)], end=480))
    monkeypatch.setitem(sys.modules, "verovio", None)
    with pytest.raises(MusicError, match="engraving scores needs verovio: run `pip install verovio`"):
        to_svg(band_song())


def test_a_pdf_has_the_pages_of_the_svg_and_its_words():
    pypdf = pytest.importorskip("pypdf")
    pytest.importorskip("typst")
    song = four_voice_song(40)
    song.name = "Früh \u0142 \u0416"
    data = to_pdf(song)
    pages = pypdf.PdfReader(io.BytesIO(data)).pages
    assert len(pages) == len(ElementTree.fromstring(to_svg(song)).findall(f"{SVG}svg")) > 1
    for page in pages:
        assert [float(side) * 25.4 / 72 for side in page.mediabox[2:]] == pytest.approx([210, 297], abs=0.1)
    text = pages[0].extract_text()
    assert all(track.name in text for track in song.tracks)
    assert song.name in text
    assert re.search(r"\u2669\s*=\s*\d", text), "the note of the tempo is a sign, not an empty box"
    assert data == to_pdf(song)


def test_without_typst_a_pdf_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(MusicError, match="scores as PDF needs typst: run `pip install typst`"):
        to_pdf(band_song())
