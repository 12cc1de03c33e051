import numpy as np
import pytest

from musae_tf.data import Dataset, FolderSource, build
from musae_tf.data.reader import Filters
from musae_tf.data.source import UnfitError
from musae_tf.errors import DatasetError
from musae_tf.music import get_layout
from musae_tf.music.beat import has_another_beat, has_no_beat, off_beat, off_grid
from musae_tf.music.beats import Beats, retimed
from musae_tf.music.grid import tokenize
from musae_tf.music.pieces import losses_in_words
from musae_tf.music.song import Metre, Song, Track

QUARTER = 480


def song_of(starts):
    return Song(QUARTER, [Track("piano", 0, False, [(int(start), 60, 60, 90) for start in starts])])


def played_freely(notes=1000):
    return song_of(np.random.default_rng(1).integers(0, notes * QUARTER // 4, notes))


@pytest.mark.parametrize("shift", [0, 37, 60, 100])
@pytest.mark.parametrize("step", [QUARTER // 4, QUARTER // 3])
def test_notes_on_the_beat_are_on_it_wherever_the_song_begins(step, shift):
    song = song_of(np.arange(200) * step + shift)
    assert off_beat(song) == 0
    assert has_no_beat(song) == ""


def test_the_share_counts_the_notes_between_the_beats():
    on_the_beat = [quarter * QUARTER + at for quarter in range(100) for at in (0, 120, 160, 240, 320, 360)]
    between = np.arange(100) * QUARTER + QUARTER // 8
    assert off_beat(song_of([*on_the_beat, *between])) == pytest.approx(1 / 7)


def test_a_performance_without_a_beat_is_refused_with_its_share_unless_it_is_asked_for():
    song = played_freely()
    share = off_beat(song)
    assert 0.55 < share < 0.65
    with pytest.raises(
        UnfitError, match=f"without a beat: {share:.0%} of the notes.*beats.txt.*--off-grid allow"
    ) as caught:
        Filters().check_beat(song)
    assert caught.value.kind == "without a beat"
    Filters(off_grid="allow").check_beat(song)
    assert f"{share:.0%} of the notes" in losses_in_words(song, tokenize(song, get_layout("voices")))


def test_small_human_deviations_are_no_lack_of_a_beat():
    moved = np.random.default_rng(2).normal(0, 10, 400).round().astype(int)
    Filters().check_beat(song_of(np.maximum(np.arange(400) * QUARTER // 4 + moved, 0)))


def test_too_few_notes_are_not_judged():
    assert has_no_beat(played_freely(63)) == ""


def test_an_unknown_choice_for_songs_without_a_beat_is_named():
    with pytest.raises(DatasetError, match="off_grid is 'maybe'; allowed: refuse, allow"):
        Filters(off_grid="maybe")


@pytest.mark.parametrize("shift", [40, 60, 80])
def test_a_song_whose_beats_are_not_its_quarters_is_named_with_the_share_and_what_to_do(shift):
    song = song_of(np.arange(200) * QUARTER // 4 + shift)
    assert off_beat(song) == 0
    assert off_grid(song) == 1 - (shift in (40, 80)) / 4, "every fourth one is on a triplet"
    expected = f"has another beat than its tempo track: {off_grid(song):.0%} of the notes lie off"
    words = losses_in_words(song, tokenize(song, get_layout("voices")))
    assert words.startswith(f"the song {expected}")
    assert "a file of its beats beside it, .beats.txt" in words
    beats = retimed(song, Beats(np.arange(60) * 0.5 + shift / 960, np.arange(60) % 4 == 0))
    assert off_grid(beats) == 0
    assert has_another_beat(beats) == ""


def test_bars_that_begin_between_quarters_have_their_own_grid():
    song = song_of(np.arange(200) * QUARTER // 4 + 60)
    song.metres = [Metre(0, 1, 32), Metre(60, 4, 4)]
    assert off_grid(song) == 0
    assert has_another_beat(song) == ""
    assert off_grid(Song()) == 0


def test_beats_that_are_not_those_of_the_song_are_no_way_out():
    song = retimed(played_freely(), Beats(np.arange(200) * 0.61, np.arange(200) % 4 == 0))
    assert has_no_beat(song).startswith("does not follow the beats of the file beside it: ")
    late = retimed(song_of(np.arange(200) * QUARTER // 4), Beats(0.0625 + np.arange(60) * 0.5, np.arange(60) % 4 == 0))
    assert has_another_beat(late).startswith("has another beat than the file of beats beside it: ")


def test_a_dataset_counts_songs_with_another_beat(tmp_path):
    song_of(np.arange(200) * QUARTER // 4 + 60).write(tmp_path / "songs" / "a.mid")
    song_of(np.arange(200) * QUARTER // 4).write(tmp_path / "songs" / "b.mid")
    build(FolderSource(tmp_path / "songs"), tmp_path / "made", get_layout("voices"), workers=0)
    assert Dataset.open(tmp_path / "made").manifest["warnings"] == {"songs_with_another_beat": 1}
