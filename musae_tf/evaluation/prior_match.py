"""Does the aggregated posterior of each genre match its component of the prior? The claim on which sampling rests.

Classifier two-sample test (Lopez-Paz and Oquab 2017): a small network learns to tell codes of phrases from draws of
the prior. 0.5 on codes it has not seen means it cannot; 1.0 means that the two have nothing in common.

Sliced Wasserstein distance (Bonneel et al. 2015): how far the codes would have to be moved, on average over directions
onto which they are projected, in the latent space's own unit.
"""

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from musae_tf.evaluation.held_out import SEED, HeldOut
from musae_tf.evaluation.per_song import ALL

if TYPE_CHECKING:
    from musae_tf.evaluation.context import EvaluationContext


# Fewer codes than this on either side say nothing.
MINIMUM_CODES = 20
_DIRECTIONS = 256
TARGET = "target"
"""Part of a metric: against what training pulled the codes to."""

# Streams of random numbers.
_POSTERIOR, _PRIOR, _OTHER_PRIOR = 10, 11, 13


class TwoSampleTest(NamedTuple):
    """How well codes are told from draws, of songs that the classifier did not see.

    Attributes:
        right: float64 [N], for each code the mean of 1 or 0 for itself and for the draw it is paired with.
        above: float64 [N], share of the draws that look more like draws than the code does; the mean is the area
            under the ROC curve (Mann and Whitney's U).
    """

    right: np.ndarray
    above: np.ndarray


def measure_prior(context: "EvaluationContext") -> dict[str, Any]:
    """Two-sample test and sliced Wasserstein distance of each genre's codes, against the prior.

    "target" holds the same against what training pulled the codes to: a fitted prior is near to any codes.
    """
    mean, deviation = context.posterior
    genre = context.held_out.genre
    noise = np.random.default_rng([SEED, _POSTERIOR]).standard_normal(mean.shape, np.float32)
    codes = mean + deviation * noise
    draws, others = (context.draw_prior(genre, stream) for stream in (_PRIOR, _OTHER_PRIOR))
    targets, other_targets = (context.draw_target(genre, stream) for stream in (_PRIOR, _OTHER_PRIOR))
    return {
        **_match(context, codes, draws, others, ALL),
        "target": _match(context, codes, targets, other_targets, TARGET),
        "posterior_deviation": float(deviation.mean()),
    }


def _match(
    context: "EvaluationContext", codes: np.ndarray, draws: np.ndarray, others: np.ndarray, part: str
) -> dict[str, Any]:
    """Codes against draws; other draws against the same draws are what no match could be better than."""
    result: dict[str, Any] = {
        name: {} for name in ("two_sample_accuracy", "two_sample_auc", "sliced_wasserstein", "sliced_wasserstein_prior")
    }
    entries: dict[str, list[np.ndarray]] = {"rows": [], "right": [], "above": []}
    tests = two_sample_tests(codes, draws, context.held_out, SEED)
    for number, (genre, test) in enumerate(tests.items()):
        rows = context.held_out.of_genre(number)
        result["two_sample_accuracy"][genre] = float("nan") if test is None else float(test.right.mean())
        result["two_sample_auc"][genre] = float("nan") if test is None else float(test.above.mean())
        if test is not None:
            for name, values in zip(entries, (rows, test.right, test.above), strict=True):
                entries[name].append(values)
        if len(rows):
            result["sliced_wasserstein"][genre] = sliced_wasserstein(codes[rows], draws[rows])
            result["sliced_wasserstein_prior"][genre] = sliced_wasserstein(others[rows], draws[rows])
    if entries["rows"]:
        rows, right, above = (np.concatenate(values) for values in entries.values())
        context.record("two_sample_accuracy", part, rows, right)
        context.record("two_sample_auc", part, rows, above)
    return result


def two_sample_test(
    codes: np.ndarray, prior_codes: np.ndarray, songs: np.ndarray, seed: int = 0
) -> TwoSampleTest | None:
    """Train the classifier on half of the songs, ask it about the other half, and the other way round.

    Args:
        codes: float32 [N, D], draws from the posteriors of held-out phrases of one genre.
        prior_codes: float32 [N, D], draws from that genre's component.
        songs: int [N], the song of each phrase: codes of one song stay on one side.
        seed: of the halves and of the classifier.

    Returns:
        None with too few codes.
    """
    names = np.random.default_rng(seed).permutation(np.unique(songs))
    # Songs differ in length: halves are cut where half of the phrases are reached.
    sizes = np.cumsum([np.count_nonzero(songs == name) for name in names])
    first = np.isin(songs, names[: np.searchsorted(sizes, len(songs) / 2) + 1])
    if min(np.count_nonzero(first), np.count_nonzero(~first)) < MINIMUM_CODES:
        return None
    right, above = np.empty(len(codes)), np.empty(len(codes))
    for unseen in (first, ~first):
        ours, theirs = _scores(codes, prior_codes, unseen, seed)
        right[unseen] = ((ours < 0.5).astype(float) + (theirs >= 0.5)) / 2
        above[unseen] = share_above(ours, theirs)
    return TwoSampleTest(right, above)


def share_above(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """For each of ours, float [N], the share of theirs, float [M], that is greater; equal ones count half."""
    ranked = np.sort(theirs)
    below, at_most = (np.searchsorted(ranked, ours, side=side) for side in ("left", "right"))
    return 1 - (below + at_most) / 2 / len(ranked)


def two_sample_tests(
    codes: np.ndarray, prior_codes: np.ndarray, held_out: HeldOut, seed: int = 0
) -> dict[str, TwoSampleTest | None]:
    """`two_sample_test` of each genre's phrases, by name; both kinds of codes, float32 [N, D], are in their order."""
    tests = {}
    for number, name in enumerate(held_out.genres):
        rows = held_out.of_genre(number)
        tests[name] = two_sample_test(codes[rows], prior_codes[rows], held_out.songs[rows], seed)
    return tests


def _scores(codes: np.ndarray, prior_codes: np.ndarray, unseen: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The unseen codes' and draws' probability of being a draw."""

    def seen_by(values: np.ndarray) -> np.ndarray:
        # Squares let the first layer see variances at once.
        return np.concatenate([values, values**2], axis=1)

    classifier = make_pipeline(
        StandardScaler(), MLPClassifier(64, alpha=1e-2, learning_rate_init=3e-3, max_iter=60, random_state=seed)
    )
    known = np.concatenate([codes[~unseen], prior_codes[~unseen]])
    with warnings.catch_warnings():
        # Sixty passes are enough to tell what can be told; reaching the last bit of the loss is not the point.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(seen_by(known), np.repeat([0, 1], np.count_nonzero(~unseen)))
    ours, theirs = (classifier.predict_proba(seen_by(values[unseen]))[:, 1] for values in (codes, prior_codes))
    return ours, theirs


def sliced_wasserstein(one: np.ndarray, other: np.ndarray, seed: int = 0) -> float:
    """Mean 1-Wasserstein distance of two samples over random directions.

    Args:
        one: float [N, D].
        other: float [N, D], as many.
        seed: of the directions.

    Returns:
        The distance, in units of the latent space. Two samples of one distribution are not at 0: compare with the
        distance of two samples of the prior.

    Raises:
        ValueError: samples of different sizes.
    """
    if one.shape != other.shape:
        raise ValueError(f"samples of one size are needed, found {list(one.shape)} and {list(other.shape)}")
    directions = np.random.default_rng(seed).standard_normal((one.shape[1], _DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    # On a line the best plan moves the smallest to the smallest, the next to the next, and so on.
    return float(np.abs(np.sort(one @ directions, axis=0) - np.sort(other @ directions, axis=0)).mean())
