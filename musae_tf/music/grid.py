"""Songs to token arrays and back: 16 steps a bar, one symbol a step and track."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from musae_tf.errors import MusicError
from musae_tf.music.layouts import Layout
from musae_tf.music.monophony import lay_notes
from musae_tf.music.roles import POOLED, assign, split_chords
from musae_tf.music.song import NOTE, Metre, Song, Tempo, Track
from musae_tf.music.vocabulary import HOLD, KIT, KIT_BITS, KIT_PIECES, REST, STROKES

STEPS_PER_BAR = 16
TICKS_PER_STEP = 120
DEFAULT_TEMPO = 120.0
DEFAULT_VELOCITY = 90


@dataclass(frozen=True, eq=False)
class Grid:
    """The part of a song that lies in bars of 16 sixteenths, as tokens.

    Attributes:
        tokens: uint16 [bars, 16, K]; `layout.tracks` says what the symbols of each track mean.
        runs: (first bar, bars) of each maximal stretch of bars that are neighbours in the song, in bars of `tokens`.
            No note crosses from one run to the next.
        tempo: Quarter notes a minute at the first bar.
        programs: General MIDI program of each track: that of its source with the most notes, or the layout's.
        losses: What the grid could not hold. `notes` all notes of the song, of which `outside_layout` belong to no
            track or kit piece, `other_metre` start in a bar that is not 16 sixteenths, `overlapped` lost to another
            note, and the remaining ones are onsets in `tokens`; `off_grid` of the notes inside layout and metre
            started off a step and were moved. `bars` all bars of the song, of which `bars_other_metre` are left out.
        layout: The layout of the tokens.
    """

    tokens: np.ndarray
    runs: list[tuple[int, int]]
    tempo: float
    programs: tuple[int, ...]
    losses: dict[str, int]
    layout: Layout


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
    bars = song.bars()
    first, count = _runs(bars, 4 * song.ticks_per_quarter)
    if len(first) == 0:
        found = ", ".join(sorted({f"{metre.numerator}/{metre.denominator}" for metre in song.metres})) or "no bars"
        raise MusicError(f"no bar is 16 sixteenths long (such as 4/4 or 2/2): found {found}")
    offset = np.cumsum(count) - count
    total = int(count.sum())

    # Column by column: joining whole notes, of ten bytes each, is several times slower.
    tick, duration, pitch = (
        np.concatenate([np.empty(0, np.int64), *(track.notes[column] for track in song.tracks)])
        for column in ("start", "duration", "pitch")
    )
    role = np.repeat(roles, [len(track.notes) for track in song.tracks])
    kits = np.array([spec.vocabulary == KIT for spec in layout.tracks])
    is_kit = kits[np.maximum(role, 0)] & (role >= 0)
    inside = (role != -1) & ~(is_kit & (KIT_BITS[pitch] == 0))
    start, end, in_metre, moved = _quantise(tick, duration, song.ticks_per_quarter, bars[first, 0], count, offset)

    kept = inside & in_metre
    start, end, pitch, role, is_kit = start[kept], end[kept], pitch[kept], role[kept], is_kit[kept]
    pooled = role == POOLED
    if pooled.any():
        voices = np.array([index for index, spec in enumerate(layout.tracks) if spec.rule == "register"])
        role[pooled] = voices[split_chords(start[pooled], end[pooled], pitch[pooled], len(voices))]

    steps = total * STEPS_PER_BAR
    flat = np.repeat(np.where(kits, KIT.rest, REST).astype(np.uint16), steps).reshape(len(kits), steps)
    bits = KIT_BITS[pitch[is_kit]]
    np.bitwise_or.at(flat, (role[is_kit], start[is_kit]), bits)
    strokes = int(STROKES[flat[kits]].sum())
    keep_low = np.array([spec.keep == "lowest" for spec in layout.tracks])
    line = ~is_kit
    onsets = lay_notes(flat, role[line], start[line], end[line], pitch[line], keep_low)

    tempos = [tempo.bpm for tempo in song.tempos if tempo.tick <= bars[first[0], 0]]
    losses = {
        "notes": len(tick),
        "off_grid": int((moved & kept).sum()),
        "overlapped": len(start) - strokes - onsets,
        "outside_layout": int((~inside).sum()),
        "other_metre": int((inside & ~in_metre).sum()),
        "bars": len(bars),
        "bars_other_metre": len(bars) - total,
    }
    return Grid(
        tokens=np.ascontiguousarray(flat.T).reshape(total, STEPS_PER_BAR, len(kits)),
        runs=[(int(bar), int(length)) for bar, length in zip(offset, count, strict=True)],
        tempo=tempos[-1] if tempos else DEFAULT_TEMPO,
        programs=_programs(song, roles, layout),
        losses=losses,
        layout=layout,
    )


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


def _runs(bars: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """First bar (of the song) and number of bars of each stretch of bars that are `length` ticks long."""
    fits = np.concatenate([[False], bars[:, 1] == length, [False]])
    edges = np.flatnonzero(fits[1:] != fits[:-1]).reshape(-1, 2)
    return edges[:, 0], edges[:, 1] - edges[:, 0]


def _quantise(
    tick: np.ndarray,
    duration: np.ndarray,
    quarter: int,
    run_start: np.ndarray,
    run_bars: np.ndarray,
    offset: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Start and end of every note in steps of the token array, whether it starts in a run, whether it was moved.

    Inside a run all bars are alike, so that steps count from the run's first tick. Ticks are scaled by 8 to round to
    sixteenths in integers. A note up to half a step early belongs to the run that follows.
    """
    run = np.searchsorted(8 * run_start, 8 * tick + quarter, side="right") - 1
    in_run = (run >= 0) & (tick < (run_start + run_bars * 4 * quarter)[run])
    run = np.maximum(run, 0)
    origin, last = run_start[run], run_bars[run] * STEPS_PER_BAR
    start = (8 * (tick - origin) + quarter) // (2 * quarter)
    end = (8 * (tick + duration - origin) + quarter) // (2 * quarter)
    start = np.minimum(start, last - 1)
    end = np.clip(end, start + 1, last)
    # A whole tick off: where the resolution is no multiple of 4, steps lie between ticks.
    moved = np.abs(8 * (tick - origin) - 2 * quarter * start) >= 8
    shift = offset[run] * STEPS_PER_BAR
    return start + shift, end + shift, in_run, moved


def _programs(song: Song, roles: np.ndarray, layout: Layout) -> tuple[int, ...]:
    programs = []
    for index, spec in enumerate(layout.tracks):
        sources = [
            track
            for track, role in zip(song.tracks, roles, strict=True)
            if role == index or (role == POOLED and spec.rule == "register")
        ]
        busiest = max(sources, key=lambda track: len(track.notes), default=spec)
        programs.append(busiest.program)
    return tuple(programs)


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
