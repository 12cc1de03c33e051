"""A trained model on whole songs in this process, with a tiny model that was really trained."""

import shutil
from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from musae_tf import Musae
from musae_tf.errors import InvalidRequestError, MusicError, RunError, UnknownGenreError, WrongModelError
from musae_tf.models.inference import BATCH, decode, encode, sample_latent
from musae_tf.music import Song, Tempo, cut, detokenize, heads, pieces, tokenize
from musae_tf.music.pieces import row_seeds
from musae_tf.training import Run
from tests.corpus import changing_metre_song, drum_song, four_voice_song, waltz


@pytest.fixture(scope="module")
def model(tiny_run):
    return tiny_run.load_model()


@pytest.fixture(scope="module")
def layout(tiny_run):
    return tiny_run.layout


@pytest.fixture(scope="module")
def musae(tiny_run) -> Musae:
    return Musae.from_run(tiny_run.path)


def tokens_of(song: Song, layout) -> np.ndarray:
    return tokenize(song, layout).tokens


def codes_of(model, song: Song, layout) -> np.ndarray:
    """Posterior means of a song of whole phrases of 2 bars."""
    return encode(model, cut(tokenize(song, layout), 2, hop=2))[0]


def same(one: Song, other: Song) -> bool:
    return one.to_bytes() == other.to_bytes()


# --- sample -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bars", [1, 2, 5])
def test_a_sample_has_the_bars_the_tempo_and_the_tracks_asked_for(musae, layout, bars):
    song = musae.sample("hymns", bars=bars, tempo=77.0, temperature=0.5)
    assert len(song.bars()) == bars
    assert song.tempos == [Tempo(0, 77.0)]
    assert [track.name for track in song.tracks] == list(layout.names)


def test_a_sample_depends_on_its_seed_genre_and_temperature_only(musae):
    first = musae.sample("hymns", 8, 1.0, seed=3)
    assert same(first, musae.sample("hymns", 8, 1.0, seed=3))
    assert not same(first, musae.sample("hymns", 8, 1.0, seed=4))
    assert not same(first, musae.sample("dances", 8, 1.0, seed=3))
    assert not same(first, musae.sample("hymns", 8, 0.5, seed=3))


def test_a_longer_sample_begins_like_a_shorter_one_even_across_batches(musae, layout):
    bars = 2 * (BATCH + 2)
    short = musae.sample("dances", 4, 1.0, seed=1)
    long = musae.sample("dances", bars, 1.0, seed=1)
    # Up to where the last notes of the short one end.
    assert np.array_equal(tokens_of(short, layout), tokens_of(long, layout)[:4])


def test_an_unknown_genre_gets_the_list_of_known_ones(musae):
    with pytest.raises(UnknownGenreError, match=r"'hymms'.*did you mean hymns\?.*dances, hymns"):
        musae.sample("hymms")
    with pytest.raises(UnknownGenreError, match="dances, hymns"):
        musae.transfer(four_voice_song(), to="polka")


# --- reconstruct ------------------------------------------------------------------------------------------------------


def test_a_reconstruction_is_what_the_model_makes_of_every_phrase(musae, model, layout):
    song = four_voice_song(8, seed=5)
    rebuilt = musae.reconstruct(song)
    phrases = cut(tokenize(song, layout), 2, hop=2)
    logits = model(tf.constant(phrases.astype(np.int32)))
    expected = np.stack([np.argmax(track, axis=-1) for track in logits], axis=-1).reshape(-1, len(layout.tracks))
    made = detokenize(expected, layout, 96.0)
    for track, source in zip(made.tracks, song.tracks, strict=True):
        track.name = source.name
    assert same(rebuilt, made)


@pytest.mark.parametrize("bars", [1, 3, 5])
def test_an_incomplete_phrase_is_filled_with_rests_and_cut_again(musae, layout, bars):
    song = four_voice_song(bars, seed=6)
    rebuilt = musae.reconstruct(song)
    assert len(rebuilt.bars()) == bars
    longer = Song(480, song.tracks, song.tempos, song.metres, song.end + 1920)  # a silent bar at the end
    whole = musae.reconstruct(longer)
    assert np.array_equal(tokens_of(rebuilt, layout), tokens_of(whole, layout)[:bars])


def test_tempo_and_programs_of_the_source_are_kept(musae):
    song = four_voice_song(4)
    song.tempos = [Tempo(0, 63.5)]
    song.tracks[0].program = 73
    rebuilt = musae.reconstruct(song)
    assert rebuilt.tempos[0].bpm == 63.5
    assert [track.program for track in rebuilt.tracks] == [73, 52, 52, 52]


def test_bars_of_another_metre_stay_as_they_are_or_are_left_out(musae, layout):
    song = changing_metre_song()
    grid = tokenize(song, layout)
    kept = len(grid.tokens)
    assert 0 < kept < len(song.bars())
    for made in (
        partial(musae.reconstruct, song),
        partial(musae.transfer, song, musae.describe().genres[0]),
    ):
        short, whole = made(other_bars="drop"), made()
        assert len(short.bars()) == kept
        assert whole.metres == song.metres
        assert np.array_equal(whole.bars(), song.bars())
        # A note that goes on after bars that stayed begins anew there.
        again = tokenize(whole, layout, grid.roles)
        expected = tokenize(short, layout).tokens
        begin = heads(expected, [(0, kept)], layout)
        for first, _ in grid.runs:
            expected[first, 0] = begin[first]
        assert np.array_equal(again.tokens, expected)
    with pytest.raises(InvalidRequestError, match="other_bars is 'lose', must be one of keep, drop"):
        musae.reconstruct(song, other_bars="lose")


def test_every_phrase_gives_what_it_gives_alone(musae, model, layout):
    song = four_voice_song(2 * (BATCH + 3), seed=9)
    rebuilt = tokens_of(musae.reconstruct(song, temperature=1.0, seed=2), layout)
    codes = codes_of(model, song, layout)
    seeds = row_seeds(2, pieces.TOKENS, len(codes))
    alone = model.decode(tf.constant(codes[-1:]), tf.constant([1.0]), tf.constant(seeds[-1:]))[0].numpy()
    expected = tokens_of(detokenize(alone[0], layout), layout)
    # All but what holds on from the phrase before.
    assert np.mean(rebuilt[-2:] == expected) > 0.9


@pytest.mark.parametrize("song", [waltz(), drum_song()], ids=["waltz", "drums"])
def test_songs_without_anything_the_model_can_take_are_refused(musae, song):
    for act in (musae.reconstruct, musae.infer_genre):
        with pytest.raises(MusicError):
            act(song)


# --- interpolate ------------------------------------------------------------------------------------------------------


def test_an_interpolation_leads_from_one_reconstruction_to_the_other(musae, model, layout):
    start, end = four_voice_song(4, seed=1), four_voice_song(4, seed=2)
    end.tempos = [Tempo(0, 150.0)]
    songs = musae.interpolate(start, end, points=5)
    assert same(songs[0], musae.reconstruct(start))
    assert same(songs[-1], musae.reconstruct(end))
    tempos = [song.tempos[0].bpm for song in songs]
    assert np.allclose(tempos, 96.0 * (150.0 / 96.0) ** np.linspace(0, 1, 5))
    middle = np.mean([codes_of(model, song, layout) for song in (start, end)], axis=0)
    tokens = decode(model, middle).reshape(-1, len(layout.tracks))
    assert np.array_equal(tokens_of(songs[2], layout), tokens_of(detokenize(tokens, layout), layout))


def test_the_shorter_song_is_repeated(musae, layout):
    short, long = four_voice_song(2, seed=1), four_voice_song(5, seed=2)
    songs = musae.interpolate(short, long, points=2)
    assert [len(song.bars()) for song in songs] == [5, 5]
    once = tokens_of(musae.reconstruct(short), layout)
    repeated = tokens_of(songs[0], layout)
    assert np.array_equal(repeated[:2], once)
    assert np.mean(repeated[2:4] == once) > 0.9  # but for holds over the bar line
    assert same(songs[1], musae.reconstruct(long))


def test_an_interpolation_needs_two_points(musae):
    with pytest.raises(InvalidRequestError, match="points is 1"):
        musae.interpolate(four_voice_song(), four_voice_song(), points=1)


# --- transfer ---------------------------------------------------------------------------------------------------------


def test_no_strength_and_the_same_genre_leave_the_reconstruction(musae):
    song = four_voice_song(5, seed=3)
    rebuilt = musae.reconstruct(song, temperature=1.0)

    def moved(**how) -> Song:
        return musae.transfer(song, source="hymns", temperature=1.0, **how)

    assert same(rebuilt, moved(to="dances", strength=0.0))
    assert same(rebuilt, moved(to="hymns"))
    far = moved(to="dances", strength=3.0)
    assert not same(rebuilt, far)
    assert len(far.bars()) == 5
    assert far.tempos == rebuilt.tempos


def test_the_source_is_the_likeliest_genre_of_the_whole_song_if_it_is_not_named(musae, model, layout):
    song = four_voice_song(8, seed=4)
    source = musae.infer_genre(song)
    scores = model.prior.genre_scores(codes_of(model, song, layout))
    assert source == model.genres[int(np.argmax(np.mean(scores, axis=0)))]
    other = next(genre for genre in model.genres if genre != source)
    inferred = musae.transfer(song, to=other)
    assert same(inferred, musae.transfer(song, to=other, source=source))


def test_a_code_moved_the_whole_way_counts_as_the_other_genre(model):
    codes = sample_latent(model, np.zeros(64), row_seeds(0, 0, 64))
    moved = model.transfer_latent(tf.constant(codes), tf.fill([64], 0), tf.fill([64], 1), tf.ones(64))
    before, after = (np.argmax(model.prior.genre_scores(z), axis=-1) for z in (tf.constant(codes), moved))
    assert np.mean(before == 0) > 0.9
    assert np.mean(after == 1) > 0.9


# --- where the model is -----------------------------------------------------------------------------------------------


def test_what_is_no_model_is_said_to_be_none(tmp_path):
    with pytest.raises(RunError, match=r"is neither a run \(it has no run\.json\) nor an exported model"):
        Musae.from_run(tmp_path)
    with pytest.raises(RunError, match="no trained model 'choir' in this package; it has: voices"):
        Musae.from_preset("choir")


def test_without_its_dataset_a_run_has_a_map_of_draws_and_no_vectors(tiny_run, tmp_path):
    folder = shutil.copytree(tiny_run.path, tmp_path / "run")
    run = Run.open(folder)
    run.update(dataset={**run.facts["dataset"], "path": "nowhere"})
    musae = Musae.from_run(folder)
    assert (musae.describe().attributes, musae.describe().points_of, musae.map().of) == (None, "draws", "draws")
    with pytest.raises(WrongModelError, match=r"no attribute vectors; .* which is not at nowhere: name where it is"):
        musae.change(four_voice_song(), {"notes": 1.0})
    assert not (folder / "attributes.npz").exists()


def test_vectors_are_fitted_once_where_the_dataset_is_now(tiny_run, tiny_dataset, tmp_path):
    folder = shutil.copytree(tiny_run.path, tmp_path / "run")
    run = Run.open(folder)
    run.update(dataset={**run.facts["dataset"], "path": "nowhere"})
    said: list[str] = []
    with Musae.from_run(folder, tiny_dataset.path, said.append) as musae:
        musae.sample("hymns")
        assert said == []
        first = musae.change(four_voice_song(), {"notes": 1.0})
        assert same(first, musae.change(four_voice_song(), {"notes": 1.0}))
        song = changing_metre_song()
        assert np.array_equal(musae.change(song, {"notes": 0.0}).bars(), song.bars())
        assert len(musae.change(song, {"notes": 0.0}, other_bars="drop").bars()) < len(song.bars())
    assert said == [f"fitting attribute vectors, once: they are kept in {folder / 'attributes.npz'}"]
    assert same(first, Musae.from_run(folder).change(four_voice_song(), {"notes": 1.0}))
