"""How much of a phrase survives the latent space, beside predictions that need no model."""

from typing import TYPE_CHECKING, Any

import numpy as np

from musae_tf.evaluation.held_out import HeldOut
from musae_tf.evaluation.per_song import Interval, Ratio
from musae_tf.music.metrics import always_hold, copy_last_bar, most_frequent, phrase_sums

if TYPE_CHECKING:
    from musae_tf.evaluation.context import EvaluationContext


METRICS = ("onset_f1", "step_accuracy", "accuracy_off_hold_rest")
"""As in `musae_tf.music.metrics`, where they are defined."""

MODEL = "model"


def measure_reconstruction(context: "EvaluationContext") -> dict[str, Any]:
    """Reconstruction beside trivial predictions, in all and by genre; with intervals, of the model's."""
    held_out = context.held_out
    result: dict[str, Any] = {"reconstruction": {}, "reconstruction_by_genre": {}}
    for name, predicted in predictions(context.rebuilt, held_out, context.train.tokens).items():
        table = reconstruction_ratios(predicted, held_out)
        genres = by_genre(table, held_out)
        result["reconstruction"][name] = _values(table)
        for genre, part in genres.items():
            result["reconstruction_by_genre"].setdefault(genre, {})[name] = _values(part)
        if name == MODEL:
            rows = np.arange(len(predicted))
            for metric, tracks in table.items():
                for track, ratio in tracks.items():
                    context.record(metric, track, rows, ratio.parts, ratio.wholes)
            result["reconstruction_intervals"] = _limits(table)
            result["reconstruction_by_genre_intervals"] = {genre: _limits(part) for genre, part in genres.items()}
    _show_reconstructions(context)
    return result


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


def _show_reconstructions(context: "EvaluationContext") -> None:
    for number, genre in enumerate(context.genres):
        for row in context.held_out.of_genre(number)[:1]:
            music = (context.held_out.tokens[row], context.rebuilt[row])
            titles = (f"{genre}, source", "reconstructed")
            context.show("reconstruction", *(context.clip(t, m, genre) for t, m in zip(titles, music, strict=True)))


def _values(table: dict) -> dict[str, dict[str, float]]:
    return {metric: {track: ratio.value() for track, ratio in tracks.items()} for metric, tracks in table.items()}


def _limits(table: dict) -> dict[str, dict[str, list[float]]]:
    def pair(interval: Interval) -> list[float]:
        return [interval.low, interval.high]

    return {
        metric: {track: pair(ratio.interval()) for track, ratio in tracks.items()} for metric, tracks in table.items()
    }
