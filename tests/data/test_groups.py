import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musae_tf.data.split import COMMON_SONGS, fingerprints, identity, relate
from musae_tf.music import get_layout
from musae_tf.music.grid import heads, tokenize, transpose
from musae_tf.music.vocabulary import HOLD, REST
from tests.corpus import band_song, drum_song, four_voice_song, random_tokens

VOICES, BAND = get_layout("voices"), get_layout("band")


def prints_of(tokens, layout, runs=None):
    runs = [(0, len(tokens))] if runs is None else runs
    return fingerprints(tokens, heads(tokens, runs, layout), np.array(runs).reshape(-1, 2), layout)


def tokens_of(song, layout):
    return tokenize(song, layout).tokens


# --- fingerprints -----------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(-40, 40), st.sampled_from(["kit", "voice"]))
def test_same_in_every_key(seed, semitones, drums):
    layout = get_layout("band", drums=drums)
    tokens = tokens_of(band_song(6, seed), layout)
    semitones = int(np.clip(semitones, -28, 39))  # the bass goes down to 28, the strings up to 88
    moved = transpose(tokens, semitones, layout)
    assert len(prints_of(tokens, layout)) == 5
    np.testing.assert_array_equal(prints_of(moved, layout), prints_of(tokens, layout))


@given(st.integers(0, 2**32 - 1), st.data())
def test_other_notes_are_other_hashes(seed, data):
    rng = np.random.default_rng(seed)
    tokens = random_tokens(rng, BAND, 2).reshape(2, 16, 4)
    track = data.draw(st.integers(0, 3))
    struck = np.argwhere(tokens[:, :, track] < 128 if track else tokens[:, :, track] > 0)
    bar, step = struck[data.draw(st.integers(0, len(struck) - 1))]
    changed = tokens.copy()
    if track:
        changed[bar, step, track] = (changed[bar, step, track] + data.draw(st.integers(1, 127))) % 128
    else:
        changed[bar, step, track] ^= 1 << data.draw(st.integers(0, 8))
    assert prints_of(tokens, BAND).tolist() != prints_of(changed, BAND).tolist()


def test_lengths_of_notes_do_not_count():
    tokens = tokens_of(four_voice_song(6), VOICES)
    np.testing.assert_array_equal(
        prints_of(np.where(tokens == HOLD, REST, tokens)[:2], VOICES), prints_of(tokens[:2], VOICES)
    )


def test_windows_lie_in_runs():
    tokens = tokens_of(four_voice_song(8), VOICES)
    apart = np.union1d(prints_of(tokens[:3], VOICES), prints_of(tokens[3:], VOICES))
    np.testing.assert_array_equal(prints_of(tokens, VOICES, [(0, 3), (3, 5)]), apart)
    assert len(apart) == 6
    assert len(prints_of(tokens, VOICES, [(0, 1), (4, 1)])) == 0


def test_window_that_starts_inside_a_note():
    """A held note is struck at the start of the window, as it is in a phrase."""
    tokens = np.full((4, 16, 4), HOLD, np.uint16)
    tokens[:, ::2, 0] = np.arange(60, 68)  # both halves alike
    tokens[0, 0, 1:] = 50, 45, 40
    tokens[:, 4, 3] = 40  # enough notes
    second = tokens[2:].copy()
    second[0, 0, 1:] = 50, 45, 40
    np.testing.assert_array_equal(prints_of(second, VOICES), prints_of(tokens, VOICES, [(0, 4)])[:1])
    assert len(prints_of(tokens, VOICES)) == 1


def test_windows_that_say_nothing():
    tokens = np.full((2, 16, 4), REST, np.uint16)
    tokens[:, ::2, 0] = 60  # sixteen onsets of one pitch
    assert len(prints_of(tokens, VOICES)) == 0
    tokens[:] = REST
    tokens[0, :7, 0] = np.arange(60, 67)  # seven onsets
    assert len(prints_of(tokens, VOICES)) == 0
    tokens[0, 7, 0] = 67
    assert len(prints_of(tokens, VOICES)) == 1
    assert len(prints_of(tokens_of(drum_song(), BAND), BAND)) == 0  # a beat is everybody's
    assert len(prints_of(np.empty((0, 16, 4), np.uint16), VOICES, [])) == 0


# --- groups and duplicates --------------------------------------------------------------------------------------------


def relate_windows(*songs, hints=None):
    """Relations of songs given as sets of window numbers; a song is as many bars long as it has windows."""
    prints = [np.array(sorted(set(song)), np.uint64) for song in songs]
    identities = [identity(np.array([number]), windows) for number, windows in enumerate(prints)]
    return relate(prints, identities, list(map(len, songs)), hints or [()] * len(songs))


@pytest.mark.parametrize(
    ("shared", "related", "duplicate"),
    [(0, False, False), (9, False, False), (10, True, False), (31, True, False), (32, True, True)],
)
def test_thresholds(shared, related, duplicate):
    """The shorter song has 40 windows; 25 % of them make a relation, 80 % a duplicate."""
    relations = relate_windows(range(100, 140), range(140 - shared, 240 - shared))
    assert (relations.group[0] == relations.group[1]) == related
    assert relations.duplicate_of.tolist() == [1 if duplicate else -1, -1]


def test_relation_is_transitive_and_hints_relate():
    relations = relate_windows(
        range(0, 10), range(100, 110), range(5, 15), range(12, 22), range(200, 210), range(300, 310),
        hints=[(), ("mass 1",), (), (), ("mass 1", "mass 2"), ("mass 2",)],
    )  # fmt: skip
    assert relations.group.tolist() == [0, 1, 0, 0, 1, 1]
    assert (relations.duplicate_of == -1).all()


def test_longest_or_first_is_kept():
    relations = relate_windows(range(10), range(11), range(11), range(1, 10), range(50, 60))
    assert relations.duplicate_of.tolist() == [1, -1, 1, 1, -1]


def test_songs_without_windows_are_the_same_if_their_tokens_are():
    nothing = np.empty(0, np.uint64)
    tokens = np.arange(8)
    names = [identity(tokens, nothing), identity(tokens + 1, nothing), identity(tokens, nothing)]
    relations = relate([nothing] * 3, names, [2, 2, 2], [(), (), ()])
    assert relations.group.tolist() == [0, 1, 0]
    assert relations.duplicate_of.tolist() == [-1, -1, 0]


def test_common_windows_relate_nobody():
    crowd = COMMON_SONGS + 1
    few = relate_windows(*([7, 10 * song, 10 * song + 1, 10 * song + 2] for song in range(1, crowd)))
    many = relate_windows(*([7, 10 * song, 10 * song + 1, 10 * song + 2] for song in range(1, crowd + 1)))
    assert few.group.max() == 0
    assert many.group.max() == crowd - 1


def test_copies_of_a_hit_come_together():
    """Four hundred versions of one song, each a little different, among 20,000 others."""
    rng = np.random.default_rng(0)
    versions = [rng.permutation(60)[:50] for _ in range(400)]
    others = [range(1000 * song, 1000 * song + 50) for song in range(1, 20_001)]
    songs = [*versions, *others]
    relations = relate_windows(*(songs[song] for song in rng.permutation(len(songs))))
    assert np.sort(np.bincount(relations.group))[-2:].tolist() == [1, 400]


@given(st.lists(st.sets(st.integers(0, 30), max_size=12), min_size=1, max_size=8))
def test_against_all_pairs(songs):
    relations = relate_windows(*songs)
    sizes = list(map(len, songs))
    parents = list(range(len(songs)))
    for _ in songs:
        for one, windows in enumerate(songs):
            for other in range(one):
                least = min(sizes[one], sizes[other])
                if least and len(windows & songs[other]) >= 0.25 * least:
                    parents[one] = parents[other] = min(parents[one], parents[other])
    expected = [[one == other for one in parents] for other in parents]
    assert [[one == other for one in relations.group] for other in relations.group] == expected
    for song, kept in enumerate(relations.duplicate_of.tolist()):
        if kept >= 0:
            assert relations.duplicate_of[kept] == -1
            assert (-sizes[kept], kept) < (-sizes[song], song)
            assert len(songs[song] & songs[kept]) >= 0.8 * sizes[song]
