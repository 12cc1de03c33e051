"""What a notebook shows of a song."""

import base64
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from musae_tf.errors import MusicError
from musae_tf.music import NOTE, Song, Track, audio, notebook
from musae_tf.music.notebook import pianoroll_svg, side_by_side
from tests.corpus import band_song, four_voice_song

SVG = "{http://www.w3.org/2000/svg}"


def paths(song: Song) -> list[str]:
    """The notes of each track as a path."""
    return [
        element.get("d", "")
        for element in ElementTree.fromstring(pianoroll_svg(song)).iter(f"{SVG}path")
        if element.get("fill")
    ]


def test_every_note_is_drawn_once_in_the_lane_of_its_track():
    for song in (four_voice_song(4), band_song()):
        assert [path.count("z") for path in paths(song)] == [len(track.notes) for track in song.tracks]
    low, high = paths(Song(tracks=[Track(name, 0, False, np.array([(480, 480, 60, 80)], NOTE)) for name in "ab"]))
    place = re.compile(r"M([\d.]+) (\d+)h")
    assert place.match(low)[1] == place.match(high)[1]
    assert int(place.match(low)[2]) < int(place.match(high)[2])


def test_lines_and_text_have_the_colour_of_the_page():
    svg = pianoroll_svg(band_song())
    assert ElementTree.fromstring(svg).get("fill") == "currentColor"
    assert "#000" not in svg
    assert "white" not in svg


@pytest.mark.parametrize("song", [Song(), Song(tracks=[Track("a")]), Song(end=480 * 4 * 3000)], ids=["0", "1", "long"])
def test_songs_without_notes_are_drawn(song):
    drawn = ElementTree.fromstring(pianoroll_svg(song))
    assert 0 < int(drawn.get("width")) < 7000


def test_names_are_text():
    song = four_voice_song(1)
    song.name, song.tracks[0].name = '<script>"&', "<b>a name that is too long"
    html = song._repr_html_()
    assert "<script" not in html
    assert "<title>&lt;b&gt;a name that is too long</title>" in html


def test_the_player_holds_the_sound():
    pytest.importorskip("midirenderer")
    found = re.search(r'<audio controls [^>]*src="data:audio/mpeg;base64,([^"]+)"', four_voice_song(2)._repr_html_())
    sound = base64.b64decode(found[1])
    assert sound[:3] == b"ID3" or sound[0] == 0xFF
    assert 10_000 < len(sound) < 100_000


def test_without_an_encoder_the_sound_is_a_wav_and_without_a_synthesiser_there_is_a_sentence(monkeypatch):
    def missing(*_):
        raise MusicError("rendering sound needs <midirenderer>")

    monkeypatch.setattr(notebook, "to_mp3", missing)
    monkeypatch.setattr(audio, "render", lambda song, rate: np.zeros((8, 2), np.float32))
    assert '<audio controls style="width:100%;max-width:480px;color-scheme:light dark" src="data:audio/wav;base64,' in (
        four_voice_song(1)._repr_html_()
    )
    monkeypatch.setattr(audio, "render", missing)
    assert "no player: rendering sound needs &lt;midirenderer&gt;" in four_voice_song(1)._repr_html_()
    assert "no player: longer than 600 seconds" in Song(end=480 * 2 * 601)._repr_html_()


def test_songs_stand_side_by_side(monkeypatch):
    monkeypatch.setattr(notebook, "_player", lambda song, length: "")
    songs = [four_voice_song(1), four_voice_song(2)]
    html = side_by_side(songs, ["one", "two"])._repr_html_()
    assert (html.count("<svg"), html.count("<b>one</b>"), html.count("<b>two</b>")) == (2, 1, 1)
    assert f"<b>{songs[0].name}</b>" in side_by_side(songs)._repr_html_()
    with pytest.raises(ValueError, match="2 songs and 1 titles"):
        side_by_side(songs, ["one"])
