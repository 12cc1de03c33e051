"""Is genre in the code? A linear classifier of posterior means, trained and tested on different songs."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def probe_genre(train_codes: np.ndarray, train_genre: np.ndarray, codes: np.ndarray) -> np.ndarray | None:
    """The genre that a linear probe (Alain and Bengio 2017) reads from each held-out code.

    Args:
        train_codes: float [M, D], posterior means of training phrases.
        train_genre: int [M].
        codes: float [N, D], posterior means of held-out phrases.

    Returns:
        int [N]; None if there is only one genre.
    """
    if len(np.unique(train_genre)) < 2:
        return None
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300, class_weight="balanced"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return probe.fit(train_codes, train_genre).predict(codes)
