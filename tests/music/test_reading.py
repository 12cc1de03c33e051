"""Files of music by their suffixes, and the tunes of those that have several."""

import pytest

from musae_tf.data import FolderSource
from musae_tf.errors import MusicError
from musae_tf.music import Song, get_layout, tokenize
from musae_tf.music.beats import read_beats, retimed
from musae_tf.music.pieces import as_song, losses_in_words
from musae_tf.music.reading import SUFFIXES, count_tunes, file_of, read_data
from tests.corpus import END_OF_TRACK, four_voice_song, midi_file
from tests.data.documents import kern, line, musicxml, mxl

BOOK = "%%header\n\n" + "".join(f"X:{n}\nT:tune {n}\nM:4/4\nL:1/4\nK:C\n{'CDEF|' * n}\n" for n in (1, 2, 3))
SCORE = musicxml({"A": [line("C4"), line("D4")]})
PATTERNS = midi_file(2, 480, *(b"\x00\x90%c\x50\x83\x60\x80%c\x00" % (60 + n, 60 + n) + END_OF_TRACK for n in range(3)))
FILES = {
    "a.mid": four_voice_song(2).to_bytes(),
    "b.KAR": four_voice_song(2).to_bytes(),
    "c.musicxml": SCORE,
    "d.xml": SCORE,
    "e.mxl": mxl({"score.xml": SCORE}),
    "f.krn": kern("**kern", "*M4/4", "=1", "1c", "=2", "1d", "*-"),
    "g.abc": BOOK.encode(),
    "h": four_voice_song(2).to_bytes(),
    "i.mid": PATTERNS,
}


@pytest.fixture
def folder(tmp_path):
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_any_format_is_music_for_everything_that_takes_music(folder, name):
    path = folder / name
    song = as_song(path, None)
    assert sum(len(track.notes) for track in song.tracks) > 0
    assert song == as_song(str(path), None) == read_data(FILES[name], str(path))
    assert song.name


def test_a_tune_is_named_by_its_number(folder):
    path = f"{folder}/g.abc"
    lengths = [len(Song.read(f"{path}#{n}").tracks[0].notes) for n in (1, 2, 3)]
    assert lengths == [4, 8, 12]
    assert Song.read(f"{path}#2").name == "g 2"
    assert Song.read(f"{path}#2").warnings == {}
    first = Song.read(path)
    assert (len(first.tracks[0].notes), first.name, first.warnings) == (4, "g", {"tunes_left_out": 2})
    assert [Song.read(f"{folder}/i.mid#{n}").tracks[0].notes["pitch"].tolist() for n in (1, 2, 3)] == [[60], [61], [62]]
    for number in ("0", "4", "9" * 30):
        with pytest.raises(MusicError, match=r"g\.abc has no tune \d+: it has 3"):
            Song.read(f"{path}#{number}")
    with pytest.raises(MusicError, match=r"a\.mid has no tune 2: it has 1"):
        Song.read(f"{folder}/a.mid#2")
    assert file_of(f"{path}#9") == str(path)
    assert file_of(f"{folder}/gone.abc#1") == f"{folder}/gone.abc"


def test_a_file_may_have_a_number_in_its_name(folder):
    (folder / "g.abc#2").write_bytes(four_voice_song(2).to_bytes())
    assert len(Song.read(f"{folder}/g.abc#2").tracks) == 4


def test_every_tune_is_a_song_of_a_folder(folder):
    source = FolderSource(folder)
    items = source.items()
    tunes = [f"{name}#{number}" for name in ("g.abc", "i.mid") for number in (1, 2, 3)]
    assert [item.path for item in items if item.tune] == tunes
    assert {item.path.partition("#")[0] for item in items} == set(FILES) - {"h"}
    songs = {item.path: source.load(item) for item in items}
    assert songs["i.mid#3"].song.tracks[0].notes["pitch"].tolist() == [62]
    assert (songs["g.abc#2"].title, songs["g.abc#2"].song.warnings) == ("g 2", {})


@pytest.mark.parametrize(
    "line", ["%%abc-include {}", "%%ABC-INCLUDE {}", "I:abc-include {}", "CD[I:abc-include {}]EF|"]
)
def test_a_tune_has_no_other_file_read(folder, line):
    other = folder / "secret.abc"
    other.write_text("GABc|\n")
    with pytest.raises(MusicError, match=r"mine\.abc includes another file"):
        read_data(f"X:1\nM:4/4\nL:1/4\nK:C\n{line.format(other)}\nCDEF|\n".encode(), "mine.abc")


def test_a_tune_that_its_converter_refuses_shows_no_path_of_this_machine():
    with pytest.raises(MusicError, match=r"mine\.abc is not readable ABC") as caught:
        read_data(b"X:1\nT:" + b"a" * 1_000_000 + b"\nK:C\nCDEF|\n", "mine.abc")
    assert "/" not in str(caught.value)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ""])
@pytest.mark.parametrize("data", [b"", b"X:", b"MThd", b"\xff" * 100, b"PK\x03\x04"])
def test_no_suffix_makes_nonsense_music(suffix, data):
    name = f"some{suffix}"
    assert count_tunes(data, name) == 1
    with pytest.raises(MusicError, match="some") as caught:
        read_data(data, name)
    assert "\n" not in str(caught.value)


def test_midi_is_put_on_the_beats_beside_it_and_says_so(folder):
    plain = Song.read(folder / "a.mid")
    (folder / "a.beats.txt").write_text("0.25 0\n0.75 1\n1.25 0\n")
    song = Song.read(folder / "a.mid")
    assert song.warnings == {"files_of_beats": 1}
    assert song == retimed(plain, read_beats(folder / "a.beats.txt")) != plain
    assert song.name == plain.name
    words = losses_in_words(song, tokenize(song, get_layout("voices")))
    assert "1 file of beats beside it (.beats.txt) says where its quarters are" in words


def test_beats_that_cannot_be_used_are_no_silent_loss(folder):
    (folder / "a.beats.txt").write_text("0 1\nhalf 0\n")
    with pytest.raises(MusicError, match=r"a\.beats\.txt, line 2: 'half' is not a number"):
        Song.read(folder / "a.mid")
    (folder / "a.beats.txt").unlink()
    (folder / "a.beats.txt").symlink_to(folder / "gone")
    with pytest.raises(MusicError, match=r"cannot read .*a\.beats\.txt"):
        Song.read(folder / "a.mid")
    (folder / "i.beats.txt").write_text("0\n1\n")
    for path in (f"{folder}/i.mid", f"{folder}/i.mid#2"):
        with pytest.raises(MusicError, match=r"i\.beats\.txt has beats of one song, and .*i\.mid has 3"):
            Song.read(path)


def test_scores_have_their_beats(folder):
    (folder / "c.beats.txt").write_text("0\n1\n")
    assert Song.read(folder / "c.musicxml").warnings == {}
