"""A form of pieces, see `musae_tf.latent.form`, from the codes of songs: by moments, in seconds.

What songs have in common, and what follows what, are taken where they exceed what the same computation gives for codes
with random signs, or in another order.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.covariance import ledoit_wolf

from musae_tf.latent.form import LAGS, Form

# Windows of a song so far apart tell what all of it has in common.
_FAR = 8
# Largest share of a song, and of the window before, in a code.
_LARGEST_SONG, _LARGEST_STEP = 0.9, 0.98
# The cosine of two whitened codes from which one window repeats the other: there are few between 0.5 and 0.9. Of few
# axes more is asked, 5 standard deviations of what chance gives as far as there is room.
_SAME, _CHANCE, _SURELY_SAME = 0.7, 5.0, 0.98
# So many windows' worth of the mean of all genres goes into the chances of each.
_SHRINKAGE = 50.0


def fit_form(songs: Sequence[np.ndarray], genre: np.ndarray, genres: int, seed: int = 0) -> Form:
    """The form of songs.

    Args:
        songs: of each song (or run of bars) the posterior means of its windows in order, float [n, D], n of 1 or more.
        genre: int [songs].
        genres: G. One without songs takes the chances of all and begins and ends as any window.
        seed: of the permutations that say what chance gives.
    """
    rng = np.random.default_rng(seed)
    white = [codes for _, codes in sorted(_whitened(songs, genre, genres), key=lambda pair: pair[0])]
    axes = white[0].shape[1]
    song = _song(white, rng)
    own = _root(np.eye(axes) - song @ song.T)
    following = _following(white, song, np.linalg.inv(own), rng)
    starts, goes_on = _repetitions(white, genre, genres)
    place = np.stack([_place([codes[end] for codes in white], genre, genres) for end in (0, -1)])
    return Form(*(array.astype(np.float32) for array in (song, following, place, starts, goes_on)))


def _whitened(songs: Sequence[np.ndarray], genre: np.ndarray, genres: int) -> list[tuple[int, np.ndarray]]:
    """Number and whitened codes, float64 [n, D], of each song."""
    found = []
    for number in range(genres):
        rows = np.flatnonzero(genre == number).tolist()
        if rows:
            codes = np.concatenate([songs[row] for row in rows]).astype(np.float64)
            mean, inverse = codes.mean(axis=0), np.eye(codes.shape[1])
            if len(codes) > 1:
                inverse = np.linalg.inv(_root(ledoit_wolf(codes)[0]))
            found += [(row, (songs[row] - mean) @ inverse) for row in rows]
    return found


def _root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric square root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 1e-9))) @ vectors.T


def _song(white: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Loadings [D, Q]: the directions whose covariance between far windows of a song exceeds that of random signs."""
    values, vectors = np.linalg.eigh(_common(white))
    chance = np.linalg.eigvalsh(_common([codes * rng.choice([-1, 1], (len(codes), 1)) for codes in white])).max()
    kept = values > max(chance, 0.0)
    return vectors[:, kept] * np.sqrt(np.minimum(values[kept], _LARGEST_SONG))


def _common(white: Sequence[np.ndarray]) -> np.ndarray:
    """Mean product of windows of the same song that are far apart, [D, D]; songs count by their windows."""
    axes = white[0].shape[1]
    total, weight = np.zeros((axes, axes)), 0
    for codes in white:
        pairs = len(codes) - _FAR
        if pairs > 0:
            # The mean over all pairs of windows that are at least _FAR apart.
            earlier = np.cumsum(codes, axis=0)[:pairs]
            total += len(codes) * codes[_FAR:].T @ earlier / (pairs * (pairs + 1) / 2)
            weight += len(codes)
    total /= max(weight, 1)
    return (total + total.T) / 2


def _following(
    white: Sequence[np.ndarray], song: np.ndarray, own_inverse: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The matrix of the autoregression [D, D], without the singular values that shuffled neighbours give, too."""
    before = np.concatenate([codes[:-1] for codes in white])
    after = np.concatenate([codes[1:] for codes in white])
    if not len(before):
        return np.zeros_like(own_inverse)
    together = after.T @ before / len(before) - song @ song.T
    left, values, right = np.linalg.svd(own_inverse @ together @ own_inverse)
    chance = np.linalg.svd(after[rng.permutation(len(after))].T @ before / len(before), compute_uv=False).max()
    return (left * np.where(values > chance, np.minimum(values, _LARGEST_STEP), 0.0)) @ right


def _repetitions(white: Sequence[np.ndarray], genre: np.ndarray, genres: int) -> tuple[np.ndarray, np.ndarray]:
    """Chances [G, LAGS] that a repetition begins, of the windows at which it could, and [G] that one goes on."""
    began, possible = np.zeros((2, genres, LAGS))
    went, ended = np.zeros((2, genres))
    same = min(max(_SAME, _CHANCE / white[0].shape[1] ** 0.5), _SURELY_SAME)
    for codes, number in zip(white, genre, strict=True):
        unit = codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-9)
        lag = 0
        for window in range(1, len(unit)):
            alike = unit[max(window - LAGS, 0) : window][::-1] @ unit[window]
            if lag and alike[lag - 1] > same:
                went[number] += 1
                continue
            ended[number] += lag > 0
            possible[number, : len(alike)] += 1
            lag = int(alike.argmax()) + 1 if alike.max() > same else 0
            if lag:
                began[number, lag - 1] += 1
    everywhere = began.sum(axis=0) / np.maximum(possible.sum(axis=0), 1)
    starts = (began + _SHRINKAGE * everywhere) / (possible + _SHRINKAGE)
    usual = went.sum() / max(went.sum() + ended.sum(), 1)
    return starts / np.maximum(starts.sum(axis=1, keepdims=True), 1), (went + 2 * usual) / (went + ended + 2)


def _place(codes: Sequence[np.ndarray], genre: np.ndarray, genres: int) -> np.ndarray:
    """Mean [G, D] of the whitened codes at one place of the songs, shrunk to 0 (James and Stein 1961)."""
    values = np.stack(codes)
    result = np.zeros((genres, values.shape[1]))
    for number in range(genres):
        here = values[genre == number]
        if len(here) > 1:
            mean = here.mean(axis=0)
            noise = here.var(axis=0, ddof=1).sum() / len(here)
            result[number] = max(0.0, 1.0 - noise / max(float(mean @ mean), 1e-9)) * mean
    return result
