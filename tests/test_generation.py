"""A trained model on whole songs, with a tiny model that was really trained."""

import numpy as np
import pytest
import tensorflow as tf

from musae_tf import generation
from musae_tf.errors import MusicError, RunError
from musae_tf.models.inference import BATCH, decode, encode, sample_latent
from musae_tf.music import Song, Tempo, cut, detokenize, pieces, tokenize
from musae_tf.music.pieces import row_seeds
from tests.corpus import changing_metre_song, drum_song, four_voice_song, waltz


@pytest.fixture(scope="module")
def model(tiny_run):
    return tiny_run.load_model()


@pytest.fixture(scope="module")
def layout(tiny_run):
    return tiny_run.layout


def tokens_of(song: Song, layout) -> np.ndarray:
    return tokenize(song, layout).tokens


def codes_of(model, song: Song, layout) -> np.ndarray:
    """Posterior means of a song of whole phrases of 2 bars."""
    return encode(model, cut(tokenize(song, layout), 2, hop=2))[0]


def same(one: Song, other: Song) -> bool:
    return one.to_bytes() == other.to_bytes()


# --- sample -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bars", [1, 2, 5])
def test_a_sample_has_the_bars_the_tempo_and_the_tracks_asked_for(model, layout, bars):
    song = generation.sample(model, layout, "hymns", bars=bars, tempo=77.0, temperature=0.5)
    assert len(song.bars()) == bars
    assert song.tempos == [Tempo(0, 77.0)]
    assert [track.name for track in song.tracks] == list(layout.names)


def test_a_sample_depends_on_its_seed_genre_and_temperature_only(model, layout):
    first = generation.sample(model, layout, "hymns", 8, 1.0, seed=3)
    assert same(first, generation.sample(model, layout, "hymns", 8, 1.0, seed=3))
    assert not same(first, generation.sample(model, layout, "hymns", 8, 1.0, seed=4))
    assert not same(first, generation.sample(model, layout, "dances", 8, 1.0, seed=3))
    assert not same(first, generation.sample(model, layout, "hymns", 8, 0.5, seed=3))


def test_a_longer_sample_begins_like_a_shorter_one_even_across_batches(model, layout):
    bars = 2 * (BATCH + 2)
    short = generation.sample(model, layout, "dances", 4, 1.0, seed=1)
    long = generation.sample(model, layout, "dances", bars, 1.0, seed=1)
    # Up to where the last notes of the short one end.
    assert np.array_equal(tokens_of(short, layout), tokens_of(long, layout)[:4])


def test_an_unknown_genre_gets_the_list_of_known_ones(model, layout):
    with pytest.raises(RunError, match=r"'hymms'.*did you mean hymns\?.*dances, hymns"):
        generation.sample(model, layout, "hymms")
    with pytest.raises(RunError, match="dances, hymns"):
        generation.transfer(model, layout, four_voice_song(), to="polka")


# --- reconstruct ------------------------------------------------------------------------------------------------------


def test_a_reconstruction_is_what_the_model_makes_of_every_phrase(model, layout):
    song = four_voice_song(8, seed=5)
    rebuilt = generation.reconstruct(model, layout, song)
    phrases = cut(tokenize(song, layout), 2, hop=2)
    logits = model(tf.constant(phrases.astype(np.int32)))
    expected = np.stack([np.argmax(track, axis=-1) for track in logits], axis=-1).reshape(-1, len(layout.tracks))
    assert same(rebuilt, detokenize(expected, layout, 96.0))


@pytest.mark.parametrize("bars", [1, 3, 5])
def test_an_incomplete_phrase_is_filled_with_rests_and_cut_again(model, layout, bars):
    song = four_voice_song(bars, seed=6)
    rebuilt = generation.reconstruct(model, layout, song)
    assert len(rebuilt.bars()) == bars
    longer = Song(480, song.tracks, song.tempos, song.metres, song.end + 1920)  # a silent bar at the end
    whole = generation.reconstruct(model, layout, longer)
    assert np.array_equal(tokens_of(rebuilt, layout), tokens_of(whole, layout)[:bars])


def test_tempo_and_programs_of_the_source_are_kept(model, layout):
    song = four_voice_song(4)
    song.tempos = [Tempo(0, 63.5)]
    song.tracks[0].program = 73
    rebuilt = generation.reconstruct(model, layout, song)
    assert rebuilt.tempos[0].bpm == 63.5
    assert [track.program for track in rebuilt.tracks] == [73, 52, 52, 52]


def test_bars_of_another_metre_are_left_out(model, layout):
    song = changing_metre_song()
    kept = len(tokenize(song, layout).tokens)
    assert 0 < kept < len(song.bars())
    assert len(generation.reconstruct(model, layout, song).bars()) == kept


def test_every_phrase_gives_what_it_gives_alone(model, layout):
    song = four_voice_song(2 * (BATCH + 3), seed=9)
    rebuilt = tokens_of(generation.reconstruct(model, layout, song, temperature=1.0, seed=2), layout)
    codes = codes_of(model, song, layout)
    seeds = row_seeds(2, pieces.TOKENS, len(codes))
    alone = model.decode(tf.constant(codes[-1:]), tf.constant([1.0]), tf.constant(seeds[-1:]))[0].numpy()
    expected = tokens_of(detokenize(alone[0], layout), layout)
    # All but what holds on from the phrase before.
    assert np.mean(rebuilt[-2:] == expected) > 0.9


@pytest.mark.parametrize("song", [waltz(), drum_song()], ids=["waltz", "drums"])
def test_songs_without_anything_the_model_can_take_are_refused(model, layout, song):
    for act in (generation.reconstruct, generation.infer_genre):
        with pytest.raises(MusicError):
            act(model, layout, song)


# --- interpolate ------------------------------------------------------------------------------------------------------


def test_an_interpolation_leads_from_one_reconstruction_to_the_other(model, layout):
    start, end = four_voice_song(4, seed=1), four_voice_song(4, seed=2)
    end.tempos = [Tempo(0, 150.0)]
    songs = generation.interpolate(model, layout, start, end, points=5)
    assert same(songs[0], generation.reconstruct(model, layout, start))
    assert same(songs[-1], generation.reconstruct(model, layout, end))
    tempos = [song.tempos[0].bpm for song in songs]
    assert np.allclose(tempos, 96.0 * (150.0 / 96.0) ** np.linspace(0, 1, 5))
    middle = np.mean([codes_of(model, song, layout) for song in (start, end)], axis=0)
    tokens = decode(model, middle).reshape(-1, len(layout.tracks))
    assert np.array_equal(tokens_of(songs[2], layout), tokens_of(detokenize(tokens, layout), layout))


def test_the_shorter_song_is_repeated(model, layout):
    short, long = four_voice_song(2, seed=1), four_voice_song(5, seed=2)
    songs = generation.interpolate(model, layout, short, long, points=2)
    assert [len(song.bars()) for song in songs] == [5, 5]
    once = tokens_of(generation.reconstruct(model, layout, short), layout)
    repeated = tokens_of(songs[0], layout)
    assert np.array_equal(repeated[:2], once)
    assert np.mean(repeated[2:4] == once) > 0.9  # but for holds over the bar line
    assert same(songs[1], generation.reconstruct(model, layout, long))


def test_an_interpolation_needs_two_points(model, layout):
    with pytest.raises(ValueError, match="points is 1"):
        generation.interpolate(model, layout, four_voice_song(), four_voice_song(), points=1)


# --- transfer ---------------------------------------------------------------------------------------------------------


def test_no_strength_and_the_same_genre_leave_the_reconstruction(model, layout):
    song = four_voice_song(5, seed=3)
    rebuilt = generation.reconstruct(model, layout, song, temperature=1.0)

    def moved(**how) -> Song:
        return generation.transfer(model, layout, song, source="hymns", temperature=1.0, **how)

    assert same(rebuilt, moved(to="dances", strength=0.0))
    assert same(rebuilt, moved(to="hymns"))
    far = moved(to="dances", strength=3.0)
    assert not same(rebuilt, far)
    assert len(far.bars()) == 5
    assert far.tempos == rebuilt.tempos


def test_the_source_is_the_likeliest_genre_of_the_whole_song_if_it_is_not_named(model, layout):
    song = four_voice_song(8, seed=4)
    source = generation.infer_genre(model, layout, song)
    scores = model.prior.genre_scores(codes_of(model, song, layout))
    assert source == model.genres[int(np.argmax(np.mean(scores, axis=0)))]
    other = next(genre for genre in model.genres if genre != source)
    inferred = generation.transfer(model, layout, song, to=other)
    assert same(inferred, generation.transfer(model, layout, song, to=other, source=source))


def test_a_code_moved_the_whole_way_counts_as_the_other_genre(model):
    codes = sample_latent(model, np.zeros(64), row_seeds(0, 0, 64))
    moved = model.transfer_latent(tf.constant(codes), tf.fill([64], 0), tf.fill([64], 1), tf.ones(64))
    before, after = (np.argmax(model.prior.genre_scores(z), axis=-1) for z in (tf.constant(codes), moved))
    assert np.mean(before == 0) > 0.9
    assert np.mean(after == 1) > 0.9
