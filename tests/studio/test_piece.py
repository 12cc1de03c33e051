"""Pieces that travel in a link."""

import base64
import json
import zlib

import numpy as np
import pytest

from musae_tf.errors import StudioError
from musae_tf.music import Tempo, get_layout, tokenize
from musae_tf.studio.recipe import MAX_LINK, GridPiece
from tests.corpus import band_song, broken_files, four_voice_song

VOICES = get_layout("voices")


@pytest.mark.parametrize(("song", "layout"), [(four_voice_song(8), "voices"), (band_song(4), "band")])
def test_a_piece_survives_its_text(song, layout):
    layout = get_layout(layout)
    piece = GridPiece.read(song.to_bytes(), "mine.mid", layout)
    text = piece.to_text(bars=3)
    assert 0 < len(text) <= MAX_LINK
    again = GridPiece.from_text(text, layout)
    assert np.array_equal(again.tokens, piece.tokens[:3])
    assert (again.name, again.tempo, again.programs) == ("mine.mid", piece.tempo, piece.programs)
    # The song that the client gets is, on the grid, the one of the file.
    assert np.array_equal(tokenize(piece.song(layout, 99), layout).tokens, tokenize(song, layout).tokens)
    assert piece.song(layout, 1).name == "mine"


def test_what_is_lost_is_said():
    assert "notes belong to none of the tracks" in GridPiece.read(band_song(2).to_bytes(), "band.mid", VOICES).losses
    assert GridPiece.read(four_voice_song(2).to_bytes(), "hymn.mid", VOICES).losses == ""


def test_tempos_are_in_the_link():
    song = four_voice_song(4)
    song.tempos = [Tempo(0, 100), Tempo(1920, 50)]
    piece = GridPiece.from_text(GridPiece.read(song.to_bytes(), "mine.mid", VOICES).to_text(bars=4), VOICES)
    assert piece.song(VOICES, 4).tempos == song.tempos
    assert piece.song(VOICES, 1).tempos == song.tempos[:1]


def test_scores_are_pieces_too():
    kern = b"**kern\t**kern\n*M4/4\t*M4/4\n=1\t=1\n1c\t1cc\n=2\t=2\n1d\t1dd\n*-\t*-\n"
    assert GridPiece.read(kern, "Chant.KRN", VOICES).tokens.shape == (2, 16, 4)
    book = "".join(f"X:{n}\nT:tune {n}\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n" for n in (1, 2, 3))
    assert "2 other tunes of the file are left out" in GridPiece.read(book.encode(), "book.abc", VOICES).losses
    with pytest.raises(StudioError, match=r"mine\.mxl: .*archive"):
        GridPiece.read(b"PK\x03\x04 and no more", "mine.mxl", VOICES)


def test_a_long_piece_has_no_text():
    tokens = np.random.default_rng(1).integers(0, 128, (64, 16, 4)).astype(np.uint16)
    piece = GridPiece("long.mid", tokens, 120.0, VOICES.programs)
    assert piece.to_text(64) == ""
    assert piece.to_text(2) != ""


@pytest.mark.parametrize("name", broken_files())
def test_broken_files_are_read_or_refused_by_name(name):
    reason = None
    try:
        piece = GridPiece.read(broken_files()[name], "mine.mid", VOICES)
    except StudioError as error:
        reason = str(error)
    if reason is None:
        assert piece.tokens.shape[1:] == (16, 4)
    else:
        assert reason.startswith("mine.mid")
        assert "\n" not in reason


def packed(body: bytes = b"", **facts) -> str:
    head = {"name": "a", "tempo": 120.0, "programs": [52] * 4, "shape": [1, 16, 4], **facts}
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(head).encode() + b"\0" + body)).decode()


BAR = np.full(64, 128, "<u2").tobytes()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "damaged"),
        ("AAAA", "damaged"),
        ("%%%", "damaged"),
        (packed(), "damaged"),
        (packed(BAR, shape=[10**9, 16, 4]), "damaged"),
        (packed(BAR, tempo="fast"), "damaged"),
        (packed(BAR, programs=None), "damaged"),
        (packed(BAR, shape=[2, 16, 2]), "has 2 columns of 16 steps a bar, the model has 4 of 16"),
        (packed(np.full(64, 999, "<u2").tobytes()), "does not fit the model"),
        (packed(BAR, tempo=-1.0), "does not fit the model"),
        (packed(BAR, programs=[52] * 3), "does not fit the model"),
        # A small text that would unpack to a gigabyte.
        (base64.urlsafe_b64encode(zlib.compress(bytes(10**8))).decode(), "damaged"),
    ],
)
def test_damaged_links_are_refused(text, words):
    with pytest.raises(StudioError, match=words):
        GridPiece.from_text(text, VOICES)


def test_a_good_link_is_not():
    assert GridPiece.from_text(packed(BAR), VOICES).tokens.shape == (1, 16, 4)
