import numpy as np
import pypianoroll
import pytest

from musae_tf.errors import MusicError
from musae_tf.music import LAYOUTS, Song, Tempo, Track, canonical, get_layout, tokenize
from musae_tf.music.multitrack import from_multitrack, to_multitrack
from tests.corpus import BAR, band_song, changing_metre_song, changing_tempo_song, notes, random_tokens


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("drums", ["kit", "voice"])
@pytest.mark.parametrize("resolution", [4, 24])
def test_tokens_survive_a_pianoroll_file(name, drums, resolution, tmp_path):
    layout = get_layout(name, drums)
    tokens = canonical(random_tokens(np.random.default_rng(0), layout, 6), layout)
    multitrack = to_multitrack(tokens, layout, resolution)
    multitrack.validate()
    assert [len(track.pianoroll) for track in multitrack.tracks] == [6 * 4 * resolution] * len(layout.tracks)
    multitrack.save(tmp_path / "song.npz")
    song = from_multitrack(pypianoroll.load(tmp_path / "song.npz"))
    np.testing.assert_array_equal(tokenize(song, layout).tokens.reshape(tokens.shape), tokens)


def test_repeated_notes_stay_apart():
    tokens = np.full((16, 4), 60)
    song = from_multitrack(to_multitrack(tokens, get_layout("voices")))
    assert [len(track.notes) for track in song.tracks] == [16] * 4


def test_song_survives_with_its_tempos_metres_and_velocities():
    for song in (changing_metre_song(), changing_tempo_song(), band_song()):
        back = from_multitrack(to_multitrack(song, resolution=4))
        assert (back.tempos, back.end, back.name) == (song.tempos, song.end, song.name)
        assert back.bars().tolist() == song.bars().tolist()
        for ours, theirs in zip(back.tracks, song.tracks, strict=True):
            assert (ours.name, ours.program, ours.is_drum) == (theirs.name, theirs.program, theirs.is_drum)
            places = ["start", "duration", "pitch"]
            assert ours.notes[places].tolist() == theirs.notes[places].tolist()
            difference = ours.notes["velocity"].astype(int) - theirs.notes["velocity"]
            assert np.abs(difference).max() <= 1


def test_a_pianoroll_looks_as_pypianoroll_means_it():
    song = Song(480, [Track("a", 5, False, notes((240, 480, 60, 77), (960, 480, 64, 100)))], [Tempo(0, 99.0)], end=BAR)
    multitrack = to_multitrack(song, resolution=2)
    roll = multitrack.tracks[0].pianoroll
    assert roll.dtype == np.uint8
    assert np.argwhere(roll).tolist() == [[1, 60], [2, 60], [4, 64], [5, 64]]
    assert roll[[1, 4], [60, 64]].tolist() == [77, 100]
    assert multitrack.downbeat.tolist() == [True] + [False] * 7
    assert multitrack.tempo.tolist() == [99.0] * 8


def test_overlapping_notes_of_one_pitch_are_cut():
    song = Song(480, [Track("a", 0, False, notes((0, 960, 60), (480, 960, 60)))])
    back = from_multitrack(to_multitrack(song))
    assert back.tracks[0].notes[["start", "duration"]].tolist() == [(0, 480), (480, 960)]


def test_binary_tracks_without_tempo_or_downbeats():
    roll = np.zeros((96, 128), bool)
    roll[24:48, 60] = True
    song = from_multitrack(pypianoroll.Multitrack(resolution=24, tracks=[pypianoroll.BinaryTrack("a", 0, False, roll)]))
    assert song.tracks[0].notes.tolist() == [(480, 480, 60, 90)]
    assert (song.metres, song.tempos, song.end) == ([], [Tempo(0, 120.0)], BAR)


def test_downbeats_become_metres():
    def metres(*beats, steps=400):
        downbeat = np.zeros(steps, bool)
        downbeat[list(beats)] = True
        song = from_multitrack(pypianoroll.Multitrack(resolution=24, downbeat=downbeat, tracks=[]))
        # In time steps of the pianoroll.
        return [(metre.tick // 20, *metre[1:]) for metre in song.metres], (song.bars() // 20).tolist()

    assert metres(0, 96, 192)[0] == [(0, 4, 4)]
    assert metres(0, 72, 144, 240)[0] == [(0, 3, 4), (144, 4, 4)]
    assert metres(0, 36, 72)[0] == [(0, 3, 8)]
    assert metres(24, 120, 216)[0] == [(0, 1, 4), (24, 4, 4)]
    # 97 steps are no metre: a longer bar is cut off where the next begins.
    events, bars = metres(0, 96, 193, 289)
    assert [at for at, _, _ in events] == [0, 96, 193]
    assert bars[:3] == [[0, 96], [96, 97], [193, 96]]
    # The last bar has its own length where it is longer than the one before, up to four quarters.
    assert metres(0, 72, 144, steps=240)[0] == [(0, 3, 4), (144, 4, 4)]
    assert metres(0, 96, steps=300)[0] == [(0, 4, 4)]
    assert metres(0, steps=72)[0] == [(0, 3, 4)]
    # Where no bar follows the odd one, the music goes on in 4/4.
    assert metres(0, 97)[1][:2] == [[0, 97], [97, 96]]


def test_no_tracks_and_no_time():
    multitrack = to_multitrack(Song(tracks=[Track("a")]))
    assert multitrack.tracks[0].pianoroll.shape == (0, 128)
    assert from_multitrack(multitrack).tracks == [Track("a")]


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (lambda: to_multitrack(np.zeros((16, 4), int)), "need a layout"),
        (lambda: to_multitrack(Song(), resolution=0), "resolution is 0"),
        (lambda: to_multitrack(Song(end=10**9)), "time steps"),
        (lambda: from_multitrack(pypianoroll.Multitrack(resolution=0)), "resolution is 0"),
        (
            lambda: from_multitrack(
                pypianoroll.Multitrack(tracks=[pypianoroll.StandardTrack("x", pianoroll=np.zeros((4, 12), np.uint8))])
            ),
            r"\[4, 12\]",
        ),
        (
            lambda: from_multitrack(
                pypianoroll.Multitrack(tracks=[pypianoroll.StandardTrack(pianoroll=np.full((4, 128), 200, np.uint8))])
            ),
            "velocity of 200",
        ),
        (lambda: from_multitrack(pypianoroll.Multitrack(tempo=np.zeros(4))), "tempo at tick 0 is 0"),
    ],
)
def test_impossible_pianorolls_are_refused(call, found):
    with pytest.raises(MusicError, match=found):
        call()
