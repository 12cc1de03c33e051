"""Songs to token arrays and back, one symbol a step and column; phrases; what sounds at each step."""

from collections.abc import Sequence

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music.columns import laid_again, levels_in_force, notes_of_lines
from musae_tf.music.layouts import Layout
from musae_tf.music.placing import DEFAULT_TEMPO, Grid, Placement
from musae_tf.music.roles import assign
from musae_tf.music.song import NOTE, Metre, Song, Tempo, Track
from musae_tf.music.vocabulary import HOLD, KIT, KIT_PIECES, MELODIC, REST, SAME_VELOCITY, VELOCITY
from musae_tf.time_grid import TICKS_PER_QUARTER

DEFAULT_VELOCITY = 90


def tokenize(song: Song, layout: Layout, roles: np.ndarray | None = None) -> Grid:
    """Place a song on the grid.

    Starts and ends of notes are rounded to the nearest step, with at least one step between them. A song without metre
    events is taken as 4/4. Shorter bars are joined and longer ones split where that gives bars of the layout's metre,
    see `Placement`.

    In a track of one voice, of notes that start together the one that the track keeps wins; a note that starts while a
    winning one sounds is lost; a winning note cuts one that sounds. For tracks of several see `columns.lay_chords`.
    Velocities are those of a step's mean note, on eight levels.

    Args:
        song: The song.
        layout: What to take from it.
        roles: int [source tracks], which track of the layout takes each source track; None for what `assign` says.

    Raises:
        MusicError: No track fits the layout, no bar is of its metre, or the song is too long.
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
    """Tokens as a song, with one track for each track of the layout (a silent one too).

    A hold that has nothing to hold, after a rest or at the start, is a rest. `tokenize` of the song gives
    `canonical(tokens)`.

    Args:
        tokens: int [bars * S, C] or [bars, S, C].
        layout: Their layout.
        tempo: Quarter notes a minute, or a tempo map with ticks of `layout.time.ticks_per_step` a step, as in
            `Grid.tempos`.
        programs: General MIDI programs, one a track; None for the layout's.
        velocity: Of every note of which tokens do not say it, 1..127.

    Raises:
        MusicError: Shape, symbols, programs, tempo or velocity do not fit.
    """
    flat = flatten(tokens, layout)
    programs = layout.programs if programs is None else tuple(programs)
    if len(programs) != len(layout.tracks):
        raise MusicError(f"programs has {len(programs)} entries, layout {layout.name!r} needs {len(layout.tracks)}")
    if not 1 <= velocity <= 127:
        raise MusicError(f"velocity is {velocity}, must be 1 to 127")
    ticks = layout.time.ticks_per_step
    end = len(flat) * ticks
    tracks = []
    for number, (spec, program) in enumerate(zip(layout.tracks, programs, strict=True)):
        columns = flat[:, layout.voices_of(number)].T
        if spec.vocabulary == KIT:
            start, stop, pitch = _strokes(columns[0])
        else:
            start, stop, pitch = notes_of_lines(laid_again(columns) if spec.voices > 1 else columns)
        notes = np.empty(len(start), NOTE)
        notes["start"], notes["duration"] = start * ticks, (stop - start) * ticks
        notes["pitch"], notes["velocity"] = pitch, velocity
        if spec.dynamics:
            levels = levels_in_force(flat[:, layout.voices_of(number)[-1] + 1])[start].astype(np.int64)
            notes["velocity"] = np.where(levels == SAME_VELOCITY, velocity, 16 * levels + 8)
        tracks.append(Track(spec.name, int(program), spec.is_drum, notes))
    return Song(
        ticks_per_quarter=TICKS_PER_QUARTER,
        tracks=tracks,
        tempos=[Tempo(0, tempo)] if isinstance(tempo, (int, float)) else [one for one in tempo if one.tick < end],
        metres=[Metre(0, layout.time.numerator, layout.time.denominator)],
        end=end,
    )


def heads(tokens: np.ndarray, runs: Sequence[tuple[int, int]], layout: Layout) -> np.ndarray:
    """First symbol of every bar, with a hold replaced by the onset of the note that it holds.

    The velocity of a track with such notes is the last one before, unless others begin on the step.

    Args:
        tokens: uint16 [bars, S, C].
        runs: (first bar, bars), as in `Grid`.
        layout: Layout of the tokens.

    Returns:
        uint16 [bars, C].
    """
    flat = flatten(tokens, layout)
    starts = [first * layout.bar_steps for first, _ in runs]
    held = _held(flat, layout, starts)[:: layout.bar_steps]
    for column in layout.columns_of(VELOCITY):
        lines = layout.voices_of(layout.columns[column].track)
        sounds = (held[:, lines] < REST).any(axis=1) & (held[:, column] == SAME_VELOCITY)
        if layout.columns[column].spec.vocabulary == MELODIC:
            held[sounds, column] = levels_in_force(flat[:, column])[:: layout.bar_steps][sounds]
    return held


def canonical(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """Tokens as they come back from `detokenize` and `tokenize`.

    A hold with nothing to hold is a rest, the notes of a track are in the columns in which `tokenize` puts them, and a
    velocity stands where notes begin and nowhere else.

    Args:
        tokens: int [bars * S, C] or [bars, S, C], taken as one run.
        layout: Layout of the tokens.

    Returns:
        uint16, shape of `tokens`.
    """
    flat = flatten(tokens, layout)
    held = _held(flat, layout, [0])
    melodic = np.array([column.vocabulary == MELODIC for column in layout.columns])
    flat = np.where(melodic & (flat == HOLD) & (held == REST), np.uint16(REST), flat)
    for number, spec in enumerate(layout.tracks):
        voices = layout.voices_of(number)
        if spec.voices > 1:
            flat[:, voices] = laid_again(flat[:, voices].T).T
        if spec.dynamics:
            level = levels_in_force(flat[:, voices[-1] + 1])
            begins = (flat[:, voices] != KIT.rest if spec.vocabulary == KIT else flat[:, voices] < REST).any(axis=1)
            known = np.where(level == SAME_VELOCITY, np.uint16(DEFAULT_VELOCITY >> 4), level)
            flat[:, voices[-1] + 1] = np.where(begins, known, SAME_VELOCITY)
    return flat.reshape(np.shape(tokens))


def flatten(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """Check tokens against a layout and give them as uint16 [steps, C].

    Raises:
        MusicError: Wrong shape, dtype or symbol.
    """
    tokens = np.asarray(tokens)
    width, steps = len(layout.columns), layout.bar_steps
    fits = (tokens.ndim == 2 and len(tokens) % steps == 0) or (tokens.ndim == 3 and tokens.shape[1] == steps)
    if not fits or tokens.shape[-1] != width:
        raise MusicError(
            f"tokens have shape {list(tokens.shape)}, "
            f"layout {layout.name!r} needs [bars * {steps}, {width}] or [bars, {steps}, {width}]"
        )
    if tokens.dtype.kind not in "iu":
        raise MusicError(f"tokens have dtype {tokens.dtype}, must be integers")
    flat = tokens.reshape(-1, width)
    if flat.size:
        lowest, highest = flat.min(axis=0), flat.max(axis=0)
        for column, low, high in zip(layout.columns, lowest, highest, strict=True):
            if low < 0 or high >= column.vocabulary.size:
                raise MusicError(
                    f"track {column.name!r} has symbols {low} to {high}, must lie in 0 to {column.vocabulary.size - 1}"
                )
    return flat.astype(np.uint16)


def _held(flat: np.ndarray, layout: Layout, run_starts: Sequence[int]) -> np.ndarray:
    """Tokens [steps, C] with every hold replaced by the symbol that it holds, a rest at the start of a run."""
    held = flat.copy()
    melodic = layout.columns_of(MELODIC)
    lines = held[:, melodic]
    starts = np.zeros(len(flat), bool)
    starts[[start for start in run_starts if start < len(flat)]] = True
    lines[starts] = np.where(lines[starts] == HOLD, np.uint16(REST), lines[starts])
    source = np.where(lines == HOLD, 0, np.arange(len(flat))[:, None])
    held[:, melodic] = np.take_along_axis(lines, np.maximum.accumulate(source, axis=0), axis=0)
    return held


def _strokes(column: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start, end (steps) and pitch of the strokes of a kit."""
    step, piece = np.nonzero(column[:, None] >> np.arange(len(KIT_PIECES)) & 1)
    return step, step + 1, np.array([piece.pitch for piece in KIT_PIECES])[piece]


def cut(grid: Grid, bars: int, hop: int = 1) -> np.ndarray:
    """Phrases of `bars` bars, one every `hop` bars of each run.

    A phrase that starts inside a note starts with that note's onset. What is left at the end of a run is too short for
    a phrase.

    Returns:
        uint16 [phrases, bars * S, C].

    Raises:
        ValueError: `bars` or `hop` is less than 1.
    """
    if bars < 1 or hop < 1:
        raise ValueError(f"bars is {bars} and hop is {hop}, both must be at least 1")
    starts = [first + at for first, count in grid.runs for at in range(0, count - bars + 1, hop)]
    index = np.array(starts, np.int64)
    windows = grid.tokens[index[:, None] + np.arange(bars)]
    windows[:, 0, 0] = heads(grid.tokens, grid.runs, grid.layout)[index]
    return windows.reshape(len(index), bars * grid.layout.bar_steps, grid.tokens.shape[-1])


def join(phrases: np.ndarray) -> np.ndarray:
    """Phrases [n, T, C] one after the other as [n * T, C]."""
    phrases = np.asarray(phrases)
    return phrases.reshape(-1, phrases.shape[-1])


def pitch_range(tokens: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest pitch of the pitched tracks, drums left out.

    Args:
        tokens: int [..., T, C].
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
    """Tokens [..., T, C] with the pitched tracks moved by semitones; drums, rests and holds stay.

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
    return [index for index in layout.columns_of(MELODIC) if not layout.columns[index].spec.is_drum]


def lines_of(tokens: np.ndarray, layout: Layout) -> tuple[np.ndarray, Layout]:
    """Tokens [..., C] without their velocities, and the layout in which every column of notes is a track.

    What looks at single lines takes any layout so.
    """
    if layout.lines is layout:
        return np.asarray(tokens), layout
    notes = [number for number, column in enumerate(layout.columns) if column.vocabulary != VELOCITY]
    return np.asarray(tokens)[..., notes], layout.lines


SILENT = -1
"""Stands for no pitch."""


def sounding_pitch(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """The pitch that sounds at each step, int16 of the shape of `tokens` [..., T, C]; SILENT where none does.

    A hold after a rest, or with nothing before it, is silent, as everywhere in `musae_tf.music`. Kits and velocities
    have no pitch: their columns are silent throughout.
    """
    tokens = np.asarray(tokens)
    steps = np.arange(tokens.shape[-2])[:, np.newaxis]
    last = np.maximum.accumulate(np.where(tokens != HOLD, steps, -1), axis=-2)
    symbols = np.take_along_axis(tokens, np.maximum(last, 0), axis=-2)
    melodic = np.array([column.vocabulary == MELODIC for column in layout.columns])
    sounding = (last >= 0) & (symbols < REST) & melodic
    return np.where(sounding, symbols.astype(np.int16), np.int16(SILENT))


def onsets(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """Where notes begin, or something of a kit is struck: bool of the shape of `tokens` [..., T, C].

    Nothing begins in a column of velocities.
    """
    tokens = np.asarray(tokens)
    kits, levels = (np.array([column.vocabulary == kind for column in layout.columns]) for kind in (KIT, VELOCITY))
    return np.where(kits, tokens != KIT.rest, (tokens < REST) & ~levels)


def sounding_bars(tokens: np.ndarray, layout: Layout) -> np.ndarray:
    """Which tracks sound in which bars: bool [bars, tracks] of tokens [bars, S, C]; a held note sounds."""
    silence = np.array([column.vocabulary.rest for column in layout.columns])
    sounds = (tokens != silence).any(axis=1)
    return layout.of_track(sounds, np.logical_or)
