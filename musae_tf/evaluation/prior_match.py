"""Does the aggregated posterior of each genre match its component of the prior? The claim on which sampling rests.

Classifier two-sample test (Lopez-Paz and Oquab 2017): a small network learns to tell codes of phrases from draws of
the prior. 0.5 on codes it has not seen means it cannot; 1.0 means that the two have nothing in common.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# Fewer codes than this on either side say nothing.
MINIMUM_CODES = 20


def two_sample_accuracy(codes: np.ndarray, prior_codes: np.ndarray, songs: np.ndarray, seed: int = 0) -> float:
    """Accuracy of the classifier on the half of the songs that it was not trained on.

    Args:
        codes: float32 [N, D], draws from the posteriors of held-out phrases of one genre.
        prior_codes: float32 [N, D], draws from that genre's component.
        songs: int [N], the song of each phrase: codes of one song stay on one side.
        seed: of the halves and of the classifier.

    Returns:
        Accuracy 0..1, chance 0.5, as the mean of both halves taken as the unseen one; NaN with too few codes.
    """
    names = np.random.default_rng(seed).permutation(np.unique(songs))
    # Songs differ in length: halves are cut where half of the phrases are reached.
    sizes = np.cumsum([np.count_nonzero(songs == name) for name in names])
    first = np.isin(songs, names[: np.searchsorted(sizes, len(songs) / 2) + 1])
    if min(np.count_nonzero(first), np.count_nonzero(~first)) < MINIMUM_CODES:
        return float("nan")
    return float(np.mean([_accuracy(codes, prior_codes, half, seed) for half in (first, ~first)]))


def _accuracy(codes: np.ndarray, prior_codes: np.ndarray, unseen: np.ndarray, seed: int) -> float:
    def both(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = np.concatenate([codes[rows], prior_codes[rows]])
        # Squares let the first layer see variances at once.
        return np.concatenate([values, values**2], axis=1), np.repeat([0, 1], np.count_nonzero(rows))

    classifier = make_pipeline(
        StandardScaler(), MLPClassifier(64, alpha=1e-2, learning_rate_init=3e-3, max_iter=60, random_state=seed)
    )
    with warnings.catch_warnings():
        # Sixty passes are enough to tell what can be told; reaching the last bit of the loss is not the point.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(*both(~unseen))
    return classifier.score(*both(unseen))
