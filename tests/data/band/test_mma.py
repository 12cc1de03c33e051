import re
import shutil
import stat
import sys
from pathlib import Path

import pytest

from musae_tf.cli import main
from musae_tf.data.band import songs as module
from musae_tf.data.band.plan import groove_files
from musae_tf.data.band.songs import Mma, find_mma, render
from musae_tf.errors import DatasetError, MusicError
from musae_tf.music import Song

needs_mma = pytest.mark.skipif(shutil.which("mma") is None, reason="the program mma is not installed")
SCORE = "Tempo 120\nRndSeed 5\nGroove stdlib/60srock:60SROCK\n1 C\n2 Am\n3 F / G7\n4 C\n"


def program(path, body):
    """A program in Python."""
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture
def library(tmp_path):
    (tmp_path / "lib" / "stdlib").mkdir(parents=True)
    return str(tmp_path / "lib")


# --- finding it -------------------------------------------------------------------------------------------------------


def test_missing_program(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        DatasetError, match=r"the program mma, which plays the songs, is not here; install it with: apt"
    ):
        find_mma()
    assert main(["data", "build", "band", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["data", "build", "band", "--out", str(tmp_path / "out"), "--mma", "/nowhere/mma"]) == 2
    assert "there is no program /nowhere/mma; install it" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_another_program(tmp_path, library):
    with pytest.raises(DatasetError, match="does not say its version as mma does"):
        find_mma(program(tmp_path / "mma", "print('hello')"), library)


def test_program_that_cannot_be_run(tmp_path, library):
    path = tmp_path / "mma"
    path.write_text("#!/nowhere/python\n")
    path.chmod(0o755)
    with pytest.raises(DatasetError, match="cannot be run"):
        find_mma(str(path), library)


def test_missing_library(tmp_path):
    command = program(tmp_path / "mma", "print('21.09')")
    with pytest.raises(DatasetError, match=rf"no groove files of mma in {tmp_path}/empty \(folder stdlib\); install"):
        find_mma(command, str(tmp_path / "empty"))


def test_named(tmp_path, library):
    command = program(tmp_path / "mma", "print('21.09')")
    assert find_mma(command, library) == Mma(command, library, "21.09")


def test_library_beside_the_program(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "share/mma/lib/stdlib").mkdir(parents=True)
    command = program(tmp_path / "bin" / "mma", "print('21.09')")
    assert find_mma(command).library == str(tmp_path / "share/mma/lib")


# --- playing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("print('ERROR:<Line 3>: no such groove'); sys.exit(1)", "made no MIDI file: ERROR:<Line 3>: no such groove"),
        ("sys.exit(3)", "made no MIDI file: code 3"),
        ("print('Nothing to do')", "made no MIDI file: Nothing to do"),
    ],
)
def test_failures(tmp_path, library, body, reason):
    with pytest.raises(MusicError, match=reason):
        render(Mma(program(tmp_path / "mma", body), library, "1"), SCORE)


def test_program_that_hangs(tmp_path, monkeypatch, library):
    monkeypatch.setattr(module, "SECONDS", 0.5)
    with pytest.raises(MusicError, match=r"did not finish in 0\.5 s"):
        render(Mma(program(tmp_path / "mma", "import signal; signal.pause()"), library, "1"), SCORE)


def test_program_that_went_away(tmp_path, library):
    with pytest.raises(DatasetError, match="cannot be run any more"):
        render(Mma(str(tmp_path / "mma"), library, "1"), SCORE)


@needs_mma
def test_same_score_same_bytes_wherever(tmp_path, monkeypatch):
    """Neither the user's settings nor Python's variables reach the program."""
    mma = find_mma()
    first = render(mma, SCORE)
    (tmp_path / ".mmarc").write_text("Tempo 60\nnonsense\n")
    (tmp_path / "mmarc").write_text("nonsense\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.chdir(tmp_path)
    assert render(mma, SCORE) == first
    song = Song.read(first)
    assert len(song.bars()) in (4, 5)
    assert any(track.is_drum for track in song.tracks)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mmarc", "mmarc"]


@needs_mma
def test_what_mma_says_of_a_mistake(tmp_path):
    with pytest.raises(MusicError, match=r"mma made no MIDI file: .*NOWHERE"):
        render(find_mma(), SCORE.replace("60SROCK\n", "NOWHERE\n"))


@needs_mma
def test_every_groove_of_the_table_is_in_the_library():
    library = Path(find_mma().library)
    defined = {}
    for files in groove_files().values():
        for file in files:
            grooves = (*file.main, *(one.name for one in (*file.intro, *file.fill, *file.end)), *file.drums)
            for path, name in (groove.split(":") for groove in grooves):
                if path not in defined:
                    text = (library / f"{path}.mma").read_text(encoding="latin-1")
                    found = re.findall(r"^\s*DefGroove\s+(\S+)", text, re.MULTILINE | re.IGNORECASE)
                    defined[path] = {one.upper() for one in found}
                assert name in defined[path], (path, name)
    assert len(defined) > 180
