"""Phrases: a few neighbouring bars of a dataset, found by their first bar."""

from dataclasses import dataclass, replace

import numpy as np

from musae_tf.music.layouts import Layout


def sounding(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """Which tracks sound in which bars: bool [bars, K] of tokens [bars, 16, K]; a held note sounds."""
    silence = np.array([track.vocabulary.rest for track in layout.tracks])
    return (tokens != silence).any(axis=1)


@dataclass(frozen=True, eq=False)
class PhraseIndex:
    """Phrases of one length. Nothing is copied: tokens are cut from the dataset when they are asked for.

    Attributes:
        starts: int64 [N], first bar of each phrase in the arrays of the dataset.
        songs: int32 [N], the song it comes from.
        bars: Bars a phrase.
        layout: What the tracks are.
        genres: Names of the genres.
        song_labels: bool [songs of the dataset, G].
        bar_tokens: uint16 [bars of the dataset, 16, K].
        bar_heads: uint16 [bars of the dataset, K], first symbols with holds resolved.
    """

    starts: np.ndarray
    songs: np.ndarray
    bars: int
    layout: Layout
    genres: tuple[str, ...]
    song_labels: np.ndarray
    bar_tokens: np.ndarray
    bar_heads: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def steps(self) -> int:
        """Steps a phrase."""
        return self.bars * self.bar_tokens.shape[1]

    @property
    def labels(self) -> np.ndarray:
        """The genres of every phrase, those of its song: bool [N, G]."""
        return self.song_labels[self.songs]

    def tokens(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Tokens of some phrases, uint16 [n, bars * 16, K]. One that starts inside a note starts with its onset."""
        starts = self.starts[rows]
        tokens = self.bar_tokens[starts[:, None] + np.arange(self.bars)]
        tokens[:, 0, 0] = self.bar_heads[starts]
        return tokens.reshape(len(starts), self.steps, tokens.shape[-1])

    def take(self, rows: np.ndarray) -> "PhraseIndex":
        """The index of some of the phrases: row numbers, or a bool [N]."""
        return replace(self, starts=self.starts[rows], songs=self.songs[rows])

    def without_overlap(self) -> "PhraseIndex":
        """Phrases that have no bar in common, taken from the left."""
        rows, free = [], 0
        for row, start in enumerate(self.starts.tolist()):
            if start >= free:
                rows.append(row)
                free = start + self.bars
        return self.take(np.array(rows, np.int64))


def phrase_starts(runs: np.ndarray, bars: int, hop: int) -> tuple[np.ndarray, np.ndarray]:
    """First bars and songs of all phrases of `bars` bars, one every `hop` bars of each run (int64 [runs, 3])."""
    counts = np.maximum((runs[:, 2] - bars) // hop + 1, 0)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(runs[:, 1], counts) + hop * within, np.repeat(runs[:, 0], counts).astype(np.int32)
