"""One song in many ways: rows that are shared give what each way alone gives."""

import numpy as np
import pytest

from musae_tf.music import MELODIC, REST, Metre, Song, Track, get_layout
from musae_tf.music import placing as module
from musae_tf.music.grid import tokenize
from musae_tf.music.placing import Placement
from musae_tf.music.roles import POOLED, assign, choices
from musae_tf.music.song import NOTE


def rivals(seed: int) -> Song:
    """Two kits, two basses, three guitars and two of strings, in 4/4, 3/4 and 4/4, with notes off the grid."""
    rng = np.random.default_rng(seed)
    tracks = []
    for number, program in enumerate((0, 0, 33, 36, 25, 27, 30, 48, 50)):
        notes = np.zeros(rng.integers(0, 60), NOTE)
        notes["start"], notes["duration"] = rng.integers(0, 9000, len(notes)), rng.integers(1, 900, len(notes))
        notes["pitch"], notes["velocity"] = rng.integers(30, 90, len(notes)), 90
        tracks.append(Track(f"track {number}", program, number < 2, notes))
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
                lost = sum(grid.losses[name] for name in ("outside_layout", "other_metre", "overlapped"))
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
