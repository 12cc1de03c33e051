import json
import re
import shlex

import numpy as np

from musae_tf.cli import main
from musae_tf.data.dataset import Dataset
from musae_tf.data.info import describe, describe_file
from musae_tf.music import Song, Tempo, Track, get_layout
from tests.corpus import changing_metre_song, four_voice_song, notes
from tests.data.makers import build_voices, write_tree


def test_description_has_every_number(tmp_path):
    root = write_tree(tmp_path / "music", a=6, b=6, none=1)
    (root / "a" / "bad.mid").write_text("no music")
    changing_metre_song(50).write(root / "b" / "metres.mid")
    for genre in ("a", "b"):
        four_voice_song(9, 60).write(root / genre / "twice.mid")
    build_voices(root, tmp_path / "set", name="mine")
    opened = Dataset.open(tmp_path / "set")
    text = describe(opened)
    assert f"mine in {tmp_path / 'set'}" in text
    assert "voices: soprano, alto, tenor, bass" in text
    assert "16 in 15 groups, 1 of them duplicates" in text
    assert "2 songs have several genres." in text
    assert "96 to 96 quarters a minute" in text
    assert opened.hash in text
    size = sum(path.stat().st_size for path in opened.path.iterdir())
    assert f"{size / 1e6:,.1f} MB" in text
    assert re.search(r"^unreadable +1$", text, re.MULTILINE)
    for name, count in opened.manifest["losses"].items():
        assert re.search(rf"^{name.replace('_', ' ')} +{count:,}$", text, re.MULTILINE)
    rows = {line.split()[0]: [int(cell.replace(",", "")) for cell in line.split()[1:]] for line in genre_lines(text)}
    assert list(rows) == ["a", "b", "none", "all"]
    for genre, cells in rows.items():
        used = [song for song in opened.songs if song["duplicate_of"] is None and genre in (*song["labels"], "all")]
        for split, (songs, bars, phrases) in zip(
            ("train", "validation", "test"), np.reshape(cells, (3, 3)), strict=True
        ):
            here = [song["bars"] for song in used if song["split"] == split]
            assert (songs, bars) == (len(here), sum(here))
            index = opened.phrases(split, 2)
            column = index.labels[:, opened.genres.index(genre)] if genre != "all" else np.ones(len(index))
            assert phrases == column.sum()


def genre_lines(text):
    return text.split("\n\n")[1].splitlines()[1:]


def test_dataset_without_rejections(dataset):
    text = describe(dataset)
    assert "rejected" not in text
    assert json.loads((dataset.path / "manifest.json").read_text())["licence"] in text


def test_a_music_file_is_described_by_what_its_tracks_play(tmp_path, capsys):
    tracks = [Track(name, program, False, notes(*[(480 * i, 480, 60) for i in range(count)]))
              for name, program, count in (("Bass", 33, 8), ("Guitar", 25, 8), ("Bells", 9, 3))]  # fmt: skip
    Song(tracks=tracks, tempos=[Tempo(0, 90), Tempo(960, 120)]).write(tmp_path / "x.mid")
    assert main(["data", "info", str(tmp_path / "x.mid"), "--layout", "band"]) == 0
    assert capsys.readouterr().out.split("\n")[1:11] == [
        "bars    2",
        "tempo   90, 120 quarters a minute",
        "metre   4/4",
        "layout  band on 4/4x4: 3 of 19 notes belong to none of the tracks drums, bass, guitar, strings: 3 of 'Bells' "
        "(program 9); "
        "tempos go from 90 to 120, most notes are played at 120",
        "",
        "track   program  notes     plays",
        "Bass         33      8      bass",
        "Guitar       25      8    guitar",
        "Bells         9      3  left out",
        "",
    ]
    (tmp_path / "scale.abc").write_text("X:1\nT:t\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n")
    scale = Song.read(tmp_path / "scale.abc")
    assert "voices on 4/4x4: takes every note" in describe_file("scale.abc", scale, get_layout("voices"))
    bells = describe_file("bells.mid", Song(tracks=tracks[2:]), get_layout("band"))
    assert "no track fits the layout 'band'" in bells


def test_what_is_printed_can_be_pasted(tmp_path, capsys):
    folder = tmp_path / "my datasets" / "it's $mine"
    build_voices(write_tree(tmp_path / "music", a=2), folder)
    assert main(["data", "export", str(folder), "--out", str(tmp_path / "my songs")]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "data build folder" in line)
    words = shlex.split(line)[1:]
    table = tmp_path / "my songs" / "songs.csv"
    assert words == ["data", "build", "folder", str(tmp_path / "my songs"), "--labels", str(table)]
