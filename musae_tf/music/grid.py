"""Songs to token arrays and back, 16 steps a bar and one symbol a step and track; phrases; what sounds at each step."""

from collections.abc import Sequence

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music.layouts import Layout
from musae_tf.music.placing import DEFAULT_TEMPO, STEPS_PER_BAR, TICKS_PER_STEP, Grid, Placement
from musae_tf.music.roles import assign
from musae_tf.music.song import NOTE, Metre, Song, Tempo, Track
from musae_tf.music.vocabulary import HOLD, KIT, KIT_PIECES, REST

DEFAULT_VELOCITY = 90


def tokenize(song: Song, layout: Layout, roles: np.ndarray | None = None) -> Grid:
    """Place a song on the grid.

    Starts and ends of notes are rounded to the nearest step, with at least one step between them. Of notes that start
    together the one that the track keeps wins; a note that starts while a winning one sounds is lost; a winning note
    cuts one that sounds. A song without metre events is taken as 4/4.
    Shorter bars are joined and longer ones split where that gives bars of 16 sixteenths, see `Placement`.

    Args:
        song: The song.
        layout: What to take from it.
        roles: int [source tracks], which track of the layout takes each source track; None for what `assign` says.

    Raises:
        MusicError: No track fits the layout, no bar is 16 sixteenths long, or the song is too long.
    """
    roles = assign(song, layout) if roles is None else roles
    return next(Placement(song, layout).grids([roles]))


def detokenize(
    tokens: np.ndarray,
    layout: Layout,
    tempo: float | Sequence[Tempo] = DEFAULT_TEMPO,
    programs: Sequence[int] | None = None,
    velocity: int = DEFAULT_VELOCITY,
) -> Song:
    """Tokens as a song in 4/4, with one track for each track of the layout (a silent one too).

    A hold that has nothing to hold, after a rest or at the start, is a rest. `tokenize` of the song gives
    `canonical(tokens)`.

    Args:
        tokens: int [bars * 16, K] or [bars, 16, K].
        layout: Their layout.
        tempo: Quarter notes a minute, or a tempo map with ticks of `TICKS_PER_STEP` a step, as in `Grid.tempos`.
        programs: General MIDI programs, one a track; None for the layout's.
        velocity: Of every note, 1..127.

    Raises:
        MusicError: Shape, symbols, programs, tempo or velocity do not fit.
    """
    flat = flatten(tokens, layout)
    programs = layout.programs if programs is None else tuple(programs)
    if len(programs) != len(layout.tracks):
        raise MusicError(f"programs has {len(programs)} entries, layout {layout.name!r} needs {len(layout.tracks)}")
    if not 1 <= velocity <= 127:
        raise MusicError(f"velocity is {velocity}, must be 1 to 127")
    end = len(flat) * TICKS_PER_STEP
    tracks = []
    for spec, program, column in zip(layout.tracks, programs, flat.T, strict=True):
        start, stop, pitch = _strokes(column) if spec.vocabulary == KIT else _lines(column)
        notes = np.empty(len(start), NOTE)
        notes["start"], notes["duration"] = start * TICKS_PER_STEP, (stop - start) * TICKS_PER_STEP
        notes["pitch"], notes["velocity"] = pitch, velocity
        tracks.append(Track(spec.name, int(program), spec.is_drum, notes))
    return Song(
        ticks_per_quarter=4 * TICKS_PER_STEP,
        tracks=tracks,
        tempos=[Tempo(0, tempo)] if isinstance(tempo, (int, float)) else [one for one in tempo if one.tick < end],
        metres=[Metre(0, 4, 4)],
        end=end,
    )


def heads(tokens: np.ndarray, runs: Sequence[tuple[int, int]], layout: Layout) -> np.ndarray:
    """First symbol of every bar, with a hold replaced by the onset of the note that it holds.

    Args:
        tokens: uint16 [bars, 16, K].
        runs: (first bar, bars), as in `Grid`.
        layout: Layout of the tokens.

    Returns:
        uint16 [bars, K].
    """
    flat = flatten(tokens, layout)
    held = _held(flat, layout, [first * STEPS_PER_BAR for first, _ in runs])
    return held[::STEPS_PER_BAR]


def canonical(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """Tokens as they come back from `detokenize` and `tokenize`: a hold with nothing to hold is a rest.

    Args:
        tokens: int [bars * 16, K] or [bars, 16, K], taken as one run.
        layout: Layout of the tokens.

    Returns:
        uint16, shape of `tokens`.
    """
    flat = flatten(tokens, layout)
    held = _held(flat, layout, [0])
    melodic = np.array([spec.vocabulary != KIT for spec in layout.tracks])
    idle = melodic & (flat == HOLD) & (held == REST)
    return np.where(idle, np.uint16(REST), flat).reshape(np.shape(tokens))


def flatten(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """Check tokens against a layout and give them as uint16 [steps, K].

    Raises:
        MusicError: Wrong shape, dtype or symbol.
    """
    tokens = np.asarray(tokens)
    width = len(layout.tracks)
    fits = (tokens.ndim == 2 and len(tokens) % STEPS_PER_BAR == 0) or (
        tokens.ndim == 3 and tokens.shape[1] == STEPS_PER_BAR
    )
    if not fits or tokens.shape[-1] != width:
        raise MusicError(
            f"tokens have shape {list(tokens.shape)}, "
            f"layout {layout.name!r} needs [bars * 16, {width}] or [bars, 16, {width}]"
        )
    if tokens.dtype.kind not in "iu":
        raise MusicError(f"tokens have dtype {tokens.dtype}, must be integers")
    flat = tokens.reshape(-1, width)
    if flat.size:
        lowest, highest = flat.min(axis=0), flat.max(axis=0)
        for spec, low, high in zip(layout.tracks, lowest, highest, strict=True):
            if low < 0 or high >= spec.vocabulary.size:
                raise MusicError(
                    f"track {spec.name!r} has symbols {low} to {high}, must lie in 0 to {spec.vocabulary.size - 1}"
                )
    return flat.astype(np.uint16)


def _held(flat: np.ndarray, layout: Layout, run_starts: Sequence[int]) -> np.ndarray:
    """Tokens [steps, K] with every hold replaced by the symbol that it holds, a rest at the start of a run."""
    held = flat.copy()
    melodic = [index for index, spec in enumerate(layout.tracks) if spec.vocabulary != KIT]
    lines = held[:, melodic]
    starts = np.zeros(len(flat), bool)
    starts[[start for start in run_starts if start < len(flat)]] = True
    lines[starts] = np.where(lines[starts] == HOLD, np.uint16(REST), lines[starts])
    source = np.where(lines == HOLD, 0, np.arange(len(flat))[:, None])
    held[:, melodic] = np.take_along_axis(lines, np.maximum.accumulate(source, axis=0), axis=0)
    return held


def _lines(column: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start, end (steps) and pitch of the notes of a melodic track."""
    changes = np.flatnonzero(column != HOLD)
    ends = np.append(changes[1:], len(column))
    sounds = column[changes] < REST
    start = changes[sounds]
    return start, ends[sounds], column[start]


def _strokes(column: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start, end (steps) and pitch of the strokes of a kit."""
    step, piece = np.nonzero(column[:, None] >> np.arange(len(KIT_PIECES)) & 1)
    return step, step + 1, np.array([piece.pitch for piece in KIT_PIECES])[piece]


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


SILENT = -1
"""Stands for no pitch."""


def sounding_pitch(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """The pitch that sounds at each step, int16 of the shape of `tokens` [..., T, K]; SILENT where none does.

    A hold after a rest, or with nothing before it, is silent, as everywhere in `musae_tf.music`. A kit has no pitch:
    its track is silent throughout.
    """
    tokens = np.asarray(tokens)
    steps = np.arange(tokens.shape[-2])[:, np.newaxis]
    last = np.maximum.accumulate(np.where(tokens != HOLD, steps, -1), axis=-2)
    symbols = np.take_along_axis(tokens, np.maximum(last, 0), axis=-2)
    sounding = (last >= 0) & (symbols < REST) & np.array([spec.vocabulary != KIT for spec in layout.tracks])
    return np.where(sounding, symbols.astype(np.int16), np.int16(SILENT))


def onsets(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """Where notes begin, or something of a kit is struck: bool of the shape of `tokens` [..., T, K]."""
    tokens = np.asarray(tokens)
    kits = np.array([spec.vocabulary == KIT for spec in layout.tracks])
    return np.where(kits, tokens != KIT.rest, tokens < REST)


def sounding_bars(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """Which tracks sound in which bars: bool [bars, K] of tokens [bars, 16, K]; a held note sounds."""
    silence = np.array([track.vocabulary.rest for track in layout.tracks])
    return (tokens != silence).any(axis=1)
