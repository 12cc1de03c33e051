"""A written score, bar by bar, and the rules that turn it into time.

Score files disagree with themselves: one part of a bar holds more or fewer beats than the others
(doubled rests, rests left out). A reader that lets every part run on its own clock puts the voices
out of step from there to the end. Here a bar has one length, set once for all parts, and every part
starts every bar together.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from musae_tf.music.song import NOTE, Metre

# Ticks a quarter note while reading: exact for 128ths and for triplets, quintuplets and septuplets of common values.
TICKS = 10080
WHOLE = 4 * TICKS
# Two notes of a tie may miss each other by this much where the file rounds durations (1/24 of a quarter).
TIE_GAP = TICKS // 24

VELOCITY = 80

TIE_NEXT = 1
TIE_BACK = 2


class Written(NamedTuple):
    """One written note: ticks from the start of its bar, ticks long, sounding MIDI pitch, TIE_NEXT | TIE_BACK."""

    onset: int
    duration: int
    pitch: int
    tie: int
    velocity: int = VELOCITY


class Sounding(NamedTuple):
    """One sounding note, ties merged: ticks from the start of the piece, ticks long, MIDI pitch and velocity."""

    start: int
    duration: int
    pitch: int
    velocity: int


class Bar(NamedTuple):
    """A bar of the piece in time: where it starts, how long it is (ticks), and the metre in force as written."""

    start: int
    length: int
    metre: tuple[int, int]


@dataclass
class ScorePart:
    """One part: its notes by bar, how far it fills each bar (ticks; rests count), and its General MIDI program.

    The pitches of drums are those of General MIDI's percussion.
    """

    name: str
    bars: list[list[Written]] = field(default_factory=list)
    filled: list[int] = field(default_factory=list)
    program: int = 0
    is_drum: bool = False

    @property
    def sounds(self) -> bool:
        """True if the part has a note at all."""
        return any(self.bars)


@dataclass
class Score:
    """What a file says: parts from the top of the page down, and per bar the metre in force."""

    parts: list[ScorePart]
    metres: list[tuple[int, int]]
    tempos: list[tuple[int, int, float]] = field(default_factory=list)  # bar, ticks into it, quarter notes a minute
    key: str | None = None
    heading: str | None = None  # what the piece is a part of (a mass), where the file says so
    title: str | None = None
    unheard: int = 0  # strokes of percussion that name no drum


def metre_ticks(metre: tuple[int, int]) -> int:
    """Ticks in a full bar of a metre."""
    return metre[0] * WHOLE // metre[1]


def bar_lengths(score: Score) -> list[int]:
    """Ticks in each written bar, one length for all parts.

    Where the sounding parts agree, that is the length, full or not: pick-ups, bars cut by a repeat sign
    and irregular bars come out so. Where they do not, the metre decides; if no part has a full bar either,
    the length that most sounding parts have. A bar of rests says nothing beyond its metre, since rests are
    what files double.
    """
    lengths = []
    for bar, metre in enumerate(score.metres):
        full = metre_ticks(metre)
        sounding = [part.filled[bar] for part in score.parts if part.bars[bar]]
        resting = [min(part.filled[bar], full) for part in score.parts if not part.bars[bar] and part.filled[bar]]
        votes = Counter(sounding or resting)
        if len(votes) == 1:
            lengths.append(next(iter(votes)))
        elif not votes or full in votes or full in resting:
            lengths.append(full)
        else:
            lengths.append(max(votes, key=lambda length: (votes[length], length)))
    return lengths


def join_bars(lengths: list[int], metres: list[tuple[int, int]], pair: tuple[int, int] | None) -> list[list[int]]:
    """Group written bars into the bars of the piece.

    Two short bars that together fill their metre are one bar that a repeat sign cut in two. (Not at the start:
    there a short bar is a pick-up.) With `pair`, two neighbouring full bars of that metre make one bar, counted
    from where a run of them begins.
    """
    groups: list[list[int]] = []
    bar = 0
    while bar < len(lengths):
        full = metre_ticks(metres[bar])
        cut = (
            0 < bar < len(lengths) - 1
            and metres[bar + 1] == metres[bar]
            and 0 < lengths[bar] < full
            and lengths[bar] + lengths[bar + 1] == full
        )
        group = [bar, bar + 1] if cut else [bar]
        groups.append(group)
        bar += len(group)
    if pair is None:
        return groups
    paired: list[list[int]] = []
    waiting = False  # the last group is the first half of a pair
    for group in groups:
        fits = metres[group[0]] == pair and sum(lengths[b] for b in group) == metre_ticks(pair)
        if fits and waiting:
            paired[-1].extend(group)
        else:
            paired.append(list(group))
        waiting = fits and not waiting
    return paired


def lay_out(score: Score, pair: tuple[int, int] | None = None) -> tuple[list[Bar], list[int]]:
    """The bars of the piece in time, and the tick where each written bar starts (one more entry: the end)."""
    lengths = bar_lengths(score)
    starts = [0]
    for length in lengths:
        starts.append(starts[-1] + length)
    bars = [
        Bar(starts[group[0]], starts[group[-1] + 1] - starts[group[0]], score.metres[group[0]])
        for group in join_bars(lengths, score.metres, pair)
    ]
    return [bar for bar in bars if bar.length > 0], starts


def sounding_notes(part: ScorePart, starts: list[int]) -> list[Sounding]:
    """The notes of a part in time, ties merged, sorted by start and pitch.

    A note that begins past the end of its bar (an over-full part) is left out; one that runs past it is cut.
    Ties are merged by pitch and contiguity, whichever end of the tie the file marks: some exporters write only one.
    """
    notes: list[list[int]] = []  # start, end, pitch, tie, velocity
    tied: dict[int, list[int]] = {}  # pitch -> the note it was last heard in, if it can go on
    for bar, written in enumerate(part.bars):
        base = starts[bar]
        length = starts[bar + 1] - base
        for onset, duration, pitch, tie, velocity in written:
            if onset >= length:
                continue
            start = base + onset
            end = base + min(onset + duration, length)
            last = tied.get(pitch)
            if last is not None and (last[3] & TIE_NEXT or tie & TIE_BACK) and abs(last[1] - start) <= TIE_GAP:
                last[1] = end
                last[3] = tie
            else:
                last = [start, end, pitch, tie, velocity]
                notes.append(last)
                tied[pitch] = last
    return sorted(Sounding(start, end - start, pitch, velocity) for start, end, pitch, _, velocity in notes)


def note_array(part: ScorePart, starts: list[int]) -> np.ndarray:
    """The notes of a part as an array of `NOTE`, from the ticks where its written bars start (see `lay_out`)."""
    notes = sounding_notes(part, starts)
    array = np.zeros(len(notes), NOTE)
    if notes:
        array["start"], array["duration"], array["pitch"], array["velocity"] = np.array(notes, dtype=np.int64).T
    return array


def metre_changes(bars: list[Bar], scale: int) -> list[Metre]:
    """Metre changes that put a downbeat on every bar: a bar that is not full gets a metre of its own."""
    metres: list[Metre] = []
    for start, length, metre in bars:
        beats, unit = metre if length == metre_ticks(metre) else irregular_metre(length)
        exact = beats * WHOLE == length * unit
        if not exact or not metres or metres[-1][1:] != (beats, unit * scale):
            metres.append(Metre(start, beats, unit * scale))
    return metres


def irregular_metre(length: int) -> tuple[int, int]:
    """The metre of a bar of so many ticks: quarters if they come out even, otherwise shorter notes, rounded up."""
    for unit in (4, 8, 16, 32):
        if length * unit % WHOLE == 0:
            return length * unit // WHOLE, unit
    return -(-length * 64 // WHOLE), 64
