"""How well predicted tokens agree with target tokens, and the trivial predictions that set the floor.

All functions take token arrays [..., T, C] of one shape. A share of nothing (no onsets to find and none found, no
step to judge) is NaN.
"""

import numpy as np

from musae_tf.music.grid import onsets
from musae_tf.music.layouts import Layout
from musae_tf.music.vocabulary import KIT, STROKES, VELOCITY


def phrase_sums(predicted: np.ndarray, target: np.ndarray, layout: Layout) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What each track of each phrase adds to each metric: the one place where they are defined.

    Args:
        predicted: int [..., T, C].
        target: int [..., T, C].
        layout: what the tracks are.

    Returns:
        {metric: (parts, wholes)}, float64 [..., tracks] each: over any phrases the metric is the sum of parts over the
        sum of wholes.

        onset_f1: onsets that agree in step and pitch, in whichever voice of the track, twice, over those of both; every
            piece struck of a kit is one. Velocities have no part in it.
        step_accuracy: steps whose symbol is right. Holds rule this number: predicting nothing else scores about 0.8 on
            chorales. Read it beside `onset_f1`.
        accuracy_off_hold_rest: the same among the steps where the target has an onset (in a kit: a stroke).

    Raises:
        ValueError: shapes that differ, or another number of columns than the layout's.
    """
    predicted, target = _pair(predicted, target, layout)
    right = predicted == target
    judged = onsets(target, layout)
    ours, theirs = onsets(predicted, layout).astype(np.int64), judged.astype(np.int64)
    hits = (right & judged).astype(np.int64)
    for track, spec in enumerate(layout.tracks):
        voices = layout.voices_of(track)
        if spec.vocabulary == KIT:
            kit = voices[0]
            one, other = predicted[..., kit], target[..., kit]
            hits[..., kit], ours[..., kit], theirs[..., kit] = STROKES[one & other], STROKES[one], STROKES[other]
        elif len(voices) > 1:
            # The notes of a step are a set: a note is found if any voice of the prediction has it.
            found = target[..., voices, np.newaxis] == predicted[..., np.newaxis, voices]
            hits[..., voices] = found.any(axis=-1) & judged[..., voices]
    notes = np.array([column.vocabulary != VELOCITY for column in layout.columns])
    sums = {
        "onset_f1": (2 * hits, ours + theirs),
        "step_accuracy": (right & notes, np.broadcast_to(notes, right.shape)),
        "accuracy_off_hold_rest": (right & judged, judged),
    }

    def total(values: np.ndarray) -> np.ndarray:
        return layout.of_track(values.sum(axis=-2).astype(np.float64), np.add)

    return {name: (total(parts), total(wholes)) for name, (parts, wholes) in sums.items()}


def agreement(predicted: np.ndarray, target: np.ndarray, layout: Layout) -> dict[str, dict[str, float]]:
    """Each metric of `phrase_sums` over all phrases: of all tracks together ("all") and of each track by name."""
    return {name: _shares(*sums, layout) for name, sums in phrase_sums(predicted, target, layout).items()}


def always_hold(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """The prediction that every step goes on: hold, or no stroke in a kit. uint16, shape of `tokens`."""
    kinds = [column.vocabulary for column in layout.columns]
    idle = [kind.rest if kind.hold is None else kind.hold for kind in kinds]
    return np.broadcast_to(np.array(idle, np.uint16), np.shape(tokens)).copy()


def copy_last_bar(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """The prediction that every bar repeats the true bar before it, and the first bar goes on (`always_hold`)."""
    predicted = always_hold(tokens, layout)
    predicted[..., layout.bar_steps :, :] = np.asarray(tokens)[..., : -layout.bar_steps, :]
    return predicted


def most_frequent(tokens: np.ndarray, train_tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """The prediction of each column's most frequent symbol in `train_tokens` [..., T, C], everywhere.

    Returns:
        uint16, shape of `tokens`.
    """
    columns = np.asarray(train_tokens).reshape(-1, len(layout.columns)).T
    best = [np.bincount(column).argmax() for column in columns]
    return np.broadcast_to(np.array(best, np.uint16), np.shape(tokens)).copy()


def _pair(predicted: np.ndarray, target: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    predicted, target = np.asarray(predicted), np.asarray(target)
    if predicted.shape != target.shape or target.ndim < 2 or target.shape[-1] != len(layout.columns):
        raise ValueError(
            f"predicted {list(predicted.shape)} and target {list(target.shape)} must have one shape "
            f"[..., steps, {len(layout.columns)}]"
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
