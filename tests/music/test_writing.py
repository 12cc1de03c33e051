"""Songs as files, by the ending of their names."""

import re

import pytest

from musae_tf.errors import MusicError
from musae_tf.music import Song, get_layout, tokenize
from musae_tf.music.reading import SUFFIXES
from musae_tf.music.writing import WRITERS
from tests.corpus import four_voice_song


@pytest.mark.parametrize("ending", [*WRITERS, ".MusicXML", ".ABC"])
def test_a_song_is_written_in_the_format_of_its_name_and_read_again(ending, tmp_path):
    song = four_voice_song(4)
    song.write(tmp_path / f"song{ending}")
    back = Song.read(tmp_path / f"song{ending}")
    layout = get_layout("voices")
    assert (tokenize(back, layout).tokens == tokenize(song, layout).tokens).all()
    assert [path.name for path in tmp_path.iterdir()] == [f"song{ending}"]


def test_what_is_written_is_read():
    assert set(WRITERS) <= set(SUFFIXES)


@pytest.mark.parametrize("name", ["song", "song.pdf", "song.krn", "mid"])
def test_another_ending_is_refused_with_those_that_there_are(name, tmp_path):
    words = f"cannot write {tmp_path / name}: the name of a song ends in .mid, .midi, .musicxml, .xml, .mxl or .abc"
    with pytest.raises(MusicError, match=re.escape(words)):
        four_voice_song(1).write(tmp_path / name)
    assert not list(tmp_path.iterdir())
