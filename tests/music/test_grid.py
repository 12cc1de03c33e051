import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musae_tf.errors import MusicError
from musae_tf.music import (
    HOLD,
    LAYOUTS,
    REST,
    Metre,
    Song,
    Tempo,
    Track,
    canonical,
    detokenize,
    get_layout,
    heads,
    tokenize,
)
from tests.corpus import BAR, band_song, changing_metre_song, drum_song, notes, random_tokens, songs, waltz

VOICES = get_layout("voices")
ALL_LAYOUTS = [get_layout(name, drums) for name in LAYOUTS for drums in ("kit", "voice")]
# Those of tracks with one voice; the others are in test_columns.py.
LINES = [layout for layout in ALL_LAYOUTS if len(layout.columns) == len(layout.tracks)]


def voice(rows, layout=VOICES, track="soprano", **song):
    """One track of a song whose only notes are `rows`, as a flat list of tokens, and the whole grid."""
    spec = layout.tracks[layout.names.index(track)]
    grid = tokenize(Song(tracks=[Track(track, spec.program, spec.is_drum, notes(*rows))], **song), layout)
    return grid.tokens.reshape(-1, len(layout.tracks))[:, layout.names.index(track)].tolist(), grid


@settings(max_examples=150, deadline=None)
@given(
    layout=st.sampled_from(LINES),
    keep=st.sampled_from(["highest", "lowest"]),
    bars=st.integers(1, 8),
    silent_bars=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    silent_tracks=st.sets(st.integers(0, 4)),
    microseconds=st.integers(200_000, 2_000_000),
    seed=st.integers(0, 2**32 - 1),
)
def test_tokens_survive_a_midi_file(layout, keep, bars, silent_bars, silent_tracks, microseconds, seed):
    layout = get_layout(layout.name, "kit" if 512 in layout.vocabulary_sizes else "voice", keep)
    rng = np.random.default_rng(seed)
    sounding = random_tokens(rng, layout, bars)
    rests = np.array([spec.vocabulary.rest for spec in layout.tracks], np.uint16)
    before, after = (np.tile(rests, (16 * count, 1)) for count in silent_bars)
    tokens = np.concatenate([before, sounding, after])
    for track in silent_tracks & set(range(len(rests))):
        tokens[:, track] = rests[track]
    tokens = canonical(tokens, layout)
    tempo = 60e6 / microseconds
    programs = tuple(rng.integers(0, 128, len(rests)).tolist())

    back = Song.read(detokenize(tokens, layout, tempo, programs).to_bytes())
    grid = tokenize(back, layout)

    np.testing.assert_array_equal(grid.tokens.reshape(tokens.shape), tokens)
    assert grid.tokens.dtype == np.uint16
    assert round(60e6 / grid.tempo) == microseconds
    assert back.metres == [Metre(0, 4, 4)]
    assert grid.programs == programs
    assert grid.runs == [(0, len(tokens) // 16)]
    assert grid.losses["off_grid"] == grid.losses["overlapped"] == grid.losses["outside_layout"] == 0


@settings(max_examples=60, deadline=None)
@given(
    layout=st.sampled_from(LINES),
    parts=st.lists(
        st.tuples(st.integers(1, 8), st.sampled_from([(3, 4), (6, 8), (5, 4), (7, 8), (1, 4)]), st.integers(1, 3)),
        min_size=1,
        max_size=4,
    ),
    quarter=st.sampled_from([4, 96, 480, 960]),
    seed=st.integers(0, 2**32 - 1),
)
def test_runs_between_other_metres_survive_a_midi_file(layout, parts, quarter, seed):
    rng = np.random.default_rng(seed)
    song = Song(quarter, [Track(spec.name, spec.program, spec.is_drum) for spec in layout.tracks])
    expected, runs, lost, at = [], [], 0, 0
    for bars, (numerator, denominator), others in parts:
        tokens = canonical(random_tokens(rng, layout, bars), layout)
        runs.append((sum(len(part) for part in expected) // 16, bars))
        expected.append(tokens)
        song.metres.append(Metre(at, *((4, 4), (2, 2), (8, 8))[bars % 3]))
        for track, source in zip(song.tracks, detokenize(tokens, layout).tracks, strict=True):
            rows = source.notes.copy()
            rows["start"] = rows["start"] * quarter // 480 + at
            rows["duration"] = rows["duration"] * quarter // 480
            track.notes = np.append(track.notes, rows)
        at += bars * 4 * quarter
        song.metres.append(Metre(at, numerator, denominator))
        # A note in the bars between, which is lost.
        drum = layout.tracks[-1].is_drum
        song.tracks[-1].notes = np.append(song.tracks[-1].notes, notes((at, quarter, 36 if drum else 60)))
        lost += 1
        at += others * 4 * quarter * numerator // denominator
    song.end = at

    grid = tokenize(Song.read(song.to_bytes()), layout)

    np.testing.assert_array_equal(grid.tokens.reshape(-1, len(layout.tracks)), np.concatenate(expected))
    assert grid.runs == runs
    assert grid.losses["other_metre"] == lost
    assert grid.losses["bars_other_metre"] == sum(others for _, _, others in parts)


@pytest.mark.parametrize("layout", ALL_LAYOUTS, ids=lambda layout: f"{layout.name}-{layout.vocabulary_sizes[0]}")
@pytest.mark.parametrize("name", songs())
def test_every_note_is_kept_or_counted(name, layout):
    song = songs()[name]
    try:
        grid = tokenize(song, layout)
    except MusicError:
        assert name in ("waltz", "drums")
        return
    kits, lines = (np.array(layout.vocabulary_sizes) == size for size in (512, 130))
    strokes = sum(int(symbol).bit_count() for symbol in grid.tokens[..., kits].ravel())
    onsets = strokes + (grid.tokens[..., lines] < REST).sum()
    losses = grid.losses
    assert losses["notes"] == sum(len(track.notes) for track in song.tracks)
    lost = sum(losses[kind] for kind in ("overlapped", "same_step", "outside_layout", "other_metre"))
    assert losses["notes"] - lost == onsets
    assert losses["bars"] - losses["bars_other_metre"] == len(grid.tokens) == sum(bars for _, bars in grid.runs)
    assert losses["bars"] == len(song.bars())


def test_onsets_holds_and_rests():
    tokens, _ = voice([(0, 480, 60), (480, 240, 60), (960, 120, 62)])
    assert tokens == [60, HOLD, HOLD, HOLD, 60, HOLD, REST, REST, 62] + [REST] * 7


def test_starts_and_ends_are_rounded_and_small_overlaps_lose_nothing():
    tokens, grid = voice([(10, 490, 60), (470, 260, 64), (715, 250, 62), (970, 20, 65)])
    assert tokens[:9] == [60, HOLD, HOLD, HOLD, 64, HOLD, 62, HOLD, 65]
    assert grid.losses["off_grid"] == 4
    assert grid.losses["overlapped"] == 0


def test_the_highest_note_wins_and_is_not_cut_by_a_lower_one():
    tokens, grid = voice([(0, 480, 60), (0, 480, 64), (120, 120, 62), (240, 960, 67), (1200, 120, 50)])
    assert tokens[:11] == [64, HOLD, 67] + [HOLD] * 7 + [50]
    assert grid.losses["overlapped"] == 2


def test_notes_that_rounding_brings_together_are_no_polyphony():
    tokens, grid = voice([(0, 30, 60), (30, 30, 62), (45, 60, 64), (45, 60, 67), (120, 120, 65), (120, 120, 62)])
    assert tokens[:3] == [67, 65, REST]
    assert (grid.losses["same_step"], grid.losses["overlapped"]) == (2, 2)


def test_a_lost_note_blocks_nothing():
    # 62 is lost to 70; when 70 is over, 61 is free to start although 62 would still sound.
    tokens, grid = voice([(0, 480, 70), (240, 960, 62), (480, 240, 61)])
    assert tokens[:6] == [70, HOLD, HOLD, HOLD, 61, HOLD]
    assert grid.losses["overlapped"] == 1


def test_the_lowest_note_wins_where_asked_for():
    rows = [(0, 480, 60), (0, 480, 64), (120, 120, 62), (240, 240, 55)]
    tokens, grid = voice(rows, get_layout("voices", keep="lowest"))
    assert tokens[:4] == [60, HOLD, 55, HOLD]
    assert grid.losses["overlapped"] == 2


def test_the_longest_of_equal_notes_wins():
    assert voice([(0, 120, 60), (0, 360, 60)])[0][:4] == [60, HOLD, HOLD, REST]


def test_a_note_a_little_early_belongs_to_the_run_that_follows():
    metres = [Metre(0, 3, 4), Metre(1440, 4, 4)]
    tokens, grid = voice([(1430, 250, 60)], metres=metres, end=1440 + BAR)
    assert tokens[:3] == [60, HOLD, REST]
    assert grid.losses["other_metre"] == 0


def test_a_note_at_the_very_end_of_a_run_stays_in_it():
    tokens, grid = voice([(BAR - 10, 500, 60)], metres=[Metre(0, 4, 4), Metre(BAR, 3, 4)])
    assert tokens == [REST] * 15 + [60]
    assert grid.losses["other_metre"] == 0


def test_a_note_does_not_sound_into_the_next_run():
    metres = [Metre(0, 4, 4), Metre(BAR, 3, 4), Metre(BAR + 1440, 4, 4)]
    tokens, grid = voice([(BAR - 480, 3 * BAR, 60)], metres=metres)
    assert tokens[:16] == [REST] * 12 + [60] + [HOLD] * 3
    assert set(tokens[16:]) == {REST}
    assert grid.runs == [(0, 1), (1, 2)]


def test_metres_of_sixteen_sixteenths_are_one_run():
    metres = [Metre(0, 4, 4), Metre(BAR, 2, 2), Metre(2 * BAR, 8, 8), Metre(3 * BAR, 16, 16)]
    tokens, grid = voice([(BAR - 120, 240, 60)], metres=metres, end=4 * BAR)
    assert tokens[15:17] == [60, HOLD]
    assert grid.runs == [(0, 4)]


@pytest.mark.parametrize(
    ("tempos", "expected"),
    [
        ([], 120.0),
        ([(0, 77.5)], 77.5),
        ([(1, 70)], 70.0),  # after the first note
        ([(0, 240), (480, 70)], 70.0),
        ([(0, 70), (480 * 5, 140)], 140.0),
        ([(0, 70), (480 * 11, 140)], 70.0),
        ([(480 * 20, 60)], 120.0),  # after the last note
        ([(0, 60), (0, 90)], 90.0),  # of two at once the last
        ([(480 * i, 100 + (i % 5 - 2)) for i in range(10)] + [(480 * 10, 140)], 100.0),  # played freely, then faster
        ([(0, 140)] + [(480 * (6 + i), 100 + i / 2) for i in range(10)], 102.5),
    ],
)
def test_the_tempo_is_that_of_most_notes(tempos, expected):
    song = Song(tracks=[Track("soprano", notes=notes(*[(480 * i, 480, 60) for i in range(16)]))], tempos=tempos)
    tempo = tokenize(song, VOICES).tempo
    assert tempo == expected if len(tempos) < 9 else abs(tempo - expected) < 2.5


def test_the_tempo_is_that_of_bars_with_notes():
    tempos = [Tempo(0, 50.0), Tempo(1440, 80.0), Tempo(1440 + 5, 99.0)]
    assert voice([(1440, 10, 60)], metres=[Metre(0, 3, 4), Metre(1440, 4, 4)], tempos=tempos)[1].tempo == 80.0
    assert voice([(0, 10, 60)])[1].tempo == 120.0


def test_resolutions_that_are_no_multiple_of_four():
    song = Song(6, [Track("soprano", notes=notes(*[(2 + 3 * i, 1, 60 + i) for i in range(4)]))])
    grid = tokenize(song, VOICES)
    # Ticks 2, 5, 8, 11 of 24 are steps 1.33, 3.33, 5.33, 7.33: less than a tick from a step.
    assert np.flatnonzero(grid.tokens[0, :, 0] < REST).tolist() == [1, 3, 5, 7]
    assert grid.losses["off_grid"] == 0


def test_kits_strike_together_and_count_what_they_have_no_piece_for():
    rows = notes((0, 10, 36), (5, 10, 42), (0, 10, 35), (480, 10, 38), (480, 10, 1))
    grid = tokenize(Song(tracks=[Track("k", 0, True, rows)]), get_layout("band"))
    assert grid.tokens[0, [0, 1, 4], 0].tolist() == [0b101, 0, 0b10]
    assert (grid.losses["overlapped"], grid.losses["outside_layout"]) == (1, 1)


def test_songs_without_a_place_on_the_grid_are_refused():
    with pytest.raises(MusicError, match=r"no bar is 16 sixteenths long .*found 3/4"):
        tokenize(waltz(), VOICES)
    with pytest.raises(MusicError, match=r"no track fits the layout 'voices' .*found 'groove' \(drums\)"):
        tokenize(drum_song(), VOICES)
    with pytest.raises(MusicError, match="no tracks with notes"):
        tokenize(Song(end=BAR), VOICES)


def test_detokenize_takes_holds_with_nothing_to_hold_as_rests():
    tokens = np.full((16, 4), HOLD, np.uint16)
    tokens[4:6, 0] = [REST, HOLD]
    tokens[8, 0] = 60
    song = detokenize(tokens, VOICES, velocity=77)
    assert song.tracks[0].notes.tolist() == [(960, 960, 60, 77)]
    assert [len(track.notes) for track in song.tracks[1:]] == [0, 0, 0]
    assert (song.end, song.metres, song.tempos) == (BAR, [Metre(0, 4, 4)], [Tempo(0, 120.0)])
    expected = np.full((16, 4), REST)
    expected[8:, 0] = [60] + [HOLD] * 7
    np.testing.assert_array_equal(canonical(tokens, VOICES), expected)


def test_canonical_leaves_kit_symbols_alone():
    layout = get_layout("band")
    tokens = np.zeros((1, 16, 4), np.uint16)
    tokens[0, :, 0] = [HOLD, REST] * 8
    np.testing.assert_array_equal(canonical(tokens, layout), tokens)
    np.testing.assert_array_equal(heads(tokens, [(0, 1)], layout), tokens[:, 0])


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (lambda: detokenize(np.zeros((15, 4), int), VOICES), r"shape \[15, 4\]"),
        (lambda: detokenize(np.zeros((16, 5), int), VOICES), r"shape \[16, 5\]"),
        (lambda: detokenize(np.zeros((2, 32, 4), int), VOICES), r"shape \[2, 32, 4\]"),
        (lambda: detokenize(np.zeros((16, 4)), VOICES), "float64"),
        (lambda: detokenize(np.full((16, 4), 130), VOICES), "130"),
        (lambda: detokenize(np.full((16, 4), -1), VOICES), "-1"),
        (lambda: detokenize(np.zeros((16, 4), int), VOICES, programs=[1]), "1 entries"),
        (lambda: detokenize(np.zeros((16, 4), int), VOICES, programs=[1, 2, 3, 200]), "200"),
        (lambda: detokenize(np.zeros((16, 4), int), VOICES, velocity=0), "velocity is 0"),
        (lambda: detokenize(np.zeros((16, 4), int), VOICES, tempo=-3), "-3"),
    ],
)
def test_impossible_tokens_are_refused(call, found):
    with pytest.raises(MusicError, match=found):
        call()


def test_heads_resolve_holds_inside_their_run():
    tokens = np.full((4, 16, 4), HOLD, np.uint16)
    tokens[0, 5, 0] = 60
    tokens[0, 3, 1] = REST
    tokens[2, 0, 2] = 72
    resolved = heads(tokens, [(0, 2), (2, 2)], VOICES)
    assert resolved.tolist() == [[REST] * 4, [60, REST, REST, REST], [REST, REST, 72, REST], [REST, REST, 72, REST]]


def test_heads_of_real_music_are_what_sounds_there():
    grid = tokenize(changing_metre_song(), VOICES)
    resolved = heads(grid.tokens, grid.runs, VOICES)
    for bar, row in enumerate(resolved):
        whole = tokenize(detokenize(grid.tokens, VOICES), VOICES).tokens.reshape(-1, 4)
        first = max(start for start, _ in grid.runs if start <= bar)
        for track, symbol in enumerate(row):
            before = whole[first * 16 : bar * 16 + 1, track]
            sounding = before[before != HOLD]
            assert symbol == (sounding[-1] if len(sounding) else REST)


def test_tokenize_is_fast():
    song = band_song(100)
    count = sum(len(track.notes) for track in song.tracks)
    assert count > 2000
    layout = get_layout("band")
    spent = []
    for _ in range(10):
        start = time.perf_counter()
        tokenize(song, layout)
        spent.append(time.perf_counter() - start)
    # Two milliseconds on a free machine; room for a busy one.
    assert min(spent) < 0.01
