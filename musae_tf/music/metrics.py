"""How well predicted tokens agree with target tokens, and the trivial predictions that set the floor.

All functions take token arrays [..., T, K] of one shape. A share of nothing (no onsets to find and none found, no
step to judge) is NaN.
"""

import numpy as np

from musae_tf.music.grid import STEPS_PER_BAR
from musae_tf.music.layouts import Layout
from musae_tf.music.vocabulary import KIT, REST, STROKES


def onset_counts(predicted: np.ndarray, target: np.ndarray, layout: Layout) -> np.ndarray:
    """Onsets that agree in step and pitch; in a kit every piece struck counts as one onset.

    Returns:
        int64 [K, 3]: hits, predicted onsets and target onsets of each track. Counts of batches add up.
    """
    predicted, target = _pair(predicted, target, layout)
    counts = np.zeros((len(layout.tracks), 3), np.int64)
    for index, spec in enumerate(layout.tracks):
        ours, theirs = predicted[:, index], target[:, index]
        if spec.vocabulary == KIT:
            counts[index] = [STROKES[symbols].sum() for symbols in (ours & theirs, ours, theirs)]
        else:
            onset = theirs < REST
            counts[index] = (onset & (ours == theirs)).sum(), (ours < REST).sum(), onset.sum()
    return counts


def f1_from_counts(counts: np.ndarray, layout: Layout) -> dict[str, float]:
    """F1 of onset counts [K, 3], 2 hits / (predicted + target): of all tracks together ("all") and of each."""
    counts = np.concatenate([counts.sum(axis=0, keepdims=True), counts])
    return _shares(2 * counts[:, 0], counts[:, 1] + counts[:, 2], layout)


def onset_f1(predicted: np.ndarray, target: np.ndarray, layout: Layout) -> dict[str, float]:
    """Onset F1, step and pitch exact, of all tracks together ("all") and of each track by name."""
    return f1_from_counts(onset_counts(predicted, target, layout), layout)


def step_accuracy(predicted: np.ndarray, target: np.ndarray, layout: Layout) -> dict[str, float]:
    """Share of steps whose symbol is right, over all tracks ("all") and in each.

    Holds rule this number: predicting nothing else scores about 0.8 on chorales. Read it beside `onset_f1`.
    """
    predicted, target = _pair(predicted, target, layout)
    return _accuracy(predicted == target, np.ones_like(target, bool), layout)


def accuracy_off_hold_rest(predicted: np.ndarray, target: np.ndarray, layout: Layout) -> dict[str, float]:
    """Share of right symbols among the steps where the target has an onset (in a kit: a stroke)."""
    predicted, target = _pair(predicted, target, layout)
    kits = np.array([spec.vocabulary == KIT for spec in layout.tracks])
    return _accuracy(predicted == target, np.where(kits, target != KIT.rest, target < REST), layout)


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
    return predicted.reshape(-1, target.shape[-1]), target.reshape(-1, target.shape[-1])


def _accuracy(right: np.ndarray, judged: np.ndarray, layout: Layout) -> dict[str, float]:
    hits, steps = (right & judged).sum(axis=0), judged.sum(axis=0)
    return _shares(np.append(hits.sum(), hits), np.append(steps.sum(), steps), layout)


def _shares(parts: np.ndarray, wholes: np.ndarray, layout: Layout) -> dict[str, float]:
    return {
        name: float(part / whole) if whole else float("nan")
        for name, part, whole in zip(("all", *layout.names), parts, wholes, strict=True)
    }
