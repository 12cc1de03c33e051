"""A song as a loop of MIDI messages, at times in quarter notes."""

from bisect import bisect_left
from dataclasses import dataclass
from typing import NamedTuple

from mido import Message

from musae_tf.errors import MusicError
from musae_tf.music import Song
from musae_tf.music.grid import DEFAULT_TEMPO
from musae_tf.music.messages import channel_messages


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
    """The messages of a song, on the channels of `musae_tf.music.messages`; of its tempos only the first one counts.

    Raises:
        MusicError: The song has no bars.
    """
    bars = song.bars()
    if not len(bars):
        raise MusicError("the piece is empty: there is nothing to play")
    quarter = song.ticks_per_quarter
    lines = (*bars[:, 0].tolist(), int(bars[-1].sum()))
    return Loop(
        tuple(TimedMessage(tick / quarter, Message.from_bytes(data)) for tick, data in channel_messages(song)),
        tuple(line / quarter for line in lines),
        song.tempos[0].bpm if song.tempos else DEFAULT_TEMPO,
    )
