"""What commands that make music look at before they load a model."""

import sys
from pathlib import Path

import pytest

from musae_tf.cli import main
from musae_tf.cli.output import (
    MadePiece,
    changed,
    check_out,
    interpolated,
    reconstructed,
    swept,
    transferred,
    write_pieces,
)
from musae_tf.errors import MusicError
from musae_tf.music import Song, get_layout
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


def test_the_format_of_a_piece_follows_the_name_of_its_file(tmp_path, capsys):
    piece = [MadePiece("stem", four_voice_song(2), "a title")]
    for name, kind in (("a.mid", "midi"), ("a.musicxml", "score"), ("b.mxl", "score"), ("c.ABC", "score")):
        out = str(tmp_path / name)
        check_out(out, 1)
        assert write_pieces(piece, get_layout("voices"), out, tmp_path, False) == [{"title": "a title", kind: out}]
        assert capsys.readouterr().out == f"{out}\n"
        assert len(Song.read(out).tracks) == 4


@pytest.mark.parametrize("name", ["piece.pdf", "piece.krn", "runs/piece.wav"])
def test_a_file_of_no_format_is_no_folder(name, song, tmp_path, capsys):
    out = f"{tmp_path}/{name}"
    assert main(["reconstruct", str(song), "--out", out]) == 2
    error = capsys.readouterr().err
    assert error.endswith(
        f"--out {out}: the file of a piece ends in .mid, .midi, .musicxml, .xml, .mxl or .abc; "
        f"a new folder of this name is {out}/\n"
    )
    check_out(f"{out}/", 1)
    (tmp_path / name).mkdir(parents=True)
    check_out(out, 1)
    check_out(str(tmp_path / "voices-2026.11"), 1)


def test_a_score_that_is_read_is_not_written_over(tmp_path, capsys):
    path = tmp_path / "mine.musicxml"
    four_voice_song(2).write(path)
    before = path.read_bytes()
    assert main(["reconstruct", str(path), "--out", str(path)]) == 2
    assert "is the piece that is read" in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize(("kind", "start"), [("svg", b"<svg"), ("pdf", b"%PDF-")])
def test_scores_are_engraved_beside_the_pieces(kind, start, tmp_path):
    pytest.importorskip("verovio")
    if kind == "pdf":
        pytest.importorskip("typst")
    pieces = [MadePiece("one", four_voice_song(2), "1"), MadePiece("two", four_voice_song(2), "2")]
    written = write_pieces(pieces, get_layout("voices"), str(tmp_path), tmp_path, False, engraved=kind)
    assert [files["engraving"] for files in written] == [f"{tmp_path}/one.{kind}", f"{tmp_path}/two.{kind}"]
    assert (tmp_path / f"one.{kind}").read_bytes().startswith(start)


@pytest.mark.parametrize("command", [["sample", "--pretrained"], ["request", "sample"]], ids=" ".join)
@pytest.mark.parametrize(
    ("option", "package", "sentence"),
    [
        ("--score", "verovio", "engraving scores needs verovio: run `pip install verovio`"),
        ("--score-pdf", "typst", "scores as PDF needs typst: run `pip install typst`"),
    ],
)
def test_without_an_engraver_no_model_is_asked_for_a_score(command, option, package, sentence, monkeypatch, capsys):
    pytest.importorskip("verovio")
    monkeypatch.setitem(sys.modules, package, None)
    assert main([*command, option]) == 2
    assert sentence in capsys.readouterr().err


def test_pieces_in_a_folder_have_the_format_that_is_asked_for(tmp_path):
    pieces = [MadePiece("one", four_voice_song(2), "1"), MadePiece("two", four_voice_song(2), "2")]
    written = write_pieces(pieces, get_layout("voices"), str(tmp_path), tmp_path, False, ending=".musicxml")
    assert [files["score"] for files in written] == [f"{tmp_path}/one.musicxml", f"{tmp_path}/two.musicxml"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.musicxml", "two.musicxml"]


def test_a_title_names_no_other_folder_and_no_endless_file(tmp_path):
    source = four_voice_song(2)
    for title in ("../../AC/DC", "\0", "..", "x" * 1000, "\U0001f3b5" * 1000):
        source.name = title
        made = [
            reconstructed(source, source), transferred(source, "a", "b/c", 1.0, source),
            changed(source, {"notes": 1.0}, source), *interpolated(source, source, [source] * 2),
            *swept(source, "notes", 1.0, [source] * 2),
        ]  # fmt: skip
        for files in write_pieces(made, get_layout("voices"), str(tmp_path / "out"), tmp_path, False):
            assert Path(files["midi"]).parent == tmp_path / "out"
            assert Path(files["midi"]).is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
