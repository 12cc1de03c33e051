"""Songs to token arrays and back: 16 steps a bar, one symbol a step and track."""

from collections.abc import Sequence

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music.layouts import Layout
from musae_tf.music.placing import DEFAULT_TEMPO, STEPS_PER_BAR, Grid, Placement
from musae_tf.music.roles import assign
from musae_tf.music.song import NOTE, Metre, Song, Tempo, Track
from musae_tf.music.vocabulary import HOLD, KIT, KIT_PIECES, REST

TICKS_PER_STEP = 120
DEFAULT_VELOCITY = 90


def tokenize(song: Song, layout: Layout, roles: np.ndarray | None = None) -> Grid:
    """Place a song on the grid.

    Starts and ends of notes are rounded to the nearest step, with at least one step between them. Of notes that start
    together the one that the track keeps wins; a note that starts while a winning one sounds is lost; a winning note
    cuts one that sounds. A song without metre events is taken as 4/4.

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
    tempo: float = DEFAULT_TEMPO,
    programs: Sequence[int] | None = None,
    velocity: int = DEFAULT_VELOCITY,
) -> Song:
    """Tokens as a song in 4/4, with one track for each track of the layout (a silent one too).

    A hold that has nothing to hold, after a rest or at the start, is a rest. `tokenize` of the song gives
    `canonical(tokens)`.

    Args:
        tokens: int [bars * 16, K] or [bars, 16, K].
        layout: Their layout.
        tempo: Quarter notes a minute.
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
    tracks = []
    for spec, program, column in zip(layout.tracks, programs, flat.T, strict=True):
        start, end, pitch = _strokes(column) if spec.vocabulary == KIT else _lines(column)
        notes = np.empty(len(start), NOTE)
        notes["start"], notes["duration"] = start * TICKS_PER_STEP, (end - start) * TICKS_PER_STEP
        notes["pitch"], notes["velocity"] = pitch, velocity
        tracks.append(Track(spec.name, int(program), spec.is_drum, notes))
    return Song(
        ticks_per_quarter=4 * TICKS_PER_STEP,
        tracks=tracks,
        tempos=[Tempo(0, tempo)],
        metres=[Metre(0, 4, 4)],
        end=len(flat) * TICKS_PER_STEP,
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
