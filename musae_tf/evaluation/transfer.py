"""Does a phrase that is moved to another genre arrive there, and what does it keep of its harmony and its rhythm?

Cosine similarities bar by bar, as FIGARO measures fidelity (von Ruette et al. 2022: chroma and grooving similarity).
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from musae_tf.evaluation.held_out import SEED
from musae_tf.evaluation.statistics import chroma
from musae_tf.music import Layout
from musae_tf.music.grid import onsets
from musae_tf.music.metrics import phrase_sums

if TYPE_CHECKING:
    from musae_tf.evaluation.context import EvaluationContext


# Stream of random numbers.
_TRANSFERRED = 40
_TRANSFERRED_PHRASES = 60
STRENGTHS = (0.5, 1.0, 1.5)


def measure_transfer(context: "EvaluationContext") -> dict[str, Any] | None:
    """Held-out phrases moved to every other genre: classified as the target, and what is kept of the source.

    Beside it the reconstruction (moves nothing, keeps what the model can keep) and a random real phrase of the target
    genre (moves everything, keeps nothing). None if there is only one genre.
    """
    classifier, held_out, genres = context.classifier, context.held_out, len(context.genres)
    if classifier is None:
        return None
    chosen = context.some(_TRANSFERRED_PHRASES, _TRANSFERRED)
    rows = np.repeat(chosen, genres - 1)
    targets = np.concatenate([np.delete(np.arange(genres), genre) for genre in held_out.genre[chosen]])
    versions = {
        f"strength {strength:g}": context.transferred(context.codes[rows], held_out.genre[rows], targets, strength)
        for strength in STRENGTHS
    }
    _show_transfers(context, rows, targets, versions["strength 1"])
    versions["reconstruction"] = context.rebuilt[rows]
    versions["another piece"] = _of_target(context, targets)
    for part, music in versions.items():
        arrived = classifier.predict(music) == targets
        context.record("transfer_success", part, rows, arrived.astype(float))
        _record_kept(context, part, rows, music)
    pairs: dict[str, dict[str, float]] = {}
    success = classifier.predict(versions["strength 1"]) == targets
    for source, genre in enumerate(context.genres):
        pairs[genre] = {}
        for target, other in enumerate(context.genres):
            here = (held_out.genre[rows] == source) & (targets == target)
            if here.any():
                pairs[genre][other] = float(success[here].mean())
    return {"versions": list(versions), "phrases": len(chosen), "success_by_pair": pairs}


def chroma_similarity(one: np.ndarray, other: np.ndarray, layout: Layout) -> np.ndarray:
    """Cosine of the pitch-class histograms of all tracks together, mean over bars: float64 [N] of tokens [N, T, K]."""
    return _bars_alike(*(chroma(tokens, layout).sum(axis=2) for tokens in (one, other)))


def rhythm_similarity(one: np.ndarray, other: np.ndarray, layout: Layout) -> np.ndarray:
    """Cosine of how many tracks begin a note at each step, mean over bars: float64 [N] of tokens [N, T, K]."""

    def begun(tokens: np.ndarray) -> np.ndarray:
        return onsets(tokens, layout).sum(axis=2).reshape(len(tokens), -1, layout.bar_steps).astype(np.float64)

    return _bars_alike(begun(one), begun(other))


def _bars_alike(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean cosine of vectors [N, bars, V]; two empty bars are alike, an empty one and a full one are not."""
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    cosine = (one * other).sum(axis=-1) / np.where(lengths > 0, lengths, 1.0)
    empty = (one == 0).all(axis=-1) & (other == 0).all(axis=-1)
    return np.where(empty, 1.0, cosine).mean(axis=-1)


def _record_kept(context: "EvaluationContext", part: str, rows: np.ndarray, music: np.ndarray) -> None:
    source, layout = context.held_out.tokens[rows], context.layout
    context.record("transfer_chroma", part, rows, chroma_similarity(music, source, layout))
    context.record("transfer_rhythm", part, rows, rhythm_similarity(music, source, layout))
    hits, onsets = (values.sum(axis=1) for values in phrase_sums(music, source, layout)["onset_f1"])
    context.record("transfer_onset_f1", part, rows, hits, onsets)


def _of_target(context: "EvaluationContext", targets: np.ndarray) -> np.ndarray:
    """A random training phrase of each target genre."""
    rng = np.random.default_rng([SEED, _TRANSFERRED])
    train = context.train
    return train.tokens[[rng.choice(pool if len(pool := train.of_genre(t)) else len(train.tokens)) for t in targets]]


def _show_transfers(context: "EvaluationContext", rows: np.ndarray, targets: np.ndarray, music: np.ndarray) -> None:
    genres = context.genres
    for number, genre in enumerate(genres):
        of_genre = np.flatnonzero(context.held_out.genre[rows] == number)
        if len(of_genre):
            row = rows[of_genre[0]]
            moved = [
                context.clip(f"to {genres[targets[one]]}", music[one], genre) for one in of_genre[: len(genres) - 1]
            ]
            context.show("transfer", context.clip(f"{genre}, source", context.held_out.tokens[row], genre), *moved)
