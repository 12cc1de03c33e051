"""A song as a loop of MIDI messages, at times in quarter notes."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mido import Message

from musae_tf.errors import MusicError
from musae_tf.music import Song, Track
from musae_tf.music.grid import DEFAULT_TEMPO

DRUM_CHANNEL = 9
"""Channel 10 of General MIDI, counted from 0."""

_MELODIC = [channel for channel in range(16) if channel != DRUM_CHANNEL]


class TimedMessage(NamedTuple):
    """A MIDI message and when it is sent, in quarter notes from the beginning."""

    quarter: float
    message: Message


@dataclass(frozen=True, eq=False)
class Loop:
    """A piece that is played again and again.

    Attributes:
        messages: In order. At one time notes end first, then programs change, then notes begin.
        bars: Where bars begin, and last the end of the piece, in quarter notes from 0.
        bpm: Its own tempo, quarter notes a minute.
    """

    messages: tuple[TimedMessage, ...]
    bars: tuple[float, ...]
    bpm: float

    @property
    def length(self) -> float:
        """Quarter notes, whole bars."""
        return self.bars[-1]

    def next_bar(self, quarter: float) -> float:
        """The first bar line at or after a time, at most the end."""
        return self.bars[min(bisect_left(self.bars, quarter), len(self.bars) - 1)]

    def index(self, quarter: float) -> int:
        """How many messages lie before a time."""
        return bisect_left(self.messages, quarter, key=lambda timed: timed.quarter)

    def sounding(self, quarter: float) -> set[tuple[int, int]]:
        """Channel and pitch of the notes that began before a time and have not ended before it."""
        found = set()
        for _, message in self.messages[: self.index(quarter)]:
            if message.type == "note_on":
                found.add((message.channel, message.note))
            elif message.type == "note_off":
                found.discard((message.channel, message.note))
        return found


def to_loop(song: Song) -> Loop:
    """The messages of a song.

    Every track has a channel of its own, drums channel 10; the sixteenth melodic track and those after it share the
    channels of the first ones. A note ends where one of its channel and pitch begins, and at the end of the piece.

    Args:
        song: The song; of its tempos only the first one counts.

    Raises:
        MusicError: The song has no bars.
    """
    bars = song.bars()
    if not len(bars):
        raise MusicError("the piece is empty: there is nothing to play")
    quarter, stop = song.ticks_per_quarter, int(bars[-1].sum())
    found = []
    for track, channel in _channels(song):
        found.append((0, 1, Message("program_change", channel=channel, program=track.program)))
    for channel, pitch, begin, end, velocity in _notes(song, stop):
        found.append((begin, 2, Message("note_on", channel=channel, note=pitch, velocity=velocity)))
        found.append((end, 0, Message("note_off", channel=channel, note=pitch, velocity=0)))
    found.sort(key=lambda row: row[:2])
    lines = (*bars[:, 0].tolist(), stop)
    return Loop(
        tuple(TimedMessage(tick / quarter, message) for tick, _, message in found),
        tuple(line / quarter for line in lines),
        song.tempos[0].bpm if song.tempos else DEFAULT_TEMPO,
    )


def _channels(song: Song) -> Iterator[tuple[Track, int]]:
    """Tracks with notes, and their channels, which do not depend on which tracks are silent."""
    melodic = 0
    for track in song.tracks:
        channel = DRUM_CHANNEL if track.is_drum else _MELODIC[melodic % len(_MELODIC)]
        melodic += not track.is_drum
        if len(track.notes):
            yield track, channel


def _notes(song: Song, stop: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Channel, pitch, begin, end and velocity of all notes, none of which lasts into another of its pitch."""
    places: dict[tuple[int, int], dict[int, tuple[int, int]]] = defaultdict(dict)
    for track, channel in _channels(song):
        for begin, duration, pitch, velocity in track.notes.tolist():
            own = places[channel, pitch]
            # A note of no length or no velocity is a note-off to MIDI and would vanish.
            end, loudness = own.get(begin, (0, 0))
            own[begin] = max(end, begin + max(duration, 1)), max(loudness, velocity, 1)
    for (channel, pitch), own in places.items():
        begins = sorted(own)
        for begin, following in zip(begins, [*begins[1:], stop], strict=True):
            end, velocity = own[begin]
            yield channel, pitch, begin, min(end, following, stop), velocity
