import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from musae_tf.evaluation.genre import GenreClassifier, phrase_features
from musae_tf.music import get_layout
from musae_tf.music.grid import transpose
from tests.corpus import random_tokens


def test_the_classifier_tells_real_schools_apart_on_songs_it_has_not_heard(real):
    predicted = np.empty_like(real.genre)
    # Each half of the songs is heard by a classifier that was trained on the other.
    for known in (real.songs % 2 == 0, real.songs % 2 == 1):
        classifier = GenreClassifier.train(real.tokens[known], real.genre[known], real.layout)
        predicted[~known] = classifier.predict(real.tokens[~known])
    assert balanced_accuracy_score(real.genre, predicted) > 0.85


def test_some_wrong_notes_do_not_change_its_mind(real, corrupted):
    known = real.songs % 2 == 0
    classifier = GenreClassifier.train(real.tokens[known], real.genre[known], real.layout)
    assert balanced_accuracy_score(real.genre[~known], classifier.predict(corrupted[~known])) > 0.7


def test_it_learns_the_same_from_the_same(real):
    classifiers = [GenreClassifier.train(real.tokens, real.genre, real.layout) for _ in range(2)]
    said = [classifier.predict(real.tokens[::-1]) for classifier in classifiers]
    np.testing.assert_array_equal(*said)


def test_one_genre_needs_no_classifier(real):
    assert GenreClassifier.train(real.tokens, np.zeros(len(real.tokens), int), real.layout) is None


@pytest.mark.parametrize("name", ["voices", "band", "lpd5"])
def test_features_are_finite_in_every_layout_even_of_silence(name):
    layout, rng = get_layout(name), np.random.default_rng(6)
    tokens = np.stack([random_tokens(rng, layout, 2).reshape(32, -1) for _ in range(6)])
    silence = np.broadcast_to([spec.vocabulary.rest for spec in layout.tracks], tokens.shape[1:])
    features = phrase_features(np.concatenate([tokens, silence[np.newaxis]]), layout)
    assert np.isfinite(features).all()
    assert len(np.unique(features[:6], axis=0)) == 6


def test_features_do_not_depend_on_the_key_but_for_the_pitch_itself(real):
    one = phrase_features(real.tokens, real.layout)
    other = phrase_features(transpose(real.tokens, 3, real.layout), real.layout)
    differ = ~np.isclose(one, other, atol=1e-5).all(axis=0)
    assert differ.sum() == 4  # mean pitch of each voice
    rows = (one != 0).all(axis=1)
    np.testing.assert_allclose((other - one)[rows][:, differ], 3 / 12, atol=1e-5)
