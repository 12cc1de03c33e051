"""How much of a phrase survives the latent space, beside predictions that need no model."""

import numpy as np

from musae_tf.evaluation.bootstrap import Ratio
from musae_tf.evaluation.held_out import HeldOut
from musae_tf.music import Layout
from musae_tf.music.metrics import always_hold, copy_last_bar, most_frequent
from musae_tf.music.sounding import onsets
from musae_tf.music.vocabulary import KIT, STROKES

METRICS = ("onset_f1", "step_accuracy", "accuracy_off_hold_rest")
"""As in `musae_tf.music.metrics`, where they are defined."""

MODEL = "model"


def phrase_sums(predicted: np.ndarray, target: np.ndarray, layout: Layout) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What each track of each phrase adds to each metric.

    The sums over phrases are those of `musae_tf.music.metrics`; here phrases stay apart, so that songs can be
    resampled.

    Args:
        predicted: int [N, T, K].
        target: int [N, T, K].
        layout: what the tracks are.

    Returns:
        {metric: (parts, wholes)}, float64 [N, K] each: the metric is the sum of parts over the sum of wholes.
    """
    predicted, target = np.asarray(predicted), np.asarray(target)
    right = predicted == target
    judged = onsets(target, layout)
    ours, theirs = onsets(predicted, layout).astype(np.int64), judged.astype(np.int64)
    hits = (right & judged).astype(np.int64)
    for track, spec in enumerate(layout.tracks):
        if spec.vocabulary == KIT:  # every piece that is struck counts
            one, other = predicted[..., track], target[..., track]
            hits[..., track], ours[..., track], theirs[..., track] = STROKES[one & other], STROKES[one], STROKES[other]
    sums = {
        "onset_f1": (2 * hits, ours + theirs),
        "step_accuracy": (right, np.ones_like(right)),
        "accuracy_off_hold_rest": (right & judged, judged),
    }
    return {name: tuple(values.sum(axis=1).astype(np.float64) for values in pair) for name, pair in sums.items()}


def predictions(rebuilt: np.ndarray, held_out: HeldOut, train_tokens: np.ndarray) -> dict[str, np.ndarray]:
    """The model's reconstructions and the trivial predictions, tokens [N, T, K] each.

    Args:
        rebuilt: int [N, T, K], greedy decoding of the posterior means of the held-out phrases.
        held_out: the phrases.
        train_tokens: int [M, T, K], where the most frequent symbols are counted.
    """
    tokens, layout = held_out.tokens, held_out.layout
    return {
        MODEL: rebuilt,
        "copy last bar": copy_last_bar(tokens, layout),
        "always hold": always_hold(tokens, layout),
        "most frequent": most_frequent(tokens, train_tokens, layout),
    }


def reconstruction_ratios(predicted: np.ndarray, held_out: HeldOut) -> dict[str, dict[str, Ratio]]:
    """{metric: {"all" or track: ratio}} of one prediction of the held-out phrases."""
    table = {}
    for metric, (parts, wholes) in phrase_sums(predicted, held_out.tokens, held_out.layout).items():
        table[metric] = {"all": Ratio(parts.sum(axis=1), wholes.sum(axis=1), held_out.songs)}
        for track, name in enumerate(held_out.layout.names):
            table[metric][name] = Ratio(parts[:, track], wholes[:, track], held_out.songs)
    return table


def by_genre(table: dict[str, dict[str, Ratio]], held_out: HeldOut) -> dict[str, dict[str, dict[str, Ratio]]]:
    """{genre: {metric: {"all" or track: ratio}}}: the same of the phrases of each genre that has any."""
    result = {}
    for number, genre in enumerate(held_out.genres):
        rows = held_out.of_genre(number)
        if len(rows):
            result[genre] = {
                metric: {track: ratio.of(rows) for track, ratio in tracks.items()} for metric, tracks in table.items()
            }
    return result
