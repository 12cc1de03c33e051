"""Against the scores of the installed music21: what a build of the source gives."""

from collections import Counter, defaultdict
from importlib.util import find_spec

import numpy as np
import pytest

from musae_tf.data.corpus import CorpusSource
from musae_tf.data.source import Piece
from musae_tf.errors import MusicError
from musae_tf.music.grid import Grid, heads, tokenize
from musae_tf.music.named_layouts import get_layout
from musae_tf.music.vocabulary import HOLD, REST

pytestmark = pytest.mark.skipif(
    find_spec("music21") is None, reason="music21, which brings the scores, is not installed"
)

LAYOUT = get_layout("voices")
# A build takes all; tests take every nth score of a class (and of the quartets the smaller files).
EVERY = {"bach": 2, "monteverdi": 1, "palestrina": 8, "quartet": 1}
LARGEST_QUARTET = 20_000


@pytest.fixture(scope="module")
def source():
    return CorpusSource()


@pytest.fixture(scope="module")
def items(source):
    return source.items()


@pytest.fixture(scope="module")
def pieces(source, items):
    """Pieces with their grids, by class."""
    found: dict[str, list[tuple[Piece, Grid]]] = defaultdict(list)
    seen = Counter()
    for item in items:
        seen[item.label] += 1
        if seen[item.label] % EVERY[item.label] or (item.label == "quartet" and item.size > LARGEST_QUARTET):
            continue
        try:
            piece = source.load(item)
            found[item.label].append((piece, tokenize(piece.song, LAYOUT)))
        except MusicError:
            continue
    return found


def sounding(grid: Grid) -> np.ndarray:
    """Pitches [bars * 16, 4] that sound at every step, REST where none does."""
    tokens = grid.tokens.copy()
    tokens[:, 0] = heads(grid.tokens, grid.runs, LAYOUT)
    tokens = tokens.reshape(-1, 4)
    source = np.where(tokens == HOLD, 0, np.arange(len(tokens))[:, None])
    return np.take_along_axis(tokens, np.maximum.accumulate(source, axis=0), axis=0).astype(int)


def dissonance(grids: list[Grid]) -> float:
    """Share of the intervals between sounding voices that are seconds, sevenths or tritones."""
    pitches = np.concatenate([sounding(grid) for grid in grids])
    upper, lower = np.triu_indices(4, 1)
    both = (pitches[:, upper] < REST) & (pitches[:, lower] < REST)
    intervals = np.abs(pitches[:, upper] - pitches[:, lower])[both] % 12
    return float(np.isin(intervals, [1, 2, 6, 10, 11]).mean())


def test_scores_of_every_class_are_there(source, items):
    counts = Counter(item.label for item in items)
    assert counts["bach"] >= 400
    assert counts["monteverdi"] >= 48
    assert counts["palestrina"] >= 490
    assert counts["quartet"] >= 50
    assert len(source.rejected()) >= 800  # masses of other than four voices
    assert len(set(items)) == len(items)


def test_nearly_all_scores_of_common_time_can_be_used(pieces):
    usable = {label: len(found) for label, found in pieces.items()}
    assert usable["bach"] >= 175
    assert usable["monteverdi"] >= 48
    assert usable["palestrina"] >= 50
    assert usable["quartet"] >= 8
    assert sum(len(grid.tokens) for _, grid in pieces["monteverdi"]) >= 3800


def test_voices_are_in_step(pieces):
    # Out of step, chance intervals bring the share above 20 %.
    shares = {label: dissonance([grid for _, grid in found]) for label, found in pieces.items()}
    assert 0.04 < shares["monteverdi"] < 0.06
    assert 0.05 < shares["palestrina"] < 0.08
    assert 0.09 < shares["bach"] < 0.12
    assert 0.13 < shares["quartet"] < 0.19


def test_every_madrigal_is_in_step(pieces):
    worst = max(pieces["monteverdi"], key=lambda pair: dissonance([pair[1]]))
    assert dissonance([worst[1]]) < 0.11, worst[0].id


def test_downbeats_are_downbeats(pieces):
    for label in ("bach", "palestrina", "monteverdi"):
        onsets = sum((grid.tokens < REST).sum(axis=(0, 2)) for _, grid in pieces[label])
        beats = onsets[::4]
        assert beats[0] > beats[2] > max(beats[1], beats[3]), label


def test_the_grid_holds_the_vocal_classes_almost_whole(pieces):
    for label in ("bach", "palestrina", "monteverdi"):
        losses = Counter()
        for _, grid in pieces[label]:
            losses.update(grid.losses)
        assert losses["off_grid"] < 0.001 * losses["notes"], label
        assert losses["overlapped"] < 0.001 * losses["notes"], label
        assert losses["outside_layout"] == 0


def test_movements_of_a_mass_share_a_hint(pieces):
    masses = Counter(piece.hints for piece, _ in pieces["palestrina"])
    assert all(len(hints) == 1 for hints in masses)
    assert len(masses) < len(pieces["palestrina"])


def opening(source, items, path: str) -> list[list[tuple[float, int]]]:
    """Start in quarters and pitch of the first four notes of every voice."""
    song = source.load(next(item for item in items if item.path == path)).song
    return [
        [(start / song.ticks_per_quarter, pitch) for start, _, pitch, _ in track.notes[:4].tolist()]
        for track in song.tracks
    ]


def test_the_opening_of_bwv_66_6(source, items):
    # F sharp minor, with a pick-up of one beat.
    assert opening(source, items, "bach/bwv66.6.mxl") == [
        [(0, 73), (0.5, 71), (1, 69), (2, 71)],
        [(0, 64), (1, 66), (2, 64), (3, 64)],
        [(0, 57), (0.5, 59), (1, 61), (2, 59)],
        [(0, 57), (0.5, 56), (1, 54), (2, 56)],
    ]


def test_the_canon_of_the_missa_ad_fugam_in_halved_values(source, items):
    # The upper pair sings one melody, the lower pair another, each in canon: a fifth apart within a pair.
    soprano, alto, tenor, bass = opening(source, items, "palestrina/Agnus_I_00.krn")
    assert alto == [(0, 62), (2, 64), (4, 62), (7, 67)]
    assert soprano == [(start + 2, pitch + 5) for start, pitch in alto]
    assert bass == [(start + 14, pitch - 12) for start, pitch in alto]
    assert tenor == [(start + 2, pitch + 5) for start, pitch in bass]


def test_the_chromatic_opening_of_piagne_e_sospira(source, items):
    # Book 4, no. 20: the voices enter one by one on the same rising half steps.
    for voice in opening(source, items, "monteverdi/madrigal.4.20.mxl"):
        first = voice[0][1]
        assert [pitch - first for _, pitch in voice] == [0, 1, 2, 3]
        assert np.diff([start for start, _ in voice]).tolist() == [4, 4, 4]
