"""Phrases of a few bars: cutting, joining and transposing."""

import numpy as np

from musae_tf.music.grid import STEPS_PER_BAR, Grid, heads
from musae_tf.music.layouts import Layout
from musae_tf.music.vocabulary import REST


def cut(grid: Grid, bars: int, hop: int = 1) -> np.ndarray:
    """Phrases of `bars` bars, one every `hop` bars of each run.

    A phrase that starts inside a note starts with that note's onset. What is left at the end of a run is too short for
    a phrase.

    Returns:
        uint16 [phrases, bars * 16, K].

    Raises:
        ValueError: `bars` or `hop` is less than 1.
    """
    if bars < 1 or hop < 1:
        raise ValueError(f"bars is {bars} and hop is {hop}, both must be at least 1")
    starts = [first + at for first, count in grid.runs for at in range(0, count - bars + 1, hop)]
    index = np.array(starts, np.int64)
    windows = grid.tokens[index[:, None] + np.arange(bars)]
    windows[:, 0, 0] = heads(grid.tokens, grid.runs, grid.layout)[index]
    return windows.reshape(len(index), bars * STEPS_PER_BAR, grid.tokens.shape[-1])


def join(phrases: np.ndarray) -> np.ndarray:
    """Phrases [n, T, K] one after the other as [n * T, K]."""
    phrases = np.asarray(phrases)
    return phrases.reshape(-1, phrases.shape[-1])


def pitch_range(tokens: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest pitch of the pitched tracks, drums left out.

    Args:
        tokens: int [..., T, K].
        layout: Layout of the tokens.

    Returns:
        int64 [...] lowest and highest; 127 and 0 where nothing sounds, so that -lowest..127-highest are always the
        transpositions that fit.
    """
    lines = np.asarray(tokens)[..., _pitched(layout)].astype(np.int64)
    sounds = lines < REST
    low = np.where(sounds, lines, 127).min(axis=(-2, -1), initial=127)
    high = np.where(sounds, lines, 0).max(axis=(-2, -1), initial=0)
    return low, high


def transpose(tokens: np.ndarray, semitones: int, layout: Layout) -> np.ndarray:
    """Tokens [..., T, K] with the pitched tracks moved by semitones; drums, rests and holds stay.

    Raises:
        ValueError: A pitch would leave 0..127.
    """
    tokens = np.asarray(tokens)
    lows, highs = pitch_range(tokens, layout)
    low, high = lows.min(initial=127), highs.max(initial=0)
    if not -low <= semitones <= 127 - high:
        raise ValueError(f"pitches {low} to {high} moved by {semitones} semitones leave 0 to 127")
    moved = tokens.copy()
    lines = moved[..., _pitched(layout)]
    moved[..., _pitched(layout)] = np.where(lines < REST, lines.astype(np.int64) + semitones, lines)
    return moved


def _pitched(layout: Layout) -> list[int]:
    return [index for index, spec in enumerate(layout.tracks) if not spec.is_drum]
