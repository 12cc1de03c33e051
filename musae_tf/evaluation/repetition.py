"""How much of a piece comes again: the similarity of bars by their distance.

As in Museformer (Yu et al. 2022, section 4.2): two bars are as similar as the notes that they share are many among all
of theirs, and the mean over the pairs of bars at a distance is compared with that of real music. A note is where it
begins in the bar, its voice and its pitch; lengths are left out, which a bar line cuts.
"""

import numpy as np

from musae_tf.music import Layout
from musae_tf.music.grid import lines_of, onsets

SAME = 0.9
"""From this similarity on a bar repeats another."""


def bar_similarity(bars: np.ndarray, distance: int, layout: Layout) -> np.ndarray:
    """Similarity of bars to those `distance` before them.

    Args:
        bars: tokens int [..., n, S, C].
        distance: 1 or more.
        layout: of the tokens.

    Returns:
        float64 [..., n - distance], 0 to 1; NaN where neither of the two has a note.
    """
    bars, layout = lines_of(bars, layout)
    begins = onsets(bars, layout)
    one, other = bars[..., distance:, :, :], bars[..., :-distance, :, :]
    first, second = begins[..., distance:, :, :], begins[..., :-distance, :, :]
    shared = (first & second & (one == other)).sum(axis=(-2, -1))
    total = first.sum(axis=(-2, -1)) + second.sum(axis=(-2, -1)) - shared
    return np.where(total > 0, shared / np.maximum(total, 1), np.nan)


def similarity_of_pieces(bars: np.ndarray, distance: int, layout: Layout) -> np.ndarray:
    """The mean similarity, and the share of bars that repeat another, of each piece.

    Args:
        bars: tokens int [pieces, n, S, C].
        distance: of the bars.
        layout: of the tokens.

    Returns:
        float64 [pieces, 2]; NaN for a piece without notes.
    """
    similarity = bar_similarity(bars, distance, layout)
    known = np.isfinite(similarity)
    count = np.maximum(known.sum(axis=1), 1)
    values = np.where(known, similarity, 0.0)
    result = np.stack([values.sum(axis=1), (values >= SAME).sum(axis=1)], axis=1) / count[:, np.newaxis]
    return np.where(known.any(axis=1)[:, np.newaxis], result, np.nan)
