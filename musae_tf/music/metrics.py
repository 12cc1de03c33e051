"""How well predicted tokens agree with target tokens, and the trivial predictions that set the floor.

All functions take token arrays [..., T, K] of one shape. A share of nothing (no onsets to find and none found, no
step to judge) is NaN.
"""

import numpy as np

from musae_tf.music.grid import STEPS_PER_BAR, onsets
from musae_tf.music.layouts import Layout
from musae_tf.music.vocabulary import KIT, STROKES


def phrase_sums(predicted: np.ndarray, target: np.ndarray, layout: Layout) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What each track of each phrase adds to each metric: the one place where they are defined.

    Args:
        predicted: int [..., T, K].
        target: int [..., T, K].
        layout: what the tracks are.

    Returns:
        {metric: (parts, wholes)}, float64 [..., K] each: over any phrases the metric is the sum of parts over the sum
        of wholes.

        onset_f1: onsets that agree in step and pitch, twice, over those of both; every piece struck of a kit is one.
        step_accuracy: steps whose symbol is right. Holds rule this number: predicting nothing else scores about 0.8 on
            chorales. Read it beside `onset_f1`.
        accuracy_off_hold_rest: the same among the steps where the target has an onset (in a kit: a stroke).

    Raises:
        ValueError: shapes that differ, or another number of tracks than the layout's.
    """
    predicted, target = _pair(predicted, target, layout)
    right = predicted == target
    judged = onsets(target, layout)
    ours, theirs = onsets(predicted, layout).astype(np.int64), judged.astype(np.int64)
    hits = (right & judged).astype(np.int64)
    for track, spec in enumerate(layout.tracks):
        if spec.vocabulary == KIT:
            one, other = predicted[..., track], target[..., track]
            hits[..., track], ours[..., track], theirs[..., track] = STROKES[one & other], STROKES[one], STROKES[other]
    sums = {
        "onset_f1": (2 * hits, ours + theirs),
        "step_accuracy": (right, np.ones_like(right)),
        "accuracy_off_hold_rest": (right & judged, judged),
    }
    return {
        name: (parts.sum(axis=-2).astype(np.float64), wholes.sum(axis=-2).astype(np.float64))
        for name, (parts, wholes) in sums.items()
    }


def agreement(predicted: np.ndarray, target: np.ndarray, layout: Layout) -> dict[str, dict[str, float]]:
    """Each metric of `phrase_sums` over all phrases: of all tracks together ("all") and of each track by name."""
    return {name: _shares(*sums, layout) for name, sums in phrase_sums(predicted, target, layout).items()}


def always_hold(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """The prediction that every step goes on: hold, or no stroke in a kit. uint16, shape of `tokens`."""
    idle = [spec.vocabulary.rest if spec.vocabulary.hold is None else spec.vocabulary.hold for spec in layout.tracks]
    return np.broadcast_to(np.array(idle, np.uint16), np.shape(tokens)).copy()


def copy_last_bar(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """The prediction that every bar repeats the true bar before it, and the first bar goes on (`always_hold`)."""
    predicted = always_hold(tokens, layout)
    predicted[..., STEPS_PER_BAR:, :] = np.asarray(tokens)[..., :-STEPS_PER_BAR, :]
    return predicted


def most_frequent(tokens: np.ndarray, train_tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """The prediction of each track's most frequent symbol in `train_tokens` [..., T, K], everywhere.

    Returns:
        uint16, shape of `tokens`.
    """
    columns = np.asarray(train_tokens).reshape(-1, len(layout.tracks)).T
    best = [np.bincount(column).argmax() for column in columns]
    return np.broadcast_to(np.array(best, np.uint16), np.shape(tokens)).copy()


def _pair(predicted: np.ndarray, target: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    predicted, target = np.asarray(predicted), np.asarray(target)
    if predicted.shape != target.shape or target.ndim < 2 or target.shape[-1] != len(layout.tracks):
        raise ValueError(
            f"predicted {list(predicted.shape)} and target {list(target.shape)} must have one shape "
            f"[..., steps, {len(layout.tracks)}]"
        )
    return predicted, target


def _shares(parts: np.ndarray, wholes: np.ndarray, layout: Layout) -> dict[str, float]:
    parts, wholes = (values.reshape(-1, len(layout.tracks)).sum(axis=0) for values in (parts, wholes))
    return {
        name: float(part / whole) if whole else float("nan")
        for name, part, whole in zip(
            ("all", *layout.names), (parts.sum(), *parts), (wholes.sum(), *wholes), strict=True
        )
    }
