import json
import pickle
from dataclasses import replace

import pytest

from musae_tf.errors import MusicError
from musae_tf.music import KIT, KIT_PIECES, LAYOUTS, MELODIC, Layout, TrackSpec, get_layout
from musae_tf.music.vocabulary import KIT_BITS, STROKES


def test_built_in_layouts():
    assert {name: layout.names for name, layout in LAYOUTS.items()} == {
        "voices": ("soprano", "alto", "tenor", "bass"),
        "band": ("drums", "bass", "guitar", "strings"),
        "band_paper": ("drums", "bass", "guitar", "strings"),
        "lpd5": ("drums", "piano", "guitar", "bass", "strings"),
        "band_full": ("drums", "bass", "guitar", "keys", "strings", "lead"),
        "piano": ("piano",),
        "pop909": ("melody", "bridge", "piano"),
        "ensemble": tuple(f"part {number}" for number in range(1, 7)),
    }
    assert get_layout("band").vocabulary_sizes == (512, 130, 130, 130)
    assert get_layout("band", drums="voice").vocabulary_sizes == (130,) * 4
    assert get_layout("voices", drums="voice") == get_layout("voices")
    assert {track.keep for track in get_layout("lpd5", keep="lowest").tracks} == {"lowest"}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("drums", ["kit", "voice"])
def test_layouts_survive_json_and_pickle(name, drums):
    layout = get_layout(name, drums, "lowest")
    assert Layout.from_dict(json.loads(json.dumps(layout.to_dict()))) == layout
    assert pickle.loads(pickle.dumps(layout)) == layout


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (lambda: get_layout("quartet"), "'quartet', must be one of voices, band, band_paper, lpd5"),
        (lambda: get_layout("band", drums="bongo"), "'bongo'"),
        (lambda: get_layout("band", keep="loudest"), "'loudest'"),
        (lambda: TrackSpec("x", 128, MELODIC, "others"), "program is 128"),
        (lambda: TrackSpec("x", 0, MELODIC, "programs 3"), "'programs 3'"),
        (lambda: TrackSpec("x", 0, KIT, "others"), "kit vocabulary"),
        (lambda: Layout("x", ()), "at least one track"),
        (lambda: Layout("x", LAYOUTS["voices"].tracks[:1] * 2), "its own name"),
        (lambda: Layout.from_dict({"name": "x"}), "tracks"),
        (lambda: Layout.from_dict({**LAYOUTS["voices"].to_dict(), "colour": 1}), "colour"),
        (lambda: Layout.from_dict({"name": "x", "tracks": [{"vocabulary": "vowels"}]}), "'vowels'"),
        (lambda: Layout.from_dict({"name": "x", "tracks": [{"vocabulary": "kit", "size": 3}]}), "size"),
    ],
)
def test_impossible_layouts_are_refused(call, found):
    with pytest.raises(MusicError, match=found):
        call()


def test_program_rules_cover_each_program_once():
    for name, roles in (("band", (33, 25, 48)), ("band_paper", (33, 25, 48)), ("lpd5", (0, 25, 33, 48))):
        melodic = [track for track in LAYOUTS[name].tracks if not track.is_drum]
        for program in range(128):
            assert sum(program in track.tiers[0] for track in melodic if track.tiers) <= 1
            assert all(sum(program in tier for tier in track.tiers) <= 1 for track in melodic)
        # What a layout writes it takes back by program.
        for track, program in zip(melodic, roles, strict=True):
            assert track.program == program
            assert track.rule == "others" or program in track.tiers[0]
    spans = replace(LAYOUTS["band"].tracks[1], rule="programs 0-1,5-5 or 9-9")
    assert spans.tiers == ({0, 1, 5}, {9})


def test_kit_pieces():
    assert len(KIT_PIECES) == 9
    assert KIT.size == 512
    pitches = [pitch for piece in KIT_PIECES for pitch in piece.pitches]
    assert len(pitches) == len(set(pitches))
    assert set(range(35, 82)) <= set(pitches), "all General MIDI percussion has a place"
    for bit, piece in enumerate(KIT_PIECES):
        assert KIT_BITS[piece.pitch] == 1 << bit
    assert KIT_BITS[0] == 0
    assert STROKES[[0, 1, 0b101, 511]].tolist() == [0, 1, 2, 9]
