"""Is the latent space ordered by low-level properties? The claim of Valenti, Carta and Bacciu (2020).

Two looks: what a linear probe reads from the code of a held-out phrase (Alain and Bengio 2017), and, as the authors
did, how each property of the decoded music follows a single latent axis that is swept (Pearson's r).
"""

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from musae_tf.evaluation.bootstrap import Ratio

_PENALTIES = (1.0, 10.0, 100.0, 1000.0)
MINIMUM_PHRASES = 20
"""With fewer phrases that have a property nothing is said of it."""


def probe_properties(
    train_codes: np.ndarray,
    train_values: np.ndarray,
    codes: np.ndarray,
    values: np.ndarray,
    songs: np.ndarray,
) -> list[Ratio | None]:
    """R2 of a ridge regression of each property on the code, on phrases of other songs than it was fitted to.

    Args:
        train_codes: float [M, D], posterior means of training phrases.
        train_values: float [M, P], their properties; NaN where a phrase has none.
        codes: float [N, D], posterior means of held-out phrases.
        values: float [N, P].
        songs: int [N].

    Returns:
        For each property a ratio whose value is 1 - (squared errors) / (squared deviations from the mean), which is
        R2; None where too few phrases have it, or all the same.
    """
    results: list[Ratio | None] = []
    for column in range(values.shape[1]):
        known, held = np.isfinite(train_values[:, column]), np.isfinite(values[:, column])
        truth = values[held, column]
        if min(known.sum(), held.sum()) < MINIMUM_PHRASES or np.ptp(truth) == 0:
            results.append(None)
            continue
        probe = make_pipeline(StandardScaler(), RidgeCV(_PENALTIES)).fit(
            train_codes[known], train_values[known, column]
        )
        deviations = (truth - truth.mean()) ** 2
        errors = (truth - probe.predict(codes[held])) ** 2
        results.append(Ratio(deviations - errors, deviations, songs[held]))
    return results


def sweep_correlations(values: np.ndarray) -> np.ndarray:
    """Pearson's r of each property with the value of a swept axis.

    Args:
        values: float [..., V, P], properties of the music at V equally spaced values; NaN where there is none.

    Returns:
        float64 [..., P]; 0 where the property does not change, or is missing at some value.
    """
    position = np.arange(values.shape[-2]) - (values.shape[-2] - 1) / 2
    centred = values - values.mean(axis=-2, keepdims=True)
    scale = np.linalg.norm(centred, axis=-2) * np.linalg.norm(position)
    covariance = np.einsum("v,...vp->...p", position, centred)
    flat = ~(np.isfinite(scale) & (scale > 1e-9))
    return np.where(flat, 0.0, covariance / np.where(flat, 1.0, scale))
