"""Does it sound like music? What a model makes, held against real music note by note.

Two looks at samples, midpoints between two phrases, transfers and reconstructions: the grammar of
`musae_tf.evaluation.grammar` beside real and shuffled music, and a classifier two-sample test (Lopez-Paz and Oquab
2017) on phrases: a support-vector machine on `phrase_features` learns to tell what the model makes of training songs
from real training phrases, and is asked about what it makes of test songs, and real test phrases. An area under the ROC
curve of 0.5 means that it cannot. The same is asked of a network that reads the tokens
(`musae_tf.evaluation.token_network`).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from musae_tf.evaluation.genre import phrase_features
from musae_tf.evaluation.grammar import BARS, Counts, grammar, likeness, shuffled_voices
from musae_tf.evaluation.held_out import SAMPLES, SEED, HeldOut
from musae_tf.evaluation.prior_match import MINIMUM_CODES, share_above
from musae_tf.evaluation.statistics import known_mean
from musae_tf.evaluation.token_network import TokenNetwork
from musae_tf.music import Layout
from musae_tf.music.grid import lines_of

if TYPE_CHECKING:
    from musae_tf.evaluation.context import EvaluationContext

KINDS = ("samples", "midpoints", "transfers", "reconstructions")
"""What a model makes."""

REAL, SHUFFLED = "real", "shuffled"
"""Parts of a metric beside the kinds: real test music, and the same shuffled."""

# Of each genre, phrases of each side that the test learns from.
_LEARNT = 400
# Real music is told from real music so many times, by other songs, since it depends on which.
_SPLITS = 5
# Streams of random numbers: of test songs and, from the second on, of training songs.
_STREAM, _TRAINING_STREAM = 50, 60
_RECORDED = (*BARS, "onsets")
"""Measures that are kept song by song."""


class Music(NamedTuple):
    """N phrases: tokens int32 [N, T, K], genre int [N] that they are of or were asked to be of, and songs str [N]."""

    tokens: np.ndarray
    genre: np.ndarray
    songs: np.ndarray

    def of(self, rows: np.ndarray) -> "Music":
        """Some of them."""
        return Music(*(values[rows] for values in self))


def make(
    context: "EvaluationContext", kind: str, held_out: HeldOut, codes: np.ndarray, count: int, stream: int
) -> Music:
    """What the model makes of phrases.

    Args:
        context: the model.
        kind: one of `KINDS`.
        held_out: the phrases; samples are made of nothing but their genres.
        codes: float32 [N, D], their posterior means.
        count: at most so many phrases of each genre.
        stream: of random numbers.
    """
    genres, rng = len(held_out.genres), np.random.default_rng([SEED, stream])
    if kind == "samples":
        return _samples(context.decode(context.draw(np.repeat(np.arange(genres), count), stream)), count)
    number = -(-count // max(genres - 1, 1)) if kind == "transfers" else count
    rows = [rng.permutation(held_out.of_genre(genre))[:number] for genre in range(genres)]
    # Another phrase of the same genre, and of another song where the order allows it.
    others = np.concatenate([np.roll(some, len(some) // 2) for some in rows])
    chosen = np.concatenate(rows)
    genre = held_out.genre[chosen]
    if kind == "midpoints":
        apart = held_out.songs[chosen] != held_out.songs[others]
        chosen, others, genre = chosen[apart], others[apart], genre[apart]
    elif kind == "transfers":
        chosen = np.repeat(chosen, genres - 1)
        targets = [np.delete(np.arange(genres), source) for source in genre]
        genre = np.concatenate(targets) if targets else genre
    if not len(chosen):
        tokens = held_out.tokens[:0]
    elif kind == "midpoints":
        tokens = context.interpolated(codes[chosen], codes[others], np.array([0.5]))[:, 0]
    elif kind == "transfers":
        tokens = context.transferred(codes[chosen], held_out.genre[chosen], genre, 1.0)
    else:
        tokens = context.decode(codes[chosen])
    return Music(tokens, genre, held_out.songs[chosen].astype(str))


def _samples(tokens: np.ndarray, count: int) -> Music:
    """So many samples of each genre. They have no songs: each stands for itself."""
    names = np.array([f"sample {number}" for number in range(len(tokens))])
    return Music(tokens, np.arange(len(tokens)) // count, names)


class PhraseTest(ABC):
    """Tells phrases that were made from real ones."""

    @abstractmethod
    def scores(self, music: Music) -> np.ndarray:
        """How much each phrase looks as if it was made, float64 [N]."""

    def above(self, real: Music, made: Music) -> np.ndarray:
        """For each real phrase the share of the made ones of its genre that look more as if they were made.

        Returns:
            float64 [N], whose mean is the area under the ROC curve; NaN in a genre of which nothing was made.
        """
        ours, theirs = self.scores(real), self.scores(made)
        above = np.full(len(ours), np.nan)
        for genre in np.unique(real.genre):
            here, there = real.genre == genre, made.genre == genre
            if there.any():
                above[here] = share_above(ours[here], theirs[there])
        return above


class TokenTest(PhraseTest):
    """By a support-vector machine on `phrase_features`."""

    def __init__(self, real: Music, made: Music, layout: Layout):
        """Learn from real and made phrases, of which no song may be asked about later."""
        self._layout = layout
        self._genres = np.unique(np.concatenate([real.genre, made.genre]))
        self._classifier: Pipeline = make_pipeline(StandardScaler(), SVC(C=1.0, class_weight="balanced"))
        features = np.concatenate([self._features(real), self._features(made)])
        self._classifier.fit(features, np.repeat([0, 1], [len(real.tokens), len(made.tokens)]))

    def scores(self, music: Music) -> np.ndarray:
        """See `PhraseTest`."""
        return self._classifier.decision_function(self._features(music))

    def _features(self, music: Music) -> np.ndarray:
        genre = music.genre[:, np.newaxis] == self._genres
        return np.concatenate([phrase_features(music.tokens, self._layout), genre], axis=1)


class NetworkTest(PhraseTest):
    """By `TokenNetwork`, of the notes alone."""

    def __init__(self, real: Music, made: Music, layout: Layout):
        """Learn from real and made phrases, of which no song may be asked about later."""
        self._layout = layout
        ours, theirs = (lines_of(music.tokens, layout)[0] for music in (real, made))
        self._network = TokenNetwork(ours, theirs, layout.lines.vocabulary_sizes)

    def scores(self, music: Music) -> np.ndarray:
        """See `PhraseTest`."""
        return self._network.scores(lines_of(music.tokens, self._layout)[0])


def tell_apart(real: Music, made: Music, layout: Layout, seed: int = 0) -> float:
    """How well made phrases are told from real ones, if there are no others to learn from: mean of the genres' AUC.

    Half of the songs and of what was made is learnt from, the other half asked about, and the other way round. NaN with
    fewer than `MINIMUM_CODES` of either.
    """
    rng = np.random.default_rng(seed)
    sides = []
    for music in (real, made):
        songs = rng.permutation(np.unique(music.songs))
        sides.append(np.isin(music.songs, songs[: len(songs) // 2]))
    if min(np.count_nonzero(side == half) for side in sides for half in (True, False)) < MINIMUM_CODES:
        return float("nan")
    above = np.full(len(real.tokens), np.nan)
    for half in (True, False):
        known, unseen = ((real.of(sides[0] == one), made.of(sides[1] == one)) for one in (half, not half))
        above[sides[0] != half] = TokenTest(*known, layout).above(*unseen)
    return known_mean(np.array([known_mean(above[real.genre == genre]) for genre in np.unique(real.genre)]))


def measure_realism(context: "EvaluationContext") -> dict[str, Any]:
    """Grammar of all kinds beside real and shuffled music, and the two-sample test of each."""
    held_out = context.held_out
    real = Music(held_out.tokens, held_out.genre, context.song_names)
    made = {
        "samples": _samples(np.concatenate([context.samples(genre) for genre in range(len(context.genres))]), SAMPLES),
        "midpoints": make(context, "midpoints", held_out, context.codes, SAMPLES, _STREAM),
        "transfers": make(context, "transfers", held_out, context.codes, SAMPLES, _STREAM),
        "reconstructions": Music(context.rebuilt, held_out.genre, context.song_names),
    }
    shuffled = [shuffled_voices(held_out.tokens[rows], context.layout, SEED) for rows in _by_genre(real)]
    order = np.concatenate(_by_genre(real))
    noise = Music(np.concatenate(shuffled), real.genre[order], real.songs[order])
    return {
        "grammar": measure_grammar(context, {REAL: real, SHUFFLED: noise, **made}),
        **_two_sample_tests(context, real, made),
    }


def measure_grammar(context: "EvaluationContext", music: dict[str, Music]) -> dict[str, Any]:
    """Every measure by genre and kind, and how much of the way from shuffled to real music each kind has gone."""
    counts = {kind: grammar(some.tokens, context.layout) for kind, some in music.items()}
    by_genre: dict[str, dict[str, dict[str, float]]] = {}
    for number, genre in enumerate(context.genres):
        by_genre[genre] = {
            key: {
                kind: Counts(*(side[music[kind].genre == number] for side in found[key])).value
                for kind, found in counts.items()
            }
            for key in counts[REAL]
        }
    means = {
        key: {kind: known_mean([by_genre[genre][key][kind] for genre in context.genres]) for kind in music}
        for key in counts[REAL]
    }
    for kind, found in counts.items():
        names = np.array(context.genres)[music[kind].genre]
        for key in _RECORDED:
            context.per_song.add(f"grammar_{key}", kind, music[kind].songs, names, *found[key])
    return {
        "by_genre": by_genre,
        "mean": means,
        "likeness": {
            key: {kind: likeness(row[kind], row[REAL], row[SHUFFLED]) for kind in KINDS} for key, row in means.items()
        },
    }


def _two_sample_tests(context: "EvaluationContext", real: Music, made: dict[str, Music]) -> dict[str, Any]:
    """AUC of both tests, of each kind by genre, and of other real music, which no model could be better than."""
    known = context.encoded
    rest = _music(HeldOut.read(context.dataset, context.run.config, "validation", len(real.tokens), SEED))
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    for split in range(_SPLITS):
        # One half of the training songs is the real music, of the other half something is made.
        songs = np.random.default_rng([SEED, _TRAINING_STREAM, split]).permutation(np.unique(known.songs))
        first = np.isin(known.songs, songs[: len(songs) // 2])
        learnt, source = _at_most(_music(known.of(first)), _LEARNT), known.of(~first)
        pairs = {REAL: (_at_most(_music(source), _LEARNT), rest)}
        tests: dict[str, Callable[..., PhraseTest]] = {"token_auc": TokenTest}
        if split == 0:
            tests["network_auc"] = NetworkTest
            for kind in KINDS:
                seen = make(context, kind, source, context.train_codes[~first], _LEARNT, _TRAINING_STREAM)
                pairs[kind] = seen, made[kind]
        for kind, (seen, asked) in pairs.items():
            if min(len(music.tokens) for music in (learnt, seen, asked)) >= MINIMUM_CODES:
                for metric, test in tests.items():
                    above = test(learnt, seen, context.layout).above(real, asked)
                    found.setdefault((metric, kind), []).append(above)
    result: dict[str, Any] = {"token_auc": {}, "network_auc": {}}
    for (metric, kind), splits in found.items():
        above = np.mean(splits, axis=0)
        context.record(metric, kind, np.arange(len(above)), above)
        by_genre = [known_mean(above[real.genre == number]) for number in range(len(context.genres))]
        result[metric][kind] = dict(zip(context.genres, by_genre, strict=True))
    return result


def _music(held_out: HeldOut) -> Music:
    return Music(held_out.tokens, held_out.genre, held_out.songs.astype(str))


def _by_genre(music: Music) -> list[np.ndarray]:
    return [np.flatnonzero(music.genre == genre) for genre in np.unique(music.genre)]


def _at_most(music: Music, count: int) -> Music:
    """The first so many phrases of each genre: those of a `HeldOut` are in random order."""
    return music.of(np.concatenate([rows[:count] for rows in _by_genre(music)]))
