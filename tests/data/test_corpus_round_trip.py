"""Every song of the corpus comes back from MIDI as it went in."""

from importlib.util import find_spec

import numpy as np
import pytest

from musae_tf.data import CorpusSource, Dataset, build
from musae_tf.music import Song, detokenize, tokenize

pytestmark = pytest.mark.skipif(find_spec("music21") is None, reason="music21, whose scores these are, is missing")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("corpus") / "corpus"
    build(CorpusSource(), folder)
    return Dataset.open(folder, verify=True)


def test_the_four_schools_are_there(corpus):
    assert corpus.genres == ("bach", "monteverdi", "palestrina", "quartet")
    assert len(corpus.songs) > 850
    for split in ("train", "validation", "test"):
        assert corpus.phrases(split, 2).labels.any(axis=0).all(), split


def test_no_group_is_on_two_sides_of_the_split(corpus):
    sides: dict[int, set[str]] = {}
    for song in corpus.songs:
        sides.setdefault(song["group"], set()).add(song["split"])
    assert all(len(side) == 1 for side in sides.values())


def test_tokens_to_midi_to_tokens_is_exact_for_every_song(corpus):
    notes = 0
    for song, first, bars in corpus.runs:
        tokens = np.array(corpus.tokens[first : first + bars])
        tempo = corpus.songs[song]["tempo"]
        back = tokenize(Song.read(detokenize(tokens, corpus.layout, tempo).to_bytes()), corpus.layout)
        np.testing.assert_array_equal(back.tokens, tokens, err_msg=corpus.songs[song]["id"])
        assert back.tempo == pytest.approx(tempo, rel=1e-5)
        notes += back.losses["notes"]
    assert notes > 400_000
