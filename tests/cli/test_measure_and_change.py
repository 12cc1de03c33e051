"""`musae evaluate --against`, `compare` and `change` from the command line."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from musae_tf.cli import main
from musae_tf.latent import AttributeVectors
from musae_tf.music import Song, tokenize
from musae_tf.music.pieces import phrases_of
from musae_tf.music.properties import attribute_values
from tests.corpus import four_voice_song


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def song(tmp_path) -> str:
    path = tmp_path / "mine.mid"
    four_voice_song(8, seed=3).write(path)
    return str(path)


def refused(capsys, *arguments: str) -> str:
    before = sorted(Path().rglob("*"))
    assert main(arguments) == 2
    assert sorted(Path().rglob("*")) == before
    return capsys.readouterr().err


def test_a_run_beside_another_on_its_page_and_in_a_table(evaluated_run, capsys, monkeypatch):
    from musae_tf.evaluation import report

    # One family stands for those that the other run was measured by, which take their time.
    monkeypatch.setattr(report, "_FULL", tuple(row for row in report._FULL if row[0] == "genre_classifier"))
    shutil.copytree(evaluated_run.path, "other")
    assert main(["evaluate", "other", "--against", str(evaluated_run.path)]) == 0
    assert "index.html" in capsys.readouterr().out
    page = Path("other/evaluation/index.html").read_text()
    assert f'<th scope="col">{evaluated_run.path.name}</th>' in page
    assert "+0.000, +0.000 to +0.000" in page
    assert main(["compare", str(evaluated_run.path), "other", "--out", "table.csv"]) == 0
    shown = capsys.readouterr().out
    assert "samples classified as asked" in shown
    assert "(+0.000)" in shown
    assert Path("table.csv").read_text().count("\nonset_f1,") == 2


def test_what_cannot_be_measured_or_compared_is_refused(evaluated_run, tiny_run, capsys):
    path = str(evaluated_run.path)
    assert "leave one of them out" in refused(capsys, "evaluate", path, "--quick", "--against", path)
    assert "not a run folder" in refused(capsys, "evaluate", path, "--against", "nowhere")
    assert "was not evaluated" in refused(capsys, "evaluate", path, "--against", str(tiny_run.path))
    assert "only one run" in refused(capsys, "compare", path)
    assert "musae evaluate" in refused(capsys, "compare", path, str(tiny_run.path))


def test_a_piece_with_more_of_something(evaluated_run, song, capsys):
    path = str(evaluated_run.path)
    assert main(["change", path, song, "--more", "notes", "--less", "bass:register", "--out", "here", "--wav"]) == 0
    names = sorted(file.name for file in Path("here").iterdir())
    assert names == [f"mine-more_notes-less_bass_register.{kind}" for kind in ("mid", "png", "wav")]
    new = Song.read(Path("here") / names[0])
    assert len(new.bars()) == 8
    assert "fitting" not in capsys.readouterr().out


def test_a_sweep_from_less_to_more(evaluated_run, song, capsys):
    path = str(evaluated_run.path)
    assert main(["change", path, song, "--sweep", "soprano:notes", "--points", "3", "--out", "out"]) == 0
    names = sorted(file.name for file in Path("out").glob("*.mid"))
    assert names == [f"mine-soprano_notes-{number}.mid" for number in (1, 2, 3)]
    assert main(["change", path, song, "--less", "soprano:notes", "--out", "less.mid"]) == 0
    assert main(["change", path, song, "--more", "soprano:notes", "--out", "more.mid"]) == 0
    assert main(["reconstruct", path, song, "--out", "same.mid"]) == 0
    phrases = [
        phrases_of(tokenize(Song.read(name), evaluated_run.layout), 2)
        for name in ("less.mid", "same.mid", "more.mid", *(f"out/{name}" for name in names))
    ]
    for one, other in zip(phrases[:3], phrases[3:], strict=True):
        np.testing.assert_array_equal(one, other)


def test_vectors_are_fitted_where_there_are_none_and_kept(tiny_run, song, capsys):
    shutil.copytree(tiny_run.path, "run")
    assert main(["change", "run", song, "--more", "soprano:notes", "--strength", "3", "--out", "one.mid"]) == 0
    assert "fitting attribute vectors" in capsys.readouterr().out
    attributes = AttributeVectors.load("run/attributes.npz")
    assert main(["change", "run", song, "--more", "soprano:notes", "--strength", "3", "--out", "two.mid"]) == 0
    assert "fitting" not in capsys.readouterr().out
    assert Path("one.mid").read_bytes() == Path("two.mid").read_bytes()
    # By nothing it is the reconstruction.
    assert main(["change", "run", song, "--more", "notes", "--strength", "0", "--out", "same.mid"]) == 0
    assert main(["reconstruct", "run", song, "--out", "rebuilt.mid"]) == 0
    phrases = [phrases_of(tokenize(Song.read(name), tiny_run.layout), 2) for name in ("same.mid", "rebuilt.mid")]
    np.testing.assert_array_equal(*phrases)
    moved = attribute_values(phrases_of(tokenize(Song.read("one.mid"), tiny_run.layout), 2), tiny_run.layout)
    column = attributes.number("soprano:notes")
    assert moved[:, column].mean() >= attribute_values(phrases[0], tiny_run.layout)[:, column].mean()


def test_change_mistakes(evaluated_run, song, capsys):
    path = str(evaluated_run.path)
    assert "--more" in refused(capsys, "change", path, song)
    assert "did you mean notes" in refused(capsys, "change", path, song, "--more", "note")
    assert "named twice" in refused(capsys, "change", path, song, "--more", "notes", "--less", "notes")
    assert "nowhere" in refused(capsys, "change", path, "nowhere.mid", "--more", "notes")
    assert "did you mean notes" in refused(capsys, "change", path, song, "--sweep", "note")
    assert "leave out --more" in refused(capsys, "change", path, song, "--sweep", "notes", "--more", "notes")
    assert "name a folder" in refused(capsys, "change", path, song, "--sweep", "notes", "--out", "one.mid")
