"""What suits songs before a dataset is made of them: the sample, what layouts keep, and what is recommended."""

import json
import re
from pathlib import Path

import pytest

from musae_tf.cli import main
from musae_tf.data import Dataset, FolderSource
from musae_tf.data.suitability import Retention, recommended, retentions, retentions_of, sample
from musae_tf.music import LAYOUTS, Metre, Song, Track, get_layout, tokenize
from tests.corpus import band_song, four_voice_song, notes, piano_song, waltz
from tests.data.makers import write_played, write_song
from tests.data.msd import TRACKS, write_lakh, write_npz


@pytest.fixture
def mixed(tmp_path, monkeypatch) -> Path:
    """Bands, waltzes, a file that is no music and a performance without a beat."""
    monkeypatch.chdir(tmp_path)
    for number in range(8):
        band_song(12, number).write(Path("songs/band") / f"{number}.mid")
    for number in range(3):
        waltz(8, number).write(Path("songs/waltz") / f"{number}.mid")
    (Path("songs") / "broken.mid").write_bytes(b"no music")
    starts = [int(997 * number**1.1) for number in range(100)]
    free = Track("free", 0, False, notes(*((start, 30, 60) for start in starts)))
    Song(480, [free]).write("songs/free.mid")
    return Path("songs")


def test_a_folder_is_told_what_suits_it(mixed, capsys):
    assert main(["data", "info", "songs"]) == 0
    shown = capsys.readouterr()
    lines = [line.split() for line in shown.out.splitlines()]
    assert "songs: 13 songs" in shown.out
    assert "not used: 1 unreadable, 1 without a beat" in shown.out
    assert ["4/4", "96", "74.4%", "yes"] in lines
    assert ["3/4", "33", "25.6%", "no"] in lines
    assert ["4/4x4", "0.0%"] in lines
    assert "grid: 4/4x4 (" in shown.out
    assert [line[0] for line in lines if line[1:] and line[0] in LAYOUTS] == list(LAYOUTS)
    assert "layout: band_full (" in shown.out
    assert shown.out.endswith("  musae data build folder songs --layout band_full --grid 4/4x4\n")
    assert "looking at folder: 100%" in shown.err
    assert list(Path().iterdir()) == [mixed]
    assert main([*lines[-1][1:], "--workers", "1"]) == 0
    built = Dataset.open("datasets/songs")
    assert (built.layout.name, len(built.songs)) == ("band_full", 8)


def test_it_is_there_for_programs_and_for_one_layout(mixed, capsys):
    assert main(["data", "info", "songs", "--json", "--layout", "band"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {key: found[key] for key in ("files", "read", "refused", "another_beat", "songs", "bars", "grid")} == {
        "files": 13, "read": 13, "refused": {"unreadable": 1, "without a beat": 1}, "another_beat": 0, "songs": 11,
        "bars": {"4/4": 96, "3/4": 33}, "grid": "4/4x4",
    }  # fmt: skip
    assert list(found["layouts"]) == [found["layout"]] == ["band"]
    losses = [tokenize(band_song(12, number), LAYOUTS["band"]).losses for number in range(8)]
    waltzes = sum(len(track.notes) for number in range(3) for track in waltz(8, number).tracks)
    total = sum(loss["notes"] for loss in losses) + waltzes
    lost = found["layouts"]["band"]["lost"]
    expected = {key: sum(loss[key] for loss in losses) / total for key in ("outside_layout", "overlapped", "same_step")}
    assert found["notes"] == total
    assert lost == pytest.approx({**expected, "other_metre": waltzes / total})
    assert found["layouts"]["band"]["kept"] == pytest.approx(1 - sum(lost.values()))


def test_notes_that_others_double_are_not_lost():
    one = notes((0, 480, 60), (0, 480, 64), (480, 120, 62), (1920, 480, 60))
    other = notes((0, 960, 60), (480, 480, 62), (960, 480, 62), (1920, 480, 72))
    song = Song(480, [Track("a", 0, False, one), Track("b", 0, False, other)], metres=[Metre(1920, 3, 4)], end=3360)
    (found,) = retentions_of(song, [get_layout("piano")])
    assert (found.notes, found.lost) == (8, {"outside_layout": 0, "other_metre": 2, "overlapped": 0, "same_step": 0})
    (found,) = retentions_of(song, [get_layout("band")])  # one note of three at the start, and the long one hides none
    assert found.lost == {"outside_layout": 0, "other_metre": 2, "overlapped": 1, "same_step": 0}


def test_a_layout_of_ones_own_is_proposed_by_its_file(mixed, capsys):
    main(["layouts", "piano"])
    Path("mine.yaml").write_text(capsys.readouterr().out)
    assert main(["data", "info", "songs", "--layout", "mine.yaml"]) == 0
    shown = capsys.readouterr().out
    assert "layout: mine\na bar has 7 x 16 = 112 symbols" in shown
    assert shown.splitlines()[-1] == "  musae data build folder songs --layout mine.yaml --grid 4/4x4"


def test_a_file_says_it_too(tmp_path, capsys):
    waltz(8).write(tmp_path / "waltz.mid")
    assert main(["data", "info", str(tmp_path / "waltz.mid")]) == 0
    shown = capsys.readouterr().out
    assert "layout  voices on 3/4x4: takes every note" in shown
    assert "grid: 3/4x4 (" in shown
    assert "layout: voices (" in shown
    assert main(["data", "info", str(tmp_path / "waltz.mid"), "--layout", "piano", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["layouts"].keys() == {"piano"}


def test_a_song_with_another_beat_is_asked_for_no_grid(tmp_path, capsys):
    song = four_voice_song(16)
    for track in song.tracks:
        track.notes["start"] += 60  # half a sixteenth
    song.write(tmp_path / "music" / "late.mid")
    for path in ("music", "music/late.mid"):
        assert main(["data", "info", str(tmp_path / path)]) == 0
        shown = capsys.readouterr().out
        assert "has another beat than its tempo track" in shown or "no grid suits them: 1" in shown
        assert "notes of its metre off it" not in shown
        assert "grid: 4/4x4 (" in shown
    out = ["--grid", "auto", "--out", str(tmp_path / "made"), "--layout", "voices", "--workers", "1"]
    assert main(["data", "build", "folder", str(tmp_path / "music"), *out]) == 0
    sentence = "grid 4/4x4, by 1 of 1 songs: bars 100% 4/4; no song follows the beat of its bars\n"
    assert capsys.readouterr().out.startswith(sentence)


def test_folders_without_music(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["data", "info", str(tmp_path / "empty")]) == 2
    assert "is not a dataset" in capsys.readouterr().err
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.mid").write_bytes(b"no music")
    assert main(["data", "info", str(tmp_path / "bad")]) == 2
    shown = capsys.readouterr()
    assert "not used: 1 unreadable" in shown.out
    assert shown.err.splitlines()[-1].endswith("bad has no song that can be used: 1 files found, see above")


def test_of_many_files_some_are_read_evenly_spaced(tmp_path, capsys):
    for number in range(11):
        write_song(tmp_path / "music" / f"{number:02}.mid", number, bars=4)
    found = sample(FolderSource(tmp_path / "music"), most=3, workers=0)
    assert [item.path for item in found.items] == ["00.mid", "05.mid", "10.mid"]
    assert (found.files, found.survey.songs, found.survey.bars) == (11, 3, {"4/4": 12})
    everything = sample(FolderSource(tmp_path / "music"), workers=0)
    assert (len(everything.items), everything.survey.songs) == (11, 11)


def test_what_layouts_take_is_the_same_here_and_in_processes(tmp_path):
    songs = [band_song(4), piano_song(4), four_voice_song(4)]
    for number, song in enumerate(songs):
        song.write(tmp_path / "music" / f"{number}.mid")
    source, layouts = FolderSource(tmp_path / "music"), [get_layout(name) for name in ("voices", "band_full", "piano")]
    here, there = (retentions(source, source.items(), layouts, workers) for workers in (0, 1))
    assert here == there
    alone = [retentions_of(Song.read(tmp_path / "music" / f"{number}.mid"), layouts) for number in range(3)]
    for number, found in enumerate(here):
        assert found.notes == sum(one[number].notes for one in alone)
        assert sum(found.lost.values()) == sum(sum(one[number].lost.values()) for one in alone)
    assert alone[1][2].kept == 1


def test_a_song_that_does_not_fit_is_lost_as_a_whole():
    drums = Song(480, [Track("kit", 0, True, notes((0, 60, 36)))])
    lost = retentions_of(drums, [get_layout("piano"), get_layout("band_full")])
    assert (lost[0].lost["outside_layout"], lost[0].kept, lost[1].kept) == (1, 0, 1)
    odd = Song(480, four_voice_song(2).tracks, metres=[Metre(0, 7, 8)])
    (lost,) = retentions_of(odd, [get_layout("voices")])
    assert lost.lost["other_metre"] == lost.notes


@pytest.mark.parametrize(
    ("kept", "name"),
    [
        ({"voices": 98, "band_full": 99, "ensemble": 100}, "voices"),
        ({"voices": 97, "band_full": 99, "ensemble": 100}, "band_full"),
        ({"voices": 60, "band_full": 90, "ensemble": 95}, "ensemble"),
        ({"voices": 90, "band": 91, "lpd5": 91}, "band"),
        ({"voices": 0, "band": 0}, "voices"),
    ],
)
def test_the_fewest_columns_within_two_points_are_recommended(kept, name):
    found = [Retention(get_layout(layout), 100, {"overlapped": 100 - share}) for layout, share in kept.items()]
    assert recommended(found).name == name


# --- before a build ---------------------------------------------------------------------------------------------------


def test_the_grid_is_found_and_a_second_build_knows_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number in range(6):
        waltz(8, number).write(Path("songs") / f"{number}.mid")
    four_voice_song(4).write("songs/other.mid")
    build = ["data", "build", "folder", "songs", "--layout", "voices", "--grid", "auto", "--workers", "1"]
    assert main(build) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("grid 3/4x4, by 7 of 7 songs: bars 94% 3/4, 6% 4/4; notes off the grid 0% of 3/4x4, ")
    assert Dataset.open("datasets/songs").layout.time.name == "3/4x4"
    assert "musae train voices_waltz --set data.path=datasets/songs" in shown
    assert main(build) == 0
    assert "is already built" in capsys.readouterr().out
    assert main([*build[:-4], "--grid", "3/4x4", "--workers", "1"]) == 0
    assert "is already built" in capsys.readouterr().out
    for number in range(40):
        four_voice_song(8, number).write(f"songs/more {number}.mid")
    assert main(build) == 0
    assert Dataset.open("datasets/songs").layout.time.name == "4/4x4"


def test_bars_that_will_not_fit_are_said_before_a_build(mixed, capsys):
    build = ["data", "build", "folder", "songs", "--layout", "band", "--workers", "1"]
    assert main(build) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "26% of the bars do not fit the grid 4/4x4: 26% in 3/4 (by 13 of 13 songs)"
    assert main([*build, "--grid", "6/8x6", "--force"]) == 2  # nothing is in 6/8
    first = capsys.readouterr().out.splitlines()[0]
    assert "100% of the bars do not fit the grid 6/8x6: 74% in 4/4, 26% in 3/4; --grid auto would take 4/4x4" in first
    for number in (0, 1):
        (mixed / "waltz" / f"{number}.mid").unlink()
    band_song(12, 9).write(mixed / "band" / "9.mid")
    assert main(build) == 0
    assert "do not fit the grid" not in capsys.readouterr().out


def test_songs_of_pop909_get_the_grid_of_their_beats(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number in range(1, 5):
        write_played(tmp_path / "POP909", number)
    assert main(["data", "info", "POP909"]) == 2
    assert "puts it on them" in capsys.readouterr().out
    assert main(["data", "build", "pop909", "--dir", "POP909", "--grid", "auto", "--workers", "1"]) == 0
    assert capsys.readouterr().out.startswith("grid 4/4x4, by 4 of 4 songs: bars ")
    assert Dataset.open("datasets/pop909").layout.name == "pop909"


@pytest.mark.parametrize("source", ["lmd", "lpd"])
def test_songs_of_collections_are_asked_too(source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_lakh(Path("lmd"))
    for number, track in enumerate(TRACKS):
        write_npz(Path("lpd"), track, f"{number:032x}", band_song(6, number))
    where = ["--midi", "lmd"] if source == "lmd" else ["--npz", "lpd"]
    assert main(["data", "build", source, *where, "--grid", "auto", "--workers", "1"]) == 0
    assert re.match(r"grid 4/4x4, by (\d+) of \1 songs: bars 100% 4/4; ", capsys.readouterr().out)
