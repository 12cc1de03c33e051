"""The look at a model between training steps: a few numbers, pictures of reconstructions, and sound."""

import numpy as np
from threadpoolctl import threadpool_limits

from musae_tf.data import Dataset
from musae_tf.errors import MusicError
from musae_tf.evaluation.grammar import BARS, Counts, grammar, likeness, shuffled_voices
from musae_tf.evaluation.held_out import HeldOut
from musae_tf.evaluation.prior_match import two_sample_tests
from musae_tf.evaluation.realism import Music, tell_apart
from musae_tf.evaluation.statistics import known_mean
from musae_tf.models import MusAE
from musae_tf.models.inference import decode, encode, sample_latent, sample_prior
from musae_tf.music import detokenize
from musae_tf.music.audio import render
from musae_tf.music.grid import DEFAULT_TEMPO
from musae_tf.music.metrics import agreement
from musae_tf.music.picture import picture_grid
from musae_tf.music.pieces import row_seeds
from musae_tf.training import SOUND_RATE, Evaluation, Run

_PICTURES = 4
# Genres that can be heard: with many of them, all would fill the disk and take their time.
_SOUNDS = 4
# Streams of seeds.
_POSTERIOR, _PRIOR, _SAMPLES, _MEASURED = 10, 11, 12, 14
# Samples of each genre that are measured.
_SAMPLED = 48


class QuickEvaluator:
    """Measures a model on validation songs; give it to `training.train`."""

    def __init__(self, run: Run, dataset: Dataset):
        """Read the held-out phrases.

        Raises:
            DatasetError: the validation split has no phrase.
        """
        self._seed, self._tempos = run.config.seed, run.facts.get("tempos", {})
        held_out = HeldOut.read(dataset, run.config, "validation", run.config.training.evaluate_phrases)
        self._held_out = held_out
        rows = [held_out.of_genre(genre) for genre in range(len(held_out.genres))]
        # Grammar of real and of shuffled music, which no training changes.
        self._real = [grammar(held_out.tokens[some], held_out.layout) for some in rows]
        self._shuffled = [
            grammar(shuffled_voices(held_out.tokens[some], held_out.layout), held_out.layout) for some in rows
        ]

    def __call__(self, model: MusAE) -> Evaluation:
        """Numbers, pictures of four reconstructions, and sound.

        The numbers: onset F1 and accuracy of reconstructions; whether codes are told from draws of the prior
        (`two_sample_accuracy`, chance 0.5) and samples from real music (`token_auc`); grammar of samples as share of
        the way from shuffled to real music, and their onsets over those of real music (`onset_density`).
        """
        held_out = self._held_out
        mean, deviation = encode(model, held_out.tokens)
        rebuilt = decode(model, mean)
        agreed = agreement(rebuilt, held_out.tokens, held_out.layout)
        numbers = {
            **{name: agreed[name]["all"] for name in ("onset_f1", "step_accuracy")},
            "posterior_deviation": float(deviation.mean()),
        }
        with threadpool_limits(1, "blas"):
            by_genre = prior_match(model, held_out, mean, deviation, self._seed)
        measured = [value for value in by_genre.values() if not np.isnan(value)]
        if measured:
            numbers["two_sample_accuracy"] = float(np.mean(measured))
        numbers |= self._realism(model)
        pictures = {"reconstructions": reconstruction_picture(held_out, rebuilt)}
        return Evaluation(numbers, rebuilt, held_out.tokens, pictures, self._sounds(model, rebuilt))

    def _realism(self, model: MusAE) -> dict[str, float]:
        held_out = self._held_out
        genre = np.repeat(np.arange(len(held_out.genres)), _SAMPLED)
        tokens = decode(model, sample_latent(model, genre, row_seeds(self._seed, _MEASURED, len(genre))))
        made = [grammar(tokens[genre == number], held_out.layout) for number in range(len(held_out.genres))]

        def mean(counts: list[dict[str, Counts]], key: str) -> float:
            return known_mean([some[key].value for some in counts])

        numbers = {
            f"grammar_{key}": likeness(mean(made, key), mean(self._real, key), mean(self._shuffled, key))
            for key in BARS
        }
        density = mean(self._real, "onsets")
        numbers["onset_density"] = mean(made, "onsets") / density if density else float("nan")
        real = Music(held_out.tokens, held_out.genre, held_out.songs)
        numbers["token_auc"] = tell_apart(
            real, Music(tokens, genre, np.arange(len(genre))), held_out.layout, self._seed
        )
        return {key: value for key, value in numbers.items() if np.isfinite(value)}

    def _sounds(self, model: MusAE, rebuilt: np.ndarray) -> dict[str, np.ndarray]:
        """A phrase and then its reconstruction, and a sample of each of a few genres: always of the same seed."""
        held_out = self._held_out
        genres = np.arange(min(_SOUNDS, len(held_out.genres)), dtype=np.int32)
        samples = decode(model, sample_latent(model, genres, row_seeds(self._seed, _SAMPLES, len(genres))))
        pieces = {
            "reconstruction": (held_out.genre[0], np.concatenate([held_out.tokens[0], rebuilt[0]])),
            **{f"sample/{held_out.genres[number]}": (number, samples[number]) for number in genres},
        }
        try:
            return {
                name: render(detokenize(tokens, held_out.layout, self._tempo(number)), SOUND_RATE)
                for name, (number, tokens) in pieces.items()
            }
        except MusicError:
            return {}  # without a synthesiser training is as good; `musae doctor` says what is missing

    def _tempo(self, genre: int) -> float:
        return self._tempos.get(self._held_out.genres[genre], DEFAULT_TEMPO)


def reconstruction_picture(held_out: HeldOut, rebuilt: np.ndarray) -> np.ndarray:
    """Four phrases, each beside its reconstruction: uint8 [height, width, 3]. Phrases of all genres take their turn."""
    rows = [rows[turn] for turn in range(_PICTURES) for rows in _by_genre(held_out) if turn < len(rows)][:_PICTURES]
    phrases = np.stack([held_out.tokens[rows], rebuilt[rows]], axis=1).reshape(-1, *rebuilt.shape[1:])
    titles = [title for row in rows for title in (held_out.genres[held_out.genre[row]], "reconstructed")]
    return picture_grid(phrases, held_out.layout, titles=titles, columns=2)


def _by_genre(held_out: HeldOut) -> list[np.ndarray]:
    return [held_out.of_genre(number) for number in range(len(held_out.genres))]


def prior_match(
    model: MusAE, held_out: HeldOut, mean: np.ndarray, deviation: np.ndarray, seed: int
) -> dict[str, float]:
    """Two-sample accuracy of each genre's aggregated posterior against its component, by name; NaN with too few codes.

    Args:
        model: the model.
        held_out: N phrases.
        mean: float32 [N, D], their posterior means.
        deviation: float32 [N, D], their posterior standard deviations.
        seed: of the draws.
    """
    noise = np.random.default_rng([seed, _POSTERIOR]).standard_normal(mean.shape, np.float32)
    draws = sample_prior(model, held_out.genre, row_seeds(seed, _PRIOR, len(mean)))
    tests = two_sample_tests(mean + deviation * noise, draws, held_out, seed)
    return {name: float("nan") if test is None else float(test.right.mean()) for name, test in tests.items()}
