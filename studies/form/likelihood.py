"""The log-likelihood of the codes of unseen songs, window after window, by what is known of those before.

A code is a draw of its window's posterior, and what came before is known by its means. Each way to predict gives a
Gaussian of the next whitened mean, to which the variance of the posterior is added; the gain is over the genre's own
Gaussian, which knows nothing of what came before.
"""

from dataclasses import dataclass

import numpy as np

from musae_tf.data import Dataset
from musae_tf.latent.fit_form import _root, _whitened
from musae_tf.latent.form import Form
from musae_tf.models import MusAE
from musae_tf.models.inference import encode
from musae_tf.music.pieces import CORRELATION
from musae_tf.music.repeats import hop_of
from musae_tf.training import Run

LIKENESS = 0.95
"""Of a window to the one that it repeats: the correlation of their whitened codes."""
_STEADY = 60  # windows after which what is known of the song changes no more


@dataclass
class Codes:
    """Whitened codes, a list of songs each: of training, and of unseen songs with draws of their posteriors.

    Attributes:
        train: float64 [n, D] of each song.
        train_genre: int of each.
        means: float64 [n, D] of each unseen song.
        draws: float64 [n, D] of each.
        genre: int of each.
        noise: float64 [G, D, D], covariance of the draws of each genre.
        genres: G.
    """

    train: list[np.ndarray]
    train_genre: np.ndarray
    means: list[np.ndarray]
    draws: list[np.ndarray]
    genre: np.ndarray
    noise: np.ndarray
    genres: int

    @classmethod
    def of_run(cls, run: Run, model: MusAE, dataset: Dataset) -> "Codes":
        """Encode the songs; those with several genres are of the first."""
        bars, hop = run.config.music.bars, hop_of(run.config.music.bars)
        songs: dict[str, list] = {"train": [], "unseen": []}
        labels: dict[str, list] = {"train": [], "unseen": []}
        deviations = []
        for split in ("train", "validation", "test"):
            index = dataset.phrases(split, bars, sounding="any")
            mean, deviation = encode(model, index.tokens())
            ends = np.flatnonzero((np.diff(index.starts) != 1) | (np.diff(index.songs) != 0)) + 1
            side = "train" if split == "train" else "unseen"
            for rows in np.split(np.arange(len(index)), ends):
                songs[side].append(mean[rows[::hop]])
                labels[side].append(int(index.labels[rows[0]].argmax()))
            deviations.append(deviation)
        genres, train_genre, genre = len(run.genres), np.array(labels["train"]), np.array(labels["unseen"])
        train = [codes for _, codes in sorted(_whitened(songs["train"], train_genre, genres), key=lambda one: one[0])]
        variance = np.mean(np.concatenate(deviations).astype(np.float64) ** 2, axis=0)
        centres, inverses = _whitening(songs["train"], train, train_genre, genres)
        rng = np.random.default_rng(0)
        means = [(codes - centres[one]) @ inverses[one] for codes, one in zip(songs["unseen"], genre, strict=True)]
        draws = [mean + np.sqrt(variance) * rng.standard_normal(mean.shape) @ inverses[one]
                 for mean, one in zip(means, genre, strict=True)]  # fmt: skip
        noise = np.stack([inverse.T @ np.diag(variance) @ inverse for inverse in inverses])
        return cls(train, train_genre, means, draws, genre, noise, genres)


def _whitening(songs: list, white: list, genre: np.ndarray, genres: int) -> tuple[np.ndarray, np.ndarray]:
    """Means [G, D] and matrices [G, D, D] by which songs were whitened: two affine images of the same codes."""
    centres, inverses = [], []
    for number in range(genres):
        rows = np.flatnonzero(genre == number)
        before = np.concatenate([songs[row] for row in rows]).astype(np.float64)
        after = np.concatenate([white[row] for row in rows])
        centres.append(before.mean(axis=0))
        inverses.append(np.linalg.lstsq(before - centres[-1], after, rcond=None)[0])
    return np.stack(centres), np.stack(inverses)


def gains(codes: Codes, form: Form) -> dict[str, dict[str, float]]:
    """Gain in nats a window of each way to predict, by the number of the genre and in the mean of genres."""
    axes = form.song.shape[0]
    none = np.zeros((axes, 0))
    nothing = np.zeros((axes, axes))
    ways = {
        "walk": _scores(codes, none, CORRELATION * np.eye(axes)),
        "song": _scores(codes, form.song, nothing),
        "following": _scores(codes, none, form.following),
        "following and song": (both := _scores(codes, form.song, form.following)),
        "and repetitions": _with_repetitions(codes, both, form),
    }
    base = _scores(codes, none, nothing)
    return {name: summary(codes, [one - other for one, other in zip(scores, base, strict=True)])
            for name, scores in ways.items()}  # fmt: skip


def summary(codes: Codes, songs: list[np.ndarray]) -> dict[str, float]:
    """The mean of the windows of each genre, and that of the genres."""
    values = [np.concatenate([song for song, one in zip(songs, codes.genre, strict=True) if one == genre]).mean()
              for genre in range(codes.genres)]  # fmt: skip
    return {**{str(genre): round(float(value), 2) for genre, value in enumerate(values)},
            "mean": round(float(np.mean(values)), 2)}  # fmt: skip


def _scores(codes: Codes, song: np.ndarray, following: np.ndarray) -> list[np.ndarray]:
    """Log-density of the draws of each unseen song from its second window on, float64 [n - 1] each."""
    song, following = song.astype(np.float64), following.astype(np.float64)
    axes = len(song)
    own = _root(np.eye(axes) - song @ song.T)
    step = own @ following @ np.linalg.inv(own)
    new = own @ (np.eye(axes) - following @ following.T) @ own + 1e-6 * np.eye(axes)
    loading = song - step @ song
    seen = loading.T @ np.linalg.inv(new)
    first = song.T @ np.linalg.inv(own @ own)
    cache: dict[tuple[int, int], tuple[np.ndarray, float]] = {}
    result = []
    for means, draws, genre in zip(codes.means, codes.draws, codes.genre.tolist(), strict=True):
        precision, known = np.eye(song.shape[1]) + first @ song, first @ means[0]
        scores = np.empty(len(means) - 1)
        for window in range(1, len(means)):
            spread = np.linalg.inv(precision)
            at = (genre, min(window, _STEADY))
            if at not in cache:
                covariance = new + codes.noise[genre] + loading @ spread @ loading.T
                cache[at] = _inverse_root(covariance)
            expected = step @ means[window - 1] + loading @ (spread @ known)
            scores[window - 1] = _density(draws[window] - expected, *cache[at])
            known = known + seen @ (means[window] - step @ means[window - 1])
            precision = precision + seen @ loading
        result.append(scores)
    return result


def _with_repetitions(codes: Codes, scores: list[np.ndarray], form: Form) -> list[np.ndarray]:
    """The same if a window may repeat an earlier one: the forward algorithm over the lag that it repeats."""
    lags = form.starts.shape[1]
    axes = len(form.song)
    roots = [_inverse_root((1 - LIKENESS**2) * np.eye(axes) + noise) for noise in codes.noise]
    result = []
    for means, draws, genre, fresh in zip(codes.means, codes.draws, codes.genre.tolist(), scores, strict=True):
        root, constant = roots[genre]
        belief, found = np.eye(lags + 1)[0], np.empty(len(fresh))
        goes_on = float(form.goes_on[genre])
        for window in range(1, len(means)):
            most = min(window, lags)
            begins = np.zeros(lags + 1)
            begins[1 : most + 1] = form.starts[genre, :most]
            begins[0] = 1 - begins.sum()
            going = goes_on * belief * (np.arange(lags + 1) > 0)
            chances = going + (1 - going.sum()) * begins
            densities = np.full(lags + 1, -np.inf)
            densities[0] = fresh[window - 1]
            earlier = means[window - np.arange(1, most + 1)]
            densities[1 : most + 1] = _density(draws[window] - LIKENESS * earlier, root, constant)
            largest = densities.max()
            belief = chances * np.exp(densities - largest)
            found[window - 1] = largest + np.log(belief.sum())
            belief /= belief.sum()
        result.append(found)
    return result


def _inverse_root(covariance: np.ndarray) -> tuple[np.ndarray, float]:
    factor = np.linalg.cholesky(covariance)
    return np.linalg.inv(factor), float(-np.log(np.diag(factor)).sum())


def _density(values: np.ndarray, root: np.ndarray, constant: float) -> np.ndarray:
    """Log-density of values [..., D], less what all Gaussians have."""
    return constant - 0.5 * ((values @ root.T) ** 2).sum(axis=-1)
