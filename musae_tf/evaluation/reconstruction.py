"""How much of a phrase survives the latent space, beside predictions that need no model."""

import numpy as np

from musae_tf.evaluation.held_out import HeldOut
from musae_tf.music.metrics import (
    accuracy_off_hold_rest,
    always_hold,
    copy_last_bar,
    most_frequent,
    onset_f1,
    step_accuracy,
)

METRICS = {
    "onset_f1": onset_f1,
    "step_accuracy": step_accuracy,
    "accuracy_off_hold_rest": accuracy_off_hold_rest,
}


def reconstruction_table(rebuilt: np.ndarray, held_out: HeldOut, train_tokens: np.ndarray) -> dict[str, dict]:
    """Each metric of the model and of the trivial predictions, for all tracks together ("all") and for each.

    Args:
        rebuilt: int [N, T, K], greedy decoding of the posterior means of the held-out phrases.
        held_out: the phrases.
        train_tokens: int [M, T, K], where the most frequent symbols are counted.

    Returns:
        {prediction: {metric: {"all" or track: value}}}.
    """
    tokens, layout = held_out.tokens, held_out.layout
    predictions = {
        "model": rebuilt,
        "copy last bar": copy_last_bar(tokens, layout),
        "always hold": always_hold(tokens, layout),
        "most frequent": most_frequent(tokens, train_tokens, layout),
    }
    return {
        name: {metric: measure(predicted, tokens, layout) for metric, measure in METRICS.items()}
        for name, predicted in predictions.items()
    }
