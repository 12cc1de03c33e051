"""How unexpected music is, step by step, to someone who has counted what follows what in real music.

As MusicVAE judges interpolations by the cost of a language model (Roberts et al. 2018, section 4): a table of
conditional frequencies stands in for the language model, since it needs no training and no samples of its own.
"""

import numpy as np

from musae_tf.music import STEPS_PER_BAR, Layout
from musae_tf.music.sounding import sounding_pitch
from musae_tf.music.vocabulary import KIT

_STEPS_PER_BEAT = 4
# Weights of what was counted, of the same without the pitch before, and of every symbol alike.
_COUNTED, _PLACE, _ANY = 0.9, 0.099, 0.001


class Surprise:
    """Nats a step under P(symbol | track, pitch sounding before, place in the beat), learnt from real phrases.

    A kit's strokes depend on the place in the bar instead.
    """

    def __init__(self, tokens: np.ndarray, layout: Layout):
        """Count in phrases int [N, T, K] of training songs."""
        self._layout = layout
        self._costs = []
        for track, (context, place, contexts, places) in enumerate(self._contexts(tokens)):
            symbols = layout.vocabulary_sizes[track]
            seen = np.asarray(tokens)[..., track].astype(np.int64)
            full = _frequencies(context * symbols + seen, contexts, symbols)
            by_place = _frequencies(place * symbols + seen, places, symbols)
            place_of_context = np.arange(contexts) % places
            mixed = _COUNTED * full + _PLACE * by_place[place_of_context] + _ANY / symbols
            # A context that was never seen has no counts of its own.
            mixed /= mixed.sum(axis=1, keepdims=True)
            self._costs.append(-np.log(mixed))

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        """Mean over the steps and tracks of each phrase int [N, T, K], float64 [N]."""
        costs = [
            table[context, np.asarray(tokens)[..., track]].mean(axis=1)
            for track, (table, (context, *_)) in enumerate(zip(self._costs, self._contexts(tokens), strict=True))
        ]
        return np.mean(costs, axis=0)

    def _contexts(self, tokens: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, int, int]]:
        """Of each track: numbers of context and of place, int [N, T] each, and how many of both there are."""
        pitch = sounding_pitch(tokens, self._layout).astype(np.int64)
        before = np.concatenate([np.full_like(pitch[:, :1], -1), pitch[:, :-1]], axis=1)
        steps = np.broadcast_to(np.arange(pitch.shape[1]), pitch.shape[:2])
        contexts = []
        for track, spec in enumerate(self._layout.tracks):
            if spec.vocabulary == KIT:
                place = steps % STEPS_PER_BAR
                contexts.append((place, place, STEPS_PER_BAR, STEPS_PER_BAR))
            else:
                place = steps % _STEPS_PER_BEAT
                contexts.append(
                    ((before[..., track] + 1) * _STEPS_PER_BEAT + place, place, 129 * _STEPS_PER_BEAT, _STEPS_PER_BEAT)
                )
        return contexts


def _frequencies(cells: np.ndarray, contexts: int, symbols: int) -> np.ndarray:
    counts = np.bincount(cells.ravel(), minlength=contexts * symbols).reshape(contexts, symbols)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
