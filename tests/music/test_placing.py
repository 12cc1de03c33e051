"""One song in many ways: rows that are shared give what each way alone gives."""

import numpy as np
import pytest

from musae_tf.errors import MusicError
from musae_tf.music import MELODIC, REST, Metre, Song, Track, get_layout
from musae_tf.music import placing as module
from musae_tf.music.grid import tokenize
from musae_tf.music.placing import Placement
from musae_tf.music.roles import POOLED, assign, choices
from musae_tf.music.song import NOTE
from tests.corpus import notes

VOICES = get_layout("voices")


def rivals(seed: int) -> Song:
    """Two kits, two basses, three guitars and two of strings, in 4/4, 3/4 and 4/4, with notes off the grid."""
    rng = np.random.default_rng(seed)
    tracks = []
    for number, program in enumerate((0, 0, 33, 36, 25, 27, 30, 48, 50)):
        rows = np.zeros(rng.integers(0, 60), NOTE)
        rows["start"], rows["duration"] = rng.integers(0, 9000, len(rows)), rng.integers(1, 900, len(rows))
        rows["pitch"], rows["velocity"] = rng.integers(30, 90, len(rows)), 90
        tracks.append(Track(f"track {number}", program, number < 2, rows))
    return Song(480, tracks, [], [Metre(0, 4, 4), Metre(3840, 3, 4), Metre(5280, 4, 4)])


@pytest.mark.parametrize("together", [1, 2**20])
@pytest.mark.parametrize("seed", range(8))
def test_every_way_is_what_it_is_alone(seed, together, monkeypatch):
    monkeypatch.setattr(module, "_TOGETHER", together)
    song = rivals(seed)
    for layout in (get_layout("band"), get_layout("band_paper", drums="voice", keep="lowest")):
        ways = choices(song, layout, assign(song, layout), "all")
        assert len(ways) > 1
        grids = list(Placement(song, layout).grids(ways))
        assert len(grids) == len(ways)
        for grid, roles in zip(grids, ways, strict=True):
            alone = tokenize(song, layout, roles)
            np.testing.assert_array_equal(grid.tokens, alone.tokens)
            assert (grid.runs, grid.programs, grid.losses) == (alone.runs, alone.programs, alone.losses)
            if layout.tracks[0].vocabulary == MELODIC:
                lost = sum(grid.losses[name] for name in ("outside_layout", "other_metre", "overlapped", "same_step"))
                assert grid.losses["notes"] - lost == (grid.tokens < REST).sum()


def test_a_pool_of_chords_is_shared_out_beside_other_ways():
    layout = get_layout("voices")
    notes = np.array([(at, 480, pitch, 90) for at in range(0, 3840, 480) for pitch in (48, 55, 64, 72)], NOTE)
    song = Song(480, [Track("piano", 0, False, notes)])
    pooled, single = np.array([POOLED]), np.array([1])
    first, second = Placement(song, layout).grids([pooled, single])
    assert first.tokens[0, 0].tolist() == [72, 64, 55, 48]
    assert second.tokens[0, 0].tolist() == [128, 72, 128, 128]
    assert (first.losses["overlapped"], second.losses["overlapped"]) == (0, 24)


@pytest.mark.parametrize("metre", [(4, 4), (2, 2), (2, 4), (1, 4), (4, 16), (2, 8), (4, 2), (8, 4), (16, 4), (16, 16)])
def test_the_same_music_in_bars_of_other_lengths(metre):
    song = Song(tracks=[Track("soprano", notes=notes(*[(480 * i, 480, 60 + i % 12) for i in range(64)]))])
    expected = tokenize(song, VOICES)
    song.metres = [Metre(0, *metre)]
    grid = tokenize(song, VOICES)
    np.testing.assert_array_equal(grid.tokens, expected.tokens)
    assert (grid.runs, grid.losses) == (expected.runs, expected.losses)


@pytest.mark.parametrize(
    ("metres", "quarters", "runs", "others"),
    [
        ([(0, 1, 4), (480, 2, 4)], 17, [(0, 4)], 1),  # a pick-up
        ([(0, 2, 4), (960 * 3, 4, 4)], 10, [(0, 1), (1, 1)], 1),  # an odd half bar
        ([(0, 2, 4), (960 * 2, 4, 4)], 8, [(0, 2)], 0),
        ([(0, 3, 4), (1440, 2, 4)], 11, [(0, 2)], 1),
    ],
)
def test_bars_are_joined_from_a_down_beat(metres, quarters, runs, others):
    song = Song(tracks=[Track("soprano", notes=notes((0, 480, 60)))], metres=metres, end=480 * quarters)
    grid = tokenize(song, VOICES)
    assert (grid.runs, grid.losses["bars_other_metre"]) == (runs, others)


def test_bars_that_do_not_make_one_up_are_refused():
    song = Song(tracks=[Track("soprano", notes=notes((0, 480, 60)))], metres=[(0, 6, 4)], end=480 * 12)
    with pytest.raises(MusicError, match="found 6/4"):
        tokenize(song, VOICES)


def test_settled_bars_and_tempos_stay_as_they_are():
    song = Song(
        tracks=[Track("soprano", notes=notes(*[(480 * i, 480, 60) for i in range(16)]))],
        metres=[(0, 4, 4), (1920, 2, 4)],
        tempos=[(0, 60), (1920, 90)],
    )
    settled = next(Placement(song, VOICES, settled=True).grids([np.array([0])]))
    assert (len(settled.tokens), settled.tempo) == (1, 60.0)
    assert (len(tokenize(song, VOICES).tokens), tokenize(song, VOICES).tempo) == (4, 90.0)
