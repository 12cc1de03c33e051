import numpy as np
import pytest

from musae_tf.errors import MusicError
from musae_tf.music import NOTE, Metre, Song, Tempo, Track
from musae_tf.music.song import make_tracks
from tests.corpus import BAR, notes


def test_track_sorts_its_notes_and_compares_by_value():
    unsorted = notes((480, 10, 60), (0, 10, 67), (0, 10, 60))
    track = Track("a", 3, False, unsorted)
    assert track.notes[["start", "pitch"]].tolist() == [(0, 60), (0, 67), (480, 60)]
    assert track == Track("a", 3, False, unsorted[::-1])
    assert track != Track("a", 3, True, unsorted)
    assert track != Track("a", 3, False, unsorted[:2])
    assert Track("a", 0, False, [(0, 1, 60, 90)]).notes.dtype == NOTE


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda: Track(program=128), "128"),
        (lambda: Track(notes=notes((-1, 5, 60))), "negative"),
        (lambda: Track(notes=notes((0, -5, 60))), "negative"),
        (lambda: Track(notes=notes((0, 5, 128))), "above 127"),
        (lambda: Song(ticks_per_quarter=0), "ticks per quarter is 0"),
        (lambda: Song(metres=[Metre(0, 3, 5)]), "3/5"),
        (lambda: Song(metres=[Metre(0, 0, 4)]), "0/4"),
        (lambda: Song(tempos=[Tempo(7, 0.0)]), "tick 7 is 0"),
        (lambda: Song(tempos=[Tempo(0, float("nan"))]), "nan"),
        (lambda: Song(tracks=[Track(notes=notes((2**31 - 2, 5, 60)))]), "must lie before"),
    ],
)
def test_impossible_values_are_refused(make, found):
    with pytest.raises(MusicError, match=found):
        make()


def test_end_is_never_before_the_last_note():
    track = Track(notes=notes((100, 50, 60)))
    assert Song(tracks=[track]).end == 150
    assert Song(tracks=[track], end=BAR).end == BAR


def test_bars_without_metre_are_four_four_and_the_last_is_whole():
    assert Song(end=2 * BAR + 1).bars().tolist() == [[0, BAR], [BAR, BAR], [2 * BAR, BAR]]
    assert Song().bars().shape == (0, 2)


def test_bars_cover_notes_that_were_added_later():
    song = Song()
    song.tracks.append(Track(notes=notes((BAR, 1, 60))))
    assert len(song.bars()) == 2


def test_a_metre_change_starts_a_bar():
    metres = [Metre(0, 1, 4), Metre(480, 4, 4), Metre(480 + BAR + 960, 3, 4)]
    song = Song(metres=metres, end=480 + BAR + 960 + 2000)
    assert song.bars().tolist() == [[0, 480], [480, BAR], [480 + BAR, 960], [3360, 1440], [4800, 1440]]


def test_the_last_of_several_metres_at_a_tick_counts():
    assert Song(metres=[Metre(0, 3, 4), Metre(0, 2, 4)], end=1000).bars()[0, 1] == 960


def test_bars_of_fractional_length_do_not_drift():
    # 5/64 at 24 ticks a quarter is 7.5 ticks.
    bars = Song(24, metres=[Metre(0, 5, 64)], end=750).bars()
    assert len(bars) == 100
    assert bars[-1].tolist() == [742, 8]
    assert np.array_equal(bars[1:, 0], bars[:-1].sum(axis=1))


def test_a_piece_without_end_is_refused_at_once():
    with pytest.raises(MusicError, match="100,000 bars"):
        Song(end=10**9).bars()


def test_reading_a_missing_file_names_it(tmp_path):
    with pytest.raises(MusicError, match=r"nowhere\.mid: No such file"):
        Song.read(tmp_path / "nowhere.mid")


def test_writing_where_nothing_can_be_written_names_the_path(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MusicError, match=r"cannot write .*a\.mid"):
        Song().write(tmp_path / "file" / "a.mid")


@pytest.mark.parametrize("wrong", [None, (0, -5, 60, 90), (-1, 5, 60, 90), (0, 5, 128, 90)])
def test_tracks_made_together_are_as_if_made_one_by_one(wrong):
    rng = np.random.default_rng(0)
    sizes, kinds = [40, 0, 7, 1], [("a", 5, False), ("b", 0, True), ("", 127, False), ("d", 9, False)]
    notes = np.zeros(sum(sizes), NOTE)
    notes["start"], notes["pitch"] = rng.integers(0, 9, len(notes)), rng.integers(50, 60, len(notes))
    notes["duration"], notes["velocity"] = rng.integers(0, 99, len(notes)), rng.integers(1, 128, len(notes))
    if wrong:
        notes[41] = wrong
        with pytest.raises(MusicError, match="track ''"):
            make_tracks(kinds, notes, sizes)
        return
    own = np.split(notes, np.cumsum(sizes)[:-1])
    assert make_tracks(kinds, notes, sizes) == [Track(*kind, mine) for kind, mine in zip(kinds, own, strict=True)]
    with pytest.raises(MusicError, match="program is 128"):
        make_tracks([*kinds[:3], ("d", 128, False)], notes, sizes)
    assert make_tracks([], notes[:0], []) == []
