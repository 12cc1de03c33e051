"""What commands that make music look at before they load a model."""

import pytest

from musae_tf.cli import main
from musae_tf.cli.output import check_out
from musae_tf.errors import MusicError
from tests.corpus import four_voice_song


@pytest.fixture
def song(tmp_path):
    path = tmp_path / "mine.mid"
    four_voice_song(2).write(path)
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["reconstruct", "SONG"],
        ["transfer", "SONG", "--to", "bach"],
        ["interpolate", "SONG", "SONG", "--points", "2"],
        ["change", "SONG", "--more", "notes"],
        ["request", "reconstruct", "SONG"],
    ],
    ids=lambda command: " ".join(command),
)
def test_the_piece_that_is_read_is_not_written_over(command, song, tmp_path, capsys):
    before = song.read_bytes()
    link = tmp_path / "link.mid"
    link.symlink_to(song)
    for out in (song, link):
        assert main([word.replace("SONG", str(song)) for word in command] + ["--out", str(out)]) == 2
        error = capsys.readouterr().err
        assert "is the piece that is read" in error or "is one file, but this makes 2 pieces" in error
    assert song.read_bytes() == before


def test_a_piece_that_is_not_there_is_missed_before_a_model_is_loaded(tmp_path, capsys):
    assert main(["reconstruct", "runs/none", str(tmp_path / "no.mid")]) == 2
    assert capsys.readouterr().err.strip().endswith("no.mid: No such file or directory")
    with pytest.raises(MusicError, match="Is a directory"):
        check_out(None, 1, str(tmp_path))


def test_other_places_are_fine(song, tmp_path):
    check_out(None, 3, str(song))
    check_out(str(tmp_path), 3, str(song))
    check_out(str(tmp_path / "other.mid"), 1, str(song))
