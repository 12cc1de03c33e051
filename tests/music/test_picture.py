import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from musae_tf.errors import MusicError
from musae_tf.music import LAYOUTS, REST, Song, Track, get_layout
from musae_tf.music.picture import COLOURS, pianoroll, picture_grid, write_png
from tests.corpus import BAR, notes, random_tokens, songs


def colour_share(pixels, index):
    """Share of pixels in the colour of track `index`."""
    return float((np.abs(pixels[..., :3] - to_rgb(COLOURS[index])) < 0.02).all(axis=-1).mean())


def calm_tokens(layout, bars, seed=0):
    """Random tokens whose pitches span two octaves, so that notes are some pixels high."""
    tokens = random_tokens(np.random.default_rng(seed), layout, bars)
    melodic = np.array(layout.vocabulary_sizes) == 130
    return np.where(melodic & (tokens < REST), 48 + tokens % 24, tokens)


def pixels_of(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return imread(io.BytesIO(png))


@pytest.mark.parametrize("name", songs())
def test_songs_have_pictures_with_every_track(name):
    song = songs()[name]
    pixels = pixels_of(pianoroll(song))
    for index, track in enumerate(song.tracks):
        share = colour_share(pixels, index)
        assert (share > 0.001) == (len(track.notes) > 0)


@pytest.mark.parametrize("name", LAYOUTS)
def test_tokens_have_pictures(name, tmp_path):
    layout = get_layout(name)
    tokens = calm_tokens(layout, 2)
    write_png(tokens, tmp_path / "a.png", layout, "A title")
    pixels = pixels_of((tmp_path / "a.png").read_bytes())
    assert all(colour_share(pixels, index) > 0.001 for index in range(len(layout.tracks)))


def test_pictures_are_the_same_every_time():
    song = songs()["band"]
    assert pianoroll(song) == pianoroll(song)
    assert pianoroll(song, title="other") != pianoroll(song)


def test_higher_notes_are_drawn_higher_and_later_ones_further_right():
    rows = notes((0, 480, 60), (BAR, 480, 72))
    pixels = pixels_of(pianoroll(Song(tracks=[Track("a", 0, False, rows)])))
    inked = np.argwhere((np.abs(pixels[..., :3] - to_rgb(COLOURS[0])) < 0.02).all(axis=-1))
    left, right = inked[inked[:, 1] < pixels.shape[1] / 2], inked[inked[:, 1] > pixels.shape[1] / 2]
    assert left[:, 0].min() > right[:, 0].max()


def test_silence_extremes_and_odd_drums_have_pictures():
    extremes = notes((0, 10, 0), (BAR, 10, 127))
    for tracks in ([], [Track("silent")], [Track("edges", 0, False, extremes)], [Track("odd", 0, True, extremes)]):
        pixels_of(pianoroll(Song(tracks=tracks)))


def test_long_songs_have_pictures_of_limited_size():
    song = Song(tracks=[Track("a", 0, False, notes((0, 10, 60)))], end=1000 * BAR)
    assert pixels_of(pianoroll(song)).shape[1] < 8000


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("count", [1, 5])
def test_sheets_of_phrases(name, count):
    layout = get_layout(name)
    phrases = np.stack([calm_tokens(layout, 2, seed) for seed in range(count)])
    sheet = picture_grid(phrases, layout, [f"{i}" for i in range(count)])
    assert sheet.dtype == np.uint8
    assert sheet.ndim == 3
    assert sheet.shape[2] == 3
    assert all(colour_share(sheet / 255, index) > 0.0005 for index in range(len(layout.tracks)))


def test_a_sheet_of_silence():
    layout = get_layout("voices")
    assert picture_grid(np.full((2, 32, 4), REST), layout, columns=1).shape[2] == 3


def test_impossible_pictures_are_refused():
    layout = get_layout("voices")
    with pytest.raises(MusicError, match="need a layout"):
        pianoroll(np.zeros((16, 4), int))
    with pytest.raises(ValueError, match="0 phrases"):
        picture_grid(np.zeros((0, 16, 4), int), layout)
    with pytest.raises(ValueError, match="1 titles"):
        picture_grid(np.zeros((2, 16, 4), int), layout, ["a"])
